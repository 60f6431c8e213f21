//! Where the fields of a message stand in its text: each is read where it is, and stays there.

use crate::proxy::octets::{lower_token, value_length};

use memchr::memchr;

use std::ops::Range;

/// Room for as many as the gateway adds.
const OURS: usize = 8;

/// Where fields stand in a text.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    pub(super) all: Vec<Line>,
    /// How long the names are that are there, a bit for each length: most that are looked for are not
    /// there, and that is seen at once.
    pub(super) lengths: u64,
}

/// Where one stands: its name from `start` to `colon`, its value from `value` to `end`. There is one for each field of each
/// message under way, so it is small; no text has 4 GiB.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    start: u32,
    colon: u32,
    value: u32,
    end: u32,
    /// Whether it stands there as it would be written, with one blank, and its end right behind it.
    pub(super) is_plain: bool,
}

impl Line {
    /// One whose name and value are there.
    pub(super) fn new(name: Range<usize>, value: Range<usize>, is_plain: bool) -> Self {
        let at = |at| u32::try_from(at).unwrap_or(u32::MAX);
        let (start, colon, value, end) =
            (at(name.start), at(name.end), at(value.start), at(value.end));
        Self { start, colon, value, end, is_plain }
    }

    /// Where its name is.
    pub(super) fn name(self) -> Range<usize> {
        self.start as usize..self.colon as usize
    }

    /// Where its value is.
    pub(super) fn value(self) -> Range<usize> {
        self.value as usize..self.end as usize
    }

    /// Where all of it is, with its end, if that is plain.
    pub(super) fn whole(self) -> Range<usize> {
        self.start as usize..self.end as usize + 2
    }
}

/// A line of a head is no field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoField(pub &'static str);

impl Lines {
    /// None so far, with room for `count`, and for ours.
    pub fn with_room(count: usize) -> Self {
        Self { all: Vec::with_capacity(count + OURS), lengths: 0 }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Leaves out the last one.
    pub fn pop(&mut self) {
        self.all.pop();
    }

    pub(super) fn push(&mut self, line: Line) {
        self.lengths |= length_bit(line.name().len());
        self.all.push(line);
    }
}

pub(super) fn length_bit(length: usize) -> u64 {
    1 << (length % 64)
}

/// Reads a head that comes in pieces, line by line (RFC 9112 §2.2). No byte is looked at for each piece.
#[derive(Debug, Default)]
pub struct LineReader {
    /// The fields that were read.
    pub lines: Lines,
    /// Where the next line begins.
    at: usize,
    /// Up to where the end of that line is known not to be, if that is behind its beginning.
    searched: usize,
}

/// What a line of a head is, behind the first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next<'b> {
    /// A field: its name, in lower case, and its value.
    Field(&'b [u8], &'b [u8]),
    /// The end of the head.
    End,
}

const LONE: NoField = NoField("a carriage return stands alone");
const BARE: NoField = NoField("a line ends in a bare line feed");

impl LineReader {
    /// Where the next line begins.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The first line of the head that `bytes` begin with, without its end, and `None` while that has not
    /// come.
    ///
    /// # Errors
    ///
    /// When its end is none.
    pub fn first<'b>(&mut self, bytes: &'b [u8]) -> Result<Option<&'b [u8]>, NoField> {
        let new = bytes.get(self.searched..).unwrap_or_default();
        let Some(length) = memchr(b'\n', new) else { return self.wait(bytes).map(|()| None) };
        let end = self.searched + length;
        self.at = end + 1;
        let line = bytes.get(..end).unwrap_or_default();
        line.strip_suffix(b"\r").ok_or(BARE).map(Some)
    }

    /// The next line of the head that `bytes` begin with, and `None` while its end has not come. The name of
    /// a field (RFC 9112 §5) is put in lower case, where it stands.
    ///
    /// # Errors
    ///
    /// When it is none, or some reader could take it for another.
    pub fn next<'b>(&mut self, bytes: &'b mut [u8]) -> Result<Option<Next<'b>>, NoField> {
        let start = self.at;
        // What is read again is read only once its end has come.
        if self.searched > start {
            let new = bytes.get(self.searched..).unwrap_or_default();
            if memchr(b'\n', new).is_none() {
                return self.wait(bytes).map(|()| None);
            }
        }
        let rest = bytes.get_mut(start..).unwrap_or_default();
        if rest.starts_with(b"\r\n") {
            self.at += 2;
            return Ok(Some(Next::End));
        }
        let Field { colon, value, end, next } = match Field::read(rest) {
            Ok(field) => field,
            Err(fault) => return self.fault(bytes, fault).map(|()| None),
        };
        let rest = bytes.get(start..).unwrap_or_default();
        self.at += next;
        let is_plain = rest.get(colon..value) == Some(b": ") && next == end + 2;
        self.lines.push(Line::new(start..start + colon, start + value..start + end, is_plain));
        let part = |from: usize, to: usize| rest.get(from..to).unwrap_or_default();
        Ok(Some(Next::Field(part(0, colon), part(value, end))))
    }

    /// Waits for the end of the next line.
    fn wait(&mut self, bytes: &[u8]) -> Result<(), NoField> {
        // The last byte may be half of the end; last time it was not looked at for the same reason.
        let from = self.searched.saturating_sub(1).max(self.at);
        self.searched = bytes.len();
        match bytes.get(from..).and_then(<[u8]>::split_last) {
            Some((_, new)) if memchr(b'\r', new).is_some() => Err(LONE),
            _ => Ok(()),
        }
    }

    /// What keeps the next line from being one, if its end has come.
    #[cold]
    fn fault(&mut self, bytes: &[u8], fault: NoField) -> Result<(), NoField> {
        let rest = bytes.get(self.at..).unwrap_or_default();
        let Some(end) = memchr(b'\n', rest) else { return self.wait(bytes) };
        let Some((last, line)) = rest.get(..end).and_then(<[u8]>::split_last) else {
            return Err(BARE);
        };
        match (memchr(b'\r', line), last) {
            (Some(_), _) => Err(LONE),
            (None, b'\r') => Err(fault),
            (None, _) => Err(BARE),
        }
    }
}

