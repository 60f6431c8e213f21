//! JSON as it is told: objects whose members stand in the order they are written, as one line of a log.

use std::cell::Cell;
use std::io::Write;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

/// The name of a member, joined by the compiler with what stands around it: one piece to write
/// instead of three.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    /// Before any value.
    pub before: &'static str,
    /// Before what stands in quotes, with the first one.
    pub before_text: &'static str,
    /// With `null`.
    pub null: &'static str,
}

/// The [`Name`] that a literal is. Names are ours, and plain.
macro_rules! name {
    ($name:literal) => {
        $crate::telemetry::line::Name {
            before: concat!(",\"", $name, "\":"),
            before_text: concat!(",\"", $name, "\":\""),
            null: concat!(",\"", $name, "\":null"),
        }
    };
}

pub(crate) use name;

/// An object that is being written. The first member of a line of a log is the time.
#[derive(Debug)]
pub struct Line<'b> {
    buffer: &'b mut Vec<u8>,
}

// Whatever writes a name is inlined: where its length is known, it is copied without a call.
impl<'b> Line<'b> {
    /// Begins a line at the end of `buffer`.
    pub fn begin(buffer: &'b mut Vec<u8>, time: SystemTime) -> Self {
        buffer.push(b'{');
        Self::members(buffer, time)
    }

    /// Begins the members of an object whose brackets somebody else writes.
    pub fn members(buffer: &'b mut Vec<u8>, time: SystemTime) -> Self {
        buffer.extend_from_slice(b"\"time\":");
        write_time(time, buffer);
        Self { buffer }
    }

    /// Writes an object with these members, of which there is one at least.
    pub fn object(buffer: &'b mut Vec<u8>, members: impl FnOnce(&mut Line<'_>)) {
        let start = buffer.len();
        members(&mut Line { buffer });
        // The comma before the first.
        if let Some(comma) = buffer.get_mut(start) {
            *comma = b'{';
        }
        buffer.push(b'}');
    }

    /// Ends the line.
    pub fn end(self) {
        self.buffer.extend_from_slice(b"}\n");
    }

    /// Adds a string.
    #[inline(always)]
    pub fn text(&mut self, name: Name, value: &str) -> &mut Self {
        self.add(name.before_text);
        self.escape(value);
        self.buffer.push(b'"');
        self
    }

    /// Adds a string in which nothing has to be escaped: a word, or an id that was checked.
    #[inline(always)]
    pub fn plain(&mut self, name: Name, value: &str) -> &mut Self {
        debug_assert!(is_plain(value.as_bytes()), "`{value}` is not plain");
        self.add(name.before_text);
        self.add(value);
        self.buffer.push(b'"');
        self
    }

    /// Adds a string that is made of parts in which nothing has to be escaped.
    pub fn joined(&mut self, name: Name, parts: [&str; 2]) -> &mut Self {
        self.add(name.before_text);
        for part in parts {
            debug_assert!(is_plain(part.as_bytes()), "`{part}` is not plain");
            self.add(part);
        }
        self.buffer.push(b'"');
        self
    }

    /// Adds a list of objects, one for each of `items`, which `members` writes.
    pub fn objects<T>(
        &mut self,
        name: Name,
        items: impl Iterator<Item = T>,
        members: impl Fn(&mut Line<'_>, T),
    ) -> &mut Self {
        self.add(name.before);
        self.buffer.push(b'[');
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.buffer.push(b',');
            }
            Line::object(self.buffer, |object| members(object, item));
        }
        self.buffer.push(b']');
        self
    }

    /// Adds what is JSON already.
    pub fn json(&mut self, name: Name, value: &str) -> &mut Self {
        self.add(name.before);
        self.add(value);
        self
    }

    /// Adds a string, or `null`.
    #[inline(always)]
    pub fn optional(&mut self, name: Name, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.text(name, value),
            None => self.null(name),
        }
    }

    /// Adds a string in which nothing has to be escaped, or `null`.
    #[inline(always)]
    pub fn optional_plain(&mut self, name: Name, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.plain(name, value),
            None => self.null(name),
        }
    }

    /// Adds an address, or `null`.
    pub fn address(&mut self, name: Name, value: Option<IpAddr>) -> &mut Self {
        let Some(address) = value else { return self.null(name) };
        self.add(name.before_text);
        match address {
            IpAddr::V4(address) => {
                for (index, octet) in address.octets().into_iter().enumerate() {
                    if index > 0 {
                        self.buffer.push(b'.');
                    }
                    self.digits(octet.into());
                }
            }
            // Writing to a `Vec` cannot fail.
            IpAddr::V6(address) => drop(write!(self.buffer, "{address}")),
        }
        self.buffer.push(b'"');
        self
    }

    /// Adds a number.
    #[inline(always)]
    pub fn number(&mut self, name: Name, value: u64) -> &mut Self {
        self.add(name.before);
        self.digits(value);
        self
    }

    /// Adds a number, or `null`.
    #[inline(always)]
    pub fn optional_number(&mut self, name: Name, value: Option<u64>) -> &mut Self {
        match value {
            Some(value) => self.number(name, value),
            None => self.null(name),
        }
    }

    /// Adds a list of strings.
    #[inline(always)]
    pub fn list<'v>(&mut self, name: Name, values: impl Iterator<Item = &'v str>) -> &mut Self {
        self.add(name.before);
        let mut before = "[\"";
        for value in values {
            self.add(before);
            self.escape(value);
            before = "\",\"";
        }
        self.add(if before == "[\"" { "[]" } else { "\"]" });
        self
    }

    #[inline(always)]
    fn null(&mut self, name: Name) -> &mut Self {
        self.add(name.null);
        self
    }

    #[inline(always)]
    fn add(&mut self, text: &str) {
        self.buffer.extend_from_slice(text.as_bytes());
    }

    fn digits(&mut self, value: u64) {
        match u8::try_from(value) {
            // Most counts have one digit.
            Ok(digit @ 0..=9) => self.buffer.push(b'0' + digit),
            _ => self.add(itoa::Buffer::new().format(value)),
        }
    }

    fn escape(&mut self, text: &str) {
        if is_plain(text.as_bytes()) {
            // Nearly every text is.
            return self.add(text);
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
    }
}

