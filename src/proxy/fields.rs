//! The fields of a request: as they came, and as they go upstream.
//!
//! They are a list and no map: a request has few of them, and most are only written, one after the other.

use super::headers::{is_guarded, nominated, stays_here};
use crate::partner::IdentitySource;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use std::fmt;

/// Room for what the gateway adds.
const OURS: usize = 8;

/// Fields, in the order in which they came or are sent.
#[derive(Clone, Default)]
pub struct Fields {
    lines: Vec<(HeaderName, HeaderValue)>,
    /// How long the names are that are there, a bit for each length: most that are looked for are not
    /// there, and that is seen at once.
    lengths: u64,
}

/// A field that may be there once is there twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Twice;

impl Fields {
    /// None so far, with room for `count`, and for ours.
    pub fn with_room(count: usize) -> Self {
        Self { lines: Vec::with_capacity(count + OURS), lengths: 0 }
    }

    /// All values of the field `name`.
    pub fn get_all<'f>(
        &'f self,
        name: &HeaderName,
    ) -> impl Iterator<Item = &'f HeaderValue> + Clone {
        let lines = if self.may_have(name) { &*self.lines } else { &[] };
        lines.iter().filter(move |(known, _)| known == name).map(|(_, value)| value)
    }

    /// The first value of the field `name`, if it is there.
    pub fn get(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.get_all(name).next()
    }

    /// The one line of the field `name`, if it is there.
    ///
    /// # Errors
    ///
    /// When there are several.
    pub fn sole(&self, name: &HeaderName) -> Result<Option<&HeaderValue>, Twice> {
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

    /// Whether the field `name` may be there: there is one with a name of that length.
    fn may_have(&self, name: &HeaderName) -> bool {
        self.lengths & length_bit(name) != 0
    }

    /// Has `value` in the place of whatever was there by that name.
    pub fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.remove(&name);
        self.add(name, value);
    }

    /// Adds `value` to whatever is there by that name.
    pub fn add(&mut self, name: HeaderName, value: HeaderValue) {
        self.lengths |= length_bit(&name);
        self.lines.push((name, value));
    }

    /// Leaves out whatever is there by that name.
    pub fn remove(&mut self, name: &HeaderName) {
        if self.has(name) {
            self.lines.retain(|(known, _)| known != name);
        }
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.lines.iter().map(|(name, value)| (name, value))
    }

    /// Those that go on: none that is about one connection, says something that only a trusted hop may
    /// say, tells who the caller is, or that every request has from us.
    #[must_use]
    pub fn passed_on(mut self, identity: &[IdentitySource], request_id: &HeaderName) -> Self {
        let identifies = |name: &str| {
            let mut fields = identity.iter().filter_map(IdentitySource::field);
            fields.any(|field| field == name)
        };
        let ends_here = |name: &str| {
            let is_ours = matches!(name, "content-length" | "host") || name == request_id.as_str();
            if is_ours || stays_here(name) || identifies(name) {
                return true;
            }
            // Some servers read `If_Match` as `If-Match`.
            name.bytes().any(|byte| byte == b'_') && {
                let twin = name.replace('_', "-");
                stays_here(&twin) || identifies(&twin) || is_guarded(&twin, request_id)
            }
        };
        let nominated: Vec<HeaderName> = nominated(self.get_all(&header::CONNECTION))
            .filter_map(|name| HeaderName::from_bytes(name).ok())
            .filter(|name| !matches!(*name, header::CONTENT_LENGTH | header::CONTENT_TYPE))
            .collect();
        self.lines.retain(|(name, _)| !ends_here(name.as_str()) && !nominated.contains(name));
        self
    }
}

fn length_bit(name: &HeaderName) -> u64 {
    1 << (name.as_str().len() % 64)
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
        lines.into_iter().for_each(|(name, value)| fields.add(name, value));
        fields
    }
}

impl From<HeaderMap> for Fields {
    fn from(headers: HeaderMap) -> Self {
        let mut fields = Self::with_room(headers.len());
        // The further lines of a field come without its name.
        let mut current = None;
        for (name, value) in headers {
            current = name.or(current);
            if let Some(name) = &current {
                fields.add(name.clone(), value);
            }
        }
        fields
    }
}

