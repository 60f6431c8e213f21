//! One line of a log: a JSON object, its members in the order they are written.

use std::io::Write;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

/// A line that is being written.
#[derive(Debug)]
pub struct Line<'b> {
    buffer: &'b mut Vec<u8>,
    first: bool,
}

impl<'b> Line<'b> {
    /// Begins a line at the end of `buffer`.
    pub fn begin(buffer: &'b mut Vec<u8>) -> Self {
        buffer.push(b'{');
        Self { buffer, first: true }
    }

    /// Begins the members of an object whose brackets somebody else writes.
    pub fn members(buffer: &'b mut Vec<u8>) -> Self {
        Self { buffer, first: true }
    }

    /// Ends the line.
    pub fn end(self) {
        self.buffer.extend_from_slice(b"}\n");
    }

    /// Adds a string.
    pub fn text(&mut self, name: &str, value: &str) -> &mut Self {
        self.name(name);
        self.string(value);
        self
    }

    /// Adds what is JSON already.
    pub fn json(&mut self, name: &str, value: &str) -> &mut Self {
        self.name(name);
        self.buffer.extend_from_slice(value.as_bytes());
        self
    }

    /// Adds a string, or `null`.
    pub fn optional(&mut self, name: &str, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.text(name, value),
            None => self.null(name),
        }
    }

    /// Adds an address, or `null`.
    pub fn address(&mut self, name: &str, value: Option<IpAddr>) -> &mut Self {
        let Some(address) = value else {
            self.null(name);
            return self;
        };
        self.name(name);
        self.buffer.push(b'"');
        match address {
            IpAddr::V4(address) => {
                for (index, octet) in address.octets().into_iter().enumerate() {
                    if index > 0 {
                        self.buffer.push(b'.');
                    }
                    self.buffer.extend_from_slice(itoa::Buffer::new().format(octet).as_bytes());
                }
            }
            // Writing to a `Vec` cannot fail.
            IpAddr::V6(address) => drop(write!(self.buffer, "{address}")),
        }
        self.buffer.push(b'"');
        self
    }

    /// Adds a number.
    pub fn number(&mut self, name: &str, value: u64) -> &mut Self {
        self.name(name);
        self.buffer.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        self
    }

    /// Adds a number, or `null`.
    pub fn optional_number(&mut self, name: &str, value: Option<u64>) -> &mut Self {
        match value {
            Some(value) => self.number(name, value),
            None => self.null(name),
        }
    }

    /// Adds a list of strings.
    pub fn list<'v>(&mut self, name: &str, values: impl Iterator<Item = &'v str>) -> &mut Self {
        self.name(name);
        self.buffer.push(b'[');
        for (index, value) in values.enumerate() {
            if index > 0 {
                self.buffer.push(b',');
            }
            self.string(value);
        }
        self.buffer.push(b']');
        self
    }

    /// Adds a point in time (RFC 3339, UTC, milliseconds).
    pub fn time(&mut self, name: &str, value: SystemTime) -> &mut Self {
        self.name(name);
        let since = value.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
        let (year, month, day) = civil(days);
        let mut text = *b"\"0000-00-00T00:00:00.000Z\"";
        for (at, digits, value) in [
            (1, 4, year),
            (6, 2, month),
            (9, 2, day),
            (12, 2, seconds / 3600),
            (15, 2, seconds / 60 % 60),
            (18, 2, seconds % 60),
            (21, 3, u64::from(since.subsec_millis())),
        ] {
            let mut rest = value;
            for place in text.iter_mut().skip(at).take(digits).rev() {
                *place += u8::try_from(rest % 10).unwrap_or_default();
                rest /= 10;
            }
        }
        self.buffer.extend_from_slice(&text);
        self
    }

    fn null(&mut self, name: &str) -> &mut Self {
        self.name(name);
        self.buffer.extend_from_slice(b"null");
        self
    }

    fn name(&mut self, name: &str) {
        // Names are ours, and plain.
        let begin: &[u8] = if std::mem::take(&mut self.first) { b"\"" } else { b",\"" };
        self.buffer.extend_from_slice(begin);
        self.buffer.extend_from_slice(name.as_bytes());
        self.buffer.extend_from_slice(b"\":");
    }

    fn string(&mut self, text: &str) {
        self.buffer.push(b'"');
        if is_plain(text.as_bytes()) {
            // Nearly every text is.
            self.buffer.extend_from_slice(text.as_bytes());
            self.buffer.push(b'"');
            return;
        }
        for byte in text.bytes() {
            match byte {
                b'"' | b'\\' => self.buffer.extend([b'\\', byte]),
                0..0x20 | 0x7f => {
                    let _ = write!(self.buffer, "\\u{byte:04x}");
                }
                _ => self.buffer.push(byte),
            }
        }
        self.buffer.push(b'"');
    }
}

/// Whether nothing in `text` has to be escaped.
fn is_plain(text: &[u8]) -> bool {
    let is_odd = |byte: &u8| matches!(byte, 0..0x20 | 0x7f | b'"' | b'\\');
    let (eights, rest) = text.as_chunks::<8>();
    !eights.iter().any(|eight| may_be_odd(u64::from_ne_bytes(*eight))) && !rest.iter().any(is_odd)
}

/// Whether one of eight bytes is to be escaped: its high bit is set in what the subtraction leaves.
fn may_be_odd(eight: u64) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let below = |word: u64, most: u64| word.wrapping_sub(ONES * most) & !word;
    let is = |byte: u8| below(eight ^ (ONES * u64::from(byte)), 1);
    (below(eight, 0x20) | is(0x7f) | is(b'"') | is(b'\\')) & HIGH != 0
}

/// The date that is `days` after 1970-01-01, in the Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    // Years are counted from March, so that the leap day is the last of its year.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::time::Duration;

    #[test]
    fn what_is_to_be_escaped_is_found_at_every_place() {
        for byte in 0..=255_u8 {
            let is_odd = byte < 0x20 || [0x7f, b'"', b'\\'].contains(&byte);
            for at in 0..11 {
                for around in [b' ', b'~', 0x80, 0xff] {
                    let mut text = [around; 11];
                    text[at] = byte;
                    assert_eq!(is_plain(&text), !is_odd, "{byte} at {at} in {around}");
                }
            }
        }
    }

    #[test]
    fn addresses_are_written_as_they_are() {
        let mut buffer = Vec::new();
        for text in ["0.10.255.1", "2001:db8::1", "::ffff:1.2.3.4"] {
            Line::begin(&mut buffer).address("a", Some(text.parse().unwrap()));
            assert_eq!(buffer, format!("{{\"a\":\"{text}\"").as_bytes());
            buffer.clear();
        }
    }

    #[test]
    fn a_line_is_one_flat_json_object() {
        let mut buffer = Vec::new();
        let mut line = Line::begin(&mut buffer);
        line.time("time", UNIX_EPOCH + Duration::from_millis(1_709_210_096_007))
            .text("a", "q\"\\\n\u{7f}\u{e9}")
            .optional("b", None)
            .number("c", 7)
            .list("d", ["x", "y"].into_iter());
        line.end();
        let text = String::from_utf8(buffer).unwrap();
        assert!(text.ends_with("}\n") && text.trim_end().lines().count() == 1, "{text}");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["time"], "2024-02-29T12:34:56.007Z");
        assert_eq!(read["a"], "q\"\\\n\u{7f}\u{e9}");
        assert_eq!((&read["b"], &read["c"]), (&serde_json::Value::Null, &7.into()));
    }
}
