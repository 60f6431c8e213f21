//! Holds the heads of HTTP/1 answers to what hyper lets pass: lines that end otherwise than in CRLF,
//! and informational answers without end.
//!
//! A line feed by itself is a line end to some readers and none to others, and so a way to split an
//! answer in two.

use super::tapped::Tap;

use std::cell::Cell;
use std::io;
use std::rc::Rc;

/// How many informational answers may come before the one that counts.
const INFORMATIONAL_MAX: usize = 16;

/// Where the status begins in a head.
const STATUS: usize = "HTTP/1.1 ".len();

/// Told before each request, so that the next bytes to be read are those of a head.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked(Rc<Cell<bool>>);

impl Asked {
    pub(super) fn tell(&self) {
        self.0.set(true);
    }
}

/// Looks at the heads of a connection as they come.
#[derive(Debug)]
pub(super) struct Strict {
    asked: Asked,
    heads: Option<Heads>,
}

impl Strict {
    pub(super) fn new(asked: Asked) -> Self {
        Self { asked, heads: None }
    }
}

impl Tap for Strict {
    fn see(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.asked.0.take() {
            self.heads = Some(Heads::default());
        }
        if let Some(heads) = &mut self.heads
            && heads.read(bytes)?
        {
            self.heads = None;
        }
        Ok(())
    }
}

/// The heads of one answer: informational ones, and the one that counts.
#[derive(Debug, Default)]
struct Heads {
    /// The bytes of this one so far.
    length: usize,
    /// The bytes of its current line, without those of the line's end.
    line: usize,
    /// Whether a carriage return waits for its line feed.
    returned: bool,
    is_informational: bool,
    informational: usize,
}

impl Heads {
    /// Whether all heads are over after `bytes`.
    fn read(&mut self, bytes: &[u8]) -> io::Result<bool> {
        for byte in bytes {
            match (byte, self.returned) {
                (b'\n', true) if self.line == 0 => {
                    if !self.is_informational {
                        return Ok(true);
                    }
                    let informational = self.informational + 1;
                    if informational > INFORMATIONAL_MAX {
                        return Err(broken("too many informational answers"));
                    }
                    *self = Self { informational, ..Self::default() };
                    continue;
                }
                (b'\n', true) => (self.returned, self.line) = (false, 0),
                (b'\r', false) => self.returned = true,
                (b'\n', false) | (_, true) => return Err(broken("a line does not end in CRLF")),
                (byte, false) => {
                    if self.length == STATUS {
                        self.is_informational = *byte == b'1';
                    }
                    self.line += 1;
                }
            }
            self.length += 1;
        }
        Ok(false)
    }
}

fn broken(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of `text`, however it is cut in two.
    fn read(text: &str) -> Option<bool> {
        let outcome = |first: &[u8], second: &[u8]| {
            let mut heads = Heads::default();
            if heads.read(first).ok()? {
                return Some(true);
            }
            heads.read(second).ok()
        };
        let whole = outcome(text.as_bytes(), b"");
        for (at, _) in text.char_indices() {
            let (first, second) = text.split_at(at);
            assert_eq!(outcome(first.as_bytes(), second.as_bytes()), whole, "{text:?} at {at}");
        }
        whole
    }

    #[test]
    fn a_head_ends_with_an_empty_line_and_every_line_in_crlf() {
        let early = "HTTP/1.1 103 Early\r\nA: b\r\n\r\n";
        let head = "HTTP/1.1 200 OK\r\nA: b\r\n\r\n";
        assert_eq!(read(head), Some(true));
        assert_eq!(read(&format!("{head}anything\n\r")), Some(true));
        assert_eq!(read(early), Some(false));
        assert_eq!(read(&format!("{}{head}", early.repeat(16))), Some(true));
        assert_eq!(read(&format!("{}{head}", early.repeat(17))), None);
        for bad in
            ["HTTP/1.1 200 OK\n\n", "HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n", "a\rb", "a\r\r\n"]
        {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        assert_eq!(read(&format!("{early}\n")), None);
    }
}