/// Where the parts of a field are, from where it begins, and where the next line does.
struct Field {
    colon: usize,
    value: usize,
    end: usize,
    next: usize,
}

impl Field {
    /// Reads the one that `bytes` begin with. Where its end has not come it is none.
    fn read(bytes: &mut [u8]) -> Result<Self, NoField> {
        let colon = lower_token(bytes);
        if colon == 0 || bytes.get(colon) != Some(&b':') {
            let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
            return Err(NoField(match line.contains(&b':') {
                true => "the name of a field has a blank before, in or behind it, or none",
                false => "a line is no field: it has no colon",
            }));
        }
        let mut value = colon + 1;
        while let Some(b' ' | b'\t') = bytes.get(value) {
            value += 1;
        }
        let rest = bytes.get(value..).unwrap_or_default();
        let (text, behind) = rest.split_at(value_length(rest));
        if !behind.starts_with(b"\r\n") {
            return Err(NoField("the value of a field has a control character"));
        }
        let mut trimmed = text;
        while let [before @ .., b' ' | b'\t'] = trimmed {
            trimmed = before;
        }
        Ok(Self { colon, value, end: value + trimmed.len(), next: value + text.len() + 2 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    /// What is read of `text` as it comes in `pieces`: names and values, and where the head ends, if it
    /// does.
    type Found = (Vec<(String, Vec<u8>)>, Option<usize>);

    fn read(text: &str, pieces: &[usize]) -> Result<Found, NoField> {
        let (mut reader, mut fields) = (LineReader::default(), Vec::new());
        let mut begun = false;
        for end in pieces.iter().copied().chain([text.len()]) {
            let mut bytes = text.as_bytes()[..end].to_vec();
            begun = begun || reader.first(&bytes)?.is_some();
            while begun && let Some(next) = reader.next(&mut bytes)? {
                let Next::Field(name, value) = next else {
                    return Ok((fields, Some(reader.at())));
                };
                fields.push((String::from_utf8(name.to_vec()).unwrap(), value.to_vec()));
            }
        }
        Ok((fields, None))
    }

    proptest! {
        #[test]
        fn a_head_is_the_same_however_it_is_cut(
            lines in prop::collection::vec("[aB_]{0,9}(:|: |)[cd \t]{0,9}(\r\n|\r\n|\r\n|\n|\r|\u{1})", 0..6),
            mut pieces in prop::collection::vec(0..90_usize, 0..6),
        ) {
            let text = format!("first\r\n{}", lines.concat());
            pieces.retain(|end| *end <= text.len());
            pieces.sort_unstable();
            let whole = read(&text, &[]);
            prop_assert_eq!(&read(&text, &pieces), &whole, "{:?}", text);
            let each: Vec<_> = (0..text.len()).collect();
            prop_assert_eq!(read(&text, &each), whole, "{:?}", text);
        }
    }

    #[test]
    fn what_a_line_lacks_is_told_once_its_end_has_come() {
        let fault = |text: &str| read(&format!("first\r\n{text}"), &[]).map_err(|NoField(why)| why);
        for (line, lacks) in [
            ("a : b", "the name of a field has a blank before, in or behind it, or none"),
            (" a: b", "the name of a field has a blank before, in or behind it, or none"),
            (": b", "the name of a field has a blank before, in or behind it, or none"),
            ("ab", "a line is no field: it has no colon"),
            ("a: b\u{7f}c", "the value of a field has a control character"),
        ] {
            assert_eq!(fault(&format!("{line}\r\nc: d\r\n")), Err(lacks), "{line:?}");
            assert_eq!(fault(line), Ok((Vec::new(), None)), "{line:?}");
            assert_eq!(fault(&format!("{line}\n")), Err(BARE.0), "{line:?}");
            assert_eq!(fault(&format!("{line}\r ")), Err(LONE.0), "{line:?}");
        }
        let (fields, end) = fault("A:b\r\nC: \t d\t e \r\n\r\nf: g\r\n").unwrap();
        let field = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
        assert_eq!((fields, end), (vec![field("a", "b"), field("c", "d\t e")], Some(26)));
        assert_eq!(read("first\n", &[]), Err(BARE));
        assert_eq!(read("fi\rst", &[]), Err(LONE));
    }
}
