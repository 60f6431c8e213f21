//! Pointers and patterns: what RFC 6901 says of them, and what they say of each other.

use patchgate::patch::Pointer;
use patchgate::policy::pattern::Pattern;

/// The first line of the input is a pointer, the rest is a pointer and may be a pattern.
pub fn run(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let (left, right) = text.split_once('\n').unwrap_or((text, ""));
    let escapes = left.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    let is_one = (left.is_empty() || left.starts_with('/')) && escapes;
    let Ok(pointer) = Pointer::parse(left) else {
        return assert!(!is_one, "refused: {left:?}");
    };
    assert!(is_one, "taken: {left:?}");
    assert_eq!(pointer.to_string(), left);
    assert_eq!(pointer.tokens().count(), left.matches('/').count());
    let again = pointer.tokens().fold(Pointer::ROOT, |above, token| above.join(&token));
    assert_eq!(again, pointer, "its tokens make the pointer");
    if let Some((above, last)) = pointer.split_last() {
        assert_eq!(above.join(&last), pointer);
        assert!(above.covers(&pointer) && !pointer.covers(&above));
    }
    let Ok(other) = Pointer::parse(right) else {
        return assert!(Pattern::parse(right).is_err(), "a pattern is a pointer: {right:?}");
    };
    let (own, others): (Vec<_>, Vec<_>) = (pointer.tokens().collect(), other.tokens().collect());
    assert_eq!(pointer.covers(&other), others.starts_with(&own));
    assert_eq!(pointer.overlaps(&other), own.starts_with(&others) || others.starts_with(&own));
    let pattern = Pattern::parse(right);
    let deep = others.iter().position(|token| token == "**");
    let last = deep.is_none_or(|at| at + 1 == others.len());
    assert_eq!(pattern.is_ok(), last, "`**` stands only at the end: {right:?}");
    let Ok(pattern) = pattern else { return };
    assert_eq!(pattern.as_str(), right);
    assert!(pattern.covers(&pattern));
    let wanted = &others[..deep.unwrap_or(others.len())];
    let one = |(wanted, own): (&_, &_)| wanted == own || *wanted == "*" && *own != "-";
    let long_enough = own.len() == wanted.len() || deep.is_some() && own.len() > wanted.len();
    let matches = long_enough && wanted.iter().zip(&own).all(one);
    assert_eq!(pattern.matches(&pointer), matches, "`{right}` is `{left}`");
    if matches {
        let above = (0..=own.len())
            .map(|depth| own[..depth].iter().fold(Pointer::ROOT, |above, token| above.join(token)));
        for above in above {
            assert!(pattern.overlaps(&above), "`{right}` lies at or beneath `{above}`");
        }
        assert!(pattern.overlaps(&pointer.join("beneath")));
    }
    if let Some(plain) = pattern.pointer() {
        assert_eq!(matches, plain == pointer);
    }
}
