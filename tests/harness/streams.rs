//! An upstream that speaks HTTP/2 over TLS frame by frame, and misbehaves as it is told.

use super::PATIENCE;
use super::frames::{DATA, END_HEADERS, END_STREAM, HEADERS, PING, SETTINGS};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use std::collections::{HashMap, VecDeque};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// What to do about the request on a stream, once it has ended.
pub type Deed = Box<dyn FnOnce(&mut Peer, u32) + Send>;

/// The other side of one connection.
pub struct Peer(StreamOwned<ServerConnection, TcpStream>);

impl Peer {
    /// Sends one frame; whether the other side still takes it.
    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend_from_slice(payload);
        self.0.write_all(&frame).and_then(|()| self.0.flush()).is_ok()
    }

    pub fn close(&mut self) {
        let _ = self.0.sock.shutdown(std::net::Shutdown::Both);
    }

    fn read(&mut self, count: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).ok().map(|()| bytes)
    }
}

#[derive(Default)]
struct Shared {
    script: Mutex<VecDeque<Deed>>,
    heads: AtomicUsize,
    bodies: Mutex<Vec<Vec<u8>>>,
    connections: AtomicUsize,
    stopped: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

/// An upstream. Requests beyond the script get a bare 200.
pub struct Streams {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Streams {
    /// One that greets with `settings`.
    pub fn start(
        config: &Arc<ServerConfig>,
        settings: &'static [u8],
        script: impl IntoIterator<Item = Deed>,
    ) -> Self {
        Self::start_as(config, settings, script, END_STREAM)
    }

    /// One that acts as soon as there is a head.
    pub fn start_early(
        config: &Arc<ServerConfig>,
        settings: &'static [u8],
        script: impl IntoIterator<Item = Deed>,
    ) -> Self {
        Self::start_as(config, settings, script, END_HEADERS)
    }

    /// One that acts once a frame with the flag `due` has come.
    fn start_as(
        config: &Arc<ServerConfig>,
        settings: &'static [u8],
        script: impl IntoIterator<Item = Deed>,
        due: u8,
    ) -> Self {
        let mut config = ServerConfig::clone(config);
        config.alpn_protocols = vec![b"h2".to_vec()];
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        shared.script.lock().unwrap().extend(script);
        let thread = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                for tcp in listener.incoming() {
                    let tcp = tcp.unwrap();
                    if shared.stopped.load(Ordering::SeqCst) {
                        return;
                    }
                    shared.connections.fetch_add(1, Ordering::SeqCst);
                    shared.open.lock().unwrap().push(tcp.try_clone().unwrap());
                    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
                    tcp.set_write_timeout(Some(PATIENCE)).unwrap();
                    let (shared, config) = (Arc::clone(&shared), Arc::clone(&config));
                    std::thread::spawn(move || {
                        let session = ServerConnection::new(config).unwrap();
                        let mut peer = Peer(StreamOwned::new(session, tcp));
                        serve(&mut peer, &shared, settings, due);
                        peer.close();
                    });
                }
            }
        });
        Self { address, shared, thread: Some(thread) }
    }

    /// How many requests were begun.
    pub fn heads(&self) -> usize {
        self.shared.heads.load(Ordering::SeqCst)
    }

    /// The bodies of the requests that came as wholes.
    pub fn bodies(&self) -> Vec<Vec<u8>> {
        self.shared.bodies.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        for tcp in self.shared.open.lock().unwrap().drain(..) {
            let _ = tcp.shutdown(std::net::Shutdown::Both);
        }
        let _ = self.thread.take().unwrap().join();
    }
}

fn serve(peer: &mut Peer, shared: &Shared, settings: &[u8], due: u8) -> Option<()> {
    peer.read(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len())?;
    peer.send(SETTINGS, 0, 0, settings);
    let mut bodies = HashMap::<u32, Vec<u8>>::new();
    loop {
        let head = peer.read(9)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let (kind, flags) = (head[3], head[4]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let payload = peer.read(length as usize)?;
        match kind {
            SETTINGS | PING if flags == 0 => {
                let echoed: &[u8] = if kind == PING { &payload } else { &[] };
                peer.send(kind, 1, 0, echoed);
            }
            HEADERS => {
                shared.heads.fetch_add(1, Ordering::SeqCst);
                bodies.insert(stream, Vec::new());
            }
            DATA => bodies.entry(stream).or_default().extend(payload),
            _ => continue,
        }
        if matches!(kind, HEADERS | DATA) && flags & due != 0 {
            shared.bodies.lock().unwrap().push(bodies.remove(&stream).unwrap());
            let deed = shared.script.lock().unwrap().pop_front();
            match deed {
                Some(deed) => deed(peer, stream),
                None => {
                    peer.send(HEADERS, END_HEADERS | END_STREAM, stream, &[0x88]);
                }
            }
        }
    }
}
