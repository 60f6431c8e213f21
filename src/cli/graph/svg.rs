//! A picture that needs nothing else, light or dark as the reader has it.

use super::drawing::{Drawing, Look};
use super::links::{End, Link, links};
use super::route::{Line, Picture, Rect};

use std::fmt::Write as _;

const MARGIN: f64 = 28.0;
const TITLE: f64 = 44.0;
const LEGEND: f64 = 48.0;
/// How many colours the boxes have.
const COLOURS: usize = 6;

/// The style of a picture, for a page that has several.
pub const STYLE: &str = "
text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:#1f2933}
.paper{fill:#fff}
.title{font-size:16px;font-weight:600}
.box{stroke-width:1}
.head{font-weight:600}
.b0{fill:#eaf2fd;stroke:#a9c6ee}.b1{fill:#f1ecfb;stroke:#c9b8ec}.b2{fill:#e8f6ef;stroke:#a4d8bd}
.b3{fill:#fdf3e2;stroke:#ebcd92}.b4{fill:#fceaf0;stroke:#eeb3c8}.b5{fill:#e6f5f7;stroke:#9fd3da}
.node{fill:#fff;stroke:#52606d;stroke-width:1.3}
.inner{fill:none;stroke:#52606d}
.dot{fill:#1f2933}
.line{fill:none;stroke:#3e4c59;stroke-width:1.5}
.tip{fill:#3e4c59}
.back{stroke:#b4540a}.backtip{fill:#b4540a}
.refused{stroke:#8a94a0;stroke-dasharray:5 4}.refusedtip{fill:#8a94a0}
.halo{fill:#fff;fill-opacity:.88}
.label{font-size:12px}
.legend{font-size:12px;fill:#616e7c}
@media (prefers-color-scheme:dark){
text{fill:#e4e7eb}
.paper{fill:#14191f}
.b0{fill:#172536;stroke:#34577f}.b1{fill:#211d33;stroke:#56478a}.b2{fill:#15291f;stroke:#2f6a4b}
.b3{fill:#2d2415;stroke:#7c6128}.b4{fill:#30191f;stroke:#84405a}.b5{fill:#13292d;stroke:#2c6a74}
.node{fill:#1f2730;stroke:#9aa5b1}
.inner{stroke:#9aa5b1}
.dot{fill:#e4e7eb}
.line{stroke:#b8c2cc}.tip{fill:#b8c2cc}
.back{stroke:#f0a35e}.backtip{fill:#f0a35e}
.refused{stroke:#6b7683}.refusedtip{fill:#6b7683}
.halo{fill:#14191f}
.legend{fill:#9aa5b1}
}
";

/// The text of `drawing`.
pub fn draw(drawing: &Drawing) -> String {
    styled(drawing, &links(drawing), &format!("<style>{STYLE}</style>"))
}

/// The same without a style, for a page that has it.
pub fn part(drawing: &Drawing, links: &[Link]) -> String {
    styled(drawing, links, "")
}

fn styled(drawing: &Drawing, links: &[Link], style: &str) -> String {
    let picture = Picture::of(drawing, links);
    let legend = legend(drawing, links, &picture);
    let columns: f64 = legend.iter().map(|text| super::layout::width(text) + 26.0).sum();
    let title = super::layout::width(&drawing.title) * 1.3;
    let width = picture.width.max(columns).max(title) + 2.0 * MARGIN;
    let height = picture.height + TITLE + LEGEND + MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-labelledby=\"name what\">\n"
    );
    let name = escape(&drawing.title);
    let _ = writeln!(svg, "<title id=\"name\">{name}</title>");
    let _ = writeln!(svg, "<desc id=\"what\">{}</desc>", escape(&description(drawing)));
    let _ = writeln!(svg, "{style}\n<defs>");
    for class in ["tip", "backtip", "refusedtip"] {
        let _ = writeln!(
            svg,
            "<marker id=\"{class}\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"9\" \
             markerHeight=\"9\" markerUnits=\"userSpaceOnUse\" orient=\"auto-start-reverse\">\
             <path class=\"{class}\" d=\"M0 .8 10 5 0 9.2z\"/></marker>"
        );
    }
    let _ = writeln!(svg, "</defs>\n<rect class=\"paper\" width=\"100%\" height=\"100%\"/>");
    let _ = writeln!(svg, "<text class=\"title\" x=\"{MARGIN}\" y=\"32\">{name}</text>");
    let _ = writeln!(svg, "<g transform=\"translate({MARGIN} {})\">", TITLE + 12.0);
    boxes(&mut svg, drawing, &picture);
    for (link, line) in links.iter().zip(&picture.lines) {
        path(&mut svg, drawing, link, line);
    }
    nodes(&mut svg, drawing, &picture);
    for (link, line) in links.iter().zip(&picture.lines) {
        if let (Some(text), Some(place)) = (super::layout::label(&link.look), line.label) {
            label(&mut svg, text, place);
        }
    }
    svg.push_str("</g>\n");
    let mut x = MARGIN;
    for text in legend {
        let y = height - 20.0;
        let _ = writeln!(svg, "<text class=\"legend\" x=\"{x:.0}\" y=\"{y:.0}\">{text}</text>");
        x += super::layout::width(&text) + 26.0;
    }
    svg.push_str("</svg>\n");
    svg
}

fn boxes(svg: &mut String, drawing: &Drawing, picture: &Picture) {
    let named = drawing.boxes.iter().zip(&picture.boxes);
    let named = named.filter_map(|(one, rect)| Some((one.name.as_ref()?, rect)));
    for (at, (name, rect)) in named.enumerate() {
        let Rect { x, y, width, height } = rect;
        let colour = at % COLOURS;
        let _ = writeln!(
            svg,
            "<rect class=\"box b{colour}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"10\"/>\
             <text class=\"head\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            x + 14.0,
            y + 20.0,
            escape(name)
        );
    }
}

fn nodes(svg: &mut String, drawing: &Drawing, picture: &Picture) {
    for (at, (node, rect)) in drawing.nodes.iter().zip(&picture.nodes).enumerate() {
        let Rect { x, y, width, height } = rect;
        let _ = write!(
            svg,
            "<g><title>{}</title><rect class=\"node\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"7\"/>",
            escape(&node.name)
        );
        if node.is_final {
            let _ = write!(
                svg,
                "<rect class=\"inner\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"4.5\"/>",
                x + 3.0,
                y + 3.0,
                width - 6.0,
                height - 6.0
            );
        }
        let middle = y + height / 2.0;
        if node.initial {
            let x = x + 14.0;
            let _ =
                write!(svg, "<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{middle:.1}\" r=\"4.5\"/>");
        }
        let stays = drawing.stays(at);
        if stays {
            let _ = write!(
                svg,
                "<text class=\"stays\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">↻</text>",
                x + width - 14.0,
                middle + 4.5
            );
        }
        let shift = match (node.initial, stays) {
            (true, false) => 6.0,
            (false, true) => -6.0,
            (true, true) | (false, false) => 0.0,
        };
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text></g>",
            x + width / 2.0 + shift,
            middle + 4.5,
            escape(&node.short)
        );
    }
}

fn path(svg: &mut String, drawing: &Drawing, link: &Link, line: &Line) {
    let (class, tip) = match &link.look {
        Look::Refused(_) => ("line refused", "refusedtip"),
        Look::Open(_) if line.back && !link.both => ("line back", "backtip"),
        Look::Open(_) => ("line", "tip"),
    };
    let start = if link.both { format!(" marker-start=\"url(#{tip})\"") } else { String::new() };
    let _ = writeln!(
        svg,
        "<path class=\"{class}\" d=\"{}\" marker-end=\"url(#{tip})\"{start}><title>{}</title></path>",
        line.path,
        escape(&tooltip(drawing, link))
    );
}

fn label(svg: &mut String, text: &str, place: Rect) {
    let Rect { x, y, width, height } = place;
    let _ = writeln!(
        svg,
        "<rect class=\"halo\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"3\"/>\
         <text class=\"label\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
        x + width / 2.0,
        y + 12.0,
        escape(text)
    );
}

/// What a line says: from where to where, for whom, or why not.
fn tooltip(drawing: &Drawing, link: &Link) -> String {
    let name = |end: End| match end {
        End::Box(at) => {
            let name = drawing.boxes.get(at).and_then(|one| one.name.as_deref());
            format!("{}/*", name.unwrap_or_default())
        }
        End::Node(at) => drawing.nodes.get(at).map(|node| node.name.clone()).unwrap_or_default(),
    };
    let arrow = if link.both { "↔" } else { "→" };
    let steps = format!("{} {arrow} {}", name(link.from), name(link.to));
    match &link.look {
        Look::Open(label) if label.is_empty() => steps,
        Look::Open(label) => format!("{steps} {label}"),
        Look::Refused(reason) => format!("{steps} is refused: {reason}"),
    }
}

/// The steps in words, for those who cannot see them.
fn description(drawing: &Drawing) -> String {
    let name = |at: usize| drawing.nodes.get(at).map_or("", |node| node.name.as_str());
    let open = drawing.arrows.iter().filter(|arrow| is_open(&arrow.look));
    let steps: Vec<_> =
        open.map(|arrow| format!("{} to {}", name(arrow.from), name(arrow.to))).collect();
    format!("{} states. Steps: {}.", drawing.nodes.len(), steps.join(", "))
}

fn is_open(look: &Look) -> bool {
    matches!(look, Look::Open(_))
}

/// What the picture needs explained.
fn legend(drawing: &Drawing, links: &[Link], picture: &Picture) -> Vec<String> {
    let mut legend = Vec::new();
    let mut say = |when: bool, text: &str| {
        if when {
            legend.push(text.to_owned());
        }
    };
    let boxed = |end: End| matches!(end, End::Box(_));
    say(drawing.nodes.iter().any(|node| node.initial), "● documents begin here");
    say(drawing.nodes.iter().any(|node| node.is_final), "double line: they end here");
    let any_box = links.iter().any(|link| boxed(link.from) || boxed(link.to));
    say(any_box, "an arrow at a box: every state in it");
    say(picture.lines.iter().any(|line| line.back), "coloured: a step back");
    say(links.iter().any(|link| !is_open(&link.look)), "dashed: refused");
    let restricted = |link: &Link| super::layout::label(&link.look).is_some();
    say(links.iter().any(restricted), "[…]: only for these");
    say((0..drawing.nodes.len()).any(|at| drawing.stays(at)), "↻ may stay as it is");
    legend
}

/// `text` as XML, without what no XML may hold.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::drawing::tests::drawing;
    use super::*;

    use proptest::prelude::*;

    #[test]
    fn names_and_reasons_are_escaped() {
        let text = draw(&drawing(
            &["<a>&\"", "b"],
            &[("<a>&\"", "b", Ok("x<y")), ("b", "<a>&\"", Err("no </title>\u{1}"))],
        ));
        let svg = roxmltree::Document::parse(&text).expect("well-formed");
        let told: Vec<_> = svg.descendants().filter_map(|node| node.text()).collect();
        for said in ["<a>&\"", "[role x<y]", "b → <a>&\" is refused: no </title> "] {
            assert!(told.contains(&said), "{said}: {told:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_graph_no_two_states_overlap(
            (names, steps) in (1..16_usize).prop_flat_map(|states| (
                prop::collection::vec(0..5_usize, states),
                prop::collection::vec((0..states, 0..states, 0..3_usize), 0..40),
            )),
        ) {
            let names: Vec<String> =
                names.iter().enumerate().map(|(at, first)| format!("{first}/{at}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let said = [Ok(""), Ok("boss"), Err("never")];
            let steps: Vec<_> =
                steps.iter().map(|(from, to, how)| (names[*from], names[*to], said[*how])).collect();
            let drawing = drawing(&names, &steps);
            prop_assert!(roxmltree::Document::parse(&draw(&drawing)).is_ok());
            let picture = Picture::of(&drawing, &links(&drawing));
            for (at, one) in picture.nodes.iter().enumerate() {
                // But for what rounding leaves.
                prop_assert!(one.x >= -0.1 && one.y >= -0.1, "{one:?}");
                prop_assert!(one.x + one.width <= picture.width + 0.1, "{one:?} {picture:?}");
                for other in &picture.nodes[at + 1..] {
                    prop_assert!(!one.overlaps(other), "{one:?} {other:?}");
                }
            }
        }
    }
}
