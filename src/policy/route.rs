//! Which rules a request meets: methods and a path template, decided on one normal form.

use super::audience::Audience;
use super::pattern::Pattern;
use super::resource::Resource;
use super::rule::{Name, Rule};
use crate::json::Bounds;
use crate::patch::UnknownMembers;

use std::borrow::Cow;
use std::sync::Arc;

/// Methods and a path template, with the rules for what comes there.
#[derive(Debug)]
pub struct Route {
    /// The name in logs and metrics.
    pub id: Arc<str>,
    /// The path template, as `/v1.0/things/{id}`.
    pub template: Arc<str>,
    /// The methods, as `PATCH`.
    pub methods: Vec<String>,
    /// Whom it is open to.
    pub audience: Audience,
    /// What a parameter of the template has to be, where it is held to anything.
    pub params: Vec<(String, Param)>,
    /// What the body has to be.
    pub body: BodyForm,
    /// The media types that a body may have, lower-case, without parameters.
    pub media_types: Vec<String>,
    /// Whether a body may be in the content coding gzip.
    pub gzip: bool,
    /// The most bytes a body may have.
    pub max_body: usize,
    /// What the reader allows at most.
    pub bounds: Bounds,
    /// What members an op may have beside its own.
    pub unknown_members: UnknownMembers,
    /// Whether a query is passed on; else it is refused.
    pub query: bool,
    /// How many slashes may end the path; they are not sent on.
    pub trailing_slashes: usize,
    /// What to do when a rule needs the current state.
    pub state: StateSource,
    /// What to do when the answer to a pinned change is lost.
    pub lost_answer: LostAnswer,
    /// The places in answers with links that are to lead to the gateway.
    pub links: Vec<Pattern>,
    /// What it changes.
    pub resource: Option<Arc<Resource>>,
    /// What it demands.
    pub rules: Vec<Rule>,
    /// The rules that only warn.
    pub warn: Vec<Name>,
    /// Whether nothing but what cannot be read is refused: every violation is only a warning.
    pub observe: bool,
}

impl Route {
    /// Whether every parameter of a path is what the route holds it to.
    fn takes(&self, found: &matchit::Params<'_, '_>) -> bool {
        self.params.iter().all(|(name, param)| found.get(name).is_some_and(|text| param.fits(text)))
    }
}

/// What a parameter of a path has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Param {
    /// A GUID in its usual form, as `01a2030c-fc67-70b1-8fef-0a0ad6421b6a`, in any case.
    Guid,
    /// 1 to 128 letters, digits, `-`, `.`, `_` or `~`: what is spelt in one way only.
    Token,
}

impl Param {
    /// Whether `text` is such a parameter.
    pub fn fits(self, text: &str) -> bool {
        match self {
            Self::Guid => {
                let Ok(bytes) = <&[u8; 36]>::try_from(text.as_bytes()) else { return false };
                let dashes = [8, 13, 18, 23].iter().all(|at| bytes.get(*at) == Some(&b'-'));
                dashes && bytes.iter().filter(|byte| HEX.has(**byte)).count() == 32
            }
            Self::Token => (1..=128).contains(&text.len()) && are_unreserved(text.as_bytes()),
        }
    }
}

/// What the body of a request has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    /// A whole document, which is new.
    Document,
    /// A JSON Patch (RFC 6902).
    JsonPatch,
    /// A merge patch (RFC 7396).
    MergePatch,
    /// No body at all.
    Nothing,
    /// A whole document, which takes the place of the one that is stored.
    Replacement,
}

impl BodyForm {
    /// The name as logs have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::JsonPatch => "json-patch",
            Self::MergePatch => "merge-patch",
            Self::Nothing => "none",
            Self::Replacement => "replacement",
        }
    }
}

/// What to do when a rule needs the current state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateSource {
    /// Read it; where it carries no strong tag, refuse, or judge it all the same.
    Fetch { advisory: bool },
    /// Do without: permit, or refuse.
    Never { permit: bool },
}

/// What to do when the answer to a pinned change is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostAnswer {
    /// Tell that nobody knows what became of the change.
    Report,
    /// Read the document again, to find out.
    Resolve,
}

/// The routes of a policy.
#[derive(Debug, Default)]
pub struct Routes {
    templates: matchit::Router<Vec<Arc<Route>>>,
    all: Vec<Arc<Route>>,
}

