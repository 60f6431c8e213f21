//! As much of HPACK (RFC 7541) as tells whether a block of fields has pseudo-fields: which entries of the
//! dynamic table are some, and how large each entry is. No value is kept.

use std::collections::VecDeque;

/// The largest table that callers may have us keep: it is what they begin with.
const TABLE_MAX: usize = 4096;
/// What an entry costs beyond its name and value.
const ENTRY: usize = 32;

/// The names of the static table: how long each is. The first ones are those of pseudo-fields.
const STATIC: [u8; 61] = [
    10, 7, 7, 5, 5, 7, 7, 7, 7, 7, 7, 7, 7, 7, 14, 15, 15, 13, 6, 27, 3, 5, 13, 13, 19, 16, 16, 14,
    16, 13, 12, 6, 4, 4, 6, 7, 4, 4, 8, 17, 13, 8, 19, 13, 4, 8, 12, 18, 19, 5, 7, 7, 11, 6, 10,
    25, 17, 10, 4, 3, 16,
];
const STATIC_PSEUDO: usize = 14;

/// The dynamic table of a connection.
#[derive(Debug)]
pub(super) struct Table {
    /// The youngest is the first.
    entries: VecDeque<Entry>,
    size: usize,
    most: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    name: Name,
    size: usize,
}

/// What matters of a name.
#[derive(Clone, Copy, Debug)]
struct Name {
    length: usize,
    is_pseudo: bool,
}

/// A block that no reader takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

impl Default for Table {
    fn default() -> Self {
        Self { entries: VecDeque::new(), size: 0, most: TABLE_MAX }
    }
}

impl Table {
    /// Whether the next `block` of the connection has a pseudo-field.
    pub(super) fn has_pseudo(&mut self, block: &[u8]) -> Result<bool, Unreadable> {
        let mut bytes = Bytes(block);
        let mut found = false;
        while let Some(first) = bytes.0.first().copied() {
            let name = match first {
                0x80.. => self.name(bytes.integer(7)?)?,
                0x40..0x80 => {
                    let name = self.literal(&mut bytes, 6)?;
                    let value = bytes.string()?.length();
                    self.insert(Entry { name, size: name.length + value + ENTRY });
                    name
                }
                0x20..0x40 => {
                    self.most = bytes.integer(5)?;
                    if self.most > TABLE_MAX {
                        return Err(Unreadable);
                    }
                    self.evict(0);
                    continue;
                }
                0..0x20 => {
                    let name = self.literal(&mut bytes, 4)?;
                    bytes.string()?;
                    name
                }
            };
            found |= name.is_pseudo;
        }
        Ok(found)
    }

    /// The name at `index` of both tables.
    fn name(&self, index: usize) -> Result<Name, Unreadable> {
        let index = index.checked_sub(1).ok_or(Unreadable)?;
        if let Some(length) = STATIC.get(index) {
            return Ok(Name { length: usize::from(*length), is_pseudo: index < STATIC_PSEUDO });
        }
        let entry = self.entries.get(index - STATIC.len()).ok_or(Unreadable)?;
        Ok(entry.name)
    }

    /// The name of a literal, whose index has so many `bits`.
    fn literal(&self, bytes: &mut Bytes<'_>, bits: u32) -> Result<Name, Unreadable> {
        match bytes.integer(bits)? {
            0 => {
                let name = bytes.string()?;
                Ok(Name { length: name.length(), is_pseudo: name.begins_with_colon() })
            }
            index => self.name(index),
        }
    }

    fn insert(&mut self, entry: Entry) {
        self.evict(entry.size);
        if entry.size <= self.most {
            self.size += entry.size;
            self.entries.push_front(entry);
        }
    }

    /// Makes room for `size` more bytes.
    fn evict(&mut self, size: usize) {
        while self.size + size > self.most
            && let Some(oldest) = self.entries.pop_back()
        {
            self.size -= oldest.size;
        }
    }
}

/// What is left of a block.
struct Bytes<'b>(&'b [u8]);

/// A string, as it was sent.
#[derive(Clone, Copy)]
struct Text<'b> {
    bytes: &'b [u8],
    is_coded: bool,
}

impl<'b> Bytes<'b> {
    fn next(&mut self) -> Result<u8, Unreadable> {
        let (first, rest) = self.0.split_first().ok_or(Unreadable)?;
        self.0 = rest;
        Ok(*first)
    }

    /// An integer that begins with the last `bits` of a byte (RFC 7541 §5.1).
    fn integer(&mut self, bits: u32) -> Result<usize, Unreadable> {
        let most = (1_usize << bits) - 1;
        let mut integer = usize::from(self.next()?) & most;
        if integer < most {
            return Ok(integer);
        }
        // More than these are larger than any block.
        for shift in [0, 7, 14, 21] {
            let byte = self.next()?;
            integer += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(integer);
            }
        }
        Err(Unreadable)
    }

    fn string(&mut self) -> Result<Text<'b>, Unreadable> {
        let is_coded = self.0.first().ok_or(Unreadable)? & 0x80 != 0;
        let length = self.integer(7)?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Unreadable)?;
        self.0 = rest;
        Ok(Text { bytes, is_coded })
    }
}

/// How many codes of each length the Huffman code has, from those of 5 bits on (RFC 7541, Appendix B). It
/// is canonical: longer codes are larger numbers than the beginnings of shorter ones, and so the counts
/// tell how long each code is.
const CODES: [u32; 26] =
    [10, 26, 32, 6, 0, 5, 3, 2, 6, 2, 3, 0, 0, 0, 3, 8, 13, 26, 29, 12, 4, 15, 19, 29, 0, 4];
const SHORTEST: usize = 5;
/// `:`
const COLON: (u8, u32) = (0b101_1100, 7);

/// The first number, of 32 bits, that begins with no code of each length or a shorter one. That of the
/// longest is one more than there is.
const LIMITS: [u64; 26] = {
    let mut limits = [0; 26];
    let mut limit = 0_u64;
    let mut at = 0;
    while at < 26 {
        #[allow(clippy::indexing_slicing, reason = "a fault here would not compile")]
        {
            limit += (CODES[at] as u64) << (32 - SHORTEST - at);
            limits[at] = limit;
        }
        at += 1;
    }
    limits
};

impl Text<'_> {
    fn begins_with_colon(self) -> bool {
        let first = self.bytes.first().copied();
        match self.is_coded {
            true => first.is_some_and(|first| first >> (8 - COLON.1) == COLON.0),
            false => first == Some(b':'),
        }
    }

    /// How many bytes it has once it is decoded.
    fn length(self) -> usize {
        if !self.is_coded {
            return self.bytes.len();
        }
        let mut rest = self.bytes.iter();
        // The bits that were read and not used, the next one first; behind the last there are ones,
        // as in the longest code, which nobody sends.
        let (mut bits, mut known, mut length) = (u64::MAX, 0, 0);
        loop {
            while known <= 32 {
                let Some(byte) = rest.next() else { break };
                bits &= !(0xff << (56 - known)) | u64::from(*byte) << (56 - known);
                known += 8;
            }
            let next = bits >> 32;
            let Some(at) = LIMITS.iter().position(|limit| next < *limit) else { return length };
            let used = SHORTEST + at;
            if used > known {
                return length;
            }
            bits = bits << used | ((1 << used) - 1);
            known -= used;
            length += 1;
        }
    }
}
