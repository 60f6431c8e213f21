//! How the body of an answer ends, as its head tells: in one way, or nobody knows.

use super::head::Unsound;
use crate::proxy::chunks::{Chunks, Extensions};

use http::Version;

/// How the body of an answer ends.
#[derive(Debug)]
pub(super) enum Framing {
    Length(u64),
    Chunks(Box<Chunks>),
    /// With the connection.
    Close,
}

/// What the fields of an answer tell of its connection and of the end of its body.
#[derive(Debug, Default)]
pub(super) struct Told {
    length: Option<u64>,
    is_chunked: bool,
    pub(super) closes: bool,
}

impl Told {
    /// Takes note of one field, and tells whether it is to be kept. A length that is there several times,
    /// but the same, is to be there once; what `Connection` says of this one alone has been heard.
    pub(super) fn hear(&mut self, name: &[u8], value: &[u8]) -> Result<bool, Unsound> {
        match name {
            b"connection" => {
                let mut names_fields = false;
                for word in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                    if word.eq_ignore_ascii_case(b"close") {
                        self.closes = true;
                    } else if !word.eq_ignore_ascii_case(b"keep-alive") {
                        // Whatever else it names is a field, which is about this connection as well.
                        names_fields = true;
                    }
                }
                return Ok(names_fields);
            }
            b"transfer-encoding" => {
                if self.is_chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(ENDLESS);
                }
                self.is_chunked = true;
            }
            b"content-length" => {
                let length = length(value).ok_or(ENDLESS)?;
                return match self.length.replace(length) {
                    None => Ok(true),
                    Some(before) if before == length => Ok(false),
                    Some(_) => Err(ENDLESS),
                };
            }
            _ => {}
        }
        Ok(true)
    }

    pub(super) fn framing(&self, version: Version) -> Result<Framing, Unsound> {
        match (self.is_chunked, self.length) {
            (false, None) => Ok(Framing::Close),
            (false, Some(length)) => Ok(Framing::Length(length)),
            (true, None) if version == Version::HTTP_11 => {
                Ok(Framing::Chunks(Box::new(Chunks::new(Extensions::Ignored))))
            }
            (true, _) => Err(ENDLESS),
        }
    }
}

const ENDLESS: Unsound = Unsound("nobody can tell where its body ends");

fn length(value: &[u8]) -> Option<u64> {
    let text = str::from_utf8(value).ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}
