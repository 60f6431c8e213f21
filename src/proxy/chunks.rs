//! A body in chunks (RFC 9112 §7.1), held to the letter: sizes of at most sixteen digits, line ends
//! of two characters, no extensions, and trailers that frame nothing.

use super::head::{is_token, is_value};

/// The bytes that all trailers together may have.
const TRAILERS_MAX: usize = 8 << 10;

/// Where in a body of chunks a reader is.
#[derive(Debug)]
pub(super) struct Chunks {
    step: Step,
    /// What is left of the chunk.
    left: u64,
    digits: u8,
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

/// What came of looking at bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// All of them belong to the body.
    All,
    /// So many of them do, and with them it ends.
    Ended(usize),
    /// So many of them do, and what follows is not as it should be.
    Broken(usize),
}

impl Chunks {
    pub(super) fn new() -> Self {
        Self { step: Step::Size, left: 0, digits: 0, trailers: 0, name: [0; LONGEST], name_len: 0 }
    }

    /// Looks at the next `bytes`.
    pub(super) fn look(&mut self, bytes: &[u8]) -> Looked {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if self.step == Step::Data {
                let there = (bytes.len() - at) as u64;
                let taken = there.min(self.left);
                self.left -= taken;
                at += usize::try_from(taken).unwrap_or(usize::MAX);
                if self.left == 0 {
                    self.step = Step::DataReturn;
                }
                continue;
            }
            match self.next(*byte) {
                None => return Looked::Broken(at),
                Some(Step::Ended) => return Looked::Ended(at + 1),
                Some(step) => self.step = step,
            }
            at += 1;
        }
        Looked::All
    }

    /// The step after `byte`, if it may stand here.
    fn next(&mut self, byte: u8) -> Option<Step> {
        let only = |wanted: u8, step| (byte == wanted).then_some(step);
        match self.step {
            Step::Size if byte == b'\r' && self.digits > 0 => Some(Step::SizeEnd),
            Step::Size => {
                let digit = char::from(byte).to_digit(16).filter(|_| self.digits < 16)?;
                self.digits += 1;
                self.left = (self.left << 4) | u64::from(digit);
                Some(Step::Size)
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

    /// Whether the trailer would frame or route a request, were it a header.
    fn frames(&self) -> bool {
        let name = self.name.get(..self.name_len).unwrap_or_default();
        matches!(name, b"content-length" | b"host" | b"transfer-encoding")
    }
}
