//! What hops tell of the hop before them, to the letter.

use crate::proxy::fields::Fields;
use crate::proxy::headers::is_host;
use crate::proxy::octets::is_token;

use http::header::{self, HeaderName};

use std::net::IpAddr;

pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// One hop: who called, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hop<'h> {
    pub(super) node: Node<'h>,
    pub(super) proto: Option<&'h str>,
    pub(super) host: Option<&'h str>,
}

/// Who called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node<'h> {
    Address(IpAddr),
    /// `unknown`, or a name that says nothing to others.
    Hidden(&'h str),
}

impl<'h> Node<'h> {
    /// RFC 7239 §6, without its port.
    fn parse(text: &'h str) -> Option<Self> {
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) if !text.ends_with(']') => (name, Some(port)),
            _ => (text, None),
        };
        if !port.is_none_or(is_port) {
            return None;
        }
        match name.strip_prefix('[') {
            Some(rest) => {
                let address = rest.strip_suffix(']')?.parse().ok()?;
                Some(Self::Address(IpAddr::V6(address).to_canonical()))
            }
            None if name.eq_ignore_ascii_case("unknown") => Some(Self::Hidden("unknown")),
            None if is_obfuscated(name) => Some(Self::Hidden(name)),
            None => Some(Self::Address(IpAddr::V4(name.parse().ok()?))),
        }
    }

    /// As it stands in `X-Forwarded-For`.
    pub(super) fn bare(self) -> String {
        match self {
            Self::Address(address) => address.to_string(),
            Self::Hidden(name) => name.to_owned(),
        }
    }
}

fn is_port(port: &str) -> bool {
    let digits = (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    digits || is_obfuscated(port)
}

fn is_obfuscated(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (2..=64).contains(&name.len()) && name.starts_with('_') && name.bytes().all(plain)
}

pub(super) fn is_proto(proto: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    (1..=32).contains(&proto.len())
        && proto.starts_with(|first: char| first.is_ascii_alphabetic())
        && proto.bytes().all(plain)
}

/// What `Forwarded` tells, the first hop first; `None` for what is malformed. Of a malformed line
/// nothing is taken.
pub(super) fn forwarded(fields: &Fields) -> Vec<Option<Hop<'_>>> {
    let lines = fields.get_all(&header::FORWARDED);
    lines.flat_map(|line| line.as_str().and_then(elements).unwrap_or(vec![None])).collect()
}

/// The elements of one line; `None` where nobody can tell where one of them ends.
fn elements(line: &str) -> Option<Vec<Option<Hop<'_>>>> {
    let mut found = Vec::new();
    let mut rest = line;
    loop {
        let (element, after) = element(rest)?;
        match after.is_empty() {
            // An empty element of a list counts for nothing.
            true if element.is_empty() => return Some(found),
            true => {
                found.push(hop(element));
                return Some(found);
            }
            false => {}
        }
        if !element.is_empty() {
            found.push(hop(element));
        }
        rest = after.strip_prefix(',')?;
    }
}

/// The text up to the next comma that stands in no quotes, without blanks around it; and what is
/// behind it.
fn element(text: &str) -> Option<(&str, &str)> {
    let (mut quoted, mut escaped) = (false, false);
    let end = text.bytes().position(|byte| {
        let ends = byte == b',' && !quoted;
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
        ends
    });
    if quoted {
        return None;
    }
    let (element, after) = text.split_at(end.unwrap_or(text.len()));
    Some((element.trim_matches([' ', '\t']), after))
}

/// `for=192.0.2.1;proto=https`: pairs without blanks, each name once.
fn hop(element: &str) -> Option<Hop<'_>> {
    let (mut node, mut proto, mut host, mut by) = (None, None, None, None);
    for pair in element.split(';').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let value = value_of(value)?;
        let (place, fits): (&mut Option<&str>, bool) = match &*name.to_ascii_lowercase() {
            "for" => (&mut node, Node::parse(value).is_some()),
            "proto" => (&mut proto, is_proto(value)),
            "host" => (&mut host, is_host(value.as_bytes())),
            "by" => (&mut by, Node::parse(value).is_some()),
            other if is_token(other.as_bytes()) => continue,
            _ => return None,
        };
        if !fits || place.replace(value).is_some() {
            return None;
        }
    }
    // Whoever tells of a hop, but not whose it is, does not know it.
    let node = node.map_or(Some(Node::Hidden("unknown")), Node::parse)?;
    Some(Hop { node, proto, host })
}

/// A token, or what is in quotes. Escapes are for what no node, host or scheme holds.
fn value_of(text: &str) -> Option<&str> {
    match text.strip_prefix('"') {
        Some(rest) => {
            let inner = rest.strip_suffix('"')?;
            (!inner.contains(['"', '\\'])).then_some(inner)
        }
        None => is_token(text.as_bytes()).then_some(text),
    }
}

/// What `X-Forwarded-For` tells, the first hop first; `None` for what is malformed.
pub(super) fn x_forwarded(fields: &Fields) -> Vec<Option<Hop<'_>>> {
    // Here an address of IPv6 may stand without brackets.
    fn node(text: &str) -> Option<Node<'_>> {
        match text.parse() {
            Ok(address) => Some(Node::Address(IpAddr::V6(address).to_canonical())),
            Err(_) => Node::parse(text),
        }
    }
    let mut told = Vec::new();
    for line in fields.get_all(&X_FORWARDED_FOR) {
        match line.as_str() {
            Some(line) => told.extend(line.split(',').map(|text| {
                let node = node(text.trim_matches([' ', '\t']))?;
                Some(Hop { node, proto: None, host: None })
            })),
            None => told.push(None),
        }
    }
    told
}
