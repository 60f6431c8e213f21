//! The guard beside `httparse`, which hyper reads heads with.

use patchgate::server::guard::{Bounds, Fault, Scanner};

const BOUNDS: Bounds = Bounds { line: 60, header: 120, fields: 5 };

/// The first byte of the input says into pieces of what length the rest is cut.
pub fn run(input: &[u8]) {
    let Some((step, bytes)) = input.split_first() else { return };
    let whole = pass(bytes, usize::MAX);
    for step in [1, usize::from(*step).max(2)] {
        let cut = pass(bytes, step);
        assert_eq!((&whole.0, whole.2), (&cut.0, cut.2), "cut into pieces of {step}");
        // Which of several faults is told may depend on what was there to be seen.
        assert_eq!(whole.1.is_some(), cut.1.is_some(), "cut into pieces of {step}");
    }
    let (passed, fault, heads) = whole;
    assert!(bytes.starts_with(&passed), "what passes is what came");
    means_the_same(&passed, heads);
    if fault.is_none() {
        let held = bytes.len() - passed.len();
        assert!(held <= BOUNDS.line + BOUNDS.header + 4, "so much is never held: {held}");
    }
}

/// What passes of `bytes` when they come in pieces of `step`, as `Guard` reads them.
fn pass(bytes: &[u8], step: usize) -> (Vec<u8>, Option<Fault>, u64) {
    let mut scanner = Scanner::new(BOUNDS);
    let (mut passed, mut held) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(step) {
        held.extend_from_slice(piece);
        let scanned = scanner.scan(&held);
        passed.extend(held.drain(..scanned.sound));
        if scanned.fault.is_some() {
            return (passed, scanned.fault, scanner.heads());
        }
    }
    (passed, None, scanner.heads())
}

/// The parser behind finds the same `heads`, and nothing between the messages.
fn means_the_same(mut rest: &[u8], heads: u64) {
    for index in 1..=heads {
        let mut lines = [httparse::EMPTY_HEADER; 16];
        let mut head = httparse::Request::new(&mut lines);
        let parsed = head.parse(rest);
        let Ok(httparse::Status::Complete(size)) = parsed else {
            panic!("head {index} is {parsed:?}");
        };
        assert!(http::Method::from_bytes(head.method.expect("one").as_bytes()).is_ok());
        assert!(http::Uri::try_from(head.path.expect("one")).is_ok());
        let all = |name: &str| -> Vec<&[u8]> {
            let lines = head.headers.iter().filter(|line| line.name.eq_ignore_ascii_case(name));
            lines.map(|line| line.value).collect()
        };
        let (lengths, codings) = (all("content-length"), all("transfer-encoding"));
        assert!(lengths.len() + codings.len() <= 1, "it is framed in one way");
        rest = &rest[size..];
        if let [length] = lengths[..] {
            let length = std::str::from_utf8(length).expect("digits").parse::<usize>();
            rest = &rest[length.expect("a length").min(rest.len())..];
        } else if codings.len() == 1 {
            assert_eq!(head.version, Some(1));
            rest = after_chunks(rest);
        }
    }
    assert!(rest.is_empty(), "nothing passes that no head announced: {}", rest.escape_ascii());
}

/// What is behind a body of chunks, as the parser behind would have it.
fn after_chunks(mut rest: &[u8]) -> &[u8] {
    while let Ok(httparse::Status::Complete((size, left))) = httparse::parse_chunk_size(rest) {
        rest = &rest[size..];
        if left == 0 {
            while let Some(end) = rest.windows(2).position(|end| end == b"\r\n") {
                rest = &rest[end + 2..];
                if end == 0 {
                    return rest;
                }
            }
            return &[];
        }
        let left = usize::try_from(left).unwrap_or(usize::MAX).saturating_add(2);
        rest = rest.get(left..).unwrap_or_default();
    }
    // It has not ended.
    &[]
}
