//! The hosts that callers may ask for, and what stands in `Host`.

use crate::policy::route::are_unreserved;

use std::net::Ipv6Addr;

/// What stands in `Host`: a name or an address, with or without a port.
#[derive(Clone, Copy, Debug)]
pub struct Host<'h> {
    name: Name<&'h [u8]>,
    port: &'h [u8],
}

impl<'h> Host<'h> {
    /// What `text` says, if it is a host and nothing else.
    pub fn read(text: &'h [u8]) -> Option<Self> {
        let (name, port) = match text.iter().rposition(|byte| *byte == b':') {
            Some(at) if !text.ends_with(b"]") => {
                let (name, port) = text.split_at(at);
                (name, port.get(1..).unwrap_or_default())
            }
            _ => (text, &[][..]),
        };
        if name.is_empty() || !port.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let name = match name.strip_prefix(b"[").and_then(|name| name.strip_suffix(b"]")) {
            Some(address) => Name::Address(std::str::from_utf8(address).ok()?.parse().ok()?),
            None => {
                if !are_unreserved(name) {
                    return None;
                }
                // With the dot of the root or without, it is the same name.
                Name::Plain(name.strip_suffix(b".").unwrap_or(name))
            }
        };
        Some(Self { name, port })
    }
}

/// The hosts that callers may ask for.
#[derive(Clone, Debug, Default)]
pub struct Hosts(Vec<Known>);

#[derive(Clone, Debug)]
struct Known {
    name: Name<Box<[u8]>>,
    /// Without one, any is good.
    port: Option<u16>,
}

/// Why a host cannot be added to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// It is none.
    NoHost,
    /// It is there already.
    Twice,
}

impl Hosts {
    /// Adds what `text` names: with a port, that one alone.
    ///
    /// # Errors
    ///
    /// When it names no host, or one that is there already.
    pub fn add(&mut self, text: &str) -> Result<(), Misfit> {
        let host = Host::read(text.as_bytes()).ok_or(Misfit::NoHost)?;
        let name = match host.name {
            Name::Address(address) => Name::Address(address),
            Name::Plain([]) => return Err(Misfit::NoHost),
            Name::Plain(plain) => Name::Plain(plain.into()),
        };
        let port = match number(host.port) {
            None if text.contains(':') && !text.ends_with(']') => return Err(Misfit::NoHost),
            port => port,
        };
        if self.0.iter().any(|known| known.port == port && known.name.is(&host.name)) {
            return Err(Misfit::Twice);
        }
        self.0.push(Known { name, port });
        Ok(())
    }

    /// Whether `host` is one of them; `usual` is the port of one that names none.
    pub fn include(&self, host: &Host<'_>, usual: u16) -> bool {
        let port = if host.port.is_empty() { Some(usual) } else { number(host.port) };
        let is_good = |known: &Known| known.port.is_none() || known.port == port;
        self.0.iter().any(|known| is_good(known) && known.name.is(&host.name))
    }
}

#[derive(Clone, Copy, Debug)]
enum Name<P> {
    Address(Ipv6Addr),
    /// A name, or an address with four numbers.
    Plain(P),
}

impl Name<Box<[u8]>> {
    fn is(&self, other: &Name<&[u8]>) -> bool {
        match (self, other) {
            (Self::Address(ours), Name::Address(theirs)) => ours == theirs,
            (Self::Plain(ours), Name::Plain(theirs)) => ours.eq_ignore_ascii_case(theirs),
            (Self::Address(_), Name::Plain(_)) | (Self::Plain(_), Name::Address(_)) => false,
        }
    }
}

/// The port that these digits stand for, if there is such a port.
fn number(digits: &[u8]) -> Option<u16> {
    let port = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (port > 0).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(texts: &[&str]) -> Hosts {
        let mut hosts = Hosts::default();
        texts.iter().for_each(|text| hosts.add(text).unwrap());
        hosts
    }

    #[test]
    fn a_host_is_known_by_its_name_whatever_the_case_and_by_its_port_if_one_is_asked_for() {
        let hosts = hosts(&["api.example", "10.0.0.1:81", "[::1]:81", "gate.example.:443"]);
        let include =
            |text: &str, usual| hosts.include(&Host::read(text.as_bytes()).unwrap(), usual);
        for text in [
            "api.example",
            "API.Example.",
            "api.example:1",
            "api.example:",
            "api.example:99999",
            "10.0.0.1:81",
            "10.0.0.1:081",
            "[::1]:81",
            "[0:0:0:0:0:0:0:1]:81",
            "gate.example:443",
        ] {
            assert!(include(text, 80), "{text}");
        }
        for text in [
            "example",
            "x.api.example",
            "api.example.x",
            "api.example..",
            ".",
            "10.0.0.1",
            "10.0.0.1:99999",
            "10.0.0.1:65617",
            "10.0.0.2:81",
            "[::1]",
            "[::2]:81",
            "gate.example",
            "gate.example:80",
        ] {
            assert!(!include(text, 80), "{text}");
        }
        assert!(include("gate.example", 443) && include("gate.example.:", 443));
    }

    #[test]
    fn what_is_no_host_or_there_already_is_not_added() {
        let mut hosts = hosts(&["a.example", "[::1]"]);
        for text in [
            "", ".", ":80", "a:", "a:0", "a:65536", "a b", "*.a", "http://a", "a/", "::1", "[::1]:",
        ] {
            assert_eq!(hosts.add(text), Err(Misfit::NoHost), "{text}");
        }
        for text in ["A.example", "a.example.", "[0::1]"] {
            assert_eq!(hosts.add(text), Err(Misfit::Twice), "{text}");
        }
        assert_eq!(hosts.add("a.example:80"), Ok(()));
        assert_eq!(hosts.add("a.Example:080"), Err(Misfit::Twice));
    }
}
