//! Names of one's own for what others have named: of resources, routes, files and parameters.

/// How long such a name becomes.
const LONG: usize = 40;

/// `text` in small letters, its words joined by `-`: `OrderLine` and `order_line` are `order-line`.
pub(super) fn kebab(text: &str) -> String {
    let mut name = String::new();
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let next_is_small = rest.peek().is_some_and(|next| next.is_ascii_lowercase());
        if c.is_ascii_alphanumeric() {
            let begins = c.is_ascii_uppercase()
                && (before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || before.is_ascii_uppercase() && next_is_small);
            if begins && !name.ends_with('-') && !name.is_empty() {
                name.push('-');
            }
            name.push(c.to_ascii_lowercase());
        } else if !name.ends_with('-') && !name.is_empty() && c != '\'' {
            name.push('-');
        }
        before = c;
    }
    let name = name.trim_end_matches('-');
    match name.char_indices().nth(LONG) {
        Some((at, _)) => {
            let cut = name.get(..at).unwrap_or_default();
            cut.rsplit_once('-').map_or(cut, |(words, _)| words).to_owned()
        }
        None => name.to_owned(),
    }
}

/// One of what `plural` names, as English mostly has it.
pub(super) fn singular(plural: &str) -> String {
    let es = ["sses", "shes", "ches", "xes", "zes"];
    if let Some(stem) = plural.strip_suffix("ies").filter(|stem| stem.len() > 1) {
        format!("{stem}y")
    } else if es.iter().any(|end| plural.ends_with(end)) {
        plural.trim_end_matches("es").to_owned()
    } else if plural.ends_with("ss") || plural.ends_with("us") || plural.len() < 4 {
        plural.to_owned()
    } else {
        plural.strip_suffix('s').unwrap_or(plural).to_owned()
    }
}

/// Several of what `singular` names.
pub(super) fn plural(singular: &str) -> String {
    let before_y = singular.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    if let Some(stem) = before_y.filter(|stem| !stem.is_empty()) {
        format!("{stem}ies")
    } else if ["s", "x", "z", "ch", "sh"].iter().any(|end| singular.ends_with(end)) {
        format!("{singular}es")
    } else {
        format!("{singular}s")
    }
}

/// `name`, or with a number behind it where it is `taken`.
pub(super) fn unique(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let numbered = (2..).map(|number: usize| format!("{name}-{number}"));
    let mut all = std::iter::once(name.to_owned()).chain(numbered);
    all.find(|name| !taken(name)).unwrap_or_default()
}

/// Whether `name` may be that of a file, a policy and a path segment.
pub(super) fn is_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (1..=64).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_however_they_are_joined() {
        for (text, name) in [
            ("OrderLine", "order-line"),
            ("order_line", "order-line"),
            ("HTTPRoute", "http-route"),
            ("Orders API (v2)", "orders-api-v2"),
            ("getOrderById", "get-order-by-id"),
            ("Swagger's Pets", "swaggers-pets"),
            ("Größe", "gr-e"),
            ("«»", ""),
            (
                "The quick brown fox jumps over the lazy dog",
                "the-quick-brown-fox-jumps-over-the-lazy",
            ),
            (&"x".repeat(60), &"x".repeat(40)),
        ] {
            assert_eq!(kebab(text), name);
        }
    }

    #[test]
    fn one_and_many_are_told_apart() {
        for (one, many) in [
            ("order", "orders"),
            ("entry", "entries"),
            ("box", "boxes"),
            ("address", "addresses"),
            ("day", "days"),
        ] {
            assert_eq!((singular(many).as_str(), plural(one).as_str()), (one, many));
        }
        assert_eq!((singular("status"), singular("api")), ("status".into(), "api".into()));
    }

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        assert_eq!(unique("a", |name| ["a", "a-2"].contains(&name)), "a-3");
        assert!(is_name("orders-v1.0") && !is_name("") && !is_name("../x") && !is_name(".x"));
    }
}
