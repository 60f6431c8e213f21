//! An answer as HTTP/1.1 has it: its head, and the body behind it, whose end everybody finds.

use super::line::Outgoing;
use crate::proxy::answer::Answer;
use crate::proxy::body::Broken;
use crate::server::date;

use bytes::Bytes;
use http::{StatusCode, Version};
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
    /// Writes the head `answer`, whose body is as large as `hint` says.
    pub(super) fn begin(
        answer: &Answer<()>,
        hint: &SizeHint,
        asked: Asked,
        out: &mut Outgoing,
    ) -> Self {
        let out = &mut out.bytes;
        out.reserve(HEAD_SIZE);
        write_status(answer.status, asked.version, out);
        let (mut closes, mut length, mut has_date) = (asked.closes, None, false);
        answer.fields.write_those(out, |name, value| {
            match name {
                b"connection" => closes |= value.as_bytes() == b"close",
                b"content-length" => length = Some(value),
                b"transfer-encoding" => {}
                b"date" => {
                    has_date = true;
                    return true;
                }
                _ => return true,
            }
            false
        });
        if !has_date {
            date::with(|value| write_field("date", value.as_bytes(), out));
        }
        let framing = Framing::of(answer.status, hint, asked);
        match framing {
            Framing::Bare if answer.status == StatusCode::NO_CONTENT => {}
            Framing::Bare => match (length, hint.exact()) {
                (Some(length), _) => write_field("content-length", length.as_bytes(), out),
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
pub(super) fn write_interim(answer: &Answer<()>, out: &mut Vec<u8>) {
    write_status(answer.status, Version::HTTP_11, out);
    answer.fields.write_to(out);
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

fn write_field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

fn write_length(length: u64, out: &mut Vec<u8>) {
    write_field("content-length", itoa::Buffer::new().format(length).as_bytes(), out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::chunks::{Chunks, Extensions, Taken};
    use crate::proxy::fields::FieldValue;

    use bytes::BytesMut;
    use http::header::{self, HeaderName};
    use proptest::prelude::*;

    /// What is written for an answer with these fields and this body, without its date, and whether
    /// another one may follow.
    fn written(
        status: u16,
        fields: &[(&'static str, &'static str)],
        hint: &SizeHint,
        asked: Asked,
        body: &[&'static str],
    ) -> (String, bool) {
        let mut answer = Answer::new(StatusCode::from_u16(status).unwrap(), ());
        for (name, value) in fields {
            let name = HeaderName::from_static(name);
            answer.fields.add(&name, FieldValue::of(value).unwrap());
        }
        let mut out = Outgoing::default();
        let mut sending = Sending::begin(&answer, hint, asked, &mut out);
        if !sending.is_bare() {
            for part in body {
                sending.put(Bytes::from_static(part.as_bytes()), &mut out).unwrap();
            }
            sending.end(&mut out).unwrap();
        }
        let text = String::from_utf8(out.bytes).unwrap();
        let lines = text.split("\r\n").filter(|line| !line.starts_with("date: "));
        (lines.collect::<Vec<_>>().join("|"), sending.persists)
    }

    const ASKED: Asked = Asked { version: Version::HTTP_11, is_bare: false, closes: false };

    #[test]
    fn an_answer_is_framed_in_one_way_that_its_caller_knows() {
        let (two, unknown) = (SizeHint::with_exact(2), SizeHint::default());
        let old = Asked { version: Version::HTTP_10, closes: true, ..ASKED };
        let bare = Asked { is_bare: true, ..ASKED };
        let last = Asked { closes: true, ..ASKED };
        let length = [("content-length", "7"), ("x", "y")];
        for (status, fields, hint, asked, expected) in [
            (200, &[][..], &two, ASKED, "HTTP/1.1 200 OK|content-length: 2||ab"),
            // What is told of the body is believed of it alone.
            (200, &length, &two, ASKED, "HTTP/1.1 200 OK|x: y|content-length: 2||ab"),
            (
                200,
                &length,
                &unknown,
                ASKED,
                "HTTP/1.1 200 OK|x: y|transfer-encoding: chunked||1|a|1|b|0||",
            ),
            (200, &[], &unknown, old, "HTTP/1.0 200 OK|connection: close||ab"),
            (200, &[], &two, last, "HTTP/1.1 200 OK|content-length: 2|connection: close||ab"),
            (299, &[], &two, ASKED, "HTTP/1.1 299 |content-length: 2||ab"),
            (200, &length, &unknown, bare, "HTTP/1.1 200 OK|x: y|content-length: 7||"),
            (200, &[], &unknown, bare, "HTTP/1.1 200 OK||"),
            (404, &[], &two, bare, "HTTP/1.1 404 Not Found|content-length: 2||"),
            (204, &length, &two, ASKED, "HTTP/1.1 204 No Content|x: y||"),
            (
                304,
                &length,
                &SizeHint::with_exact(0),
                ASKED,
                "HTTP/1.1 304 Not Modified|x: y|content-length: 7||",
            ),
        ] {
            let (text, persists) = written(status, fields, hint, asked, &["a", "", "b"]);
            assert_eq!((&*text, persists), (expected, !asked.closes));
        }
        let left = [("connection", "close"), ("transfer-encoding", "gzip")];
        let (text, persists) = written(204, &left, &two, ASKED, &[]);
        assert_eq!((&*text, persists), ("HTTP/1.1 204 No Content|connection: close||", false));
    }

    #[test]
    fn a_date_is_told_once() {
        for (given, expected) in [(None, 1), (Some("Sun, 06 Nov 1994 08:49:37 GMT"), 1)] {
            let mut answer = Answer::new(StatusCode::OK, ());
            if let Some(given) = given {
                answer.fields.add(&header::DATE, FieldValue::of(given).unwrap());
            }
            let mut out = Outgoing::default();
            let _ = Sending::begin(&answer, &SizeHint::with_exact(0), ASKED, &mut out);
            let text = String::from_utf8(out.bytes).unwrap();
            assert_eq!(text.matches("date: ").count(), expected);
            assert!(given.is_none_or(|given| text.contains(given)));
        }
    }

    #[test]
    fn more_or_less_than_was_said_is_broken() {
        for (parts, is_whole) in
            [(&["ab"][..], true), (&["a"], false), (&["ab", "c"], false), (&[], false)]
        {
            let mut out = Outgoing::default();
            let hint = SizeHint::with_exact(2);
            let mut sending =
                Sending::begin(&Answer::new(StatusCode::OK, ()), &hint, ASKED, &mut out);
            let put = parts
                .iter()
                .try_for_each(|part| sending.put(Bytes::from_static(part.as_bytes()), &mut out));
            assert_eq!(put.and_then(|()| sending.end(&mut out)).is_ok(), is_whole, "{parts:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_sent_in_chunks_is_what_comes_out_of_them(
            sizes in prop::collection::vec(prop_oneof![0..20_usize, COPY_MAX - 2..COPY_MAX + 3], 0..5),
        ) {
            let mut out = Outgoing::default();
            let hint = SizeHint::default();
            let mut sending = Sending::begin(&Answer::new(StatusCode::OK, ()), &hint, ASKED, &mut out);
            let (mut sent, mut wire) = (Vec::new(), BytesMut::new());
            out.bytes.clear();
            let mut write = |out: &mut Outgoing| {
                wire.extend_from_slice(&out.bytes);
                wire.extend_from_slice(&out.data);
                wire.extend_from_slice(out.end);
                *out = Outgoing::default();
            };
            for (index, size) in sizes.iter().enumerate() {
                let data = vec![u8::try_from(index).unwrap(); *size];
                sent.extend_from_slice(&data);
                sending.put(data.into(), &mut out).unwrap();
                if !out.has_room() {
                    write(&mut out);
                }
            }
            sending.end(&mut out).unwrap();
            write(&mut out);
            let mut chunks = Chunks::new(Extensions::Refused);
            let mut found = Vec::new();
            loop {
                match chunks.take(&mut wire) {
                    Taken::Data(data) => found.extend_from_slice(&data),
                    Taken::Ended => break,
                    other @ (Taken::Broken | Taken::Nothing) => prop_assert!(false, "{:?}", other),
                }
            }
            prop_assert!(wire.is_empty() && found == sent);
        }
    }
}
