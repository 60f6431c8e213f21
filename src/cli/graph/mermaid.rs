//! A Mermaid state diagram: every step is one line.

use super::drawing::{Drawing, Look};

use std::fmt::Write as _;

/// The text of `drawing`.
pub fn draw(drawing: &Drawing) -> String {
    let ids = ids(drawing);
    let id = |at: usize| ids.get(at).map_or("", String::as_str);
    let mut text = String::from("stateDiagram-v2\n    direction LR\n");
    for (index, group) in drawing.boxes.iter().enumerate() {
        let indent = if group.name.is_some() { "        " } else { "    " };
        if let Some(name) = &group.name {
            let _ = writeln!(text, "    state \"{}\" as box_{index} {{", plain(name));
        }
        for &at in &group.members {
            if let Some(node) = drawing.nodes.get(at) {
                let _ = writeln!(text, "{indent}state \"{}\" as {}", plain(&node.short), id(at));
            }
        }
        if group.name.is_some() {
            text.push_str("    }\n");
        }
    }
    for (at, _) in drawing.nodes.iter().enumerate().filter(|(_, node)| node.initial) {
        let _ = writeln!(text, "    [*] --> {}", id(at));
    }
    for arrow in &drawing.arrows {
        let label = match &arrow.look {
            Look::Open(label) if label.is_empty() => String::new(),
            Look::Open(label) => format!(" : {}", plain(label)),
            Look::Refused(reason) => format!(" : refused, {}", plain(reason)),
        };
        let _ = writeln!(text, "    {} --> {}{label}", id(arrow.from), id(arrow.to));
    }
    for (at, _) in drawing.nodes.iter().enumerate().filter(|(_, node)| node.is_final) {
        let _ = writeln!(text, "    {} --> [*]", id(at));
    }
    text
}

/// An id for each state, of letters, digits and `_`; each has a `_`, which no keyword has.
fn ids(drawing: &Drawing) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for node in &drawing.nodes {
        let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let mut id: String = node.name.chars().map(letter).collect();
        if !node.name.contains('/') || id.starts_with("box_") {
            id.insert_str(0, "s_");
        }
        while ids.contains(&id) {
            let _ = write!(id, "_{}", ids.len());
        }
        ids.push(id);
    }
    ids
}

/// `text` with what Mermaid would misread replaced by what looks like it. It has entities for such,
/// and breaks lines within them.
fn plain(text: &str) -> String {
    let like = |c: char| match c {
        '"' | '`' => '\'',
        ';' => ',',
        ':' => '\u{2236}',
        '<' => '\u{2039}',
        '>' => '\u{203a}',
        '{' => '(',
        '}' => ')',
        '%' => '\u{2052}',
        '#' => '\u{266f}',
        c if c.is_control() => ' ',
        c => c,
    };
    text.chars().map(like).collect()
}

#[cfg(test)]
mod tests {
    use super::super::drawing::tests::drawing;
    use super::*;

    #[test]
    fn ids_are_words_and_differ_and_labels_cannot_end_a_line() {
        let steps = [("end", "a b", Ok("x;y\"")), ("a b", "a-b", Err("no: {never}\n--> end"))];
        let text = draw(&drawing(&["end", "a b", "a-b"], &steps));
        let lines: Vec<_> = text.lines().skip(2).map(str::trim).collect();
        assert_eq!(
            lines,
            [
                "state \"end\" as s_end",
                "state \"a b\" as s_a_b",
                "state \"a-b\" as s_a_b_2",
                "s_end --> s_a_b : [role x,y']",
                "s_a_b --> s_a_b_2 : refused, no∶ (never) --› end",
            ]
        );
    }
}
