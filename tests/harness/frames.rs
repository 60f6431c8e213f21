//! A caller that speaks HTTP/2 frame by frame, and so can say what no client would.

use super::PATIENCE;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RESET: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GO_AWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// One connection, after the preface.
pub struct Frames(TcpStream);

/// What becomes of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// An answer, and the first bytes of its fields.
    Answered(Vec<u8>),
    /// The connection ends.
    Closed,
    /// The stream does.
    Reset,
}

impl End {
    /// `:status` as one byte of the static table, or as text in the code of HPACK.
    pub fn has_status(&self, status: u16) -> bool {
        let Self::Answered(fields) = self else { return false };
        let coded: &[u8] = match status {
            103 => &[0x48, 0x82, 0x08, 0x19],
            200 => &[0x88],
            400 => &[0x8c],
            404 => &[0x8d],
            421 => &[0x48, 0x82, 0x68, 0x41],
            431 => &[0x48, 0x83, 0x69, 0x90, 0xff],
            _ => panic!("no code for {status}"),
        };
        fields.starts_with(coded)
    }
}

impl Frames {
    pub fn to(address: SocketAddr) -> Self {
        let mut tcp = TcpStream::connect(address).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        tcp.set_write_timeout(Some(PATIENCE)).unwrap();
        tcp.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        let mut frames = Self(tcp);
        frames.send(SETTINGS, 0, 0, &[]);
        frames
    }

    /// Sends one frame; whether the other side still takes it.
    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend_from_slice(payload);
        self.0.write_all(&frame).is_ok()
    }

    /// Sends frames that are written already.
    pub fn write(&mut self, frames: &[u8]) {
        self.0.write_all(frames).unwrap();
    }

    /// What becomes of `stream`.
    pub fn end(&mut self, stream: u32) -> End {
        loop {
            let mut head = [0; 9];
            if !self.read(&mut head) {
                return End::Closed;
            }
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            if !self.read(&mut payload) {
                return End::Closed;
            }
            let of = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            match head[3] {
                HEADERS if of == stream => return End::Answered(payload),
                RESET if of == stream => return End::Reset,
                GO_AWAY => return End::Closed,
                _ => {}
            }
        }
    }

    /// What comes of an answer's body behind its head, and whether it ends as a whole.
    pub fn body(&mut self, stream: u32) -> (Vec<u8>, bool) {
        let mut body = Vec::new();
        loop {
            let mut head = [0; 9];
            if !self.read(&mut head) {
                return (body, false);
            }
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            if !self.read(&mut payload) {
                return (body, false);
            }
            let of = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            match head[3] {
                DATA if of == stream => body.extend(payload),
                RESET if of == stream => return (body, false),
                _ => {}
            }
            if of == stream && head[4] & END_STREAM != 0 {
                return (body, true);
            }
        }
    }

    /// Whether so many bytes come before the connection ends. That nothing comes at all is no end.
    fn read(&mut self, bytes: &mut [u8]) -> bool {
        match self.0.read_exact(bytes) {
            Ok(()) => true,
            Err(error) => {
                let in_vain = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                assert!(!in_vain, "neither a frame nor the end came in time");
                false
            }
        }
    }
}

/// Fields as HPACK writes them, each as it is.
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            let mut left = text.len();
            if left < 127 {
                block.push(u8::try_from(left).unwrap());
            } else {
                block.push(127);
                left -= 127;
                while left >= 128 {
                    block.push(u8::try_from(left % 128 + 128).unwrap());
                    left /= 128;
                }
                block.push(u8::try_from(left).unwrap());
            }
            block.extend(text.as_bytes());
        }
    }
    block
}
