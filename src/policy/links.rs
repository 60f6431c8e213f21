//! Links in an answer that lead past the gateway, led to it instead: the beginnings of strings at
//! the places that a route names. Every other byte stays as it is.
//!
//! The text comes in pieces, of which only the string of one link is held. What is no JSON is
//! passed on from where that shows.

use super::pattern::Pattern;
use super::route::Route;
use crate::json::{self, Bounds};

use std::sync::Arc;

/// The longest link that is rewritten, and the longest name that is compared, as they are written.
const LINK_MAX: usize = 8 << 10;
const NAME_MAX: usize = 256;
/// The deepest container that links are looked for in.
const DEPTH_MAX: usize = 64;
/// The most patterns that a route may have.
pub const PATTERNS_MAX: usize = 64;

/// Where links lead, and where they are to lead instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The ways to write the origin of the API, in lower case, as `https://api.example:443`.
    pub theirs: Vec<String>,
    /// The path that all of the API is beneath, as `/v2`, or nothing.
    pub base: String,
    /// What stands for both, as `https://gateway.example`: without a slash at the end.
    pub own: String,
}

impl Addresses {
    /// How many bytes of `raw`, the inside of a JSON string or plain text, are the address of the
    /// API. It ends with it, or goes on with a path, a query or a fragment.
    fn length_in(&self, raw: &[u8]) -> Option<usize> {
        self.theirs.iter().find_map(|origin| {
            let mut text = Text { raw, at: 0 };
            let mut same = |wanted: u8, fold: bool| {
                let found = text.next()?;
                let found = if fold { found.to_ascii_lowercase() } else { found };
                (found == wanted).then_some(())
            };
            origin.bytes().try_for_each(|byte| same(byte, true))?;
            self.base.bytes().try_for_each(|byte| same(byte, false))?;
            let length = text.at;
            let ends = length == raw.len() || matches!(text.next(), Some(b'/' | b'?' | b'#'));
            ends.then_some(length)
        })
    }

    /// `link` with our address in place of theirs, if it has that.
    pub fn replace(&self, link: &str) -> Option<String> {
        let rest = link.get(self.length_in(link.as_bytes())?..)?;
        Some(format!("{}{rest}", self.own))
    }
}

/// The ASCII characters of a JSON string, one by one.
struct Text<'r> {
    raw: &'r [u8],
    at: usize,
}

impl Text<'_> {
    fn next(&mut self) -> Option<u8> {
        let rest = self.raw.get(self.at..)?;
        let (byte, length) = match rest {
            [b'\\', b'/', ..] => (b'/', 2),
            [b'\\', b'u', b'0', b'0', high, low, ..] => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).ok()?;
                (u8::from_str_radix(digits, 16).ok()?, 6)
            }
            [b'\\', ..] | [] => return None,
            [byte, ..] => (*byte, 1),
        };
        self.at += length;
        byte.is_ascii().then_some(byte)
    }
}

/// Leads the links of one answer to us.
#[derive(Debug)]
pub struct Rewriter {
    route: Arc<Route>,
    addresses: Arc<Addresses>,
    stack: Vec<Container>,
    string: Option<Role>,
    escaped: bool,
    /// The name or the link that is being read.
    held: Vec<u8>,
    is_off: bool,
}

/// A container that has begun.
#[derive(Debug)]
struct Container {
    /// Which patterns lead here, or on from here.
    alive: u64,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Array {
        index: usize,
    },
    /// With the patterns that lead to the member whose name was read last.
    Object {
        wants_name: bool,
        member: u64,
    },
}

/// What a string is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Link,
    Name,
    Other,
}

impl Rewriter {
    /// For one answer of `route`.
    pub fn new(route: Arc<Route>, addresses: Arc<Addresses>) -> Self {
        let (stack, held) = (Vec::new(), Vec::new());
        Self { route, addresses, stack, string: None, escaped: false, held, is_off: false }
    }

    /// Reads on, and adds to `out` what is known of the result.
    pub fn read(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for (at, byte) in bytes.iter().enumerate() {
            if self.is_off {
                return out.extend_from_slice(bytes.get(at..).unwrap_or_default());
            }
            match self.string {
                Some(role) => self.within(role, *byte, out),
                None => {
                    self.between(*byte);
                    out.push(*byte);
                }
            }
        }
    }

