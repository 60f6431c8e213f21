//! `If-Match`, held against the `eTag` member of a referral.

use super::envelope::Refusal;
use super::options::{Options, Stance};

use http::HeaderMap;
use http::header::IF_MATCH;

/// Whether the request may go on although somebody else may have changed the referral.
///
/// Without the header there is no check. `current` is the member's value, quotes included.
pub(super) fn hold(headers: &HeaderMap, current: &str, options: &Options) -> Result<(), Refusal> {
    if !headers.contains_key(IF_MATCH) {
        return Ok(());
    }
    // A value that is not text cannot be anybody's tag, so it becomes one that never matches.
    let matches = |field: &str| {
        if field.trim() == "*" {
            options.if_match_star == Stance::Accept
        } else {
            tags(field).any(|tag| tag.is(current, options))
        }
    };
    let any = headers.get_all(IF_MATCH).iter().any(|value| value.to_str().is_ok_and(matches));
    if any { Ok(()) } else { Err(Refusal::precondition()) }
}

struct Tag<'a> {
    weak: bool,
    /// As it stands, quotes included.
    text: &'a str,
}

impl Tag<'_> {
    fn is(&self, current: &str, options: &Options) -> bool {
        if self.weak && options.weak_tags.refuses() {
            return false;
        }
        let unquoted = !self.text.starts_with('"');
        self.text == current
            || (unquoted
                && !options.unquoted_tags.refuses()
                && Some(self.text) == current.strip_prefix('"').and_then(|t| t.strip_suffix('"')))
    }
}

/// The tags of a list; what is not a tag at all is taken as one up to the next comma.
fn tags(mut rest: &str) -> impl Iterator<Item = Tag<'_>> {
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return None;
        }
        let weak = rest.starts_with("W/");
        let tag = rest.strip_prefix("W/").unwrap_or(rest);
        let quoted = tag.strip_prefix('"').and_then(|inner| inner.find('"')).map(|end| end + 2);
        let end = quoted.or_else(|| tag.find(',')).unwrap_or(tag.len());
        let (text, after) = tag.split_at_checked(end)?;
        rest = after;
        Some(Tag { weak, text: text.trim_end() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CURRENT: &str = r#""0303a1b2-0000-0000-0000-6a1ef9950000""#;

    fn holds(field: &str, options: &Options) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(IF_MATCH, field.parse().expect("a field value"));
        hold(&headers, CURRENT, options).is_ok()
    }

    #[test]
    fn no_header_is_no_condition() {
        assert!(hold(&HeaderMap::new(), CURRENT, &Options::default()).is_ok());
    }

    #[test]
    fn one_tag_of_a_list_is_enough() {
        let options = Options::default();
        assert!(holds(CURRENT, &options));
        assert!(holds(&format!(r#""a,b" , {CURRENT}"#), &options));
        assert!(holds(&format!(r#"W/"x",{CURRENT},"y""#), &options));
        assert!(!holds(r#""a", "b""#, &options));
        assert!(!holds("", &options) && !holds(",", &options) && !holds("\"", &options));
        let mut headers = HeaderMap::new();
        headers.append(IF_MATCH, "\"other\"".parse().expect("a field value"));
        headers.append(IF_MATCH, CURRENT.parse().expect("a field value"));
        assert!(hold(&headers, CURRENT, &options).is_ok(), "a list may span several lines");
    }

    #[test]
    fn star_weak_and_unquoted_tags_are_switches() {
        let bare = CURRENT.trim_matches('"');
        let weak = format!("W/{CURRENT}");
        let options = Options::default();
        assert!(holds("*", &options) && !holds(bare, &options) && !holds(&weak, &options));
        let other = Options {
            if_match_star: Stance::Refuse,
            unquoted_tags: Stance::Accept,
            weak_tags: Stance::Accept,
            ..options
        };
        assert!(!holds("*", &other) && holds(bare, &other) && holds(&weak, &other));
        assert!(!holds("bare", &other) && !holds("W/\"other\"", &other));
    }

    #[test]
    fn a_refused_condition_is_a_412() {
        let mut headers = HeaderMap::new();
        headers.insert(IF_MATCH, "\"other\"".parse().expect("a field value"));
        let refusal = hold(&headers, CURRENT, &Options::default()).expect_err("another tag");
        assert_eq!(refusal.status, http::StatusCode::PRECONDITION_FAILED);
    }
}
