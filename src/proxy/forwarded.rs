//! The hops that a request came over, as far as trusted ones tell of them (RFC 7239), and what the
//! upstream is told of them.

mod read;

use super::fields::{FieldValue, Fields};
use super::headers::is_host;
use super::octets::is_token;
use crate::partner::Network;

use http::header::{self, HeaderName};
use read::{Hop, Node, X_FORWARDED_FOR, is_proto};

use std::fmt::Write;
use std::net::IpAddr;

const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The most hops that are followed.
const HOPS_MAX: usize = 32;

/// Whom to believe, and what to tell.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The addresses of hops that are believed.
    pub trusted: Vec<Network>,
    /// The fields that those write; the other ones are not looked at.
    pub read: Dialect,
    /// The fields that the upstream is told by, if it is told at all.
    pub send: Option<Dialect>,
}

/// The fields that tell of hops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// `X-Forwarded-For`, `-Proto` and `-Host`.
    XForwarded,
}

/// The hops of a request, the last one first.
#[derive(Clone, Debug)]
pub struct Hops<'h>(Vec<Hop<'h>>);

impl<'h> Hops<'h> {
    /// Goes back from `peer`, which called us by `proto`, for as long as it meets who is trusted and
    /// tells of another hop.
    pub fn of(fields: &'h Fields, peer: IpAddr, proto: &'h str, settings: &Settings) -> Self {
        let host = fields.get(&header::HOST).and_then(FieldValue::as_str);
        let mut hops = vec![Hop { node: Node::Address(peer), proto: Some(proto), host }];
        let trusts =
            |address: IpAddr| settings.trusted.iter().any(|network| network.contains(address));
        if trusts(peer) {
            let told = match settings.read {
                Dialect::Forwarded => read::forwarded(fields),
                Dialect::XForwarded => read::x_forwarded(fields),
            };
            // What is malformed ends the chain; what is beyond it was not told by who is trusted.
            for hop in told.into_iter().rev().map_while(|hop| hop).take(HOPS_MAX) {
                let goes_on = matches!(hop.node, Node::Address(address) if trusts(address));
                hops.push(hop);
                if !goes_on {
                    break;
                }
            }
        }
        if settings.read == Dialect::XForwarded && hops.len() > 1 {
            // These fields tell of the first hop alone.
            let only = |name| fields.sole(&name).ok().flatten()?.as_str();
            if let Some(first) = hops.last_mut() {
                first.proto = only(X_FORWARDED_PROTO).filter(|text| is_proto(text));
                first.host = only(X_FORWARDED_HOST).filter(|text| is_host(text.as_bytes()));
            }
        }
        Self(hops)
    }

    /// The address that the request came from, as far as it is known.
    pub fn client(&self) -> Option<IpAddr> {
        self.0.iter().rev().find_map(|hop| match hop.node {
            Node::Address(address) => Some(address),
            Node::Hidden(_) => None,
        })
    }

