//! The frames of HTTP/2, as they are followed to find pseudo-fields among trailers, beside another
//! reader of HPACK. An input is a list of choices.

use loona_hpack::Decoder;
use loona_hpack::huffman::HuffmanDecoder;
use patchgate::server::Frames;

use std::sync::LazyLock;

const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 32;

pub fn run(input: &[u8]) {
    let mut choices = Choices(input.iter());
    let step = choices.of(64) + 1;
    let mut sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // What comes on any older stream are trailers.
    frame(&mut sent, HEADERS, END_HEADERS, 1001, &[]);
    let mut other = Decoder::new();
    other.set_max_allowed_table_size(4096);
    let mut expected = Vec::new();
    let mut is_read = true;
    while is_read && choices.has_more() && expected.len() < 90 {
        let stream = u32::try_from(2 * expected.len() + 1).expect("few");
        let block = choices.block();
        choices.send(&mut sent, stream, &block);
        let fields = other.decode(&block);
        is_read = fields.is_ok();
        let fields = fields.unwrap_or_default();
        expected.push((stream, fields.iter().any(|(name, _)| name.starts_with(b":"))));
    }
    for step in [step, usize::MAX] {
        let mut frames = Frames::default();
        sent.chunks(step).for_each(|piece| frames.look(piece));
        // Of a connection that broke, nothing is promised but that nothing passes.
        if is_read {
            assert!(!frames.is_odd(9999), "they can be followed");
            for (stream, has_pseudo) in &expected {
                assert_eq!(frames.is_odd(*stream), *has_pseudo, "block {stream} of {expected:?}");
            }
        }
    }
}

/// Whether an entry of the table that `literal` makes is as large as the `name` and `value` that the
/// other reader finds, to the byte: it stays in a table of its size, and not in a smaller one. Tells whether
/// the other reader finds any.
pub fn sizes(literal: &[u8]) -> bool {
    let mut other = Decoder::new();
    let Ok(fields) = other.decode(literal) else { return false };
    let [(name, value)] = &fields[..] else { panic!("one field: {fields:?}") };
    let size = name.len() + value.len() + 32;
    for (most, stays) in [(size, true), (size - 1, false)] {
        let mut sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        let mut block = Vec::new();
        integer(&mut block, 0x20, 5, most);
        block.extend_from_slice(literal);
        frame(&mut sent, HEADERS, END_HEADERS, 1, &block);
        // The young one of the table.
        frame(&mut sent, HEADERS, END_HEADERS, 3, &[0xbe]);
        let mut frames = Frames::default();
        frames.look(&sent);
        assert_eq!(!frames.is_odd(9999), stays, "{size}: {}", literal.escape_ascii());
    }
    true
}

/// What is left of an input.
struct Choices<'i>(std::slice::Iter<'i, u8>);

