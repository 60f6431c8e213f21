//! The reader of requests beside `httparse`, which most others read heads with.

use patchgate::proxy::chunks::Taken;
use patchgate::proxy::fields::FieldValue;
use patchgate::proxy::target::Target;
use patchgate::server::{Bounds, Requests};

const BOUNDS: Bounds = Bounds { line: 60, header: 120, fields: 5 };

/// The first byte of the input says into pieces of what length the rest is cut.
pub fn run(input: &[u8]) {
    let Some((step, bytes)) = input.split_first() else { return };
    let whole = read(bytes, usize::MAX);
    for step in [1, usize::from(*step).max(2)] {
        let cut = read(bytes, step);
        assert_eq!(whole.found, cut.found, "cut into pieces of {step}");
        // Which of several faults is told may depend on what was there to be seen.
        assert_eq!(whole.is_broken, cut.is_broken, "cut into pieces of {step}");
    }
    means_the_same(bytes, &whole);
    if !whole.is_broken {
        let most = BOUNDS.line + BOUNDS.header + 4;
        assert!(whole.held <= most, "so much is never held: {}", whole.held);
    }
}

/// A request: method, target, version, the fields, and what came of its body.
#[derive(Debug, PartialEq)]
struct Found {
    method: String,
    target: String,
    version: http::Version,
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    is_whole: bool,
}

/// What is found in bytes.
struct Seen {
    found: Vec<Found>,
    is_broken: bool,
    /// What was not taken.
    held: usize,
}

/// What is found in `bytes` when they come in pieces of `step`.
fn read(bytes: &[u8], step: usize) -> Seen {
    let mut requests = Requests::new(BOUNDS);
    let mut found: Vec<Found> = Vec::new();
    let mut is_broken = false;
    'all: for piece in bytes.chunks(step) {
        requests.bytes.extend_from_slice(piece);
        loop {
            if let Some(last) = found.last_mut().filter(|last| !last.is_whole) {
                match requests.take_data() {
                    Taken::Data(data) => last.body.extend_from_slice(&data),
                    Taken::Ended => last.is_whole = true,
                    Taken::Nothing => break,
                    Taken::Broken => is_broken = true,
                }
            } else {
                match requests.take_head() {
                    Ok(Some(head)) => found.push(Found::of(&head)),
                    Ok(None) => break,
                    Err(_) => is_broken = true,
                }
            }
            if is_broken {
                break 'all;
            }
        }
    }
    Seen { found, is_broken, held: requests.bytes.len() }
}

impl Found {
    fn of(head: &patchgate::proxy::request::Head) -> Self {
        let field =
            |(name, value): (&str, FieldValue<'_>)| (name.to_owned(), value.as_bytes().to_vec());
        let mut fields: Vec<_> = head.fields.iter().map(field).collect();
        fields.sort();
        Self {
            method: head.method.as_str().to_owned(),
            target: text(&head.target),
            version: head.version,
            fields,
            body: Vec::new(),
            is_whole: false,
        }
    }
}

fn text(target: &Target) -> String {
    target.whole().map_or_else(|| target.as_str().to_owned(), ToString::to_string)
}

/// The other parser finds the same requests in `bytes`, with the same bodies, and nothing between them.
fn means_the_same(bytes: &[u8], seen: &Seen) {
    let mut rest = bytes;
    for found in &seen.found {
        let mut lines = [httparse::EMPTY_HEADER; 16];
        let mut head = httparse::Request::new(&mut lines);
        let parsed = head.parse(rest);
        let Ok(httparse::Status::Complete(size)) = parsed else {
            panic!("{found:?} is {parsed:?}");
        };
        assert_eq!(head.method, Some(&*found.method));
        let target = http::Uri::try_from(head.path.expect("one")).expect("a target");
        assert_eq!(target.to_string(), found.target);
        assert_eq!(head.version == Some(0), found.version == http::Version::HTTP_10);
        let lines = head.headers.iter();
        let mut fields: Vec<_> =
            lines.map(|line| (line.name.to_ascii_lowercase(), line.value.to_vec())).collect();
        fields.sort();
        assert_eq!(fields, found.fields);
        let all = |name: &'static str| fields.iter().filter(move |(known, _)| known == name);
        let (lengths, codings) = (all("content-length").count(), all("transfer-encoding").count());
        assert!(lengths + codings <= 1, "it is framed in one way");
        rest = &rest[size..];
        if codings == 1 {
            assert_eq!(head.version, Some(1));
            let (body, behind) = chunks(rest);
            match behind {
                Some(behind) if !seen.is_broken || found.is_whole => {
                    assert_eq!((&body, true), (&found.body, found.is_whole));
                    rest = behind;
                }
                _ => {
                    assert!(body.starts_with(&found.body) && !found.is_whole, "{found:?}");
                    return;
                }
            }
        } else {
            let text = all("content-length").next().map_or(&b"0"[..], |(_, value)| value);
            let length: usize = std::str::from_utf8(text).expect("digits").parse().expect("one");
            let (body, behind) = rest.split_at(length.min(rest.len()));
            assert_eq!((body, body.len() == length), (&*found.body, found.is_whole));
            rest = behind;
        }
    }
    if !seen.is_broken {
        assert_eq!(rest.len(), seen.held, "nothing is taken that no head announced");
    }
}

/// What chunks hold, as the other parser would have it, and what is behind them if they end.
fn chunks(mut rest: &[u8]) -> (Vec<u8>, Option<&[u8]>) {
    let mut body = Vec::new();
    while let Ok(httparse::Status::Complete((size, left))) = httparse::parse_chunk_size(rest) {
        rest = &rest[size..];
        if left == 0 {
            while let Some(end) = rest.windows(2).position(|end| end == b"\r\n") {
                rest = &rest[end + 2..];
                if end == 0 {
                    return (body, Some(rest));
                }
            }
            break;
        }
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let data = &rest[..left.min(rest.len())];
        body.extend_from_slice(data);
        rest = rest.get(left.saturating_add(2)..).unwrap_or_default();
    }
    (body, None)
}