thread_local! {
    /// The second that was put into words last, and the words.
    static LAST: Cell<(u64, [u8; 20])> = Cell::new((0, words(0)));
}

/// Writes a point in time (RFC 3339, UTC, milliseconds), in quotes. Seconds are put into words once.
fn write_time(time: SystemTime, buffer: &mut Vec<u8>) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (mut last, mut text) = LAST.get();
    if last != since.as_secs() {
        (last, text) = (since.as_secs(), words(since.as_secs()));
        LAST.set((last, text));
    }
    let millis = u64::from(since.subsec_millis());
    let ([_, f1], [f2, f3]) = (two(millis / 100), two(millis));
    buffer.extend_from_slice(&text);
    buffer.extend_from_slice(&[b'.', f1, f2, f3, b'Z', b'"']);
}

/// A second, as far as it is written before the point.
fn words(second: u64) -> [u8; 20] {
    let (days, seconds) = (second / 86_400, second % 86_400);
    let (year, month, day) = civil(days);
    let ([c1, c2], [y1, y2]) = (two(year / 100), two(year));
    let ([m1, m2], [d1, d2]) = (two(month), two(day));
    let ([h1, h2], [n1, n2], [s1, s2]) =
        (two(seconds / 3600), two(seconds / 60 % 60), two(seconds % 60));
    [b'"', c1, c2, y1, y2, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2]
}

