//! The head of a request (RFC 9112), held to the letter: of everything that some reader might take
//! for something else, nothing passes.
//!
//! It is looked at line by line as it comes, so that what cannot become a head is refused at once,
//! and no byte is looked at twice.

use crate::proxy::octets::{is_target, is_token, is_value};
use crate::proxy::rejection::Unsound;

use memchr::memchr;

/// How large a head may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The bytes of the first line.
    pub line: usize,
    /// The bytes of all lines after it.
    pub header: usize,
    /// The lines after it.
    pub fields: usize,
}

/// How a body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// By chunks.
    Chunked,
    /// By so many bytes.
    Length(u64),
}

/// A head of which some lines are known.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// How many lines were complete, and where the next one begins.
    lines: usize,
    line_at: usize,
    /// Up to where the end of that line was looked for.
    searched: usize,
    /// Where the fields begin.
    fields_at: usize,
    is_old: bool,
    length: Option<u64>,
    is_chunked: bool,
}

/// A whole head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whole {
    /// How many bytes it has.
    pub(super) bytes: usize,
    /// What follows.
    pub(super) framing: Framing,
}

impl Head {
    /// Looks at what is new in `bytes`, which begin where the head does. `None` while its end has
    /// not come.
    pub(super) fn look(&mut self, bytes: &[u8], bounds: &Bounds) -> Result<Option<Whole>, Unsound> {
        while let Some(at) = bytes.get(self.searched..).and_then(|new| memchr(b'\n', new)) {
            let end = self.searched + at;
            let line = bytes.get(self.line_at..end).unwrap_or_default();
            let Some((b'\r', line)) = line.split_last() else {
                return Err(Unsound::Malformed("a line ends in a bare line feed"));
            };
            self.searched = end + 1;
            self.line_at = end + 1;
            if self.lines == 0 {
                if line.len() > bounds.line {
                    return Err(Unsound::TargetTooLong);
                }
                self.is_old = read_request_line(line)?;
                self.fields_at = self.line_at;
            } else if line.is_empty() {
                return self.framing().map(|framing| Some(Whole { bytes: end + 1, framing }));
            } else {
                self.read_field(line)?;
            }
            self.lines += 1;
            if self.lines > bounds.fields + 1 || self.line_at - self.fields_at > bounds.header {
                return Err(Unsound::HeadTooLarge);
            }
        }
        self.look_at_part(bytes, bounds).map(|()| None)
    }

    /// What can be said of a line whose end has not come.
    fn look_at_part(&mut self, bytes: &[u8], bounds: &Bounds) -> Result<(), Unsound> {
        let part = bytes.get(self.line_at..).unwrap_or_default();
        // Half of a line end counts for nothing, as the whole of it would.
        let counted = part.strip_suffix(b"\r").unwrap_or(part).len();
        // The last byte may be half of a line end; last time it was not looked at for the same reason.
        let new = bytes.get(self.searched.saturating_sub(1).max(self.line_at)..);
        if let Some((_, new)) = new.and_then(<[u8]>::split_last)
            && memchr(b'\r', new).is_some()
        {
            return Err(Unsound::Malformed("a carriage return stands alone"));
        }
        if self.lines == 0 {
            // What begins with no letter, as TLS does, never becomes a request.
            if part.first().is_some_and(|byte| !is_token(&[*byte])) {
                return Err(Unsound::Malformed(REQUEST_LINE));
            }
            if counted > bounds.line {
                return Err(Unsound::TargetTooLong);
            }
        } else if self.line_at - self.fields_at + counted > bounds.header {
            return Err(Unsound::HeadTooLarge);
        }
        self.searched = bytes.len();
        Ok(())
    }

