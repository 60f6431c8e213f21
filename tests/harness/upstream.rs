//! An upstream that records every request byte for byte and answers as the test says.

use super::PATIENCE;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// What to do with one request.
pub enum Act {
    /// Send these bytes, and wait for the next request.
    Answer(Vec<u8>),
    /// Send these bytes, and close.
    AnswerAndClose(Vec<u8>),
    /// Close without a word.
    Close,
    /// The same, with a reset.
    Reset,
    /// Send the first bytes, then the second ones again and again until the other side closes.
    Endless(Vec<u8>, Vec<u8>),
    /// Wait for the test to say what to send.
    Held(Receiver<Vec<u8>>),
    /// Send these pieces with a pause before each.
    Slow(Vec<Vec<u8>>, Duration),
    /// Say nothing until the other side closes.
    Silence,
}

impl Act {
    /// An answer that the test gives when it wants to.
    pub fn held() -> (Sender<Vec<u8>>, Self) {
        let (sender, receiver) = channel();
        (sender, Self::Held(receiver))
    }
}

/// One request as it was received.
#[derive(Clone, Debug)]
pub struct Request {
    pub head: String,
    pub body: Vec<u8>,
}

impl Request {
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.all(name);
        let first = found.pop();
        assert!(found.is_empty(), "{name} is there twice");
        first
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let of_name = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        of_name.map(|(_, value)| value).collect()
    }
}

/// An answer with a length, of the text `status` as `200 OK`.
pub fn answer(status: &str, lines: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{lines}Content-Length: {length}\r\n\r\n{body}").into_bytes()
}

#[derive(Default)]
struct Shared {
    script: Mutex<VecDeque<Act>>,
    seen: Mutex<Vec<Request>>,
    changed: Condvar,
    connections: AtomicUsize,
    endless: AtomicUsize,
    refusing: AtomicBool,
    stopped: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

/// An upstream. Requests beyond the script get a referral tagged `"v1"`.
pub struct Upstream {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Upstream {
    pub fn start(script: impl IntoIterator<Item = Act>) -> Self {
        Self::serve(([127, 0, 0, 1], 0).into(), script, None)
    }

    pub fn start_tls(config: Arc<ServerConfig>) -> Self {
        Self::start_tls_with([], config)
    }

    pub fn start_tls_with(
        script: impl IntoIterator<Item = Act>,
        config: Arc<ServerConfig>,
    ) -> Self {
        Self::serve(([127, 0, 0, 1], 0).into(), script, Some(config))
    }

    /// One at an address that is known, as after a restart.
    pub fn start_at(address: SocketAddr) -> Self {
        Self::serve(address, [], None)
    }