/// What a method and a path lead to.
#[derive(Debug)]
pub enum Resolution<'r> {
    /// To this route.
    Found(&'r Arc<Route>),
    /// The path is known, but not with this method; these are.
    MethodNotAllowed(Vec<&'r str>),
    /// To nothing.
    Unknown,
}

impl Routes {
    /// The routes `all`.
    ///
    /// # Errors
    ///
    /// The route whose template is malformed or in conflict with an earlier one, and why.
    pub fn new(all: Vec<Arc<Route>>) -> Result<Self, (Arc<Route>, String)> {
        let mut by_template: Vec<(&str, Vec<Arc<Route>>)> = Vec::new();
        for route in &all {
            match by_template.iter_mut().find(|(template, _)| *template == &*route.template) {
                Some((_, routes)) => routes.push(Arc::clone(route)),
                None => by_template.push((&route.template, vec![Arc::clone(route)])),
            }
        }
        let mut templates = matchit::Router::new();
        for (template, routes) in by_template {
            let first = routes.first().map(Arc::clone);
            if let (Err(error), Some(route)) = (templates.insert(template, routes), first) {
                return Err((route, error.to_string()));
            }
        }
        Ok(Self { templates, all })
    }

    /// Every route, in the order of the policy.
    pub fn iter(&self) -> std::slice::Iter<'_, Arc<Route>> {
        self.all.iter()
    }

    /// Where `method` and the normal form `path` lead.
    pub fn resolve(&self, method: &str, path: &NormalPath<'_>) -> Resolution<'_> {
        let Ok(found) = self.templates.at(&path.text) else { return Resolution::Unknown };
        let takes = |route: &&Arc<Route>| {
            path.trailing_slashes <= route.trailing_slashes && route.takes(&found.params)
        };
        let knows = |route: &&Arc<Route>| route.methods.iter().any(|known| known == method);
        // Methods first: they are compared sooner than what stands in the path.
        if let Some(route) = found.value.iter().filter(knows).find(takes) {
            return Resolution::Found(route);
        }
        let mut allowed: Vec<&str> = found
            .value
            .iter()
            .filter(takes)
            .flat_map(|route| &route.methods)
            .map(String::as_str)
            .collect();
        if allowed.is_empty() {
            return Resolution::Unknown;
        }
        allowed.sort_unstable();
        allowed.dedup();
        Resolution::MethodNotAllowed(allowed)
    }
}

/// A path in the one form that decides the route and is sent on.
///
/// It has no empty, `.` or `..` segment and no escape or character that two parsers could take
/// for a separator; the slashes at its end are counted and dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NormalPath<'p> {
    text: Cow<'p, str>,
    trailing_slashes: usize,
}

impl<'p> NormalPath<'p> {
    /// The normal form of `path`, or `None` when it has none.
    pub fn of(path: &'p str) -> Option<Self> {
        let trimmed = path.trim_end_matches('/');
        let trailing_slashes = path.len() - trimmed.len();
        let segments = trimmed.strip_prefix('/')?;
        // To look at all of them takes less than to stop at the first that is not plain.
        let is_plain = segments.bytes().fold(true, |all, byte| all & PLAIN.has(byte));
        (is_plain && !has_odd_segment(trimmed))
            .then_some(Self { text: Cow::Borrowed(trimmed), trailing_slashes })
    }

    /// The path as it is sent on.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Whether a segment of `path` is empty, or leads somewhere else.
fn has_odd_segment(path: &str) -> bool {
    let is_odd = |segment: &str| matches!(segment, "" | "." | "..");
    // Where no segment is empty or begins with a dot, none has to be looked at.
    let pairs = path.bytes().zip(path.bytes().skip(1));
    let may_be = |one, next| (one == b'/') & matches!(next, b'/' | b'.');
    pairs.fold(false, |any, (one, next)| any | may_be(one, next))
        && path.split('/').skip(1).any(is_odd)
}

/// Some of all bytes, to look up whether one is among them.
struct Bytes([bool; 256]);

impl Bytes {
    /// Those of `list`, worked out by the compiler.
    #[expect(clippy::indexing_slicing, reason = "a byte is below 256")]
    const fn of(mut list: &[u8]) -> Self {
        let mut all = [false; 256];
        while let [byte, rest @ ..] = list {
            all[*byte as usize] = true;
            list = rest;
        }
        Self(all)
    }

    fn has(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte)).is_some_and(|has| *has)
    }
}

/// The digits of a GUID.
static HEX: Bytes = Bytes::of(b"0123456789abcdefABCDEF");

/// Whether all of them are spelt in one way only: the unreserved characters of RFC 3986.
pub fn are_unreserved(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |all, byte| all & UNRESERVED.has(*byte))
}

static UNRESERVED: Bytes =
    Bytes::of(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~");

/// What every parser reads as itself, or as the end of a segment: `/`, and the pchars of RFC 3986 other
/// than `;` and `%`, as an escape has several spellings.
static PLAIN: Bytes =
    Bytes::of(b"/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,=:@");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_what_it_is_held_to() {
        let guid = "01A2030c-fc67-70b1-8fef-0a0ad6421b6a";
        for (text, is_guid, is_token) in [
            (guid, true, true),
            (&guid.replace('-', ""), false, true),
            (&guid.replace('c', "g"), false, true),
            (&format!("{{{}}}", &guid[2..]), false, false),
            ("1", false, true),
            ("a.b_c~d", false, true),
            ("a:b", false, false),
            ("$batch", false, false),
            ("", false, false),
            (&"x".repeat(128), false, true),
            (&"x".repeat(129), false, false),
        ] {
            assert_eq!(Param::Guid.fits(text), is_guid, "{text}");
            assert_eq!(Param::Token.fits(text), is_token, "{text}");
        }
    }

    #[test]
    fn only_paths_that_every_parser_reads_alike_have_a_normal_form() {
        for (path, normal, slashes) in [
            ("/v1.0/engagements/referrals", "/v1.0/engagements/referrals", 0),
            ("/a/b/", "/a/b", 1),
            ("/a/b//", "/a/b", 2),
        ] {
            let found = NormalPath::of(path).expect("a normal form");
            assert_eq!((found.as_str(), found.trailing_slashes), (normal, slashes));
        }
        for path in [
            "",
            "/",
            "*",
            "a",
            "//",
            "//a",
            "/a//b",
            "/a/./b",
            "/a/../b",
            "/..",
            "/a/%2e%2e/b",
            "/a%2fb",
            "/a%5cb",
            "/a\\b",
            "/a;x=1",
            "/a%00",
            "/%61",
            "/a%",
            "/a b",
            "/a?b",
            "/a#b",
            "/\u{ff0f}a",
            "/a%c0%af",
        ] {
            assert_eq!(NormalPath::of(path), None, "{path}");
        }
    }
}