impl Choices<'_> {
    fn has_more(&self) -> bool {
        !self.0.as_slice().is_empty()
    }

    /// A number below `most`.
    fn of(&mut self, most: usize) -> usize {
        usize::from(*self.0.next().unwrap_or(&0)) % most
    }

    /// A block of a few fields.
    fn block(&mut self) -> Vec<u8> {
        let mut block = Vec::new();
        if self.of(8) == 7 {
            integer(&mut block, 0x20, 5, self.of(210) * 20);
            // No block may end with it.
            integer(&mut block, 0x80, 7, 16);
        }
        for _ in 0..=self.of(6) {
            match self.of(8) {
                0 => integer(&mut block, 0x80, 7, self.of(61) + 1),
                // The young ones are there more often.
                1 => integer(&mut block, 0x80, 7, 62 + self.of(4)),
                kind => {
                    let (first, bits) = match kind {
                        2 => (0, 4),
                        3 => (0x10, 4),
                        _ => (0x40, 6),
                    };
                    let index = if self.of(2) == 0 { 0 } else { self.of(64) };
                    integer(&mut block, first, bits, index);
                    if index == 0 {
                        self.string(&mut block, true);
                    }
                    self.string(&mut block, false);
                }
            }
        }
        block
    }

    fn string(&mut self, block: &mut Vec<u8>, is_name: bool) {
        if self.of(2) == 1 {
            let words = if is_name { &WORDS[..] } else { &WORDS[WORDS.len() / 2..] };
            let word = &words[(self.of(256) << 8 | self.of(256)) % words.len()];
            integer(block, 0x80, 7, word.len());
            return block.extend_from_slice(word);
        }
        let length = self.of(40);
        let mut bytes: Vec<u8> =
            (0..length).map(|_| u8::try_from(self.of(256)).expect("a byte")).collect();
        if is_name
            && self.of(3) == 0
            && let Some(first) = bytes.first_mut()
        {
            *first = b':';
        }
        // A value that is as long as the table, now and then.
        let bytes = bytes.repeat(if self.of(16) == 0 { 100 } else { 1 });
        integer(block, 0, 7, bytes.len());
        block.extend(bytes);
    }

    /// Sends a block on `stream`: in several frames, padded, or with a priority.
    fn send(&mut self, sent: &mut Vec<u8>, stream: u32, block: &[u8]) {
        let (first, rest) = block.split_at(self.of(256).min(block.len()));
        let (first, rest) = if self.of(2) == 0 { (block, &block[..0]) } else { (first, rest) };
        let (padding, has_priority) = (self.of(8), self.of(4) == 0);
        let mut payload = Vec::new();
        let mut flags = 0;
        if padding > 0 {
            flags |= PADDED;
            payload.push(u8::try_from(padding).expect("little"));
        }
        if has_priority {
            flags |= PRIORITY;
            payload.extend([0, 0, 0, 0, 16]);
        }
        payload.extend_from_slice(first);
        payload.extend(std::iter::repeat_n(0x83, padding));
        if rest.is_empty() {
            frame(sent, HEADERS, flags | END_HEADERS, stream, &payload);
        } else {
            frame(sent, HEADERS, flags, stream, &payload);
            let (second, third) = rest.split_at(rest.len() / 2);
            frame(sent, CONTINUATION, 0, stream, second);
            frame(sent, CONTINUATION, END_HEADERS, stream, third);
        }
        // Something else, that has no fields.
        frame(sent, 0, 0, stream, &[0x83; 5][..self.of(6)]);
    }
}

/// Strings in the Huffman code of HPACK, as the other reader has it. One in six begins with a colon.
static WORDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut decoder = HuffmanDecoder::new();
    let (mut words, mut state) = (Vec::new(), 1_u32);
    while words.len() < 600 {
        let mut bytes = Vec::new();
        for _ in 0..words.len() % 40 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            bytes.push(state.to_be_bytes()[0]);
        }
        if words.len() % 3 == 0
            && words.len() < 300
            && let Some(first) = bytes.first_mut()
        {
            *first = 0b1011_1000 | *first & 1;
        }
        // Most ends are none of a code.
        let ends = (0..=255).map(|end| [&bytes[..], &[end]].concat());
        let word = ends.into_iter().find(|word| decoder.decode(word).is_ok());
        words.push(word.unwrap_or_default());
    }
    words
});

fn frame(sent: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).expect("little").to_be_bytes();
    sent.extend([length[1], length[2], length[3], kind, flags]);
    sent.extend(stream.to_be_bytes());
    sent.extend_from_slice(payload);
}

/// Writes an integer behind the bits of `first` (RFC 7541 §5.1).
fn integer(block: &mut Vec<u8>, first: u8, bits: u32, integer: usize) {
    let most = (1 << bits) - 1;
    if integer < most {
        return block.push(first | u8::try_from(integer).expect("few bits"));
    }
    block.push(first | u8::try_from(most).expect("few bits"));
    let mut left = integer - most;
    while left >= 128 {
        block.push(u8::try_from(left % 128 + 128).expect("a byte"));
        left /= 128;
    }
    block.push(u8::try_from(left).expect("a byte"));
}
