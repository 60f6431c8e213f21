//! A body in chunks (RFC 9112 §7.1), held to the letter: sizes of at most sixteen digits, line ends
//! of two characters, and trailers that frame nothing.

use super::octets::{is_token, is_value};

use bytes::{Buf, Bytes, BytesMut};

/// The bytes that all extensions together may have, and all trailers.
const EXTENSIONS_MAX: usize = 16 << 10;
const TRAILERS_MAX: usize = 8 << 10;

/// What is made of the extensions of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extensions {
    /// They are passed over.
    Ignored,
    /// Nobody sends them, but attackers.
    Refused,
}

/// Where in a body of chunks a reader is.
#[derive(Debug)]
pub struct Chunks {
    extensions: Extensions,
    step: Step,
    /// What is left of the chunk.
    left: u64,
    digits: u8,
    extended: usize,
    trailers: usize,
    /// The name of a trailer, as far as it matters, and its length.
    name: [u8; LONGEST],
    name_len: usize,
}

/// `transfer-encoding`.
const LONGEST: usize = 17;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Size,
    Extension,
    SizeEnd,
    Data,
    DataReturn,
    DataEnd,
    Line,
    Name,
    Value,
    LineEnd,
    LastEnd,
    Ended,
}

/// What came of taking what stands first.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// What a chunk holds, or a part of it.
    Data(Bytes),
    /// It ends here; what is left of the bytes is not of it.
    Ended,
    /// It is not as it should be.
    Broken,
    /// More has to come.
    Nothing,
}

impl Chunks {
    /// At the beginning of a body.
    pub fn new(extensions: Extensions) -> Self {
        Self {
            extensions,
            step: Step::Size,
            left: 0,
            digits: 0,
            extended: 0,
            trailers: 0,
            name: [0; LONGEST],
            name_len: 0,
        }
    }

    /// Takes what stands first in `bytes`.
    pub fn take(&mut self, bytes: &mut BytesMut) -> Taken {
        let (passed, behind) = self.pass(bytes);
        bytes.advance(passed);
        match behind {
            Behind::Nothing => Taken::Nothing,
            Behind::Broken => Taken::Broken,
            Behind::Ended => Taken::Ended,
            Behind::Data => Taken::Data(bytes.split_to(self.hold(bytes.len())).freeze()),
        }
    }

    /// Passes what stands around the data: how many bytes, and what is behind them.
    fn pass(&mut self, bytes: &[u8]) -> (usize, Behind) {
        for (at, byte) in bytes.iter().enumerate() {
            if self.step == Step::Data {
                return (at, Behind::Data);
            }
            match self.next(*byte) {
                None => return (at, Behind::Broken),
                Some(Step::Ended) => return (at + 1, Behind::Ended),
                Some(step) => self.step = step,
            }
        }
        (bytes.len(), Behind::Nothing)
    }

    /// How many of `there` bytes the chunk holds.
    fn hold(&mut self, there: usize) -> usize {
        let held = (there as u64).min(self.left);
        self.left -= held;
        if self.left == 0 {
            self.step = Step::DataReturn;
        }
        usize::try_from(held).unwrap_or(usize::MAX)
    }

    /// The step after `byte`, if it may stand here.
    fn next(&mut self, byte: u8) -> Option<Step> {
        let only = |wanted: u8, step| (byte == wanted).then_some(step);
        match self.step {
            Step::Size if byte == b'\r' && self.digits > 0 => Some(Step::SizeEnd),
            Step::Size if matches!(byte, b';' | b' ' | b'\t') && self.digits > 0 => {
                (self.extensions == Extensions::Ignored).then_some(Step::Extension)
            }
            Step::Size => {
                let digit = char::from(byte).to_digit(16).filter(|_| self.digits < 16)?;
                self.digits += 1;
                self.left = (self.left << 4) | u64::from(digit);
                Some(Step::Size)
            }
            Step::Extension if byte == b'\r' => Some(Step::SizeEnd),
            Step::Extension => {
                self.extended += 1;
                let may_stand = self.extended <= EXTENSIONS_MAX && is_value(&[byte]);
                may_stand.then_some(Step::Extension)
            }
            Step::SizeEnd => {
                self.digits = 0;
                only(b'\n', if self.left == 0 { Step::Line } else { Step::Data })
            }
            Step::Data => None,
            Step::DataReturn => only(b'\r', Step::DataEnd),
            Step::DataEnd => only(b'\n', Step::Size),
            Step::Line if byte == b'\r' => Some(Step::LastEnd),
            Step::LastEnd => only(b'\n', Step::Ended),
            Step::Ended => None,
            Step::Line | Step::Name | Step::Value | Step::LineEnd => self.trailer(byte),
        }
    }

