//! How much is read of a caller's connection at once.

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

/// What is read at least: most messages are smaller.
const LEAST: usize = 1 << 10;

/// How much is read of one connection at once: more where much comes, and less where little does.
#[derive(Debug)]
pub(super) struct Intake {
    size: usize,
    most: usize,
}

impl Intake {
    /// So much is read at `most`.
    pub(super) fn new(most: usize) -> Self {
        Self { size: LEAST, most }
    }

    /// Reads more of `socket` behind `bytes`: how much, and none at the end.
    pub(super) fn poll_read<I: AsyncRead + Unpin>(
        &mut self,
        socket: &mut I,
        bytes: &mut BytesMut,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let (read, room) = if bytes.is_empty() && self.size == LEAST {
            (ready!(poll_read_few(socket, bytes, cx))?, LEAST)
        } else {
            if bytes.capacity() - bytes.len() < self.size / 2 {
                bytes.reserve(self.size);
            }
            let room = bytes.capacity() - bytes.len();
            let Poll::Ready(read) = pin!(socket.read_buf(bytes)).poll(cx) else {
                // Most connections are idle at most times.
                if bytes.is_empty() {
                    *bytes = BytesMut::new();
                }
                return Poll::Pending;
            };
            (read?, room)
        };
        if read == room {
            self.size = (self.size * 2).min(self.most);
        } else if read < self.size / 4 {
            self.size = (self.size / 2).max(LEAST);
        }
        Poll::Ready(Ok(read))
    }
}

/// Reads what is there, and takes memory for it only then, and no more: most reads find nothing.
fn poll_read_few<I: AsyncRead + Unpin>(
    socket: &mut I,
    bytes: &mut BytesMut,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut room = [MaybeUninit::uninit(); LEAST];
    let mut read = ReadBuf::uninit(&mut room);
    let found = Pin::new(socket).poll_read(cx, &mut read);
    // What was there before is let go of, whether something has come or not.
    *bytes = BytesMut::from(read.filled());
    found.map_ok(|()| bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::future::poll_fn;

    /// What is read of `whole` at once, each time.
    async fn pieces(intake: &mut Intake, whole: &[u8], is_taken: bool) -> Vec<usize> {
        let (mut socket, mut bytes) = (whole, BytesMut::new());
        let (mut pieces, mut seen) = (Vec::new(), Vec::new());
        loop {
            let before = bytes.len();
            let read = poll_fn(|cx| intake.poll_read(&mut socket, &mut bytes, cx)).await.unwrap();
            if read == 0 {
                break;
            }
            assert_eq!(bytes.len(), before + read);
            seen.extend_from_slice(bytes.get(before..).unwrap());
            pieces.push(read);
            if is_taken {
                drop(bytes.split());
            }
        }
        assert!(seen == whole, "every byte comes, once and in its place");
        pieces
    }

    #[tokio::test]
    async fn more_is_read_where_much_comes_and_less_where_little_does() {
        let much: Vec<u8> = (0..100_000_u32).map(|at| (at % 251) as u8).collect();
        for is_taken in [false, true] {
            let mut intake = Intake::new(8 << 10);
            let found = pieces(&mut intake, &much, is_taken).await;
            assert_eq!(found.first(), Some(&LEAST));
            assert!(found.iter().any(|piece| *piece >= 8 << 10), "{found:?}");
            assert!(found.len() < 25, "{found:?}");
            for _ in 0..8 {
                pieces(&mut intake, b"little", is_taken).await;
            }
            assert_eq!(intake.size, LEAST);
        }
    }

    #[tokio::test]
    async fn who_waits_for_more_keeps_no_memory_for_it() {
        let (mut ours, _theirs) = tokio::io::duplex(64);
        for size in [LEAST, 4 << 10] {
            let (mut intake, mut bytes) =
                (Intake { size, most: 8 << 10 }, BytesMut::with_capacity(9));
            poll_fn(|cx| {
                assert!(intake.poll_read(&mut ours, &mut bytes, cx).is_pending());
                Poll::Ready(())
            })
            .await;
            assert_eq!(bytes.capacity(), 0, "{size}");
        }
    }
}
