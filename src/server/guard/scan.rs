//! Where each message of a connection begins and ends, and whether it is sound: a pure function of
//! the bytes, however they are cut.

use super::head::{Bounds, Framing, Head, Whole};
use crate::proxy::chunks::{Chunks, Extensions, Looked};
use crate::proxy::rejection::Unsound;

/// Follows the requests of a connection.
#[derive(Debug)]
pub struct Scanner {
    bounds: Bounds,
    place: Place,
    heads: u64,
}

#[derive(Debug)]
enum Place {
    Head(Head),
    Body(u64),
    Chunks(Chunks),
}

/// What may be done with bytes that were looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// So many of them, from the first on, are whole heads and parts of bodies: they may pass. The
    /// rest begins a head, and has to be shown again with what follows.
    pub sound: usize,
    /// What ends the connection right behind those.
    pub fault: Option<Fault>,
}

/// What ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The chunks of a body are broken; its head has passed.
    Body,
    /// A head is not sound; no byte of it has passed.
    Head(Unsound),
}

impl Scanner {
    /// A scanner at the beginning of a connection.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, place: Place::Head(Head::default()), heads: 0 }
    }

    /// How many heads were whole and sound.
    pub fn heads(&self) -> u64 {
        self.heads
    }

    /// Whether the next byte belongs to a head.
    pub fn is_before_body(&self) -> bool {
        matches!(self.place, Place::Head(_))
    }

    /// Looks at `bytes`: what did not pass before, and what is new.
    pub fn scan(&mut self, bytes: &[u8]) -> Scanned {
        let mut sound = 0;
        let end = |sound, fault| Scanned { sound, fault };
        loop {
            let rest = bytes.get(sound..).unwrap_or_default();
            match &mut self.place {
                Place::Head(_) if rest.is_empty() => return end(sound, None),
                Place::Head(head) => match head.look(rest, &self.bounds) {
                    Err(unsound) => return end(sound, Some(Fault::Head(unsound))),
                    Ok(None) => return end(sound, None),
                    Ok(Some(Whole { bytes, framing })) => {
                        self.heads += 1;
                        sound += bytes;
                        self.place = match framing {
                            Framing::Chunked => Place::Chunks(Chunks::new(Extensions::Refused)),
                            Framing::Length(0) => Place::Head(Head::default()),
                            Framing::Length(length) => Place::Body(length),
                        };
                    }
                },
                Place::Body(left) => {
                    let taken = (rest.len() as u64).min(*left);
                    *left -= taken;
                    sound += usize::try_from(taken).unwrap_or(usize::MAX);
                    if *left > 0 {
                        return end(sound, None);
                    }
                    self.place = Place::Head(Head::default());
                }
                Place::Chunks(chunks) => match chunks.look(rest) {
                    Looked::All => return end(bytes.len(), None),
                    Looked::Broken(at) => return end(sound + at, Some(Fault::Body)),
                    Looked::Ended(at) => {
                        sound += at;
                        self.place = Place::Head(Head::default());
                    }
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Found by fuzzing: half of a line end was counted where the whole is not.
    #[test]
    fn a_head_as_large_as_may_be_passes_however_it_is_cut() {
        let head = b"GET /aa HTTP/1.1\r\nHost: a\r\nA: bc\r\n\r\n";
        let bounds = Bounds { line: 16, header: 16, fields: 2 };
        for cut in 0..head.len() {
            let mut scanner = Scanner::new(bounds);
            assert_eq!(scanner.scan(&head[..cut]), Scanned { sound: 0, fault: None }, "at {cut}");
            let whole = Scanned { sound: head.len(), fault: None };
            assert_eq!(scanner.scan(head), whole, "at {cut}");
        }
        for bounds in [Bounds { line: 15, ..bounds }, Bounds { header: 15, ..bounds }] {
            assert!(Scanner::new(bounds).scan(head).fault.is_some(), "{bounds:?}");
        }
    }

    #[test]
    fn a_head_that_comes_byte_by_byte_is_searched_once() {
        let mut scanner = Scanner::new(Bounds { line: 1 << 20, header: 1 << 20, fields: 10 });
        let head = [b"GET /", &[b'a'; 100_000][..]].concat();
        let began = std::time::Instant::now();
        for end in 1..head.len() {
            assert_eq!(scanner.scan(&head[..end]), Scanned { sound: 0, fault: None });
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(4), "it takes linear time");
    }
}
