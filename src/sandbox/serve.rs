//! The sandbox on a socket: HTTP/1.1, bounded in every direction, finished in order.

use super::Sandbox;
use super::options::BODY_MAX;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Answers on `listener` until `shutdown` completes; requests in flight then get two seconds.
///
/// # Errors
///
/// When the listener accepts nothing any more.
pub async fn serve(
    listener: TcpListener,
    sandbox: Arc<Sandbox>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let graceful = GracefulShutdown::new();
    // Dropping the set ends what is still in it.
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    let mut failures = 0;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok((stream, _)) => {
                failures = 0;
                connections.spawn(converse(stream, sandbox.clone(), graceful.watcher()));
            }
            // A caller that hung up, or too many open files: both pass, unless they do not.
            Err(error) if failures >= ACCEPT_FAILURES => return Err(error),
            Err(_) => {
                failures += 1;
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let _ = timeout(DRAIN, graceful.shutdown()).await;
    Ok(())
}

async fn converse(
    stream: TcpStream,
    sandbox: Arc<Sandbox>,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let service = service_fn(move |request| {
        let sandbox = sandbox.clone();
        async move { collected(&sandbox, request).await.map(|answer| answer.map(Unended)) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    // What goes wrong with a connection is its caller's to see.
    let _ = watcher.watch(connection).await;
}

async fn collected(
    sandbox: &Sandbox,
    request: Request<Incoming>,
) -> io::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    if body.size_hint().lower() > BODY_MAX {
        return Ok(sandbox.answer_too_large(&head.headers));
    }
    let body = timeout(BODY_TIMEOUT, Limited::new(body, BODY_MAX as usize).collect()).await?;
    match body {
        Ok(body) => Ok(sandbox.answer(Request::from_parts(head, body.to_bytes())).await),
        Err(error) if error.is::<LengthLimitError>() => Ok(sandbox.answer_too_large(&head.headers)),
        Err(error) => Err(io::Error::other(error)),
    }
}

/// A body that says nothing of its end beforehand.
///
/// Of a body that is known to be empty, hyper takes away the `Content-Length: 0` which the API sends
/// with a 204.
struct Unended(Full<Bytes>);

impl Body for Unended {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.0).poll_frame(context)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

const ACCEPT_FAILURES: u32 = 100;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
const DRAIN: Duration = Duration::from_secs(2);
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::super::testing::ACTIVE;
    use super::*;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::oneshot;
    use tokio::task::JoinHandle;

    struct Served {
        stream: TcpStream,
        stop: oneshot::Sender<()>,
        task: JoinHandle<io::Result<()>>,
    }

    async fn served(options: Options) -> Served {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async { drop(stopped.await) };
        let task = tokio::spawn(serve(listener, Arc::new(Sandbox::new(options)), shutdown));
        let stream = TcpStream::connect(address).await.expect("a connection");
        Served { stream, stop, task }
    }

    /// Sends `text` and reads the head of the answer, and as much body as it announces.
    async fn exchange(stream: &mut TcpStream, text: &str) -> (String, String) {
        stream.write_all(text.as_bytes()).await.expect("to send");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a head"));
        }
        let head = String::from_utf8(head).expect("text").to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        let length = length.and_then(|length| length.parse().ok()).expect("a length");
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.expect("a body");
        (head, String::from_utf8(body).expect("text"))
    }

    fn request(method: &str, body: &str, length: u64, more: &str) -> String {
        format!(
            "{method} /v1.0/engagements/referrals/{ACTIVE} HTTP/1.1\r\nHost: sandbox\r\n\
             Authorization: Bearer any\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n{more}\r\n{body}"
        )
    }

    const NOTE: &str = r#"[{"op":"replace","path":"/details/notes","value":"x"}]"#;

    /// Begins a PATCH and waits until the sandbox is at reading its body.
    async fn begin(served: &mut Served) {
        let head = request("PATCH", "", NOTE.len() as u64, "Expect: 100-continue\r\n");
        served.stream.write_all(head.as_bytes()).await.expect("to send");
        let mut go_on = [0; 25];
        served.stream.read_exact(&mut go_on).await.expect("a word to go on");
        assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    }

    #[tokio::test]
    async fn a_patch_is_204_with_length_0_and_the_connection_lives_on() {
        let mut served = served(Options::default()).await;
        let patch = request("PATCH", NOTE, NOTE.len() as u64, "");
        for _ in 0..2 {
            let (head, _) = exchange(&mut served.stream, &patch).await;
            assert!(head.starts_with("http/1.1 204 "), "{head}");
            assert!(head.contains("\r\ncontent-length: 0\r\n"), "{head}");
            assert!(head.contains("\r\nrequest-id: "), "{head}");
        }
        // Were there a byte of body after a 204, it would stand before this answer.
        let (head, body) = exchange(&mut served.stream, &request("GET", "", 0, "")).await;
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        assert!(body.contains(r#""notes":"x""#), "{body}");
    }

    #[tokio::test]
    async fn a_body_past_the_bound_is_a_413() {
        let mut served = served(Options::default()).await;
        let (head, body) =
            exchange(&mut served.stream, &request("PATCH", "[", BODY_MAX + 1, "")).await;
        assert!(head.starts_with("http/1.1 413 "), "{head}");
        assert!(head.contains("\r\nrequest-id: ") && body.contains("invalidRequest"), "{head}");
    }

    #[tokio::test]
    async fn a_body_that_does_not_say_its_length_is_bounded_all_the_same() {
        let mut served = served(Options::default()).await;
        let head = request("PATCH", "", 0, "Transfer-Encoding: chunked\r\n");
        let head = head.replace("Content-Length: 0\r\n", "");
        let text = format!("{head}{:x}\r\n{}", BODY_MAX + 1, " ".repeat(BODY_MAX as usize + 1));
        let (head, _) = exchange(&mut served.stream, &text).await;
        assert!(head.starts_with("http/1.1 413 "), "{head}");
    }

    #[tokio::test]
    async fn a_shutdown_finishes_what_is_in_flight() {
        let mut served = served(Options::default()).await;
        begin(&mut served).await;
        served.stop.send(()).expect("a server");
        let (head, _) = exchange(&mut served.stream, NOTE).await;
        assert!(head.starts_with("http/1.1 204 "), "{head}");
        let ended = timeout(DRAIN, served.task).await.expect("an end before the bound");
        assert!(ended.expect("no panic").is_ok());
        assert_eq!(served.stream.read(&mut [0]).await.expect("an end"), 0);
    }

    #[tokio::test]
    async fn a_shutdown_waits_no_longer_than_its_bound() {
        let mut served = served(Options::default()).await;
        begin(&mut served).await;
        let begun = tokio::time::Instant::now();
        served.stop.send(()).expect("a server");
        let ended = timeout(DRAIN * 5, served.task).await.expect("an end in time");
        assert!(ended.expect("no panic").is_ok());
        assert!(begun.elapsed() >= DRAIN, "the caller was given its time");
    }
}
