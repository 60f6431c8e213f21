//! Pictures of state graphs: the shipped one, and one of twenty states.

use super::process::{Finished, patchgate};

use patchgate::config::{Source, load_policy, source};
use patchgate::policy::Caller;

use roxmltree::{Document, Node};

use std::collections::BTreeSet;
use std::path::Path;

const TWENTY: &str = "tests/data/graph/contract.yaml";

fn graph(arguments: &[&str]) -> String {
    let Finished { code, out, err } = patchgate(&[&["graph"], arguments].concat());
    assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}");
    out
}

/// The steps from one state to another that the shipped policy allows, by the names of the states.
fn steps() -> Vec<(String, String)> {
    let policy = load_policy(Source::Shipped, Path::new(source::REFERRALS_POLICY)).expect("valid");
    let graph = policy.routes.iter().find_map(|route| route.resource.as_ref()?.graph.as_ref());
    let graph = graph.expect("a graph");
    let mut steps = Vec::new();
    for (from, state) in graph.states().iter().enumerate() {
        let next = graph.next(from, Caller::default()).filter(|to| *to != &*state.name);
        steps.extend(next.map(|to| (state.name.to_string(), to.to_owned())));
    }
    assert_eq!(steps.len(), 16);
    steps
}

#[test]
fn every_step_of_the_shipped_policy_is_drawn_once_and_no_other() {
    let mermaid = graph(&[]);
    let dot = graph(&["--format", "dot"]);
    for (from, to) in steps() {
        let id = |name: &str| name.replace('/', "_");
        let line = format!("    {} --> {}\n", id(&from), id(&to));
        assert_eq!(mermaid.matches(&line).count(), 1, "{line}{mermaid}");
        let line = format!("    \"{from}\" -> \"{to}\"\n");
        assert_eq!(dot.matches(&line).count(), 1, "{line}{dot}");
    }
    let ends = mermaid.matches("--> [*]").count();
    assert_eq!((mermaid.matches("-->").count() - ends, ends), (16, 4), "{mermaid}");
    assert_eq!(dot.matches("->").count(), 16, "{dot}");
    assert!(mermaid.starts_with("stateDiagram-v2\n"), "{mermaid}");
}

#[test]
fn what_is_refused_and_what_may_stay_is_drawn_where_that_is_asked_for() {
    let all = graph(&["--all"]);
    assert_eq!(all.matches("-->").count(), 16 + 4 + 7, "{all}");
    let refused = graph(&["--refused", "--format", "dot"]);
    assert_eq!(refused.matches("style=dashed").count(), 12, "{refused}");
    assert!(refused.contains("tooltip=\"a closed referral stays as it was closed\""), "{refused}");
    let svg = graph(&["--policy", TWENTY, "--refused", "--format", "svg"]);
    assert!(!graph(&["--policy", TWENTY, "--format", "svg"]).contains("class=\"line refused\""));
    assert!(svg.contains("class=\"line refused\""), "{svg}");
    assert!(svg.contains("is refused: a closed contract is not opened again"), "{svg}");
}

#[test]
fn steps_that_are_not_everybodys_say_whose_they_are() {
    for format in ["mermaid", "dot", "svg"] {
        let drawn = graph(&["--policy", TWENTY, "--format", format]);
        for label in ["[role approver]", "[role owner, approver]", "[partner regulator]"] {
            assert!(drawn.contains(label), "{format} {label}: {drawn}");
        }
    }
}

fn number(node: Node<'_, '_>, name: &str) -> f64 {
    node.attribute(name).and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{name}"))
}

/// Left, top, right, bottom.
type Bounds = [f64; 4];

fn rectangles(svg: &Document<'_>, class: &str) -> Vec<Bounds> {
    let is = |node: &Node<'_, '_>| {
        let classes = node.attribute("class").unwrap_or_default();
        node.has_tag_name("rect") && classes.split(' ').any(|one| one == class)
    };
    let bounds = |node| {
        let (x, y) = (number(node, "x"), number(node, "y"));
        [x, y, x + number(node, "width"), y + number(node, "height")]
    };
    svg.descendants().filter(is).map(bounds).collect()
}

fn overlap(one: &Bounds, other: &Bounds) -> bool {
    one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3]
}

