//! What somebody may have meant: the known names closest to the one they wrote.

/// The `candidates` nearest to `text`, nearest first, at most `count`; only those that share more
/// with it than they differ.
pub fn closest<'c>(
    text: &str,
    candidates: impl IntoIterator<Item = &'c str>,
    count: usize,
) -> Vec<&'c str> {
    // Long texts are nobody's typing error, and the distance costs their lengths multiplied.
    let text = text.get(..text.len().min(128)).unwrap_or_default();
    let mut ranked: Vec<(usize, &str)> = candidates
        .into_iter()
        .map(|candidate| (distance(text, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().max(text.len()) / 2)
        .collect();
    ranked.sort();
    ranked.dedup();
    ranked.into_iter().take(count).map(|(_, candidate)| candidate).collect()
}

/// How many characters have to be put in, taken out or exchanged, whatever their case.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().flat_map(char::to_lowercase).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, a) in left.chars().flat_map(char::to_lowercase).enumerate() {
        let mut diagonal = index;
        let mut before = index + 1;
        for (slot, b) in row.iter_mut().skip(1).zip(&right) {
            let exchanged = diagonal + usize::from(a != *b);
            diagonal = *slot;
            before = exchanged.min(*slot + 1).min(before + 1);
            *slot = before;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_names_come_first_and_far_ones_not_at_all() {
        let known = ["/details/notes", "/details/dealValue", "/team/-", "/status"];
        assert_eq!(closest("/detials/notes", known, 2), ["/details/notes"]);
        assert_eq!(closest("/Status", known, 1), ["/status"]);
        assert_eq!(closest("/teams", known, 3), ["/team/-"]);
        assert!(closest("/somethingElse", known, 3).is_empty());
    }

    #[test]
    fn the_distance_counts_edits() {
        for (left, right, edits) in
            [("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("ab", "AB", 0)]
        {
            assert_eq!(distance(left, right), edits, "{left} {right}");
        }
    }
}