/// Whether nothing in `text` has to be escaped.
fn is_plain(text: &[u8]) -> bool {
    let is_odd = |byte: &u8| matches!(byte, 0..0x20 | 0x7f | b'"' | b'\\');
    let (eights, _) = text.as_chunks::<8>();
    // The last eight are looked at once more, for the ones that are left over.
    let Some(last) = text.last_chunk::<8>() else {
        let Some((first, last)) = text.first_chunk::<4>().zip(text.last_chunk::<4>()) else {
            return !text.iter().any(is_odd);
        };
        let word = |four: &[u8; 4]| u64::from(u32::from_ne_bytes(*four));
        return !may_be_odd(word(first) << 32 | word(last));
    };
    !eights.iter().chain([last]).any(|eight| may_be_odd(u64::from_ne_bytes(*eight)))
}

/// Whether one of eight bytes is to be escaped: its high bit is set in what the subtraction leaves.
fn may_be_odd(eight: u64) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let below = |word: u64, most: u64| word.wrapping_sub(ONES * most) & !word;
    let is = |byte: u8| below(eight ^ (ONES * u64::from(byte)), 1);
    (below(eight, 0x20) | is(0x7f) | is(b'"') | is(b'\\')) & HIGH != 0
}

/// The last two decimal digits of `number`.
fn two(number: u64) -> [u8; 2] {
    let digit = |number: u64| b'0' + u8::try_from(number % 10).unwrap_or_default();
    [digit(number / 10), digit(number)]
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
            for (length, around) in
                (1..=11).flat_map(|length| [b' ', b'~', 0x80, 0xff].map(|around| (length, around)))
            {
                for at in 0..length {
                    let mut text = vec![around; length];
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
            let mut line = Line { buffer: &mut buffer };
            line.address(name!("a"), Some(text.parse().unwrap()));
            assert_eq!(buffer, format!(",\"a\":\"{text}\"").as_bytes());
            buffer.clear();
        }
    }

    #[test]
    fn objects_stand_in_lists_and_have_commas_where_they_belong() {
        let mut buffer = b"before ".to_vec();
        Line::object(&mut buffer, |line| {
            line.joined(name!("a"), ["urn:", "x"]).objects(name!("b"), 1..3, |line, number| {
                line.number(name!("n"), number);
            });
            line.objects(name!("c"), std::iter::empty(), |_, _: ()| {});
        });
        let text = String::from_utf8(buffer).unwrap();
        assert_eq!(text, r#"before {"a":"urn:x","b":[{"n":1},{"n":2}],"c":[]}"#);
    }

    #[test]
    fn each_time_is_told_as_it_is_whichever_was_told_before() {
        for (millis, expected) in [
            (0, "\"1970-01-01T00:00:00.000Z\""),
            (951_868_799_999, "\"2000-02-29T23:59:59.999Z\""),
            (951_868_800_000, "\"2000-03-01T00:00:00.000Z\""),
            (951_868_800_001, "\"2000-03-01T00:00:00.001Z\""),
            (951_868_801_001, "\"2000-03-01T00:00:01.001Z\""),
            (951_868_800_999, "\"2000-03-01T00:00:00.999Z\""),
            (0, "\"1970-01-01T00:00:00.000Z\""),
        ] {
            let mut text = Vec::new();
            write_time(UNIX_EPOCH + Duration::from_millis(millis), &mut text);
            assert_eq!(String::from_utf8(text).unwrap(), expected);
        }
    }

    #[test]
    fn a_line_is_one_flat_json_object() {
        let mut buffer = Vec::new();
        let time = UNIX_EPOCH + Duration::from_millis(1_709_210_096_007);
        let mut line = Line::begin(&mut buffer, time);
        line.text(name!("a"), "q\"\\\n\u{7f}\u{e9}")
            .optional(name!("b"), None)
            .number(name!("c"), 7)
            .list(name!("d"), ["x", "y"].into_iter());
        line.end();
        let text = String::from_utf8(buffer).unwrap();
        assert!(text.ends_with("}\n") && text.trim_end().lines().count() == 1, "{text}");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["time"], "2024-02-29T12:34:56.007Z");
        assert_eq!(read["a"], "q\"\\\n\u{7f}\u{e9}");
        assert_eq!((&read["b"], &read["c"]), (&serde_json::Value::Null, &7.into()));
    }
}
