//! The fields of a request or an answer: as they came, and as they go on.
//!
//! They stay the text that they came as, and what is added stands behind it. A message has few fields,
//! most are only passed on, and those that are looked for are found by where they stand: no field is
//! taken out of the text to be put into another.

mod lines;
mod onward;
mod value;

pub use lines::{LineReader, Lines, Next, NoField};
pub use onward::Nominated;
pub use value::FieldValue;

use super::octets::is_value;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use lines::{Line, length_bit};

use std::fmt;

/// Room for the text of what the gateway adds, and for that of an answer of its own.
const OURS_TEXT: usize = 320;
const OWN_TEXT: usize = 640;

/// Fields, in the order in which they came or are sent.
#[derive(Clone, Default)]
pub struct Fields {
    /// What they stand in; there are other things in it as well.
    text: Vec<u8>,
    lines: Lines,
}

/// A field that may be there once is there twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Twice;

impl Fields {
    /// Those of a head, which stand in it as `lines` say.
    pub fn of(head: &[u8], lines: Lines) -> Self {
        let mut text = Vec::with_capacity(head.len() + OURS_TEXT);
        text.extend_from_slice(head);
        Self { text, lines }
    }

    /// None so far, with room for `count`, and for ours.
    pub fn with_room(count: usize) -> Self {
        Self { text: Vec::with_capacity(OWN_TEXT), lines: Lines::with_room(count) }
    }

    /// All values of the field `name`.
    pub fn get_all<'f, 'n>(
        &'f self,
        name: &'n HeaderName,
    ) -> impl Iterator<Item = FieldValue<'f>> + Clone + use<'f, 'n> {
        let may_be = self.lines.lengths & length_bit(name.as_str().len()) != 0;
        let lines = if may_be { &*self.lines.all } else { &[] };
        let is_it = move |line: &&Line| self.name(**line) == name.as_str().as_bytes();
        lines.iter().filter(is_it).map(|line| self.value(*line))
    }

    /// The first value of the field `name`, if it is there.
    pub fn get(&self, name: &HeaderName) -> Option<FieldValue<'_>> {
        self.get_all(name).next()
    }

    /// The one line of the field `name`, if it is there.
    ///
    /// # Errors
    ///
    /// When there are several.
    pub fn sole(&self, name: &HeaderName) -> Result<Option<FieldValue<'_>>, Twice> {
        let mut lines = self.get_all(name);
        match (lines.next(), lines.next()) {
            (line, None) => Ok(line),
            _ => Err(Twice),
        }
    }

    /// Whether the field `name` is there.
    pub fn has(&self, name: &HeaderName) -> bool {
        self.get(name).is_some()
    }

    /// Has `value` in the place of whatever was there by that name.
    pub fn set<'v>(&mut self, name: &HeaderName, value: impl Into<FieldValue<'v>>) {
        self.remove(name);
        self.add(name, value);
    }

    /// Adds `value` to whatever is there by that name.
    pub fn add<'v>(&mut self, name: &HeaderName, value: impl Into<FieldValue<'v>>) {
        let FieldValue(value) = value.into();
        self.add_line(name, |text| text.extend_from_slice(value));
    }

    /// Adds a field whose value is `number`.
    pub fn add_number(&mut self, name: &HeaderName, number: u64) {
        self.add(name, FieldValue(itoa::Buffer::new().format(number).as_bytes()));
    }

    /// Adds a field whose value is what `write` writes, unless that is nothing, or no value.
    pub fn add_written(&mut self, name: &HeaderName, write: impl FnOnce(&mut Vec<u8>)) {
        self.add_line(name, write);
        let written = self.lines.all.last().map_or(FieldValue::EMPTY, |line| self.value(*line));
        if written == FieldValue::EMPTY || !is_value(written.0) {
            self.lines.pop();
        }
    }

    fn add_line(&mut self, name: &HeaderName, write: impl FnOnce(&mut Vec<u8>)) {
        let text = &mut self.text;
        let start = text.len();
        text.extend_from_slice(name.as_str().as_bytes());
        let colon = text.len();
        text.extend_from_slice(b": ");
        let value = text.len();
        write(text);
        let end = text.len();
        text.extend_from_slice(b"\r\n");
        self.lines.push(Line::new(start..colon, value..end, true));
    }

    /// Leaves out whatever is there by that name.
    pub fn remove(&mut self, name: &HeaderName) {
        if self.has(name) {
            self.retain(|known| known != name.as_str().as_bytes());
        }
    }

    /// Leaves out all but those whose name `stays`.
    pub fn retain(&mut self, stays: impl Fn(&[u8]) -> bool) {
        let Self { text, lines } = self;
        lines.all.retain(|line| stays(text.get(line.name()).unwrap_or_default()));
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = (&str, FieldValue<'_>)> {
        // A name is a token, and so a text.
        let name = |line: Line| str::from_utf8(self.name(line)).unwrap_or_default();
        self.lines.all.iter().map(move |line| (name(*line), self.value(*line)))
    }

    /// Writes them into `out`, as HTTP/1.1 has them.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        self.write_those(out, |_, _| true);
    }

    /// The same of those that `goes` says. It is asked after each, in their order.
    ///
    /// What stands together is written in one piece.
    pub fn write_those<'f>(
        &'f self,
        out: &mut Vec<u8>,
        mut goes: impl FnMut(&'f [u8], FieldValue<'f>) -> bool,
    ) {
        // What is to be written in one piece.
        let mut piece = 0..0;
        for line in &self.lines.all {
            if !goes(self.name(*line), self.value(*line)) {
                continue;
            }
            let whole = line.whole();
            if whole.start == piece.end && line.is_plain {
                piece.end = whole.end;
                continue;
            }
            out.extend_from_slice(self.text.get(piece).unwrap_or_default());
            if line.is_plain {
                piece = whole;
            } else {
                out.extend_from_slice(self.name(*line));
                out.extend_from_slice(b": ");
                out.extend_from_slice(self.value(*line).0);
                out.extend_from_slice(b"\r\n");
                piece = 0..0;
            }
        }
        out.extend_from_slice(self.text.get(piece).unwrap_or_default());
    }

    fn name(&self, line: Line) -> &[u8] {
        self.text.get(line.name()).unwrap_or_default()
    }

    fn value(&self, line: Line) -> FieldValue<'_> {
        FieldValue(self.text.get(line.value()).unwrap_or_default())
    }

    /// As a map, whose values may be printed if they are not `secret`.
    pub fn to_map(&self, secret: bool) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(self.lines.len());
        for (name, value) in self.iter() {
            // Every field of ours can be one of a map.
            if let (Ok(name), Ok(mut value)) =
                (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.0))
            {
                value.set_sensitive(secret);
                headers.append(name, value);
            }
        }
        headers
    }
}