    fn serve(
        address: SocketAddr,
        script: impl IntoIterator<Item = Act>,
        tls: Option<Arc<ServerConfig>>,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        shared.script.lock().unwrap().extend(script);
        let thread = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared, tls.as_ref())
        });
        Self { address, shared, thread: Some(thread) }
    }

    /// The requests received so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Adds to the script.
    pub fn then(&self, act: Act) {
        self.shared.script.lock().unwrap().push_back(act);
    }

    /// The one request that was received.
    pub fn only_request(&self) -> Request {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.pop().unwrap()
    }

    /// Waits until `count` requests have been received.
    pub fn wait_for(&self, count: usize) {
        let seen = self.shared.seen.lock().unwrap();
        let waited = self.shared.changed.wait_timeout_while(seen, PATIENCE, |s| s.len() < count);
        assert!(!waited.unwrap().1.timed_out(), "fewer than {count} requests came");
    }

    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// The bytes that were taken of answers without end.
    pub fn endless(&self) -> usize {
        self.shared.endless.load(Ordering::SeqCst)
    }

    /// Closes every connection that is open.
    pub fn close_all(&self) {
        for tcp in self.shared.open.lock().unwrap().drain(..) {
            let _ = tcp.shutdown(std::net::Shutdown::Both);
        }
    }

    /// Closes every connection from now on as soon as it is accepted.
    pub fn refuse_connections(&self) {
        self.shared.refusing.store(true, Ordering::SeqCst);
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        self.close_all();
        let _ = self.thread.take().unwrap().join();
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>, tls: Option<&Arc<ServerConfig>>) {
    for tcp in listener.incoming() {
        let tcp = tcp.unwrap();
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        shared.connections.fetch_add(1, Ordering::SeqCst);
        if shared.refusing.load(Ordering::SeqCst) {
            continue;
        }
        tcp.set_nodelay(true).unwrap();
        shared.open.lock().unwrap().push(tcp.try_clone().unwrap());
        let shared = Arc::clone(shared);
        let tls = tls.cloned();
        std::thread::spawn(move || {
            let end = tcp.try_clone().unwrap();
            let ended = match tls {
                None => serve_requests(&mut { tcp }, &shared),
                Some(config) => {
                    let session = ServerConnection::new(config).unwrap();
                    serve_requests(&mut StreamOwned::new(session, tcp), &shared)
                }
            };
            if ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset) {
                // With this one, all clones of the socket are closed, and that is a reset.
                let peer = end.peer_addr().ok();
                shared.open.lock().unwrap().retain(|tcp| tcp.peer_addr().ok() != peer);
                let _ = socket2::SockRef::from(&end).set_linger(Some(Duration::ZERO));
                return;
            }
            // Clones of the socket keep it open; only a shutdown ends it for the other side.
            let _ = end.shutdown(std::net::Shutdown::Both);
        });
    }
}

fn serve_requests(stream: &mut (impl Read + Write), shared: &Shared) -> std::io::Result<()> {
    while let Some(request) = read_request(stream)? {
        let act = shared.script.lock().unwrap().pop_front();
        shared.seen.lock().unwrap().push(request);
        shared.changed.notify_all();
        match act {
            None => {
                let body = r#"{"id":"1","status":"New","notes":""}"#;
                let lines = "Content-Type: application/json\r\nETag: \"v1\"\r\n";
                stream.write_all(&answer("200 OK", lines, body))?;
            }
            Some(Act::Answer(bytes)) => stream.write_all(&bytes)?,
            Some(Act::AnswerAndClose(bytes)) => return stream.write_all(&bytes),
            Some(Act::Close) => return Ok(()),
            Some(Act::Reset) => return Err(std::io::ErrorKind::ConnectionReset.into()),
            Some(Act::Endless(first, again)) => {
                stream.write_all(&first)?;
                loop {
                    stream.write_all(&again)?;
                    shared.endless.fetch_add(again.len(), Ordering::SeqCst);
                }
            }
            Some(Act::Held(receiver)) => match receiver.recv_timeout(PATIENCE) {
                Ok(bytes) => stream.write_all(&bytes)?,
                Err(_) => return Ok(()),
            },
            Some(Act::Slow(pieces, pause)) => {
                for piece in pieces {
                    std::thread::sleep(pause);
                    stream.write_all(&piece)?;
                }
            }
            Some(Act::Silence) => {
                let _ = stream.read(&mut [0]);
                return Ok(());
            }
        }
        stream.flush()?;
    }
    Ok(())
}

fn read_request(stream: &mut impl Read) -> std::io::Result<Option<Request>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte)? == 0 {
            return Ok(None);
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let mut request = Request { head, body: Vec::new() };
    assert!(request.all("transfer-encoding").is_empty(), "framed by length: {}", request.head);
    let length = request.header("content-length").map_or(0, |text| text.parse().unwrap());
    request.body = vec![0; length];
    stream.read_exact(&mut request.body)?;
    Ok(Some(request))
}

/// An address that nobody listens at, and nobody else gets while the socket is held.
pub fn nobody() -> (socket2::Socket, SocketAddr) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}
