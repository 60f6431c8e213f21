//! The names that the operator's listener answers to.
//!
//! A page of another site can lead a name of its own to this address, and its browser then takes the
//! answers for those of the page (DNS rebinding). It cannot choose what stands in `Host`.

use http::header::{HOST, HeaderMap};
use http::uri::Authority;

use std::net::IpAddr;

/// The names that the operator's listener answers to, beside addresses and `localhost`.
#[derive(Debug)]
pub(super) struct Hosts(Vec<String>);

impl Hosts {
    pub(super) fn new(names: Vec<String>) -> Self {
        Self(names)
    }

    /// Whether a request with `headers` was sent to one of them.
    pub(super) fn include(&self, headers: &HeaderMap) -> bool {
        let mut lines = headers.get_all(HOST).iter();
        let (Some(line), None) = (lines.next(), lines.next()) else { return false };
        let Ok(authority) = Authority::try_from(line.as_bytes()) else { return false };
        let host = authority.host();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost")
            || address.parse::<IpAddr>().is_ok()
            || self.0.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use http::HeaderValue;

    #[test]
    fn it_answers_to_addresses_and_to_the_names_that_it_was_given() {
        let hosts = Hosts::new(vec!["gate.internal".to_owned()]);
        let include = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(HOST, HeaderValue::from_static(line));
            }
            hosts.include(&headers)
        };
        for host in [
            "127.0.0.1:9090",
            "10.1.2.3",
            "[::1]:9090",
            "localhost",
            "LOCALHOST:1",
            "Gate.Internal:9",
        ] {
            assert!(include(&[host]), "{host}");
        }
        for host in
            ["evil.example", "gate.internal.evil.example", "127.0.0.1.evil.example", "", "a b"]
        {
            assert!(!include(&[host]), "{host}");
        }
        assert!(!include(&[]) && !include(&["localhost", "localhost"]));
    }
}
