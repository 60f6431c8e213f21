//! Which of the forms of a problem a caller would rather have (RFC 9110 §12.5.1).

use crate::proxy::fields::Fields;

use http::header;

/// How much a caller wants each form, from 0, which is not at all, to 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub(super) json: u16,
    pub(super) problem: u16,
}

impl Wanted {
    /// What nobody asks for who sends no `Accept`: everything is as good.
    pub const ANYTHING: Self = Self { json: 1000, problem: 1000 };

    /// What `Accept` says; without it, or where it cannot be read, everything is as good.
    pub fn read(fields: &Fields) -> Self {
        let mut lines = fields.get_all(&header::ACCEPT).peekable();
        if lines.peek().is_none() {
            return Self::ANYTHING;
        }
        // For each form the weight that the most specific range gives it, and how specific that is.
        let (mut json, mut problem) = ((0, 0), (0, 0));
        let ranges = lines.flat_map(|line| line.as_str().unwrap_or_default().split(','));
        for range in ranges {
            let mut parts = range.split(';').map(|part| part.trim_matches([' ', '\t']));
            let name = parts.next().unwrap_or_default();
            let Some(weight) = weight(parts) else { continue };
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            let (for_json, for_problem) = match () {
                () if is("application/problem+json") => (0, 3),
                () if is("application/json") => (3, 0),
                () if is("application/*") => (2, 2),
                () if name == "*/*" => (1, 1),
                () => (0, 0),
            };
            for (best, rank) in [(&mut json, for_json), (&mut problem, for_problem)] {
                if rank > best.1 {
                    *best = (weight, rank);
                }
            }
        }
        Self { json: json.0, problem: problem.0 }
    }
}

/// A weight between 0 and 1 with at most three digits, in thousandths; 1 where none is given.
fn weight<'p>(mut parameters: impl Iterator<Item = &'p str>) -> Option<u16> {
    let given = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.eq_ignore_ascii_case("q").then_some(value)
    });
    let Some(given) = given else { return Some(1000) };
    let (whole, rest) = given.split_once('.').unwrap_or((given, ""));
    if rest.len() > 3 || !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{rest:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use http::HeaderValue;

    #[test]
    fn the_most_specific_range_gives_the_weight() {
        for (lines, json, problem) in [
            (&[][..], 1000, 1000),
            (&["*/*"], 1000, 1000),
            (&["application/json"], 1000, 0),
            (&["Application/JSON;odata=verbose;Q=0.5, */*;q=0.1"], 500, 100),
            (&["application/json, text/plain, */*"], 1000, 1000),
            (&["application/*;q=0.25", "application/problem+json ; q=1.000"], 250, 1000),
            (&["*/*, application/json;q=0"], 0, 1000),
            (&["text/html"], 0, 0),
            (
                &["application/json;q=2, application/json;q=0.1234, application/json;q=-1, , ;"],
                0,
                0,
            ),
        ] {
            let fields = lines.iter().map(|line| (header::ACCEPT, HeaderValue::from_static(line)));
            let fields = fields.collect();
            assert_eq!(Wanted::read(&fields), Wanted { json, problem }, "{lines:?}");
        }
    }
}
