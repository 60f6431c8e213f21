//! Which of the fields of a request go on to the upstream.

use super::Fields;
use crate::partner::IdentitySource;
use crate::proxy::headers::{is_guarded, nominated, stays_here};

use http::header::{self, HeaderName};
use memchr::memchr;

impl Fields {
    /// Those that go on: none that is about one connection, says something that only a trusted hop may
    /// say, tells who the caller is, or that every request has from us.
    pub fn pass_on(&mut self, identity: &[IdentitySource], request_id: &HeaderName) {
        let identifies = |name: &[u8]| {
            let mut fields = identity.iter().filter_map(IdentitySource::field);
            fields.any(|field| field.as_str().as_bytes() == name)
        };
        // Hardly any head has one, and then no name has to be looked at for it.
        let may_have_twins = memchr(b'_', &self.text).is_some();
        let request_id_is = |name: &[u8]| request_id.as_str().as_bytes() == name;
        let ends_here = |name: &[u8]| {
            let is_ours = matches!(name, b"content-length" | b"host") || request_id_is(name);
            if is_ours || stays_here(name) || identifies(name) {
                return true;
            }
            // Some servers read `If_Match` as `If-Match`.
            may_have_twins && name.contains(&b'_') && {
                let hyphen = |byte: &u8| if *byte == b'_' { b'-' } else { *byte };
                let twin: Vec<u8> = name.iter().map(hyphen).collect();
                stays_here(&twin) || identifies(&twin) || is_guarded(&twin, request_id)
            }
        };
        let nominated = self.nominated();
        self.retain(|name| !ends_here(name) && !nominated.contains(name));
    }

    /// What `Connection` nominates for this hop only.
    pub fn nominated(&self) -> Nominated {
        let names = nominated(self.get_all(&header::CONNECTION)).map(<[u8]>::to_ascii_lowercase);
        Nominated(
            names.filter(|name| !matches!(&**name, b"content-length" | b"content-type")).collect(),
        )
    }
}

/// Names of fields, in lower case.
#[derive(Debug)]
pub struct Nominated(Vec<Vec<u8>>);

impl Nominated {
    /// Whether `name` is one of them.
    pub fn contains(&self, name: &[u8]) -> bool {
        self.0.iter().any(|other| other == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partner::Unverified;
    use crate::proxy::fields::FieldValue;

    #[test]
    fn what_belongs_to_this_hop_does_not_leave_it() {
        let lines = [
            ("connection", "close, X-Secret"),
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
        ];
        let name = |text: &str| HeaderName::from_bytes(text.as_bytes()).unwrap();
        let mut fields = Fields::default();
        for (field, value) in lines {
            fields.add(&name(field), FieldValue::of(value).unwrap());
        }
        let source = Unverified::Header { name: name("x-partner-id"), from: Vec::new() };
        let identity = [IdentitySource::Unverified(source)];
        fields.pass_on(&identity, &HeaderName::from_static("request-id"));
        let left: Vec<_> = fields.iter().map(|(name, _)| name).collect();
        assert_eq!(left, ["x_mine", "if-match"]);
    }
}
