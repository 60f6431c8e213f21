//! JSON Pointer (RFC 6901), exactly.

use std::borrow::Cow;
use std::fmt;

/// A well-formed pointer.
///
/// Only `~0` and `~1` are escapes, so every location has one spelling: two pointers are the same
/// exactly when their texts are.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pointer<'a>(Cow<'a, str>);

/// Why a text is not a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It is not empty and does not begin with `/`.
    NoSlash,
    /// A `~` is followed by neither `0` nor `1`.
    StrayTilde,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSlash => "it is neither empty nor begins with `/`",
            Self::StrayTilde => "a `~` is followed by neither `0` nor `1`",
        })
    }
}

impl<'a> Pointer<'a> {
    /// The whole document.
    pub const ROOT: Pointer<'static> = Pointer(Cow::Borrowed(""));

    /// The pointer that `text` is.
    ///
    /// # Errors
    ///
    /// When it is not one of RFC 6901 §3.
    pub fn parse(text: impl Into<Cow<'a, str>>) -> Result<Self, Malformed> {
        let text = text.into();
        if !text.is_empty() && !text.starts_with('/') {
            return Err(Malformed::NoSlash);
        }
        let is_escape = |rest: &str| rest.starts_with(['0', '1']);
        if has_tilde(&text) && !text.split('~').skip(1).all(is_escape) {
            return Err(Malformed::StrayTilde);
        }
        Ok(Self(text))
    }

    /// The pointer as it is written.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The reference tokens, unescaped.
    pub fn tokens(&self) -> impl Iterator<Item = Cow<'_, str>> + Clone {
        let mut rest = self.0.strip_prefix('/');
        std::iter::from_fn(move || {
            let text = rest?;
            let mut escaped = false;
            let end = text.bytes().position(|byte| {
                escaped |= byte == b'~';
                byte == b'/'
            });
            let (token, beyond) = text.split_at(end.unwrap_or(text.len()));
            rest = beyond.strip_prefix('/');
            Some(if escaped { unescape(token) } else { Cow::Borrowed(token) })
        })
    }

    /// Whether it is the whole document.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it leads to the place after the last element of an array.
    pub fn is_append(&self) -> bool {
        self.0.ends_with("/-")
    }

    /// Whether its last token may be an index, or is `-`.
    pub fn may_be_element(&self) -> bool {
        self.0.as_bytes().last().is_some_and(|last| *last == b'-' || last.is_ascii_digit())
    }

    /// The pointer to the container, and the last token; `None` for the whole document.
    pub fn split_last(&self) -> Option<(Pointer<'_>, Cow<'_, str>)> {
        // Pointers are short: to look for the byte is faster than to search for the character.
        let slash = self.0.bytes().rposition(|byte| byte == b'/')?;
        let (parent, last) = self.0.split_at_checked(slash)?;
        Some((Pointer(Cow::Borrowed(parent)), unescape(last.strip_prefix('/')?)))
    }

    /// The pointer to what is called `token` within.
    #[must_use]
    pub fn join(&self, token: &str) -> Pointer<'static> {
        let mut text = String::with_capacity(self.0.len() + token.len() + 1);
        text.push_str(&self.0);
        text.push('/');
        for character in token.chars() {
            match character {
                '~' => text.push_str("~0"),
                '/' => text.push_str("~1"),
                other => text.push(other),
            }
        }
        Pointer(Cow::Owned(text))
    }

    /// Whether `other` is this place or lies beneath it.
    pub fn covers(&self, other: &Pointer<'_>) -> bool {
        match other.0.strip_prefix(&*self.0) {
            Some(rest) => rest.is_empty() || rest.starts_with('/'),
            None => false,
        }
    }

    /// Whether one of the two covers the other.
    pub fn overlaps(&self, other: &Pointer<'_>) -> bool {
        self.covers(other) || other.covers(self)
    }

    /// The same pointer with a text of its own.
    pub fn into_owned(self) -> Pointer<'static> {
        Pointer(Cow::Owned(self.0.into_owned()))
    }
}

