//! Heads of HTTP/1.1: that of a request as it is written, that of an answer as it is read.
//!
//! An answer's head is held to the letter, so that everybody finds the same end of it, and of the body
//! behind it. A line feed by itself is a line end to some readers and none to others, and so a way to
//! split an answer in two.

use super::framing::{Framing, Told};
use crate::proxy::answer::Answer;
use crate::proxy::fields::{Fields, LineReader, Lines, Next, NoField};
use crate::proxy::octets::is_value;
use crate::proxy::upstream::message::Message;

use http::{Method, StatusCode, Version};

/// The most bytes of an answer's head.
pub(in crate::proxy::upstream) const HEAD_MAX: usize = 64 << 10;
/// The most fields of an answer.
const FIELDS_MAX: usize = 100;
/// So many most answers have at most.
const FIELDS: usize = 12;
/// What every head begins with.
const BEGINNING: &[u8] = b"HTTP/1.";

/// Writes the head of `message` into `out`.
pub(super) fn write(message: &Message, out: &mut Vec<u8>) {
    out.extend_from_slice(message.method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(message.target.as_str().as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    message.fields.write_to(out);
    out.extend_from_slice(b"\r\n");
}

/// What was read is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsound(pub(super) &'static str);

/// A head of which some lines are known.
#[derive(Debug, Default)]
pub(super) struct Reading {
    first: Option<(StatusCode, Version)>,
    /// Those behind it.
    reader: LineReader,
    told: Told,
}

impl Reading {
    /// Looks at what is new in `bytes`, which begin where the head does, and tells how many of them are
    /// those of the head, if it has ended. It puts the names of fields in lower case.
    pub(super) fn look(&mut self, bytes: &mut [u8]) -> Result<Option<usize>, Unsound> {
        if self.first.is_none() {
            if !BEGINNING.iter().zip(&*bytes).all(|(wanted, byte)| wanted == byte) {
                return Err(Unsound("it does not begin as one of HTTP/1"));
            }
            if let Some(line) = self.reader.first(bytes).map_err(malformed)? {
                self.first = Some(read_status(line)?);
                self.reader.lines = Lines::with_room(FIELDS);
            }
        }
        while self.first.is_some()
            && let Some(next) = self.reader.next(bytes).map_err(malformed)?
        {
            let Next::Field(name, value) = next else {
                let end = self.reader.at();
                return if end <= HEAD_MAX { Ok(Some(end)) } else { Err(TOO_LARGE) };
            };
            if !self.told.hear(name, value)? {
                self.reader.lines.pop();
            }
            if self.reader.lines.len() > FIELDS_MAX {
                return Err(Unsound("it has too many fields"));
            }
        }
        if bytes.len() < HEAD_MAX { Ok(None) } else { Err(TOO_LARGE) }
    }

    /// What all of `bytes` are the head of, as the answer to a request with `method`. What comes next is
    /// another head.
    pub(super) fn take(&mut self, bytes: &[u8], method: &Method) -> Result<Head, Unsound> {
        let Self { first, reader, told } = std::mem::take(self);
        let (status, version) = first.ok_or(MALFORMED)?;
        let framing = told.framing(version)?;
        let is_bare = *method == Method::HEAD
            || status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        // Of what has no body, but says it has, nobody knows what follows.
        let is_odd = status == StatusCode::NO_CONTENT
            && !matches!(framing, Framing::Length(0) | Framing::Close);
        let answer = Answer { status, version, fields: Fields::of(bytes, reader.lines), body: () };
        let persists = version == Version::HTTP_11 && !told.closes && !is_odd;
        let framing = if is_bare { Framing::Length(0) } else { framing };
        Ok(Head { answer, framing, persists })
    }
}

fn malformed(NoField(why): NoField) -> Unsound {
    Unsound(why)
}

const TOO_LARGE: Unsound = Unsound("its head is too large");

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) answer: Answer<()>,
    pub(super) framing: Framing,
    /// Whether the connection can be used for another request.
    pub(super) persists: bool,
}

/// Reads the first line: `HTTP/1.1 200 OK`, where the reason may be missing.
fn read_status(line: &[u8]) -> Result<(StatusCode, Version), Unsound> {
    let line = line.strip_prefix(BEGINNING).ok_or(MALFORMED)?;
    let (version, line) = match line {
        [b'1', b' ', line @ ..] => (Version::HTTP_11, line),
        [b'0', b' ', line @ ..] => (Version::HTTP_10, line),
        _ => return Err(MALFORMED),
    };
    let (code, reason) = line.split_at_checked(3).ok_or(MALFORMED)?;
    let is_sound = matches!(reason, [] | [b' ', ..]) && is_value(reason);
    let status = StatusCode::from_bytes(code).ok().filter(|_| is_sound);
    Ok((status.ok_or(MALFORMED)?, version))
}