    fn read_field(&mut self, line: &[u8]) -> Result<(), Unsound> {
        let malformed = |why| Err(Unsound::Malformed(why));
        let Some(colon) = memchr(b':', line) else {
            return malformed("a line is no field: it has no colon");
        };
        let (name, value) = line.split_at(colon);
        if !is_token(name) {
            return malformed("the name of a field has a blank before, in or behind it, or none");
        }
        let value = trim(value.get(1..).unwrap_or_default());
        if !is_value(value) {
            return malformed("the value of a field has a control character");
        }
        // Only these two lengths can be of one that frames the body.
        match name.len() {
            14 if is_named(name, b"content-length") => self.read_length(name, value),
            17 if is_named(name, b"transfer-encoding") => self.read_coding(name, value),
            _ => Ok(()),
        }
    }

    fn read_length(&mut self, name: &[u8], value: &[u8]) -> Result<(), Unsound> {
        let malformed = |why| Err(Unsound::Malformed(why));
        if name.contains(&b'_') {
            return malformed(TWIN);
        }
        if self.length.is_some() {
            return malformed("`Content-Length` is there twice");
        }
        // Eighteen digits are more than any body has, and fewer than overflow.
        if value.is_empty() || value.len() > 18 || !value.iter().all(u8::is_ascii_digit) {
            return malformed("`Content-Length` is not a number, or too large a one");
        }
        self.length = Some(value.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')));
        Ok(())
    }

    fn read_coding(&mut self, name: &[u8], value: &[u8]) -> Result<(), Unsound> {
        let malformed = |why| Err(Unsound::Malformed(why));
        if name.contains(&b'_') {
            return malformed(TWIN);
        }
        if self.is_old {
            return malformed("HTTP/1.0 knows no `Transfer-Encoding`");
        }
        if self.is_chunked {
            return malformed("`Transfer-Encoding` is there twice");
        }
        if !value.eq_ignore_ascii_case(b"chunked") {
            return malformed("the only transfer coding accepted is `chunked`");
        }
        self.is_chunked = true;
        Ok(())
    }

    fn framing(&self) -> Result<Framing, Unsound> {
        match (self.is_chunked, self.length) {
            (true, Some(_)) => Err(Unsound::Malformed(
                "`Content-Length` and `Transfer-Encoding` exclude each other",
            )),
            (true, None) => Ok(Framing::Chunked),
            (false, length) => Ok(Framing::Length(length.unwrap_or(0))),
        }
    }
}

const REQUEST_LINE: &str =
    "the first line is not a method, a target and `HTTP/1.1`, with one blank between them";
const TWIN: &str = "a field that frames the body is written with `_`";

/// Whether the request is of HTTP/1.0.
fn read_request_line(line: &[u8]) -> Result<bool, Unsound> {
    let malformed = Err(Unsound::Malformed(REQUEST_LINE));
    let Some(blank) = memchr(b' ', line) else { return malformed };
    let (method, rest) = line.split_at(blank);
    let Some((rest, version)) = rest.split_last_chunk::<9>() else { return malformed };
    let is_old = match version {
        b" HTTP/1.1" => false,
        b" HTTP/1.0" => true,
        _ => return malformed,
    };
    let target = rest.get(1..).unwrap_or_default();
    if !is_token(method) || !is_target(target) {
        return malformed;
    }
    // Any other form hardly ever comes, and what reads it next must be able to.
    if target.first() != Some(&b'/') && http::Uri::try_from(target).is_err() {
        return Err(Unsound::Malformed("the request target is malformed"));
    }
    Ok(is_old)
}

/// Whether `name` is `known`, in any case, with `-` or `_`.
fn is_named(name: &[u8], known: &[u8]) -> bool {
    let alike = |(byte, known): (&u8, &u8)| {
        byte.eq_ignore_ascii_case(known) || (*byte == b'_' && *known == b'-')
    };
    name.len() == known.len() && name.iter().zip(known).all(alike)
}

/// Without the blanks around it.
fn trim(value: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let mut value = value;
    while let Some((first, rest)) = value.split_first()
        && is_blank(first)
    {
        value = rest;
    }
    while let Some((last, rest)) = value.split_last()
        && is_blank(last)
    {
        value = rest;
    }
    value
}
