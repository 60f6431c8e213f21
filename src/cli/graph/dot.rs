//! A graph for Graphviz: every step is one line.

use super::drawing::{Drawing, Look};

use std::fmt::Write as _;

/// The text of `drawing`.
pub fn draw(drawing: &Drawing) -> String {
    let name = |at: usize| quote(drawing.nodes.get(at).map_or("", |node| &node.name));
    let mut text = format!("digraph {} {{\n    rankdir=LR\n", quote(&drawing.title));
    text.push_str("    node [shape=box style=rounded fontname=\"sans-serif\"]\n");
    text.push_str("    edge [fontname=\"sans-serif\" fontsize=11]\n");
    for (index, group) in drawing.boxes.iter().enumerate() {
        if let Some(title) = &group.name {
            let _ =
                writeln!(text, "    subgraph cluster_{index} {{\n        label={}", quote(title));
        }
        for &at in &group.members {
            let Some(node) = drawing.nodes.get(at) else { continue };
            let marks = match (node.initial, node.is_final) {
                (true, true) => " penwidth=2 peripheries=2",
                (true, false) => " penwidth=2",
                (false, true) => " peripheries=2",
                (false, false) => "",
            };
            let _ = writeln!(text, "        {} [label={}{marks}]", name(at), quote(&node.short));
        }
        if group.name.is_some() {
            text.push_str("    }\n");
        }
    }
    for arrow in &drawing.arrows {
        let look = match &arrow.look {
            Look::Open(label) if label.is_empty() => String::new(),
            Look::Open(label) => format!(" [label={}]", quote(label)),
            Look::Refused(reason) => {
                format!(" [style=dashed color=gray50 constraint=false tooltip={}]", quote(reason))
            }
        };
        let _ = writeln!(text, "    {} -> {}{look}", name(arrow.from), name(arrow.to));
    }
    text.push_str("}\n");
    text
}

/// `text` as a quoted string, in which Graphviz reads no escapes.
fn quote(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("\"{}\"", plain.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::super::drawing::tests::drawing;
    use super::*;

    #[test]
    fn names_and_reasons_are_quoted() {
        let steps = [("a\"] x [\\", "end", Ok("")), ("end", "end", Err("because \"so\"\n}"))];
        let text = draw(&drawing(&["a\"] x [\\", "end"], &steps));
        assert!(text.contains("\n    \"a\\\"] x [\\\\\" -> \"end\"\n"), "{text}");
        assert!(text.contains("\"end\" -> \"end\" [style=dashed"), "{text}");
        assert!(text.contains("tooltip=\"because \\\"so\\\" }\""), "{text}");
    }
}