const MALFORMED: Unsound = Unsound("its head is malformed");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::alarm::Alarm;
    use crate::proxy::fields::FieldValue;
    use crate::proxy::target::Target;

    use bytes::Bytes;
    use http::header::{self, HeaderName};
    use proptest::prelude::*;

    fn look(reading: &mut Reading, bytes: &[u8]) -> Result<Option<usize>, Unsound> {
        reading.look(&mut bytes.to_vec())
    }

    /// What is found of `text`, however it is cut in two.
    fn end(text: &str) -> Result<Option<usize>, Unsound> {
        let whole = look(&mut Reading::default(), text.as_bytes());
        for at in 0..text.len() {
            let mut reading = Reading::default();
            let first = look(&mut reading, &text.as_bytes()[..at]);
            if let Ok(None) = first {
                assert_eq!(look(&mut reading, text.as_bytes()), whole, "{text:?} at {at}");
            } else {
                assert_eq!(first, whole, "{text:?} at {at}");
            }
        }
        whole
    }

    fn head(text: &str, method: &Method) -> Result<Head, Unsound> {
        let (mut reading, mut bytes) = (Reading::default(), text.as_bytes().to_vec());
        let end = reading.look(&mut bytes)?.ok_or(MALFORMED)?;
        reading.take(&bytes[..end], method)
    }

    #[test]
    fn a_head_ends_with_an_empty_line_and_every_line_in_crlf() {
        let head = "HTTP/1.1 200 OK\r\nA: b\r\n\r\n";
        assert_eq!(end(head), Ok(Some(head.len())));
        assert_eq!(end(&format!("{head}anything\n\r")), Ok(Some(head.len())));
        assert_eq!(end("HTTP/1.1 200 OK\r\nA: b\r\n"), Ok(None));
        for bad in ["HTTP/1.1 200 OK\n\n", "HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n", "SSH-2.0-x\r\n"]
        {
            assert!(end(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_head_begins_with_a_status() {
        for line in ["HTTP/1.1 200", "HTTP/1.0 200 ", "HTTP/1.1 200 O K", "HTTP/1.1 999 \u{e4}"] {
            assert!(end(&format!("{line}\r\n\r\n")).is_ok(), "{line}");
        }
        for line in [
            "HTTP/1.1",
            "HTTP/1.1 ",
            "HTTP/1.1 20",
            "HTTP/1.1 2000",
            "HTTP/1.1  200",
            "HTTP/1.1 200OK",
            "HTTP/1.2 200",
            "HTTP/1.1 099",
            "HTTP/1.1 x00",
            "http/1.1 200",
            "HTTP/1.1\t200",
            "HTTP/1.1 200\tOK",
            "HTTP/1.1 200 \u{7f}",
        ] {
            assert!(end(&format!("{line}\r\n\r\n")).is_err(), "{line}");
        }
    }

    #[test]
    fn a_head_has_an_end_or_is_none() {
        let line = |count| format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(count));
        let most = HEAD_MAX - line(0).len() - 4;
        assert_eq!(
            look(&mut Reading::default(), format!("{}\r\n\r\n", line(most)).as_bytes()),
            Ok(Some(HEAD_MAX))
        );
        assert_eq!(
            look(&mut Reading::default(), format!("{}\r\n\r\n", line(most + 1)).as_bytes()),
            Err(TOO_LARGE)
        );
        assert_eq!(look(&mut Reading::default(), line(most + 4).as_bytes()), Err(TOO_LARGE));
    }

    fn read(text: &str, method: Method) -> Option<(String, bool)> {
        let head = head(text, &method).ok()?;
        let framing = match head.framing {
            Framing::Length(length) => length.to_string(),
            Framing::Chunks(_) => "chunks".to_owned(),
            Framing::Close => "close".to_owned(),
        };
        Some((framing, head.persists))
    }

    #[test]
    fn the_end_of_a_body_is_told_by_its_head() {
        let of = |status: &str, fields: &str, method| {
            read(&format!("HTTP/1.1 {status}\r\n{fields}\r\n"), method)
        };
        let found = |framing: &str, persists| Some((framing.to_owned(), persists));
        let patch = || Method::PATCH;
        let chunked = "Transfer-Encoding: Chunked\r\n";
        assert_eq!(of("200 OK", "Content-Length: 7\r\n", patch()), found("7", true));
        assert_eq!(of("200", "Content-Length: 7\r\n", Method::HEAD), found("0", true));
        assert_eq!(of("304 Not Modified", "Content-Length: 7\r\n", patch()), found("0", true));
        assert_eq!(of("204 No Content", "", patch()), found("0", true));
        assert_eq!(of("204 No Content", "Content-Length: 7\r\n", patch()), found("0", false));
        assert_eq!(of("204 No Content", chunked, patch()), found("0", false));
        assert_eq!(of("200 OK", chunked, patch()), found("chunks", true));
        assert_eq!(of("200 OK", "", patch()), found("close", true));
        assert_eq!(
            of("200 OK", "Connection: x, Close\r\nContent-Length: 7\r\n", patch()),
            found("7", false)
        );
        assert_eq!(
            read("HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\n", patch()),
            found("7", false)
        );
        for fields in ["Content-Length: 7\r\nContent-Length: 8\r\n", "Transfer-Encoding: gzip\r\n"]
        {
            assert_eq!(of("200 OK", fields, patch()), None, "{fields}");
        }
    }

    proptest! {
        #[test]
        fn no_head_tells_two_ends_or_splits_however_it_comes(
            pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..9),
        ) {
            let text = format!("HTTP/1.1 200 OK\r\n{}\r\n", pieces.concat());
            let Ok(Some(end)) = end(&text) else { return Ok(()) };
            let Ok(head) = head(&text, &Method::PATCH) else { return Ok(()) };
            // Another reader finds the same fields.
            let mut lines = [httparse::EMPTY_HEADER; 16];
            let mut other = httparse::Response::new(&mut lines);
            prop_assert!(other.parse(&text.as_bytes()[..end]).unwrap().is_complete(), "{:?}", text);
            let line = |line: &httparse::Header<'_>| (line.name.to_lowercase(), line.value.to_vec());
            let theirs: Vec<_> = other.headers.iter().map(line).collect();
            let ours = head.answer.fields.iter();
            for (name, value) in ours.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())) {
                prop_assert!(theirs.contains(&(name, value)), "{:?}", text);
            }
            let headers = head.answer.fields.to_map(false);
            let count = |name| headers.get_all(name).iter().count();
            let (lengths, codings) = (count(header::CONTENT_LENGTH), count(header::TRANSFER_ENCODING));
            match head.framing {
                Framing::Length(length) => {
                    prop_assert_eq!((lengths, codings), (1, 0), "{:?}", text);
                    prop_assert_eq!(&headers[header::CONTENT_LENGTH], &*length.to_string());
                }
                Framing::Chunks(_) => prop_assert_eq!((lengths, codings), (0, 1), "{:?}", text),
                Framing::Close => prop_assert_eq!((lengths, codings), (0, 0), "{:?}", text),
            }
            let lines = text[..end].matches("\r\n").count();
            prop_assert!(headers.len() <= lines - 2, "each has a line of its own: {text:?}");
            prop_assert!(!text[..end].replace("\r\n", "").contains(['\r', '\n', '\0']), "{text:?}");
        }
    }

    /// What heads that are meant to deceive are made of.
    const PIECES: [&str; 16] = [
        "X: y\r\n",
        "Content-Length: 5\r\n",
        "Content-Length: 5\r\n",
        "Content-Length:6\r\n",
        "Content-Length: 5, 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Connection: close\r\n",
        "X: y\n",
        "X: y\r",
        "X: \0\r\n",
        " X: y\r\n",
        ": y\r\n",
        "\r\n",
        "\n",
    ];

    #[test]
    fn a_length_that_is_said_twice_is_passed_on_once() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Length: 7\r\n\r\n";
        let head = head(text, &Method::PATCH).unwrap();
        assert_eq!(head.answer.fields.get_all(&header::CONTENT_LENGTH).count(), 1);
    }

    #[test]
    fn what_was_heard_of_the_connection_is_not_kept_but_what_it_names_is() {
        for (value, persists, is_kept) in [
            ("keep-alive", true, false),
            ("Close", false, false),
            ("keep-alive , close", false, false),
            ("x-a", true, true),
            ("close, x-a", false, true),
            ("", true, true),
        ] {
            let text = format!("HTTP/1.1 204 No Content\r\nConnection: {value}\r\nX-A: 1\r\n\r\n");
            let head = head(&text, &Method::PATCH).unwrap();
            let found = head.answer.fields.has(&header::CONNECTION);
            assert_eq!((head.persists, found), (persists, is_kept), "{value:?}");
        }
    }

    #[test]
    fn a_request_is_written_as_it_is() {
        let mut fields = Fields::default();
        for (name, value) in [("host", "a"), ("x", "y"), ("x", "z")] {
            fields.add(&HeaderName::from_static(name), FieldValue::of(value).unwrap());
        }
        let target = Target::of("/b?c=d");
        let (method, body, alarm) = (Method::PATCH, Bytes::new(), Alarm::default());
        let began = tokio::time::Instant::now();
        let message = Message { method, target, fields, body, began, until: None, alarm };
        let mut out = Vec::new();
        write(&message, &mut out);
        assert_eq!(out, b"PATCH /b?c=d HTTP/1.1\r\nhost: a\r\nx: y\r\nx: z\r\n\r\n");
    }
}
