//! A caller that sends bytes as they are, and reads answers one by one.

use super::{PATH, PATIENCE};

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

/// One connection to the gateway.
pub struct Caller {
    tcp: TcpStream,
    read: Vec<u8>,
}

/// One answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether the body ended as its framing said it would.
    pub whole: bool,
}

impl Caller {
    pub fn to(address: SocketAddr) -> Self {
        Self::try_to(address).unwrap()
    }

    /// The same where perhaps nobody listens any more.
    pub fn try_to(address: SocketAddr) -> std::io::Result<Self> {
        let tcp = TcpStream::connect(address)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        tcp.set_nodelay(true)?;
        Ok(Self { tcp, read: Vec::new() })
    }

    /// From another address of this machine.
    pub fn from(own: [u8; 4], address: SocketAddr) -> Self {
        use socket2::{Domain, Socket, Type};
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((own, 0)).into()).unwrap();
        socket.connect(&address.into()).unwrap();
        let tcp = TcpStream::from(socket);
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { tcp, read: Vec::new() }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        // A gateway that has closed already has answered; the answer is what counts.
        let _ = self.tcp.write_all(bytes.as_ref());
        self
    }

    pub fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.tcp.write_all(bytes)
    }

    pub fn finish(&mut self) -> &mut Self {
        self.tcp.shutdown(Shutdown::Write).unwrap();
        self
    }

    /// Leaves with a reset.
    pub fn reset(&mut self) -> std::io::Result<()> {
        socket2::SockRef::from(&self.tcp).set_linger(Some(std::time::Duration::ZERO))?;
        self.tcp.shutdown(Shutdown::Both)
    }

    /// Sends and reads one answer.
    pub fn ask(&mut self, bytes: impl AsRef<[u8]>) -> Reply {
        self.send(bytes).reply()
    }

    pub fn reply(&mut self) -> Reply {
        self.try_reply().expect("an answer")
    }

    /// The next answer that is not followed by another one, or `None` when the connection ends before
    /// that one begins.
    pub fn try_last(&mut self) -> Option<Reply> {
        loop {
            let reply = self.try_reply()?;
            if reply.status >= 200 {
                return Some(reply);
            }
        }
    }

    /// The next answer, or `None` when the connection ends before one begins.
    pub fn try_reply(&mut self) -> Option<Reply> {
        let end = loop {
            if let Some(at) = find(&self.read, b"\r\n\r\n") {
                break at + 4;
            }
            if !self.fill() {
                assert!(self.read.is_empty(), "half a head: {:?}", self.read);
                return None;
            }
        };
        let head: Vec<u8> = self.read.drain(..end).collect();
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let mut reply = Reply { status, headers, body: Vec::new(), whole: true };
        if status >= 200 && status != 204 && status != 304 {
            self.read_body(&mut reply);
        }
        Some(reply)
    }

    fn read_body(&mut self, reply: &mut Reply) {
        if reply.header("transfer-encoding") == Some("chunked") {
            loop {
                let Some(line) = self.take_line() else { break reply.whole = false };
                let size = usize::from_str_radix(line.trim(), 16).unwrap();
                let Some(chunk) = self.take(size + 2) else { break reply.whole = false };
                if size == 0 {
                    break;
                }
                reply.body.extend_from_slice(&chunk[..size]);
            }
        } else if let Some(length) = reply.header("content-length") {
            match self.take(length.parse().unwrap()) {
                Some(body) => reply.body = body,
                None => {
                    reply.whole = false;
                    reply.body = std::mem::take(&mut self.read);
                }
            }
        } else {
            while self.fill() {}
            reply.body = std::mem::take(&mut self.read);
        }
    }

    /// Whether the gateway closes the connection without another byte.
    pub fn is_closed(&mut self) -> bool {
        !self.fill() && self.read.is_empty()
    }

    fn take_line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = find(&self.read, b"\r\n") {
                let line = self.read.drain(..at + 2).collect();
                return Some(String::from_utf8(line).unwrap());
            }
            if !self.fill() {
                return None;
            }
        }
    }

    fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.read.len() < count {
            if !self.fill() {
                return None;
            }
        }
        Some(self.read.drain(..count).collect())
    }

    fn fill(&mut self) -> bool {
        let mut buffer = [0; 4096];
        match self.tcp.read(&mut buffer) {
            Ok(0) => false,
            Ok(count) => {
                self.read.extend_from_slice(&buffer[..count]);
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("the gateway is silent; so far: {:?}", String::from_utf8_lossy(&self.read))
            }
            Err(_) => false,
        }
    }
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let lines = self.headers.iter().filter(move |(known, _)| known == name);
        lines.map(|(_, value)| &**value)
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The slug of the rejection, from a problem.
    pub fn code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.header("cache-control"), Some("no-store"));
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        problem["code"].as_str().unwrap().to_owned()
    }
}

/// A patch of one referral.
pub fn patch(body: &str) -> String {
    patch_with("", body)
}

/// The same with more header lines, each with its line end.
pub fn patch_with(lines: &str, body: &str) -> String {
    let typed = if lines.contains("Content-Type") {
        ""
    } else {
        "Content-Type: application/json-patch+json\r\n"
    };
    format!(
        "PATCH {PATH} HTTP/1.1\r\nHost: gateway\r\n{typed}{lines}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