impl From<&Fields> for HeaderMap {
    fn from(fields: &Fields) -> Self {
        let mut headers = Self::with_capacity(fields.lines.len());
        for (name, value) in &fields.lines {
            headers.append(name, value.clone());
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partner::Unverified;

    fn fields(lines: &[(&str, &str)]) -> Fields {
        let line = |(name, value): &(&str, &str)| {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn what_belongs_to_this_hop_does_not_leave_it() {
        let came = fields(&[
            ("connection", "close, x-secret"),
            ("x-secret", "1"),
            ("keep-alive", "1"),
            ("te", "trailers"),
            ("proxy-authorization", "x"),
            ("x-forwarded-for", "1.1.1.1"),
            ("x_forwarded_for", "1.1.1.1"),
            ("if_match", "\"a\""),
            ("x_mine", "kept"),
            ("x-http-method-override", "DELETE"),
            ("x-partner-id", "acme"),
            ("if-match", "\"b\""),
        ]);
        let name = HeaderName::from_static("x-partner-id");
        let source = Unverified::Header { name, from: Vec::new() };
        let identity = [IdentitySource::Unverified(source)];
        let left = came.passed_on(&identity, &HeaderName::from_static("request-id"));
        let left: Vec<_> = left.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(left, ["x_mine", "if-match"]);
    }

    #[test]
    fn ours_stand_in_the_place_of_theirs() {
        let came = fields(&[("via", "1.1 a"), ("host", "a"), ("host", "b"), ("via", "1.1 b")]);
        let id = HeaderName::from_static("request-id");
        let mut fields = came.passed_on(&[], &id);
        fields.set(header::HOST, HeaderValue::from_static("c"));
        fields.add(header::VIA, HeaderValue::from_static("1.1 us"));
        fields.remove(&header::DATE);
        let headers = HeaderMap::from(&fields);
        let all = |name| headers.get_all(name).iter().map(|value| value.to_str().unwrap());
        assert_eq!(all(header::HOST).collect::<Vec<_>>(), ["c"]);
        assert_eq!(all(header::VIA).collect::<Vec<_>>(), ["1.1 a", "1.1 b", "1.1 us"]);
        assert_eq!(fields.iter().count(), 4);
    }

    #[test]
    fn what_is_there_is_found_and_what_is_there_twice_is_no_sole_one() {
        let long = "x".repeat(64 + "accept".len());
        let fields = fields(&[("accept", "a"), ("Cookie", "b"), ("ACCEPT", "c"), (&long, "d")]);
        let name = |text: &str| HeaderName::from_bytes(text.as_bytes()).unwrap();
        let all = |text: &str| fields.get_all(&name(text)).cloned().collect::<Vec<_>>();
        assert_eq!(all("accept"), ["a", "c"]);
        assert_eq!(all(&long), ["d"]);
        assert_eq!(fields.get(&header::ACCEPT), Some(&HeaderValue::from_static("a")));
        assert_eq!(fields.sole(&header::ACCEPT), Err(Twice));
        assert_eq!(fields.sole(&header::COOKIE), Ok(Some(&HeaderValue::from_static("b"))));
        // The one of the same length as others, the other of another.
        for absent in [header::EXPECT, header::VIA] {
            assert_eq!(fields.sole(&absent), Ok(None));
            assert!(!fields.has(&absent));
        }
    }

    #[test]
    fn they_are_the_same_as_a_map_and_back() {
        let came = fields(&[("via", "a"), ("host", "b"), ("via", "c")]);
        let back = Fields::from(HeaderMap::from(&came));
        let text = |(name, value): (&HeaderName, &HeaderValue)| format!("{name}: {value:?}");
        let lines: Vec<_> = back.iter().map(text).collect();
        assert_eq!(lines, ["via: \"a\"", "via: \"c\"", "host: \"b\""]);
        assert_eq!(format!("{back:?}"), "3 fields");
    }
}