/// Without what stands in them, which must not be logged.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} fields", self.lines.len())
    }
}

impl FromIterator<(HeaderName, HeaderValue)> for Fields {
    fn from_iter<L: IntoIterator<Item = (HeaderName, HeaderValue)>>(lines: L) -> Self {
        let mut fields = Self::default();
        lines.into_iter().for_each(|(name, value)| fields.add(&name, &value));
        fields
    }
}

impl From<&HeaderMap> for Fields {
    fn from(headers: &HeaderMap) -> Self {
        let mut fields = Self::with_room(headers.len());
        headers.iter().for_each(|(name, value)| fields.add(name, value));
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use http::header;
    use proptest::prelude::*;

    fn name(text: &str) -> HeaderName {
        HeaderName::from_bytes(text.as_bytes()).unwrap()
    }

    fn fields(lines: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        for (field, value) in lines {
            fields.add(&name(field), FieldValue::of(value).unwrap());
        }
        fields
    }

    fn written(fields: &Fields) -> String {
        let mut out = Vec::new();
        fields.write_to(&mut out);
        String::from_utf8(out).unwrap()
    }

    /// What is read of a head without its first line.
    fn read(head: &str) -> Result<Fields, NoField> {
        let (mut bytes, mut reader) = (head.as_bytes().to_vec(), LineReader::default());
        while reader.next(&mut bytes)?.is_some() {}
        assert_eq!(reader.at(), head.len());
        Ok(Fields::of(&bytes, reader.lines))
    }

    #[test]
    fn ours_stand_in_the_place_of_theirs() {
        let head = "Via:1.1 a\r\nHost: a\r\nHOST: b\r\nX: \t c \r\nvia: 1.1 b\r\n";
        let mut fields = read(head).unwrap();
        fields.pass_on(&[], &HeaderName::from_static("request-id"));
        fields.set(&header::HOST, FieldValue::of("c").unwrap());
        fields.add(&header::VIA, FieldValue::of("1.1 us").unwrap());
        fields.add_number(&header::AGE, 7);
        fields.add_written(&header::ALLOW, |_| {});
        fields.add_written(&header::ACCEPT, |text| text.extend_from_slice(b"a\r\nb: c"));
        fields.remove(&header::DATE);
        let expected = "via: 1.1 a\r\nx: c\r\nvia: 1.1 b\r\nhost: c\r\nvia: 1.1 us\r\nage: 7\r\n";
        assert_eq!(written(&fields), expected);
        let mut some = Vec::new();
        fields.write_those(&mut some, |name, value| name != b"via" || value.as_bytes() == b"1.1 b");
        assert_eq!(some, b"x: c\r\nvia: 1.1 b\r\nhost: c\r\nage: 7\r\n");
    }

    #[test]
    fn what_is_there_is_found_and_what_is_there_twice_is_no_sole_one() {
        let long = "x".repeat(64 + "accept".len());
        let fields = fields(&[("accept", "a"), ("Cookie", "b"), ("ACCEPT", "c"), (&long, "d")]);
        let value = |text| FieldValue::of(text).unwrap();
        let all = |text: &str| fields.get_all(&name(text)).collect::<Vec<_>>();
        assert_eq!(all("accept"), [value("a"), value("c")]);
        assert_eq!(all(&long), [value("d")]);
        assert_eq!(fields.get(&header::ACCEPT), Some(value("a")));
        assert_eq!(fields.sole(&header::ACCEPT), Err(Twice));
        assert_eq!(fields.sole(&header::COOKIE), Ok(Some(value("b"))));
        // The one of the same length as others, the other of another.
        for absent in [header::EXPECT, header::VIA] {
            assert_eq!(fields.sole(&absent), Ok(None));
            assert!(!fields.has(&absent));
        }
    }

    #[test]
    fn they_are_the_same_as_a_map_and_back() {
        let came = fields(&[("via", "a"), ("host", "b"), ("via", "c")]);
        let map = came.to_map(true);
        assert!(map.values().all(HeaderValue::is_sensitive));
        assert!(!came.to_map(false).values().any(HeaderValue::is_sensitive));
        let back = Fields::from(&map);
        assert_eq!(written(&back), "via: a\r\nvia: c\r\nhost: b\r\n");
        let secret = FieldValue::of("secret").unwrap();
        assert_eq!(format!("{back:?}, {secret:?}"), "3 fields, 6 bytes");
    }

    proptest! {
        /// Another parser reads of what is written what it reads of what came.
        #[test]
        fn what_goes_on_is_what_came(
            lines in prop::collection::vec(
                ("[A-Za-z_!]{0,3}", "(: |:|:  |:\t| : )", "[a-z: \t\u{80}]{0,6}", "[ \t]{0,2}"),
                0..6,
            ),
            kept in prop::collection::vec(any::<bool>(), 6),
        ) {
            let text = |(name, colon, value, blanks): &(String, String, String, String)| {
                format!("{name}{colon}{value}{blanks}\r\n")
            };
            let head: String = lines.iter().map(text).collect();
            let parsed = parse(&head);
            let Ok(fields) = read(&head) else {
                prop_assert_eq!(parsed, None, "{:?}", head);
                return Ok(());
            };
            let parsed = parsed.unwrap();
            prop_assert_eq!(parse(&written(&fields)), Some(parsed.clone()), "{:?}", head);
            // The same of some of them alone.
            let (mut some, mut each) = (Vec::new(), kept.iter());
            fields.write_those(&mut some, |_, _| *each.next().unwrap());
            let expected = parsed.into_iter().zip(kept).filter(|(_, kept)| *kept);
            let expected = expected.map(|(field, _)| field).collect();
            prop_assert_eq!(parse(str::from_utf8(&some).unwrap()), Some(expected), "{:?}", head);
        }
    }

    fn parse(head: &str) -> Option<Vec<(String, Vec<u8>)>> {
        let (mut lines, head) = ([httparse::EMPTY_HEADER; 8], format!("{head}\r\n"));
        let (end, parsed) = httparse::parse_headers(head.as_bytes(), &mut lines).ok()?.unwrap();
        assert_eq!(end, head.len());
        let line = |line: &httparse::Header<'_>| (line.name.to_lowercase(), line.value.to_vec());
        Some(parsed.iter().map(line).collect())
    }
}
