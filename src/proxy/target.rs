//! What a request is for: its target (RFC 9112 §3.2).

use http::Uri;
use memchr::memchr;

use std::fmt;
use std::rc::Rc;

/// The target of a request: a path, and the query behind it.
#[derive(Clone)]
pub struct Target {
    text: Rc<str>,
    /// How long the path is.
    path: usize,
    /// The whole of it, where it is more than a path and a query.
    whole: Option<Rc<Uri>>,
}

impl Target {
    /// A path and a query, if there is one.
    pub fn of(text: &str) -> Self {
        let path = memchr(b'?', text.as_bytes()).unwrap_or(text.len());
        Self { text: text.into(), path, whole: None }
    }

    /// The target that `bytes` are, which are some by their octets.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        // Any other form hardly ever comes.
        if bytes.first() == Some(&b'/') {
            return str::from_utf8(bytes).ok().map(Self::of);
        }
        Uri::try_from(bytes).ok().map(Self::from)
    }

    /// Path and query.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The path.
    pub fn path(&self) -> &str {
        self.text.get(..self.path).unwrap_or_default()
    }

    /// The query, if there is one.
    pub fn query(&self) -> Option<&str> {
        self.text.get(self.path + 1..)
    }

    /// The whole of it, where it is more than a path and a query.
    pub fn whole(&self) -> Option<&Uri> {
        self.whole.as_deref()
    }
}

impl From<Uri> for Target {
    fn from(uri: Uri) -> Self {
        let text = uri.path_and_query().map_or("", |target| target.as_str());
        let target = match text.strip_prefix('?') {
            // No path is the same as the shortest one.
            Some(query) => Self::of(&format!("/?{query}")),
            None => Self::of(text),
        };
        let is_plain = uri.scheme().is_none() && uri.authority().is_none();
        if is_plain { target } else { Self { whole: Some(Rc::new(uri)), ..target } }
    }
}

/// Without what it says, which must not be logged.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_has_the_path_and_the_query_that_its_uri_has() {
        for (text, path, query, is_whole) in [
            ("/a/b?c=d?e", "/a/b", Some("c=d?e"), false),
            ("/a?", "/a", Some(""), false),
            ("/", "/", None, false),
            ("*", "*", None, false),
            ("http://h:1/a?b", "/a", Some("b"), true),
            ("http://h", "/", None, true),
            ("http://h?b", "/", Some("b"), true),
            ("h:80", "", None, true),
        ] {
            let target = Target::read(text.as_bytes()).unwrap();
            assert_eq!((target.path(), target.query()), (path, query), "{text}");
            assert_eq!(target.whole().is_some(), is_whole, "{text}");
            let uri: Uri = text.parse().unwrap();
            assert_eq!((uri.path(), uri.query()), (path, query), "{text}");
        }
        assert!(Target::read(b"a b").is_none());
        assert_eq!(format!("{:?}", Target::of("/secret")), "7 bytes");
    }
}
