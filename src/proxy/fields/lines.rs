//! Where the fields of a message stand in its text: each is read where it is, and stays there.

use crate::proxy::octets::{is_value, lower_token};

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

/// Where one stands: its name from `start` to `colon`, its value from `value` to `end`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) start: usize,
    pub(super) colon: usize,
    pub(super) value: usize,
    pub(super) end: usize,
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

    /// Reads `line`, which begins at `start` of its text, and gives the name and the value of the field
    /// that it is (RFC 9112 §5). The name is put in lower case, where it stands.
    ///
    /// # Errors
    ///
    /// When it is none, or some reader could take it for another.
    pub fn read<'l>(
        &mut self,
        line: &'l mut [u8],
        start: usize,
    ) -> Result<(&'l [u8], &'l [u8]), NoField> {
        let colon = lower_token(line);
        let (name, behind) = line.split_at(colon);
        let (Some((b':', behind)), false) = (behind.split_first(), name.is_empty()) else {
            return Err(NoField(match line.contains(&b':') {
                true => "the name of a field has a blank before, in or behind it, or none",
                false => "a line is no field: it has no colon",
            }));
        };
        let (blanks, value) = trim(behind);
        if !is_value(value) {
            return Err(NoField("the value of a field has a control character"));
        }
        let value_at = start + colon + 1 + blanks;
        self.push(Line {
            start,
            colon: start + colon,
            value: value_at,
            end: value_at + value.len(),
        });
        Ok((name, value))
    }

    /// Leaves out the last one.
    pub fn pop(&mut self) {
        self.all.pop();
    }

    pub(super) fn push(&mut self, line: Line) {
        self.lengths |= length_bit(line.colon - line.start);
        self.all.push(line);
    }
}

pub(super) fn length_bit(length: usize) -> u64 {
    1 << (length % 64)
}

/// How many blanks are before it, and what is there without those around it.
fn trim(value: &[u8]) -> (usize, &[u8]) {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let mut rest = value;
    while let Some((first, behind)) = rest.split_first()
        && is_blank(first)
    {
        rest = behind;
    }
    let blanks = value.len() - rest.len();
    while let Some((last, before)) = rest.split_last()
        && is_blank(last)
    {
        rest = before;
    }
    (blanks, rest)
}