    /// The fields that tell of the hops, in `dialect`; `own` is what we are called.
    pub fn tell(&self, dialect: Dialect, own: Option<&str>) -> Vec<(HeaderName, String)> {
        let known = |part: fn(&Hop<'h>) -> Option<&'h str>| {
            self.0.iter().rev().find_map(part).map(str::to_owned)
        };
        let fields = match dialect {
            Dialect::Forwarded => vec![(header::FORWARDED, Some(self.forwarded(own)))],
            Dialect::XForwarded => {
                let nodes: Vec<_> = self.0.iter().rev().map(|hop| hop.node.bare()).collect();
                vec![
                    (X_FORWARDED_FOR, Some(nodes.join(", "))),
                    (X_FORWARDED_PROTO, known(|hop| hop.proto)),
                    (X_FORWARDED_HOST, known(|hop| hop.host)),
                ]
            }
        };
        let field = |(name, value): (HeaderName, Option<String>)| {
            value.filter(|value| FieldValue::of(value).is_some()).map(|value| (name, value))
        };
        fields.into_iter().filter_map(field).collect()
    }

    fn forwarded(&self, own: Option<&str>) -> String {
        let mut text = String::new();
        for (index, hop) in self.0.iter().enumerate().rev() {
            if !text.is_empty() {
                text.push_str(", ");
            }
            // Writing to a `String` cannot fail.
            let _ = match hop.node {
                Node::Address(IpAddr::V6(address)) => write!(text, "for=\"[{address}]\""),
                Node::Address(IpAddr::V4(address)) => write!(text, "for={address}"),
                Node::Hidden(name) => write!(text, "for={name}"),
            };
            if let Some(proto) = hop.proto {
                let _ = write!(text, ";proto={proto}");
            }
            if let Some(host) = hop.host.filter(|host| is_host(host.as_bytes())) {
                let _ = match is_token(host.as_bytes()) {
                    true => write!(text, ";host={host}"),
                    false => write!(text, ";host=\"{host}\""),
                };
            }
            if let (0, Some(own)) = (index, own) {
                let _ = write!(text, ";by=_{own}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "10.0.0.9";

    fn hops(read: Dialect, lines: &[(&'static str, &str)]) -> (String, String, String) {
        let trusted = [("10.0.0.0", 8), ("fd00::", 8)];
        let trusted =
            trusted.map(|(text, prefix)| Network { address: text.parse().unwrap(), prefix });
        let settings = Settings { trusted: trusted.into(), read, send: None };
        let mut fields = Fields::default();
        for (name, value) in lines {
            fields.add(&HeaderName::from_static(name), FieldValue::of(value).unwrap());
        }
        let hops = Hops::of(&fields, PEER.parse().unwrap(), "http", &settings);
        let told = |dialect| {
            let fields = hops.tell(dialect, Some("us"));
            fields.into_iter().map(|(_, value)| value).collect::<Vec<_>>().join(" | ")
        };
        let client = hops.client().unwrap().to_string();
        (client, told(Dialect::Forwarded), told(Dialect::XForwarded))
    }

    #[test]
    fn a_chain_is_followed_to_the_first_hop_that_nobody_trusted_tells_of() {
        for (line, client, rest) in [
            ("for=1.1.1.1", "1.1.1.1", "for=1.1.1.1"),
            (
                "for=6.6.6.6, For=1.1.1.1;Proto=https;host=a.b",
                "1.1.1.1",
                "for=1.1.1.1;proto=https;host=a.b",
            ),
            ("for=1.1.1.1 ,, for=10.1.1.1,", "1.1.1.1", "for=1.1.1.1, for=10.1.1.1"),
            (
                "for=\"[2001:DB8::1]:80\", for=\"[fd00::2]\"",
                "2001:db8::1",
                "for=\"[2001:db8::1]\", for=\"[fd00::2]\"",
            ),
            ("for=\"1.1.1.1:_p\";by=\"_x:1\";secret=\"y\"", "1.1.1.1", "for=1.1.1.1"),
            ("for=\"[::ffff:1.1.1.1]\";host=\"a:80\"", "1.1.1.1", "for=1.1.1.1;host=\"a:80\""),
            ("for=6.6.6.6, for=unknown", PEER, "for=unknown"),
            ("for=6.6.6.6, for=_gazonk", PEER, "for=_gazonk"),
            ("for=6.6.6.6, proto=https", PEER, "for=unknown;proto=https"),
        ] {
            let (found, told, _) = hops(Dialect::Forwarded, &[("forwarded", line)]);
            assert_eq!(found, client, "{line}");
            assert_eq!(told, format!("{rest}, for={PEER};proto=http;by=_us"), "{line}");
        }
        let lines = [("forwarded", "for=6.6.6.6, for=1.1.1.1"), ("forwarded", "for=10.0.0.1")];
        assert_eq!(hops(Dialect::Forwarded, &lines).0, "1.1.1.1");
    }

    #[test]
    fn what_is_malformed_ends_the_chain() {
        for line in [
            "for=1.1.1.1;for=2.2.2.2",
            "for=::1",
            "for=[::1]",
            "for=1.1.1.1:80",
            "for=\"[::1\"",
            "for=\"1.1.1.1:123456\"",
            "for=01.1.1.1",
            "for = 1.1.1.1",
            "for=1.1.1.1; proto=http",
            "for=_",
            "for=",
            "for",
            "=1.1.1.1",
            "for=\"1.1.1.1",
            "for=\"6.6.6.6, for=1.1.1.1",
            "for=\"1.1\\.1.1\"",
            "for=1.1.1.1;proto=\"a b\"",
            "for=1.1.1.1;host=\"a/b\"",
        ] {
            let found = hops(Dialect::Forwarded, &[("forwarded", line)]).0;
            assert_eq!(found, PEER, "{line}");
            let behind = format!("{line}, for=10.1.1.1");
            let found = hops(Dialect::Forwarded, &[("forwarded", &behind)]).0;
            assert!(
                found == "10.1.1.1" || line.contains("=\"") && found == PEER,
                "{line}: {found}"
            );
        }
    }

    #[test]
    fn the_other_dialect_is_followed_where_it_is_the_one() {
        let both = [
            ("x-forwarded-for", "6.6.6.6, 2001:db8::1, 10.1.1.1:80"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "a"),
            ("forwarded", "for=7.7.7.7"),
        ];
        let (client, forwarded, told) = hops(Dialect::XForwarded, &both);
        assert_eq!(client, "2001:db8::1");
        assert_eq!(told, format!("2001:db8::1, 10.1.1.1, {PEER} | https | a"));
        assert_eq!(
            forwarded,
            format!(
                "for=\"[2001:db8::1]\";proto=https;host=a, for=10.1.1.1, for={PEER};proto=http;by=_us"
            )
        );
        assert_eq!(hops(Dialect::Forwarded, &both).0, "7.7.7.7");
        assert_eq!(hops(Dialect::XForwarded, &[("x-forwarded-for", "1.1.1.1, x")]).0, PEER);
    }
}
