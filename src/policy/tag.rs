//! Entity tags and `If-Match` (RFC 9110 §8.8.3, §13.1.1), compared byte for byte.

use std::fmt;

/// An entity tag as it is written, quotes and all. It is opaque: never trimmed, never folded.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EntityTag(String);

impl EntityTag {
    /// The tag that `text` is: `"…"` or `W/"…"`.
    pub fn parse(text: &str) -> Option<Self> {
        let (tag, rest) = take_tag(text)?;
        rest.is_empty().then_some(tag)
    }

    /// The tag as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is weak; a weak tag never matches in `If-Match`.
    pub fn is_weak(&self) -> bool {
        self.0.starts_with("W/")
    }

    /// Strong comparison: both strong, and the same bytes.
    pub fn matches(&self, other: &Self) -> bool {
        !self.is_weak() && self == other
    }
}

impl fmt::Debug for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The condition that a caller set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum IfMatch {
    /// None.
    #[default]
    Absent,
    /// `*`: whatever is there now.
    Any,
    /// One of these.
    Tags(Vec<EntityTag>),
    /// Something was sent that is none of the above.
    Malformed,
}

impl IfMatch {
    /// The condition in the field lines `values`; several lines are one list.
    pub fn parse<'v>(values: impl IntoIterator<Item = &'v [u8]>) -> Self {
        let mut tags = Vec::new();
        let mut any = false;
        let mut absent = true;
        for value in values {
            absent = false;
            let Ok(text) = std::str::from_utf8(value) else { return Self::Malformed };
            let text = text.trim_matches([' ', '\t']);
            if text == "*" {
                any = true;
            } else if !take_list(text, &mut tags) {
                return Self::Malformed;
            }
        }
        match (absent, any, tags.is_empty()) {
            (true, ..) => Self::Absent,
            (false, true, true) => Self::Any,
            (false, false, false) => Self::Tags(tags),
            (false, ..) => Self::Malformed,
        }
    }

    /// The one strong tag that it names, if it names nothing else.
    pub fn sole(&self) -> Option<&EntityTag> {
        match self {
            Self::Tags(tags) => match tags.as_slice() {
                [tag] if !tag.is_weak() => Some(tag),
                _ => None,
            },
            Self::Absent | Self::Any | Self::Malformed => None,
        }
    }

    /// Whether it holds for a representation tagged `current`.
    pub fn holds(&self, current: Option<&EntityTag>) -> bool {
        match self {
            Self::Absent | Self::Any => true,
            Self::Tags(tags) => {
                current.is_some_and(|current| tags.iter().any(|tag| tag.matches(current)))
            }
            Self::Malformed => false,
        }
    }
}

fn take_list(mut text: &str, tags: &mut Vec<EntityTag>) -> bool {
    loop {
        let Some((tag, rest)) = take_tag(text) else { return false };
        tags.push(tag);
        let rest = rest.trim_start_matches([' ', '\t']);
        match rest.strip_prefix(',') {
            Some(more) => text = more.trim_start_matches([' ', '\t']),
            None => return rest.is_empty(),
        }
    }
}

fn take_tag(text: &str) -> Option<(EntityTag, &str)> {
    let quoted = text.strip_prefix("W/").unwrap_or(text).strip_prefix('"')?;
    let length = quoted.find('"')?;
    let (opaque, rest) = (quoted.get(..length)?, quoted.get(length + 1..)?);
    // etagc = %x21 / %x23-7E / obs-text
    let plain = opaque.chars().all(|c| c > ' ' && c != '\u{7f}');
    let tag = text.get(..text.len() - rest.len())?;
    plain.then(|| (EntityTag(tag.to_owned()), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &[&str]) -> IfMatch {
        IfMatch::parse(lines.iter().map(|line| line.as_bytes()))
    }

    fn tag(text: &str) -> EntityTag {
        EntityTag::parse(text).expect("a tag")
    }

    #[test]
    fn conditions_are_read_as_the_rfc_writes_them() {
        assert_eq!(parse(&[]), IfMatch::Absent);
        assert_eq!(parse(&[" * "]), IfMatch::Any);
        assert_eq!(parse(&["\"a\""]), IfMatch::Tags(vec![tag("\"a\"")]));
        assert_eq!(
            parse(&["\"a\" , W/\"b,c\"", "\"\""]),
            IfMatch::Tags(vec![tag("\"a\""), tag("W/\"b,c\""), tag("\"\"")])
        );
        for broken in
            ["", "a", "'a'", "\"a", "\"a\"b", "\"a\",", "w/\"a\"", "\"a\" \"b\"", "\"a b\""]
        {
            assert_eq!(parse(&[broken]), IfMatch::Malformed, "{broken}");
        }
        assert_eq!(parse(&["*", "\"a\""]), IfMatch::Malformed);
    }

    #[test]
    fn a_weak_tag_never_matches() {
        assert!(parse(&["\"a\""]).holds(Some(&tag("\"a\""))));
        assert!(!parse(&["W/\"a\""]).holds(Some(&tag("W/\"a\""))));
        assert!(!parse(&["\"a\""]).holds(Some(&tag("\"A\""))));
        assert!(!parse(&["\"a\""]).holds(None));
        assert!(parse(&["*"]).holds(None));
    }
}
