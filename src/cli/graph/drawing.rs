//! What a picture shows of a graph, whatever form it has.

use crate::policy::graph::{Graph, Takers};

/// States, boxes around those that share their first value, and arrows between states.
#[derive(Clone, Debug)]
pub struct Drawing {
    /// What the picture is of.
    pub title: String,
    /// The states, in the order of the policy.
    pub nodes: Vec<Node>,
    /// The boxes; every state is in one of them.
    pub boxes: Vec<Group>,
    /// The steps.
    pub arrows: Vec<Arrow>,
}

/// A state.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its name where it stands in its box.
    pub short: String,
    /// Whether documents begin in it.
    pub initial: bool,
    /// Whether they end in it.
    pub is_final: bool,
}

/// States that are drawn together. One alone has no name.
#[derive(Clone, Debug)]
pub struct Group {
    /// The first value, which they share.
    pub name: Option<String>,
    /// The states, by index.
    pub members: Vec<usize>,
}

/// A step.
#[derive(Clone, Debug)]
pub struct Arrow {
    /// The state that it leads from, by index.
    pub from: usize,
    /// The state that it leads to.
    pub to: usize,
    /// How it is drawn.
    pub look: Look,
}

/// How an arrow is drawn.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Look {
    /// It may be taken, by everybody or by those that the label names.
    Open(String),
    /// It is refused, for this reason.
    Refused(String),
}

/// What a picture shows beside the steps from one state to another.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Steps from a state to itself.
    pub stays: bool,
    /// Steps that are refused for a reason.
    pub refused: bool,
}

impl Drawing {
    /// What is to be shown of `graph`.
    pub fn of(graph: &Graph, title: String, wanted: Wanted) -> Self {
        let names: Vec<&str> = graph.states().iter().map(|state| &*state.name).collect();
        let boxes = boxes(&names);
        let mut nodes = Vec::new();
        for (at, name) in names.iter().enumerate() {
            let boxed = boxes.iter().any(|one| one.name.is_some() && one.members.contains(&at));
            let short = name.split_once('/').filter(|_| boxed).map_or(*name, |(_, rest)| rest);
            nodes.push(Node {
                name: (*name).to_owned(),
                short: short.to_owned(),
                initial: graph.initial().contains(&at),
                is_final: graph.finals().contains(&at),
            });
        }
        let mut arrows = Vec::new();
        for from in 0..names.len() {
            for to in (0..names.len()).filter(|to| wanted.stays || *to != from) {
                let Some(edge) = graph.edge(from, to) else { continue };
                let look = match &edge.reason {
                    _ if edge.allow => Look::Open(label(&edge.takers)),
                    Some(reason) if wanted.refused => Look::Refused(reason.clone()),
                    Some(_) | None => continue,
                };
                arrows.push(Arrow { from, to, look });
            }
        }
        Self { title, nodes, boxes, arrows }
    }

    /// Whether it shows that the state `at` may stay as it is.
    pub fn stays(&self, at: usize) -> bool {
        let open = |arrow: &Arrow| matches!(arrow.look, Look::Open(_));
        self.arrows.iter().any(|arrow| (arrow.from, arrow.to) == (at, at) && open(arrow))
    }
}

/// A box for each first value that several states share, unless all share it.
fn boxes(names: &[&str]) -> Vec<Group> {
    let first = |name: &str| name.split_once('/').map(|(first, _)| first.to_owned());
    let mut boxes: Vec<Group> = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let first = first(name);
        match boxes.iter_mut().find(|one| one.name.is_some() && one.name == first) {
            Some(one) => one.members.push(at),
            None => boxes.push(Group { name: first, members: vec![at] }),
        }
    }
    if let [Group { members, .. }] = boxes.as_slice() {
        boxes = members.iter().map(|at| Group { name: None, members: vec![*at] }).collect();
    }
    for one in boxes.iter_mut().filter(|one| one.members.len() == 1) {
        one.name = None;
    }
    boxes
}

fn label(takers: &Takers) -> String {
    let mut parts = Vec::new();
    for (what, named) in [("role", &takers.roles), ("partner", &takers.partners)] {
        if !named.is_empty() {
            parts.push(format!("{what} {}", named.join(", ")));
        }
    }
    if parts.is_empty() { String::new() } else { format!("[{}]", parts.join("; ")) }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::patch::Pointer;
    use crate::policy::graph::{Draft, Edge, Step};

    /// A graph of `names`, with steps from, to, and whether they are allowed, for which roles or
    /// for which reason.
    pub(in crate::cli::graph) fn drawing(
        names: &[&str],
        steps: &[(&str, &str, Result<&str, &str>)],
    ) -> Drawing {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let steps: Vec<Step> = (steps.iter())
            .map(|(from, to, said)| {
                let roles = said.iter().filter(|r| !r.is_empty()).map(ToString::to_string);
                let takers = Takers { partners: Vec::new(), roles: roles.collect() };
                let reason = said.err().map(str::to_owned);
                let edge = Edge { allow: said.is_ok(), takers, reason };
                Step { from: vec![(*from).to_owned()], to: vec![(*to).to_owned()], edge }
            })
            .collect();
        let fields = names[0].split('/').zip(["/a", "/b", "/c"]);
        let fields = fields.map(|(_, field)| Pointer::parse(field).expect("a pointer")).collect();
        let draft = Draft { names: &names, steps: &steps, ..Draft::default() };
        let graph = Graph::new(fields, draft).expect("a graph");
        Drawing::of(&graph, "p: r".into(), Wanted { stays: true, refused: true })
    }

    #[test]
    fn states_that_share_their_first_value_are_drawn_together() {
        let drawn = drawing(&["A/x", "B/y", "A/z"], &[("A/x", "B/y", Ok("boss"))]);
        let named = |one: &Group| (one.name.clone(), one.members.clone());
        let boxes: Vec<_> = drawn.boxes.iter().map(named).collect();
        assert_eq!(boxes, [(Some("A".into()), vec![0, 2]), (None, vec![1])]);
        let shorts: Vec<_> = drawn.nodes.iter().map(|node| node.short.as_str()).collect();
        assert_eq!(shorts, ["x", "B/y", "z"]);
        assert_eq!(drawn.arrows[0].look, Look::Open("[role boss]".into()));
        let alone = drawing(&["A/x", "A/z"], &[]);
        assert!(alone.boxes.iter().all(|one| one.name.is_none()), "one box for all says nothing");
    }
}
