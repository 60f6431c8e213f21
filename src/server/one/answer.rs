//! An answer as HTTP/1.1 has it: its head, and the body behind it, whose end everybody finds.

use super::line::Outgoing;
use crate::proxy::body::Broken;
use crate::server::date;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode, Version};
use http_body::SizeHint;

use std::io::Write as _;

/// So large most heads are at most.
const HEAD_SIZE: usize = 1 << 10;
/// What is rather copied than written by itself.
const COPY_MAX: usize = 8 << 10;

/// What an answer has to be like for the request that it is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) version: Version,
    /// Whether only the head of the answer is wanted.
    pub(super) is_bare: bool,
    /// Whether it is the last one of its connection.
    pub(super) closes: bool,
}

/// An answer that has begun.
#[derive(Debug)]
pub(super) struct Sending {
    framing: Framing,
    /// Whether another answer may follow.
    pub(super) persists: bool,
}

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// There is none.
    Bare,
    /// By its chunks.
    Chunks,
    /// By the end of the connection.
    Close,
    /// By how many bytes are left of it.
    Length(u64),
}

impl Sending {
    /// Writes the head of `answer`, whose body is as large as `hint` says.
    pub(super) fn begin<B>(
        answer: &Response<B>,
        hint: &SizeHint,
        asked: Asked,
        out: &mut Outgoing,
    ) -> Self {
        let out = &mut out.bytes;
        out.reserve(HEAD_SIZE);
        write_status(answer.status(), asked.version, out);
        let (mut closes, mut length, mut has_date) = (asked.closes, None, false);
        for (name, value) in answer.headers() {
            match *name {
                header::CONNECTION => closes |= value == "close",
                header::CONTENT_LENGTH => length = Some(value),
                header::TRANSFER_ENCODING => {}
                _ => {
                    has_date |= *name == header::DATE;
                    write_field(name, value, out);
                }
            }
        }
        if !has_date {
            date::with(|value| write_field(&header::DATE, value, out));
        }
        let framing = Framing::of(answer.status(), hint, asked);
        match framing {
            Framing::Bare if answer.status() == StatusCode::NO_CONTENT => {}
            Framing::Bare => match (length, hint.exact()) {
                (Some(length), _) => write_field(&header::CONTENT_LENGTH, length, out),
                (None, Some(length @ 1..)) => write_length(length, out),
                (None, _) => {}
            },
            Framing::Chunks => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            Framing::Close => closes = true,
            Framing::Length(length) => write_length(length, out),
        }
        if closes {
            out.extend_from_slice(b"connection: close\r\n");
        }
        out.extend_from_slice(b"\r\n");
        Self { framing, persists: !closes }
    }

    /// Whether anything of a body is wanted.
    pub(super) fn is_bare(&self) -> bool {
        self.framing == Framing::Bare
    }

    /// Whether only a reset can tell that the body is no whole.
    pub(super) fn ends_with_connection(&self) -> bool {
        self.framing == Framing::Close
    }

    /// Writes the next part of the body. There has to be room for it.
    pub(super) fn put(&mut self, data: Bytes, out: &mut Outgoing) -> Result<(), Broken> {
        if data.is_empty() {
            return Ok(());
        }
        let is_chunk = self.framing == Framing::Chunks;
        if let Framing::Length(left) = &mut self.framing {
            *left = left.checked_sub(data.len() as u64).ok_or(Broken)?;
        }
        if is_chunk {
            // Into memory, which takes everything.
            let _ = write!(out.bytes, "{:x}\r\n", data.len());
        }
        let end: &[u8] = if is_chunk { b"\r\n" } else { b"" };
        if data.len() > COPY_MAX {
            (out.data, out.end) = (data, end);
        } else {
            out.bytes.extend_from_slice(&data);
            out.bytes.extend_from_slice(end);
        }
        Ok(())
    }

    /// Writes the end of the body.
    pub(super) fn end(&self, out: &mut Outgoing) -> Result<(), Broken> {
        match self.framing {
            Framing::Length(1..) => return Err(Broken),
            Framing::Chunks => out.bytes.extend_from_slice(b"0\r\n\r\n"),
            Framing::Bare | Framing::Close | Framing::Length(0) => {}
        }
        Ok(())
    }
}

impl Framing {
    fn of(status: StatusCode, hint: &SizeHint, asked: Asked) -> Self {
        let is_bare = asked.is_bare
            || status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        match hint.exact() {
            _ if is_bare => Self::Bare,
            Some(length) => Self::Length(length),
            None if asked.version == Version::HTTP_10 => Self::Close,
            None => Self::Chunks,
        }
    }
}

/// Writes an answer that comes before the one that counts.
pub(super) fn write_interim(answer: &Response<()>, out: &mut Vec<u8>) {
    write_status(answer.status(), Version::HTTP_11, out);
    write_fields(answer.headers(), out);
    out.extend_from_slice(b"\r\n");
}

fn write_status(status: StatusCode, version: Version, out: &mut Vec<u8>) {
    let version: &[u8] = if version == Version::HTTP_10 { b"HTTP/1.0 " } else { b"HTTP/1.1 " };
    out.extend_from_slice(version);
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn write_fields(headers: &HeaderMap, out: &mut Vec<u8>) {
    for (name, value) in headers {
        write_field(name, value, out);
    }
}

fn write_field(name: &HeaderName, value: &HeaderValue, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn write_length(length: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"content-length: ");
    out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
    out.extend_from_slice(b"\r\n");
}