/// The array index that `token` is: digits without a sign or a leading zero (RFC 6901 §4).
pub fn index(token: &str) -> Option<usize> {
    let plain = token.bytes().all(|byte| byte.is_ascii_digit());
    let leading = token.len() > 1 && token.starts_with('0');
    if plain && !leading { token.parse().ok() } else { None }
}

/// Whether something is escaped in `text`: mostly nothing is, and that is seen eight bytes at a time.
fn has_tilde(text: &str) -> bool {
    const ONES: u64 = u64::MAX / 0xff;
    let holds = |word: u64| {
        let word = word ^ (ONES * u64::from(b'~'));
        word.wrapping_sub(ONES) & !word & (ONES << 7) != 0
    };
    let bytes = text.as_bytes();
    let (words, _) = bytes.as_chunks::<8>();
    if let Some(last) = bytes.last_chunk() {
        return words.iter().any(|word| holds(u64::from_le_bytes(*word)))
            || holds(u64::from_le_bytes(*last));
    }
    match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => {
            let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
            holds(u64::from(first) | u64::from(last) << 32)
        }
        _ => bytes.contains(&b'~'),
    }
}

fn unescape(token: &str) -> Cow<'_, str> {
    if has_tilde(token) {
        // `~1` before `~0`, so that `~01` is `~1` and not `/`.
        Cow::Owned(token.replace("~1", "/").replace("~0", "~"))
    } else {
        Cow::Borrowed(token)
    }
}

impl fmt::Display for Pointer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Pointer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tokens(text: &str) -> Vec<String> {
        let pointer = Pointer::parse(text).expect("well-formed");
        pointer.tokens().map(Cow::into_owned).collect()
    }

    #[test]
    fn the_examples_of_the_rfc_decode() {
        assert_eq!(tokens(""), [""; 0]);
        assert_eq!(tokens("/"), [""]);
        assert_eq!(tokens("/foo/0"), ["foo", "0"]);
        assert_eq!(tokens("/a~1b/m~0n/~01"), ["a/b", "m~n", "~1"]);
        assert_eq!(tokens("/c%d/ /\u{e9}"), ["c%d", " ", "\u{e9}"]);
    }

    #[test]
    fn a_tilde_is_seen_wherever_it_stands() {
        for length in 0..24 {
            assert!(Pointer::parse(format!("/{}", "a".repeat(length))).is_ok());
            for at in 0..length {
                let text = format!("/{}~{}", "a".repeat(at), "a".repeat(length - at - 1));
                assert_eq!(Pointer::parse(&*text), Err(Malformed::StrayTilde), "{text}");
            }
        }
    }

    #[test]
    fn malformed_pointers_are_errors() {
        for text in ["a", "#/a", "$.a", "a/b", "\\a"] {
            assert_eq!(Pointer::parse(text), Err(Malformed::NoSlash), "{text}");
        }
        for text in ["/~", "/~2", "/a~/b", "/~0~", "/~~1"] {
            assert_eq!(Pointer::parse(text), Err(Malformed::StrayTilde), "{text}");
        }
    }

    #[test]
    fn an_index_has_neither_sign_nor_leading_zero() {
        assert_eq!((index("0"), index("10")), (Some(0), Some(10)));
        for token in ["", "-", "01", "+1", "-1", "1e0", " 0", "\u{661}", "99999999999999999999"] {
            assert_eq!(index(token), None, "{token}");
        }
    }

    #[test]
    fn covering_is_by_token_not_by_text() {
        let pointer = |text: &'static str| Pointer::parse(text).expect("well-formed");
        assert!(pointer("/a").covers(&pointer("/a/b")));
        assert!(pointer("").covers(&pointer("/a")));
        assert!(!pointer("/a").covers(&pointer("/ab")));
        assert!(pointer("/a/b").overlaps(&pointer("/a")));
    }

    proptest! {
        #[test]
        fn tokens_survive_a_round_trip(tokens in prop::collection::vec(".{0,6}", 0..5)) {
            let pointer = tokens.iter().fold(Pointer::ROOT, |pointer, token| pointer.join(token));
            let read = Pointer::parse(pointer.text().to_owned()).expect("join escapes");
            prop_assert_eq!(read.tokens().map(Cow::into_owned).collect::<Vec<_>>(), tokens);
        }
    }
}