    fn trailer(&mut self, byte: u8) -> Option<Step> {
        self.trailers += 1;
        if self.trailers > TRAILERS_MAX {
            return None;
        }
        if self.step == Step::LineEnd {
            return (byte == b'\n').then_some(Step::Line);
        }
        if self.step == Step::Value {
            return match byte {
                b'\r' => Some(Step::LineEnd),
                _ => is_value(&[byte]).then_some(Step::Value),
            };
        }
        if self.step == Step::Line {
            self.name_len = 0;
        } else if byte == b':' {
            return (!self.frames()).then_some(Step::Value);
        }
        self.add_to_name(byte);
        is_token(&[byte]).then_some(Step::Name)
    }

    fn add_to_name(&mut self, byte: u8) {
        if let Some(place) = self.name.get_mut(self.name_len) {
            *place = if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
        }
        self.name_len += 1;
    }

    /// Whether the trailer would frame or route a message, were it a header.
    fn frames(&self) -> bool {
        let name = self.name.get(..self.name_len).unwrap_or_default();
        matches!(name, b"content-length" | b"host" | b"transfer-encoding")
    }
}

/// What stands behind the bytes that were passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behind {
    Nothing,
    Data,
    Ended,
    Broken,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is held by `text`, however it is cut in two, and whether it ends with its last byte.
    fn taken(text: &str, extensions: Extensions) -> Option<(Vec<u8>, bool)> {
        let outcome = |pieces: [&[u8]; 2]| {
            let mut chunks = Chunks::new(extensions);
            let (mut data, mut bytes) = (Vec::new(), BytesMut::new());
            for piece in pieces {
                bytes.extend_from_slice(piece);
                loop {
                    match chunks.take(&mut bytes) {
                        Taken::Data(part) => data.extend_from_slice(&part),
                        Taken::Ended => return Some((data, bytes.is_empty())),
                        Taken::Broken => return None,
                        Taken::Nothing => break,
                    }
                }
            }
            Some((data, false))
        };
        let whole = outcome([text.as_bytes(), b""]);
        for at in 1..text.len() {
            let (first, second) = text.as_bytes().split_at(at);
            if outcome([first, b""]).is_some_and(|(_, has_ended)| has_ended) {
                continue;
            }
            assert_eq!(outcome([first, second]), whole, "{text:?} at {at}");
        }
        whole
    }

    #[test]
    fn what_chunks_hold_is_taken_wherever_they_are_cut() {
        let body = |text: &str| Some((text.as_bytes().to_vec(), true));
        for extensions in [Extensions::Ignored, Extensions::Refused] {
            assert_eq!(taken("5\r\nabcde\r\n0\r\n\r\n", extensions), body("abcde"));
            assert_eq!(
                taken("1\r\na\r\n0A\r\n0123456789\r\n000\r\nX: y\r\n\r\n", extensions),
                body("a0123456789")
            );
            assert_eq!(taken("0\r\n\r\n0", extensions), Some((Vec::new(), false)));
            assert_eq!(taken("0\r\nHost: a\r\n\r\n", extensions), None);
        }
        let extended = "5;a=\"b\"\r\nabcde\r\n0 ;c\r\n\r\n";
        assert_eq!(taken(extended, Extensions::Ignored), body("abcde"));
        assert_eq!(taken(extended, Extensions::Refused), None);
        for broken in ["5;\nabcde", "5;a\0", ";a\r\n", "5\r\nabcdeX", "5\r\nabcde\rX"] {
            assert_eq!(taken(broken, Extensions::Ignored), None, "{broken:?}");
        }
        let endless = format!("1;{}", "a".repeat(EXTENSIONS_MAX + 1));
        let mut chunks = Chunks::new(Extensions::Ignored);
        let taken = chunks.take(&mut BytesMut::from(&*endless));
        assert_eq!(taken, Taken::Broken);
    }
}
