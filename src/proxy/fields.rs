//! The fields of a request as it goes upstream: those of the caller that may, and ours in their place.
//!
//! They are a list and no map: most of them are only written, one after the other.

use super::headers::{is_guarded, nominated, stays_here};
use crate::partner::IdentitySource;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Room for what the gateway adds.
const OURS: usize = 8;

/// Fields in the order in which they are sent.
#[derive(Clone, Debug, Default)]
pub struct Fields(Vec<(HeaderName, HeaderValue)>);

impl Fields {
    /// Those of `headers` that go on: none that is about one connection, says something that only a
    /// trusted hop may say, tells who the caller is, or that every request has from us.
    pub fn passed_on(
        headers: HeaderMap,
        identity: &[IdentitySource],
        request_id: &HeaderName,
    ) -> Self {
        let identifies = |name: &str| {
            let mut fields = identity.iter().filter_map(IdentitySource::field);
            fields.any(|field| field == name)
        };
        let goes = |name: &str| {
            let is_ours = matches!(name, "content-length" | "host") || name == request_id.as_str();
            if is_ours || stays_here(name) || identifies(name) {
                return true;
            }
            // Some servers read `If_Match` as `If-Match`.
            name.contains('_') && {
                let twin = name.replace('_', "-");
                stays_here(&twin) || identifies(&twin) || is_guarded(&twin, request_id)
            }
        };
        let ends_here: Vec<HeaderName> = nominated(&headers)
            .filter_map(|name| HeaderName::from_bytes(name).ok())
            .filter(|name| !matches!(*name, header::CONTENT_LENGTH | header::CONTENT_TYPE))
            .collect();
        let mut fields = Vec::with_capacity(headers.len() + OURS);
        // The further lines of a field come without its name.
        let mut current = None;
        for (name, value) in headers {
            if let Some(name) = name {
                let stays = goes(name.as_str()) || ends_here.contains(&name);
                current = (!stays).then_some(name);
            }
            if let Some(name) = &current {
                fields.push((name.clone(), value));
            }
        }
        Self(fields)
    }

    /// Has `value` in the place of whatever was there by that name.
    pub fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.remove(&name);
        self.0.push((name, value));
    }

    /// Adds `value` to whatever is there by that name.
    pub fn add(&mut self, name: HeaderName, value: HeaderValue) {
        self.0.push((name, value));
    }

    /// Leaves out whatever is there by that name.
    pub fn remove(&mut self, name: &HeaderName) {
        if self.0.iter().any(|(known, _)| known == name) {
            self.0.retain(|(known, _)| known != name);
        }
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.0.iter().map(|(name, value)| (name, value))
    }
}

impl From<&Fields> for HeaderMap {
    fn from(fields: &Fields) -> Self {
        let mut headers = Self::with_capacity(fields.0.len());
        for (name, value) in &fields.0 {
            headers.append(name, value.clone());
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partner::Unverified;

    fn map(lines: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn what_belongs_to_this_hop_does_not_leave_it() {
        let headers = map(&[
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
        let fields = Fields::passed_on(headers, &identity, &HeaderName::from_static("request-id"));
        let mut left: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
        left.sort_unstable();
        assert_eq!(left, ["if-match", "x_mine"]);
    }

    #[test]
    fn ours_stand_in_the_place_of_theirs() {
        let headers = map(&[("via", "1.1 a"), ("host", "a"), ("host", "b"), ("via", "1.1 b")]);
        let id = HeaderName::from_static("request-id");
        let mut fields = Fields::passed_on(headers, &[], &id);
        fields.set(header::HOST, HeaderValue::from_static("c"));
        fields.add(header::VIA, HeaderValue::from_static("1.1 us"));
        fields.remove(&header::DATE);
        let headers = HeaderMap::from(&fields);
        let all = |name| headers.get_all(name).iter().map(|value| value.to_str().unwrap());
        assert_eq!(all(header::HOST).collect::<Vec<_>>(), ["c"]);
        assert_eq!(all(header::VIA).collect::<Vec<_>>(), ["1.1 a", "1.1 b", "1.1 us"]);
        assert_eq!(fields.iter().count(), 4);
    }
}
