//! The head of a request (RFC 9112), held to the letter: of everything that some reader might take
//! for something else, nothing passes.
//!
//! It is looked at line by line as it comes, so that what cannot become a head is refused at once.

use crate::proxy::fields::{Fields, LineReader, Lines, Next, NoField};
use crate::proxy::octets::{is_target, is_token};
use crate::proxy::rejection::Unsound;
use crate::proxy::request;
use crate::proxy::target::Target;

use http::{Method, Version};
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
pub(super) enum Framing {
    /// By chunks.
    Chunked,
    /// By so many bytes.
    Length(u64),
}

/// A head of which some lines are known.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// The first line, as far as it is known.
    first: First,
    /// Those behind it.
    reader: LineReader,
    /// Where the fields begin.
    fields_at: usize,
    length: Option<u64>,
    is_chunked: bool,
    closes: bool,
    expects: bool,
}

/// Where the parts of the first line end.
#[derive(Clone, Copy, Debug, Default)]
struct First {
    method: usize,
    target: usize,
    is_old: bool,
}

/// What a whole head says of its connection, and of what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// What follows.
    pub(super) framing: Framing,
    /// Whether it is the last one.
    pub(super) closes: bool,
    /// Whether the caller waits to be told to go on.
    pub(super) expects: bool,
}

/// So many fields most heads have at most.
const FIELDS: usize = 16;

impl Head {
    /// Looks at what is new in `bytes`, which begin where the head does, and tells how many of them it
    /// has. `None` while its end has not come.
    ///
    /// It puts the names of fields in lower case.
    pub(super) fn look(
        &mut self,
        bytes: &mut [u8],
        bounds: &Bounds,
    ) -> Result<Option<usize>, Unsound> {
        if self.fields_at == 0 {
            let Some(line) = self.reader.first(bytes).map_err(malformed)? else {
                return self.look_at_part(bytes, bounds).map(|()| None);
            };
            if line.len() > bounds.line {
                return Err(Unsound::TargetTooLong);
            }
            self.first = read_request_line(line)?;
            self.fields_at = self.reader.at();
            self.reader.lines = Lines::with_room(FIELDS);
        }
        while let Some(next) = self.reader.next(bytes).map_err(malformed)? {
            let Next::Field(name, value) = next else { return Ok(Some(self.reader.at())) };
            self.hear(name, value)?;
            let (count, size) = (self.reader.lines.len(), self.reader.at() - self.fields_at);
            if count > bounds.fields || size > bounds.header {
                return Err(Unsound::HeadTooLarge);
            }
        }
        self.look_at_part(bytes, bounds).map(|()| None)
    }

    /// What can be said of a line whose end has not come.
    fn look_at_part(&self, bytes: &[u8], bounds: &Bounds) -> Result<(), Unsound> {
        let part = bytes.get(self.reader.at()..).unwrap_or_default();
        // Half of a line end counts for nothing, as the whole of it would.
        let counted = part.strip_suffix(b"\r").unwrap_or(part).len();
        if self.fields_at == 0 {
            // What begins with no letter, as TLS does, never becomes a request.
            if part.first().is_some_and(|byte| !is_token(&[*byte])) {
                return Err(Unsound::Malformed(REQUEST_LINE));
            }
            if counted > bounds.line {
                return Err(Unsound::TargetTooLong);
            }
        } else if self.reader.at() - self.fields_at + counted > bounds.header {
            return Err(Unsound::HeadTooLarge);
        }
        Ok(())
    }

    /// What all of `bytes` are the head of, and what it says of its connection. What comes next is another
    /// head.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(Box<request::Head>, Told), Unsound> {
        let told = Told { framing: self.framing()?, closes: self.closes, expects: self.expects };
        let part = |from: usize, to: usize| bytes.get(from..to).unwrap_or_default();
        let First { method, target, is_old } = self.first;
        let target = Target::read(part(method + 1, target))
            .ok_or(Unsound::Malformed("the request target is malformed"))?;
        let method =
            Method::from_bytes(part(0, method)).map_err(|_| Unsound::Malformed(REQUEST_LINE))?;
        let version = if is_old { Version::HTTP_10 } else { Version::HTTP_11 };
        let fields = Fields::of(bytes, std::mem::take(self).reader.lines);
        Ok((Box::new(request::Head { method, target, version, fields }), told))
    }

    /// Takes note of one field.
    fn hear(&mut self, name: &[u8], value: &[u8]) -> Result<(), Unsound> {
        match name {
            b"expect" => self.expects |= value.eq_ignore_ascii_case(b"100-continue"),
            b"connection" => {
                let mut words = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
                self.closes |= words.any(|word| word.eq_ignore_ascii_case(b"close"));
            }
            b"content-length" => return self.read_length(value),
            b"transfer-encoding" => return self.read_coding(value),
            b"content_length" | b"transfer_encoding" => {
                return Err(Unsound::Malformed("a field that frames the body is written with `_`"));
            }
            _ => {}
        }
        Ok(())
    }

    fn read_length(&mut self, value: &[u8]) -> Result<(), Unsound> {
        let malformed = |why| Err(Unsound::Malformed(why));
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

    fn read_coding(&mut self, value: &[u8]) -> Result<(), Unsound> {
        let malformed = |why| Err(Unsound::Malformed(why));
        if self.first.is_old {
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

fn malformed(NoField(why): NoField) -> Unsound {
    Unsound::Malformed(why)
}

const REQUEST_LINE: &str =
    "the first line is not a method, a target and `HTTP/1.1`, with one blank between them";

fn read_request_line(line: &[u8]) -> Result<First, Unsound> {
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
    Ok(First { method: blank, target: line.len() - version.len(), is_old })
}
