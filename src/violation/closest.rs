//! What somebody may have meant: the known names closest to the one they wrote.

/// What one edit counts.
const EDIT: usize = 100;

/// The `candidates` nearest to `text`, nearest first, at most `count`; only those that share more
/// with it than they differ.
pub fn closest<'c>(
    text: &str,
    candidates: impl IntoIterator<Item = &'c str>,
    count: usize,
) -> Vec<&'c str> {
    // Long texts are nobody's typing error, and the distance costs their lengths multiplied.
    let text = text.get(..text.len().min(128)).unwrap_or_default();
    let near = |candidate: &&str| {
        let distance = distance(text, candidate);
        (distance <= candidate.len().max(text.len()) / 2).then_some(distance)
    };
    ranked(candidates, near, count)
}

/// The patterns of places nearest to `pointer`, nearest first, at most `count`. What counts is
/// whole names: how many have to be put in, taken out or exchanged, and for one that is exchanged
/// how much of it.
pub fn closest_places<'c>(
    pointer: &str,
    patterns: impl IntoIterator<Item = &'c str>,
    count: usize,
) -> Vec<&'c str> {
    let tokens: Vec<&str> = pointer.split('/').skip(1).take(32).collect();
    let near = |pattern: &&str| {
        let wanted: Vec<&str> = pattern.split('/').skip(1).collect();
        let distance = edits(&tokens, &wanted, |own, wanted| exchanged(own, wanted));
        (distance <= EDIT * tokens.len().max(wanted.len()) / 2).then_some(distance)
    };
    ranked(patterns, near, count)
}

/// What it counts to write the token `wanted` for `own`: half of an edit where both stand for
/// elements, and at most a whole one.
fn exchanged(own: &str, wanted: &str) -> usize {
    let is_element = |token: &str| token == "-" || token.bytes().all(|byte| byte.is_ascii_digit());
    match wanted {
        "*" | "**" => 0,
        _ if own == wanted => 0,
        _ if is_element(own) && is_element(wanted) => EDIT / 2,
        _ => {
            let own = own.get(..own.len().min(64)).unwrap_or_default();
            let longest = own.len().max(wanted.len()).max(1);
            (EDIT * distance(own, wanted) / longest).min(EDIT)
        }
    }
}

fn ranked<'c>(
    candidates: impl IntoIterator<Item = &'c str>,
    near: impl Fn(&&'c str) -> Option<usize>,
    count: usize,
) -> Vec<&'c str> {
    let near = |candidate: &'c str| near(&candidate).map(|distance| (distance, candidate));
    let mut ranked: Vec<(usize, &str)> = candidates.into_iter().filter_map(near).collect();
    ranked.sort();
    ranked.dedup();
    ranked.into_iter().take(count).map(|(_, candidate)| candidate).collect()
}

/// How many characters have to be put in, taken out or exchanged, whatever their case.
fn distance(left: &str, right: &str) -> usize {
    if left.is_ascii() && right.is_ascii() && (1..=64).contains(&left.len()) {
        return ascii_distance(left.as_bytes(), right.as_bytes());
    }
    let folded = |text: &str| -> Vec<char> { text.chars().flat_map(char::to_lowercase).collect() };
    edits(&folded(left), &folded(right), |a, b| if a == b { 0 } else { EDIT }) / EDIT
}

/// The same for ASCII, one column at a time: each bit says whether the column rises, or falls, from
/// one character of `left` to the next (Myers 1999, in the form of Hyyrö 2003).
fn ascii_distance(left: &[u8], right: &[u8]) -> usize {
    let mut places = [0_u64; 128];
    for (at, byte) in left.iter().enumerate() {
        if let Some(places) = places.get_mut(usize::from(byte.to_ascii_lowercase())) {
            *places |= 1 << at;
        }
    }
    let last = 1_u64 << (left.len() - 1);
    let (mut rises, mut falls) = (u64::MAX, 0);
    let mut distance = left.len();
    for byte in right {
        let equal = places.get(usize::from(byte.to_ascii_lowercase())).copied().unwrap_or(0);
        let level = ((equal & rises).wrapping_add(rises) ^ rises) | equal;
        let (more, fewer) = (falls | !(level | rises), rises & level);
        distance += usize::from(more & last != 0);
        distance -= usize::from(fewer & last != 0);
        let (more, fewer) = (more << 1 | 1, fewer << 1);
        let changed = equal | falls;
        rises = fewer | !(changed | more);
        falls = more & changed;
    }
    distance
}

/// What it counts to make `right` of `left`, where to exchange one part counts what `exchange`
/// says, and to put one in or take one out [`EDIT`].
fn edits<T>(left: &[T], right: &[T], exchange: impl Fn(&T, &T) -> usize) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).map(|count| count * EDIT).collect();
    for (index, a) in left.iter().enumerate() {
        let mut diagonal = index * EDIT;
        let mut before = (index + 1) * EDIT;
        if let Some(first) = row.first_mut() {
            *first = before;
        }
        for (slot, b) in row.iter_mut().skip(1).zip(right) {
            let exchanged = diagonal + exchange(a, b);
            diagonal = *slot;
            before = exchanged.min(*slot + EDIT).min(before + EDIT);
            *slot = before;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    #[test]
    fn the_nearest_names_come_first_and_far_ones_not_at_all() {
        let known = ["schema", "paths", "states"];
        assert_eq!(closest("path", known, 2), ["paths"]);
        assert_eq!(closest("Schemas", known, 1), ["schema"]);
        assert!(closest("somethingElse", known, 3).is_empty());
    }

    #[test]
    fn places_are_near_by_their_names_and_not_by_their_text() {
        let known = ["/details/notes", "/details/dealValue", "/team/-", "/team/*/email", "/status"];
        assert_eq!(closest_places("/detials/notes", known, 1), ["/details/notes"]);
        assert_eq!(closest_places("/notes", known, 1), ["/details/notes"], "the parent is missing");
        assert_eq!(closest_places("/wrong/status", known, 1), ["/status"], "one too many");
        assert_eq!(closest_places("/Status", known, 1), ["/status"]);
        assert_eq!(closest_places("/team/0", known, 1), ["/team/-"]);
        assert_eq!(closest_places("/team/3/mail", known, 1), ["/team/*/email"]);
        assert_eq!(
            closest_places("/details/notesOfTheDay", known, 2),
            ["/details/notes", "/details/dealValue"]
        );
        for far in ["/id", "/somethingElse", "/statute/of/limitations", ""] {
            assert_eq!(closest_places(far, known, 3), [""; 0], "{far}");
        }
    }

    #[test]
    fn the_distance_counts_edits() {
        for (left, right, edits) in
            [("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("ab", "AB", 0)]
        {
            assert_eq!(distance(left, right), edits, "{left} {right}");
        }
    }

    proptest! {
        #[test]
        fn both_ways_of_counting_agree(left in "[a-cA-C]{1,64}", right in "[a-dA-D]{0,80}") {
            let (small, other) = (left.to_lowercase(), right.to_lowercase());
            let plain = edits(small.as_bytes(), other.as_bytes(), |a, b| if a == b { 0 } else { EDIT });
            prop_assert_eq!(distance(&left, &right), plain / EDIT);
        }
    }
}
