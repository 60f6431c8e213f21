//! What somebody may have meant: the known names closest to the one they wrote.

/// What one edit counts.
const EDIT: usize = 100;
/// How much of a text is compared, in bytes: a bit of a word for each.
const START: usize = 64;

/// The `candidates` nearest to `text`, nearest first, at most `count`; only those that share more
/// with it than they differ.
pub fn closest<'c>(
    text: &str,
    candidates: impl IntoIterator<Item = &'c str>,
    count: usize,
) -> Vec<&'c str> {
    let own = Word::new(text);
    let near = |candidate: &&str| {
        let distance = own.distance(candidate);
        (distance <= candidate.len().max(own.start.len()) / 2).then_some(distance)
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
    let tokens: Vec<Word<'_>> = pointer.split('/').skip(1).take(32).map(Word::new).collect();
    let near = |pattern: &&str| {
        let wanted: Vec<&str> = pattern.split('/').skip(1).collect();
        let distance = edits(&tokens, &wanted, |own, wanted| exchanged(own, wanted));
        (distance <= EDIT * tokens.len().max(wanted.len()) / 2).then_some(distance)
    };
    ranked(patterns, near, count)
}

/// What it counts to write the token `wanted` for `own`: half of an edit where both stand for
/// elements, and at most a whole one.
fn exchanged(own: &Word<'_>, wanted: &str) -> usize {
    let is_element = |token: &str| token == "-" || token.bytes().all(|byte| byte.is_ascii_digit());
    match wanted {
        "*" | "**" => 0,
        _ if own.text == wanted => 0,
        _ if is_element(own.text) && is_element(wanted) => EDIT / 2,
        _ => {
            let longest = own.start.len().max(wanted.len()).max(1);
            (EDIT * own.distance(wanted) / longest).min(EDIT)
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

/// A text that is compared with many.
struct Word<'t> {
    text: &'t str,
    /// What is compared of it. Long texts are nobody's typing error, and cost their length.
    start: &'t str,
    /// Where each character of ASCII stands in it, a bit for each place, whatever their case. `None`
    /// where that cannot be said: then it is compared character by character.
    places: Option<[u64; 128]>,
}

impl<'t> Word<'t> {
    fn new(text: &'t str) -> Self {
        let start = text.get(..text.len().min(START)).unwrap_or_default();
        let places = (start.is_ascii() && !start.is_empty()).then(|| {
            let mut places = [0; 128];
            for (at, byte) in start.bytes().enumerate() {
                if let Some(places) = places.get_mut(usize::from(byte.to_ascii_lowercase())) {
                    *places |= 1 << at;
                }
            }
            places
        });
        Self { text, start, places }
    }

    /// How many characters have to be put in, taken out or exchanged, whatever their case.
    fn distance(&self, other: &str) -> usize {
        match &self.places {
            Some(places) if other.is_ascii() => by_columns(places, self.start.len(), other),
            _ => {
                let folded =
                    |text: &str| text.chars().flat_map(char::to_lowercase).collect::<Vec<_>>();
                let unequal = |a: &char, b: &char| if a == b { 0 } else { EDIT };
                edits(&folded(self.start), &folded(other), unequal) / EDIT
            }
        }
    }
}

/// The distance from the text of `length` characters that stand at `places` to `other`, one column
/// at a time: each bit says whether the column rises, or falls, from one character of the text to
/// the next (Myers 1999, in the form of Hyyrö 2003).
fn by_columns(places: &[u64; 128], length: usize, other: &str) -> usize {
    let last = 1_u64 << (length - 1);
    let (mut rises, mut falls) = (u64::MAX, 0);
    let mut distance = length;
    for byte in other.bytes() {
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
fn edits<T, U>(left: &[T], right: &[U], exchange: impl Fn(&T, &U) -> usize) -> usize {
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
            assert_eq!(Word::new(left).distance(right), edits, "{left} {right}");
        }
    }

    proptest! {
        #[test]
        fn both_ways_of_counting_agree(left in "[a-cA-C]{1,64}", right in "[a-dA-D]{0,80}") {
            let (small, other) = (left.to_lowercase(), right.to_lowercase());
            let plain = edits(small.as_bytes(), other.as_bytes(), |a, b| if a == b { 0 } else { EDIT });
            prop_assert_eq!(Word::new(&left).distance(&right), plain / EDIT);
        }
    }
}
