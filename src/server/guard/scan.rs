//! Where each message of a connection begins and ends, and whether it is sound: a pure function of
//! the bytes, however they are cut.

use super::chunks::{Chunks, Looked};
use super::head::{Bounds, Framing, Head, Whole};
use crate::proxy::rejection::Unsound;

/// Follows the requests of a connection.
#[derive(Debug)]
pub struct Scanner {
    bounds: Bounds,
    place: Place,
    heads: u64,
}

#[derive(Debug)]
enum Place {
    Head(Head),
    Body(u64),
    Chunks(Chunks),
}

/// What may be done with bytes that were looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// So many of them, from the first on, are whole heads and parts of bodies: they may pass. The
    /// rest begins a head, and has to be shown again with what follows.
    pub sound: usize,
    /// What ends the connection right behind those.
    pub fault: Option<Fault>,
}

/// What ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The chunks of a body are broken; its head has passed.
    Body,
    /// A head is not sound; no byte of it has passed.
    Head(Unsound),
}

impl Scanner {
    /// A scanner at the beginning of a connection.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, place: Place::Head(Head::default()), heads: 0 }
    }

    /// How many heads were whole and sound.
    pub fn heads(&self) -> u64 {
        self.heads
    }

    /// Whether the next byte belongs to a head.
    pub fn is_before_body(&self) -> bool {
        matches!(self.place, Place::Head(_))
    }

    /// Looks at `bytes`: what did not pass before, and what is new.
    pub fn scan(&mut self, bytes: &[u8]) -> Scanned {
        let mut sound = 0;
        let end = |sound, fault| Scanned { sound, fault };
        loop {
            let rest = bytes.get(sound..).unwrap_or_default();
            match &mut self.place {
                Place::Head(_) if rest.is_empty() => return end(sound, None),
                Place::Head(head) => match head.look(rest, &self.bounds) {
                    Err(unsound) => return end(sound, Some(Fault::Head(unsound))),
                    Ok(None) => return end(sound, None),
                    Ok(Some(Whole { bytes, framing })) => {
                        self.heads += 1;
                        sound += bytes;
                        self.place = match framing {
                            Framing::Chunked => Place::Chunks(Chunks::new()),
                            Framing::Length(0) => Place::Head(Head::default()),
                            Framing::Length(length) => Place::Body(length),
                        };
                    }
                },
                Place::Body(left) => {
                    let taken = (rest.len() as u64).min(*left);
                    *left -= taken;
                    sound += usize::try_from(taken).unwrap_or(usize::MAX);
                    if *left > 0 {
                        return end(sound, None);
                    }
                    self.place = Place::Head(Head::default());
                }
                Place::Chunks(chunks) => match chunks.look(rest) {
                    Looked::All => return end(bytes.len(), None),
                    Looked::Broken(at) => return end(sound + at, Some(Fault::Body)),
                    Looked::Ended(at) => {
                        sound += at;
                        self.place = Place::Head(Head::default());
                    }
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    const BOUNDS: Bounds = Bounds { line: 60, header: 120, fields: 5 };

    /// Pieces of which many a request can be made, and more that is none.
    const PIECES: [&[u8]; 34] = [
        b"GET / HTTP/1.1\r\n",
        b"PATCH /a?b HTTP/1.1\r\n",
        b"GET / HTTP/1.0\r\n",
        b"GET http://a/b HTTP/1.1\r\n",
        b"GET ",
        b" HTTP/1.1\r\n",
        b"Host: a\r\n",
        b"Content-Length: 3\r\n",
        b"content-length:0\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"transfer-encoding:\tChunked \r\n",
        b"X-Some: \xffthing\r\n",
        b"X",
        b":",
        b";",
        b"_",
        b"-",
        b"\r\n",
        b"\r\n\r\n",
        b"\r",
        b"\n",
        b" ",
        b"\t",
        b"\0",
        b"abc",
        b"0\r\n",
        b"3\r\n",
        b"3\r\nabc\r\n",
        b"0\r\n\r\n",
        b"a\r\n0123456789\r\n",
        b"Content-Length",
        b"7",
        b"/",
        b"{",
    ];

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let sound: &[u8] = b"PATCH /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let piece = prop_oneof![
            20 => prop::sample::select(&PIECES[..]).prop_map(<[u8]>::to_vec),
            1 => Just(sound.to_vec()),
            1 => any::<u8>().prop_map(|byte| vec![byte]),
        ];
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    /// What passes of `bytes` when they come in pieces that end at `cuts`, as `Guard` reads them.
    fn pass(bytes: &[u8], cuts: &[usize]) -> (Vec<u8>, Option<Fault>, u64) {
        let mut scanner = Scanner::new(BOUNDS);
        let (mut passed, mut held) = (Vec::new(), Vec::new());
        let mut at = 0;
        for cut in cuts.iter().copied().chain([bytes.len()]) {
            let cut = cut.clamp(at, bytes.len());
            held.extend_from_slice(&bytes[at..cut]);
            at = cut;
            let scanned = scanner.scan(&held);
            passed.extend(held.drain(..scanned.sound));
            if scanned.fault.is_some() {
                return (passed, scanned.fault, scanner.heads());
            }
        }
        (passed, None, scanner.heads())
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_bytes_are_cut(
            bytes in bytes(),
            mut cuts in prop::collection::vec(0..300_usize, 0..40),
        ) {
            cuts.sort_unstable();
            let whole = pass(&bytes, &[]);
            let cut = pass(&bytes, &cuts);
            prop_assert_eq!((&whole.0, whole.2), (&cut.0, cut.2));
            // Which of several faults is told may depend on what was there to be seen.
            prop_assert_eq!(whole.1.is_some(), cut.1.is_some());
        }

        #[test]
        fn whatever_passes_means_the_same_to_the_parser_behind(bytes in bytes()) {
            let (passed, _, heads) = pass(&bytes, &[]);
            let mut rest = &passed[..];
            for index in 1..=heads {
                let mut lines = [httparse::EMPTY_HEADER; 16];
                let mut head = httparse::Request::new(&mut lines);
                let parsed = head.parse(rest);
                let Ok(httparse::Status::Complete(size)) = parsed else {
                    return Err(TestCaseError::fail(format!("{parsed:?} at {index}: {bytes:?}")));
                };
                prop_assert!(http::Method::from_bytes(head.method.unwrap().as_bytes()).is_ok());
                prop_assert!(http::Uri::try_from(head.path.unwrap()).is_ok());
                let all = |name: &str| head.headers.iter().filter(|line| line.name.eq_ignore_ascii_case(name)).collect::<Vec<_>>();
                let (lengths, codings) = (all("content-length"), all("transfer-encoding"));
                prop_assert!(lengths.len() + codings.len() <= 1);
                rest = &rest[size..];
                if let [length] = lengths[..] {
                    let length: usize = std::str::from_utf8(length.value).unwrap().parse().unwrap();
                    rest = &rest[length.min(rest.len())..];
                } else if codings.len() == 1 {
                    prop_assert_eq!(head.version, Some(1));
                    rest = after_chunks(rest);
                }
            }
            prop_assert!(rest.is_empty(), "nothing passes that no head announced: {:?}", rest);
        }
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

    #[test]
    fn a_head_that_comes_byte_by_byte_is_searched_once() {
        let mut scanner = Scanner::new(Bounds { line: 1 << 20, header: 1 << 20, fields: 10 });
        let head = [b"GET /", &[b'a'; 100_000][..]].concat();
        let began = std::time::Instant::now();
        for end in 1..head.len() {
            assert_eq!(scanner.scan(&head[..end]), Scanned { sound: 0, fault: None });
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(4), "it takes linear time");
    }
}