/// Points along a path of `M`, `L` and `C`.
fn points(path: &str) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = Vec::new();
    for part in path.split_inclusive(|c: char| "MLC".contains(c)).collect::<Vec<_>>().windows(2) {
        let kind = part[0].chars().last().expect("a letter");
        let numbers: Vec<f64> = part[1]
            .trim_end_matches(['M', 'L', 'C'])
            .split_whitespace()
            .map(|number| number.parse().expect("a number"))
            .collect();
        let end = (numbers[numbers.len() - 2], numbers[numbers.len() - 1]);
        let Some(&start) = points.last().filter(|_| kind != 'M') else {
            points.push(end);
            continue;
        };
        let (one, two) = match kind {
            'C' => ((numbers[0], numbers[1]), (numbers[2], numbers[3])),
            _ => (start, end),
        };
        for step in 1..=40 {
            let t = f64::from(step) / 40.0;
            let at = |a: f64, b: f64, c: f64, d: f64| {
                let u = 1.0 - t;
                a * u * u * u + 3.0 * b * t * u * u + 3.0 * c * t * t * u + d * t * t * t
            };
            points.push((at(start.0, one.0, two.0, end.0), at(start.1, one.1, two.1, end.1)));
        }
    }
    points
}

#[test]
fn the_picture_is_well_formed_stands_alone_and_nothing_in_it_overlaps() {
    for (arguments, states) in [
        (vec!["--format", "svg"], 7),
        (vec!["--format", "svg", "--policy", TWENTY], 20),
        (vec!["--format", "svg", "--policy", TWENTY, "--all", "--refused"], 20),
    ] {
        let text = graph(&arguments);
        let svg = Document::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let root = svg.root_element();
        assert_eq!(root.attribute("role"), Some("img"));
        assert!(root.children().any(|node| node.has_tag_name("title")));
        assert_eq!(text.matches("http").count(), 1, "the namespace is the only address");
        assert!(text.contains("prefers-color-scheme:dark"));

        let nodes = rectangles(&svg, "node");
        assert_eq!(nodes.len(), states);
        let boxes = rectangles(&svg, "box");
        for set in [&nodes, &boxes, &rectangles(&svg, "halo")] {
            for (at, one) in set.iter().enumerate() {
                assert!(!set[at + 1..].iter().any(|other| overlap(one, other)), "{one:?}");
            }
        }
        let titles: BTreeSet<_> = svg
            .descendants()
            .filter(|node| node.has_tag_name("g"))
            .filter_map(|group| group.first_element_child().filter(|n| n.has_tag_name("title")))
            .filter_map(|title| title.text())
            .collect();
        assert_eq!(titles.len(), states, "every state has its whole name");
        // No line runs through a state: it meets one only at its border.
        let lines = svg
            .descendants()
            .filter(|node| node.attribute("class").is_some_and(|class| class.starts_with("line")));
        let mut seen = 0;
        for line in lines {
            for (x, y) in points(line.attribute("d").expect("a path")) {
                let within = |[left, top, right, bottom]: &Bounds| {
                    x > left + 0.2 && x < right - 0.2 && y > top + 0.2 && y < bottom - 0.2
                };
                assert!(!nodes.iter().any(within), "{:?} at {x} {y}", line.attribute("d"));
            }
            seen += 1;
        }
        assert!(seen > 3, "{seen} lines");
    }
}

#[test]
fn a_picture_goes_where_it_is_told_and_what_cannot_be_drawn_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("graph.svg").display().to_string();
    assert_eq!(graph(&["--format", "svg", "--output", &file]), "");
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), graph(&["--format", "svg"]));
    let nowhere = folder.path().join("none/graph.svg").display().to_string();
    for (arguments, expected) in [
        (["--output", nowhere.as_str()], 2),
        (["--policy", "none.yaml"], 2),
        (["--format", "png"], 2),
        (["--resource", "none"], 1),
    ] {
        let Finished { code, err, .. } = patchgate(&[&["graph"], &arguments[..]].concat());
        assert_eq!(code, expected, "{arguments:?}: {err}");
        assert!(!err.is_empty());
    }
}

#[test]
fn the_document_shows_the_graph_of_the_shipped_policy_as_it_is() {
    let document = include_str!("../../docs/referrals-policy.md");
    let shown = document.split("```mermaid\n").nth(1).and_then(|rest| rest.split("```").next());
    assert_eq!(shown, Some(graph(&[]).as_str()), "write what `patchgate graph` prints into it");
}
