//! The chain of seals: each is the SHA-256 of the one before and of the record itself. So no record
//! can be changed, taken out or put in without every later seal being another.

use aws_lc_rs::digest::{Context, SHA256};

use std::fmt;

/// What stands between a record and its seal.
const SEAL: &[u8] = b",\"seal\":\"";
/// A seal, and what ends the record.
const LENGTH: usize = 64;
const END: &[u8] = b"\"}";

/// The number of the last record, and its seal.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Head {
    /// The number; 0 before the first record.
    pub sequence: u64,
    /// The seal; zeros before the first record.
    pub seal: [u8; 32],
}

impl Head {
    /// The first 48 bits of the seal, which a metric can hold.
    pub fn mark(&self) -> u64 {
        self.seal.iter().take(6).fold(0, |mark, byte| mark << 8 | u64::from(*byte))
    }

    /// The seal as it stands in the file.
    pub fn text(&self) -> String {
        hex(&self.seal)
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.sequence, self.text())
    }
}

/// The chain up to some record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain(Head);

impl Chain {
    /// The chain that ends in `head`.
    pub fn from(head: Head) -> Self {
        Self(head)
    }

    /// Where it ends.
    pub fn head(&self) -> Head {
        self.0
    }

    /// Adds a record with these members at the end of `lines`, with its number and its seal.
    pub fn add(&mut self, members: &[u8], lines: &mut Vec<u8>) {
        let begin = lines.len();
        let sequence = self.0.sequence + 1;
        lines.extend_from_slice(format!("{{\"seq\":{sequence},").as_bytes());
        lines.extend_from_slice(members);
        let record = lines.get(begin..).unwrap_or_default();
        let seal = sealed(&self.0.seal, record);
        lines.extend_from_slice(SEAL);
        lines.extend_from_slice(hex(&seal).as_bytes());
        lines.extend_from_slice(END);
        lines.push(b'\n');
        self.0 = Head { sequence, seal };
    }

    /// Follows the chain over `line`, which is a whole one without its end.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn follow(&mut self, line: &[u8]) -> Result<(), &'static str> {
        let (head, record) = head(line).ok_or("is no record")?;
        if head.sequence != self.0.sequence + 1 {
            return Err(match head.sequence > self.0.sequence {
                true => "comes too early: records are missing before it",
                false => "has a number that was there before",
            });
        }
        if sealed(&self.0.seal, record) != head.seal {
            return Err("does not bear its seal: it, or one before it, was changed");
        }
        self.0 = head;
        Ok(())
    }
}

/// Number and seal of the record in `line`, and what the seal is about.
pub(super) fn head(line: &[u8]) -> Option<(Head, &[u8])> {
    let rest = line.strip_suffix(END)?;
    let (rest, seal) = rest.split_at_checked(rest.len().checked_sub(LENGTH)?)?;
    let record = rest.strip_suffix(SEAL)?;
    let number = record.strip_prefix(b"{\"seq\":")?;
    let number = number.split(|byte| *byte == b',').next()?;
    let sequence = std::str::from_utf8(number).ok()?.parse().ok()?;
    Some((Head { sequence, seal: unhex(seal)? }, record))
}

/// Reads 64 lower-case hexadecimal digits.
pub(super) fn unhex(text: &[u8]) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut seal = [0; 32];
    if text.len() != LENGTH {
        return None;
    }
    for (byte, pair) in seal.iter_mut().zip(text.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(seal)
}

fn sealed(before: &[u8; 32], record: &[u8]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(before);
    context.update(record);
    let mut seal = [0; 32];
    seal.copy_from_slice(context.finish().as_ref());
    seal
}

/// Writes bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |at: u8| DIGITS.get(usize::from(at)).map_or('0', |digit| char::from(*digit));
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    fn chained(records: &[String]) -> Vec<Vec<u8>> {
        let (mut chain, mut lines) = (Chain::default(), Vec::new());
        for record in records {
            chain.add(format!("\"a\":{record:?}").as_bytes(), &mut lines);
        }
        lines.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    }

    /// How many lines the chain leads over.
    fn followed(lines: &[Vec<u8>]) -> usize {
        let mut chain = Chain::default();
        let whole = lines.iter().map(|line| line.strip_suffix(b"\n").unwrap_or(line));
        whole.take_while(|line| chain.follow(line).is_ok()).count()
    }

    #[test]
    fn a_record_is_one_json_object_with_its_number_first_and_its_seal_last() {
        let lines = chained(&["x".to_owned(), "y\"".to_owned()]);
        let read: Vec<serde_json::Value> =
            lines.iter().map(|line| serde_json::from_slice(line).unwrap()).collect();
        assert_eq!((&read[0]["seq"], &read[1]["a"]), (&1.into(), &"y\"".into()));
        // Held against another way of making it: sha256sum.
        let record = b"{\"seq\":1,\"a\":\"x\"";
        let seal = aws_lc_rs::digest::digest(&SHA256, &[&[0; 32], &record[..]].concat());
        assert_eq!(read[0]["seal"], hex(seal.as_ref()));
        let head = head(lines[0].strip_suffix(b"\n").unwrap()).unwrap().0;
        let mark = u64::from_str_radix(&head.text()[..12], 16).unwrap();
        assert_eq!((head.sequence, head.mark()), (1, mark));
    }

    #[test]
    fn a_record_that_is_sealed_anew_is_found_by_the_one_after_it() {
        let mut lines = chained(&["a".to_owned(), "b".to_owned(), "c".to_owned()]);
        let (mut chain, mut forged) = (Chain::default(), Vec::new());
        chain.add(b"\"a\":\"a\"", &mut forged);
        chain.add(b"\"a\":\"x\"", &mut forged);
        lines[1] = forged.split_inclusive(|byte| *byte == b'\n').nth(1).unwrap().to_vec();
        assert_eq!(followed(&lines), 2);
    }

    proptest! {
        #[test]
        fn no_edit_gap_swap_or_insertion_passes(
            records in prop::collection::vec("[ -~]{0,8}", 2..8),
            at in 0..7_usize, how in 0..5, byte in any::<u8>(), place in any::<prop::sample::Index>(),
        ) {
            let lines = chained(&records);
            prop_assert_eq!(followed(&lines), lines.len());
            let at = at % lines.len();
            let mut other = lines.clone();
            match how {
                0 => {
                    let place = place.index(lines[at].len() - 1);
                    prop_assume!(other[at][place] != byte);
                    other[at][place] = byte;
                }
                1 if at + 1 < lines.len() => drop(other.remove(at)),
                2 if at + 1 < lines.len() => other.swap(at, at + 1),
                3 => other.insert(at, lines[at].clone()),
                _ => other[at].truncate(place.index(lines[at].len() - 1)),
            }
            prop_assert!(followed(&other) <= at + 1 && followed(&other) < other.len());
        }
    }
}