    /// Adds what is held to `out`: the text has ended.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        if self.string == Some(Role::Link) {
            out.append(&mut self.held);
        }
        self.is_off = true;
    }

    fn within(&mut self, role: Role, byte: u8, out: &mut Vec<u8>) {
        let ends = byte == b'"' && !self.escaped;
        self.escaped = byte == b'\\' && !self.escaped;
        if ends {
            self.string = None;
            match role {
                Role::Link => self.lead(out),
                Role::Name => self.name(),
                Role::Other => {}
            }
            self.held.clear();
            return out.push(byte);
        }
        match role {
            Role::Link => {
                self.held.push(byte);
                if self.held.len() > LINK_MAX {
                    out.append(&mut self.held);
                    self.string = Some(Role::Other);
                }
            }
            Role::Name => {
                out.push(byte);
                if self.held.len() <= NAME_MAX {
                    self.held.push(byte);
                }
            }
            Role::Other => out.push(byte),
        }
    }

    /// The link that was held, with our address if it has theirs.
    fn lead(&self, out: &mut Vec<u8>) {
        let length = self.addresses.length_in(&self.held);
        if length.is_some() {
            out.extend_from_slice(self.addresses.own.as_bytes());
        }
        out.extend_from_slice(self.held.get(length.unwrap_or(0)..).unwrap_or_default());
    }

    /// The name that was held is that of the next member.
    fn name(&mut self) {
        let depth = self.stack.len().saturating_sub(1);
        let alive = self.stack.last().map_or(0, |container| container.alive);
        let text = if alive == 0 { None } else { unescaped(&self.held) };
        let next = text.map_or(0, |name| step(&self.route.links, alive, depth, &name));
        if let Some(Container { kind: Kind::Object { wants_name, member }, .. }) =
            self.stack.last_mut()
        {
            (*wants_name, *member) = (false, next);
        }
    }

    /// The patterns that lead to the value that begins.
    fn alive(&self) -> u64 {
        let Some(container) = self.stack.last() else {
            return self.route.links.iter().enumerate().fold(0, |all, (at, _)| all | 1 << at);
        };
        match container.kind {
            Kind::Object { member, .. } => member,
            Kind::Array { .. } if container.alive == 0 => 0,
            Kind::Array { index } => {
                let depth = self.stack.len() - 1;
                step(&self.route.links, container.alive, depth, &index.to_string())
            }
        }
    }

    fn between(&mut self, byte: u8) {
        match byte {
            b'"' => self.string = Some(self.role()),
            b'{' | b'[' if self.stack.len() == DEPTH_MAX => self.is_off = true,
            b'{' => {
                let kind = Kind::Object { wants_name: true, member: 0 };
                self.stack.push(Container { alive: self.alive(), kind });
            }
            b'[' => {
                let kind = Kind::Array { index: 0 };
                self.stack.push(Container { alive: self.alive(), kind });
            }
            b'}' | b']' => {
                let is_array = |container: Container| matches!(container.kind, Kind::Array { .. });
                self.is_off = self.stack.pop().map(is_array) != Some(byte == b']');
            }
            b',' => match self.stack.last_mut().map(|container| &mut container.kind) {
                Some(Kind::Object { wants_name, .. }) => *wants_name = true,
                Some(Kind::Array { index }) => *index += 1,
                None => self.is_off = true,
            },
            _ => {}
        }
    }

    fn role(&self) -> Role {
        let kind = self.stack.last().map(|container| &container.kind);
        if let Some(Kind::Object { wants_name: true, .. }) = kind {
            return Role::Name;
        }
        let (alive, depth) = (self.alive(), self.stack.len());
        let leads_here = |(at, pattern): (usize, &Pattern)| {
            alive & 1 << at != 0 && pattern.tokens().count() <= depth
        };
        match self.route.links.iter().enumerate().any(leads_here) {
            true => Role::Link,
            false => Role::Other,
        }
    }
}

/// Those of `alive` that go on with `token` at `depth`.
fn step(patterns: &[Pattern], alive: u64, depth: usize, token: &str) -> u64 {
    let mut next = 0;
    for (at, pattern) in patterns.iter().enumerate().filter(|(at, _)| alive & 1 << at != 0) {
        let goes_on = match pattern.tokens().nth(depth) {
            Some(Some(name)) => name == token,
            Some(None) => token != "-",
            None => pattern.is_deep(),
        };
        next |= u64::from(goes_on) << at;
    }
    next
}

/// The text of a name as it is written.
fn unescaped(raw: &[u8]) -> Option<String> {
    let quoted = [b"\"", raw, b"\""].concat();
    let bounds = Bounds { items: 1, values: 1, depth: 2, string: NAME_MAX };
    json::read(&quoted, bounds).ok()?.as_str().map(str::to_owned)
}
