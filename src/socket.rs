//! A socket that knows who waits for what comes.

use crate::waiter::Waiter;

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// A socket. Where nothing has come, and whoever asks is waiting already, or does not want to be woken, it says so
/// without asking anybody: a connection is asked several times for each request.
#[derive(Debug)]
pub struct Socket {
    tcp: TcpStream,
    reader: Waiter,
}

impl Socket {
    /// The connection that TCP itself is spoken by.
    pub fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// Whether nothing has come since the last that was read, and nothing has happened to the connection.
    fn is_quiet(&self) -> bool {
        let asked = self.tcp.try_io(Interest::READABLE, || Ok(()));
        asked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl From<TcpStream> for Socket {
    fn from(tcp: TcpStream) -> Self {
        Self { tcp, reader: Waiter::default() }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let need_not_be_told = this.reader.is(cx) || cx.waker().will_wake(Waker::noop());
        if need_not_be_told && this.is_quiet() {
            return Poll::Pending;
        }
        let read = Pin::new(&mut this.tcp).poll_read(cx, buffer);
        if read.is_pending() {
            this.reader.note(cx)
        } else {
            this.reader.forget()
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::coop;
    use tokio::time::{Instant, sleep, timeout};

    use std::future::poll_fn;
    use std::pin::pin;
    use std::time::Duration;

    const SOON: Duration = Duration::from_millis(20);
    const LATE: Duration = Duration::from_secs(10);

    async fn pair() -> (Socket, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let theirs = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (ours, _) = listener.accept().await.unwrap();
        (ours.into(), theirs)
    }

    /// Asks for more than ever comes at once: what fills all that was asked for may have more behind it.
    fn poll(socket: &mut Socket, cx: &mut Context<'_>) -> Poll<Vec<u8>> {
        let mut bytes = [0; 64];
        let read = pin!(socket.read(&mut bytes)).poll(cx);
        read.map(|read| bytes.get(..read.unwrap()).unwrap().to_vec())
    }

    fn is_pending(socket: &mut Socket, cx: &mut Context<'_>) -> bool {
        poll(socket, cx).is_pending()
    }

    #[tokio::test]
    async fn whoever_asks_is_told_however_often_and_by_whatever_task_it_asks() {
        let (mut ours, mut theirs) = pair().await;
        for round in 0..20_u8 {
            let asked = poll_fn(|cx| {
                // Somebody who does not wait asks first, and in between.
                let mut nobody = Context::from_waker(Waker::noop());
                for _ in 0..round % 4 {
                    assert!(is_pending(&mut ours, &mut nobody));
                    assert!(is_pending(&mut ours, cx));
                }
                if round % 2 == 0 {
                    assert!(is_pending(&mut ours, &mut nobody));
                }
                Poll::Ready(())
            });
            asked.await;
            let answer = async {
                sleep(SOON / 4).await;
                theirs.write_u8(round).await.unwrap();
            };
            let began = Instant::now();
            let read = timeout(LATE, poll_fn(|cx| poll(&mut ours, cx)));
            let (read, ()) = tokio::join!(read, answer);
            assert_eq!(read.expect("it is woken"), [round]);
            // By what came, and not by the end of the time.
            assert!(began.elapsed() < LATE / 2);
        }
        drop(theirs);
        let end = timeout(LATE, poll_fn(|cx| poll(&mut ours, cx))).await;
        assert!(end.expect("an end wakes as well").is_empty());
    }

    #[tokio::test]
    async fn whoever_has_had_its_share_of_a_turn_is_told_all_the_same() {
        let (mut ours, mut theirs) = pair().await;
        theirs.write_u8(6).await.unwrap();
        let reads = tokio::spawn(async move {
            // All that was there is read, and it is known that there is no more.
            assert_eq!(poll_fn(|cx| poll(&mut ours, cx)).await, [6]);
            assert!(ours.is_quiet());
            let mut is_spent = false;
            poll_fn(|cx| {
                if std::mem::replace(&mut is_spent, true) {
                    // The next turn: nothing has come yet.
                    return poll(&mut ours, cx);
                }
                while coop::has_budget_remaining() {
                    let Poll::Ready(spends) = coop::poll_proceed(cx) else { break };
                    spends.made_progress();
                }
                assert!(is_pending(&mut ours, cx));
                Poll::Pending
            })
            .await
        });
        sleep(SOON).await;
        theirs.write_u8(7).await.unwrap();
        assert_eq!(timeout(LATE, reads).await.expect("it is woken").unwrap(), [7]);
    }
}
