//! YAML as text: scalars that are quoted where they have to be, values within a line and over many.

use serde_json::Value;

/// How long a value within a line may be.
const LINE: usize = 96;

/// How long what comes from elsewhere may be in a comment.
const WORDS: usize = 160;

/// `text` as a scalar that stays the same text wherever it stands.
pub(super) fn quoted(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\u{a0}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => push_escaped(&mut quoted, c),
            c if c.is_control() => push_escaped(&mut quoted, c),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// `text` as it may stand in a comment or a message: within one line, and not without end.
pub(super) fn comment(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}').collect();
    let line = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(WORDS) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
        None => line,
    }
}

/// `value` within a line.
pub(super) fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(elements) => {
            let elements: Vec<String> = elements.iter().map(flow).collect();
            format!("[{}]", elements.join(", "))
        }
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let member =
                |(name, value): (&String, &Value)| format!("{}: {}", quoted(name), flow(value));
            format!("{{ {} }}", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// The texts `all` as a list within a line.
pub(super) fn list<T: AsRef<str>>(all: &[T]) -> String {
    let all: Vec<String> = all.iter().map(|text| quoted(text.as_ref())).collect();
    format!("[{}]", all.join(", "))
}

/// `value` behind a key that is indented by `indent` and has said `before` already: on the same line if
/// there is room for it, else on lines of its own.
pub(super) fn after(value: &Value, indent: usize, before: &str) -> String {
    let line = flow(value);
    let short = indent + before.len() + line.len() <= LINE;
    match value {
        Value::Object(members) if !short && !members.is_empty() => {
            let pad = " ".repeat(indent + 2);
            let member = |(name, value): (&String, &Value)| {
                let key = format!("{}:", quoted(name));
                format!("\n{pad}{}", after(value, indent + 2, &key))
            };
            format!("{before}{}", members.iter().map(member).collect::<String>())
        }
        Value::Array(elements) if !short && !elements.is_empty() => {
            let pad = " ".repeat(indent + 2);
            let element = |value: &Value| format!("\n{pad}- {}", flow(value));
            format!("{before}{}", elements.iter().map(element).collect::<String>())
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => format!("{before} {line}"),
    }
}

fn push_escaped(quoted: &mut String, c: char) {
    quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
}

/// Whether every reader of YAML takes `text` for this text, also within `[…]` and `{…}`.
fn is_plain(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || "_./-+ ".contains(c);
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && !text.ends_with(' ')
        && text.chars().all(inner)
        && !words.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::plain;

    use serde_json::json;

    use std::path::Path;

    /// Texts that a careless writer of YAML would have read as something else.
    const TEXTS: [&str; 32] = [
        "",
        " ",
        "a",
        "a b",
        "a ",
        " a",
        "/a/-",
        "/a/*/b",
        "~",
        "null",
        "Null",
        "true",
        "YES",
        "off",
        "1",
        "0x1f",
        "1e3",
        "2020-01-01",
        "12:30:45",
        "- a",
        "a: b",
        "a #b",
        "#a",
        "*a",
        "&a",
        "!a",
        "{a}",
        "[a]",
        "a\nb: c",
        "\u{7f}\u{85}\u{2028}\u{feff}é\u{0}",
        "\"'\\",
        "%a|>",
    ];

    #[test]
    fn every_text_stays_the_same_text_wherever_it_stands() {
        for text in TEXTS {
            let named = json!({ text: text, "l": [text, { "k": text }] });
            for yaml in [
                format!("v: {}\n", flow(&named)),
                format!("v:{}\n", after(&named, 90, "")),
                format!("v:\n  - {}\n  - k: {}\n", quoted(text), quoted(text)),
            ] {
                let read =
                    plain(Path::new("x.yaml"), &yaml).unwrap_or_else(|e| panic!("{e} {yaml}"));
                let is = read["v"] == named || read["v"] == json!([text, { "k": text }]);
                assert!(is, "{text:?}: {yaml}{read}");
            }
        }
    }

    #[test]
    fn what_is_long_goes_over_many_lines() {
        let long =
            json!({ "a": "x".repeat(90), "b": { "c": [1, 2.5, true, null] }, "e": {}, "f": [] });
        let yaml = format!("v:{}\n", after(&long, 0, ""));
        assert_eq!(yaml.lines().count(), 5, "{yaml}");
        assert_eq!(plain(Path::new("x.yaml"), &yaml).expect("YAML")["v"], long);
    }

    #[test]
    fn a_comment_is_one_line_whatever_is_put_into_it() {
        assert_eq!(comment(" a\r\nkind: b\u{2028}\tc\u{85}d "), "a kind: b c d");
        assert_eq!(comment(&"é".repeat(200)).chars().count(), WORDS + 1);
    }
}
