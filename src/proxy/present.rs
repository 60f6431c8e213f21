//! Which of the fields that gates look for a head has: found in one pass, for most heads have few of
//! them, and to look for one takes nearly as long as the pass.

use http::header::HeaderMap;

/// A field that a gate looks for, and that many heads lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sought {
    /// `Accept`
    Accept = 1,
    /// `Authorization`
    Authorization = 2,
    /// `baggage`
    Baggage = 4,
    /// `Connection`
    Connection = 8,
    /// `Content-Encoding`
    ContentEncoding = 16,
    /// `Content-Range`
    ContentRange = 512,
    /// `Expect`
    Expect = 32,
    /// `traceparent`
    Traceparent = 64,
    /// `tracestate`
    Tracestate = 128,
    /// `Via`
    Via = 256,
}

/// Which of them a head had when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Present(u16);

impl Present {
    /// Those of `headers`.
    pub fn of(headers: &HeaderMap) -> Self {
        let sought = headers.keys().filter_map(|name| match name.as_str() {
            "accept" => Some(Sought::Accept),
            "authorization" => Some(Sought::Authorization),
            "baggage" => Some(Sought::Baggage),
            "connection" => Some(Sought::Connection),
            "content-encoding" => Some(Sought::ContentEncoding),
            "content-range" => Some(Sought::ContentRange),
            "expect" => Some(Sought::Expect),
            "traceparent" => Some(Sought::Traceparent),
            "tracestate" => Some(Sought::Tracestate),
            "via" => Some(Sought::Via),
            _ => None,
        });
        Self(sought.fold(0, |found, field| found | field as u16))
    }

    /// Whether `field` was there.
    pub fn has(self, field: Sought) -> bool {
        self.0 & field as u16 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use http::HeaderValue;

    #[test]
    fn each_field_is_found_by_itself_and_among_all() {
        let fields = [
            ("Accept", Sought::Accept),
            ("Authorization", Sought::Authorization),
            ("Baggage", Sought::Baggage),
            ("Connection", Sought::Connection),
            ("Content-Encoding", Sought::ContentEncoding),
            ("Content-Range", Sought::ContentRange),
            ("Expect", Sought::Expect),
            ("Traceparent", Sought::Traceparent),
            ("Tracestate", Sought::Tracestate),
            ("Via", Sought::Via),
        ];
        let mut all = HeaderMap::new();
        all.insert("host", HeaderValue::from_static("a"));
        for (name, field) in fields {
            let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
            let alone = HeaderMap::from_iter([(name.clone(), HeaderValue::from_static("a"))]);
            assert!(!Present::of(&all).has(field) && Present::of(&alone).has(field), "{name}");
            assert!(
                fields
                    .iter()
                    .all(|(_, other)| { Present::of(&alone).has(*other) == (*other == field) })
            );
            all.append(name, HeaderValue::from_static("a"));
        }
        assert!(fields.iter().all(|(_, field)| Present::of(&all).has(*field)));
    }
}
