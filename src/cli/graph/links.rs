//! The lines of a picture: where a whole box leads, or is led to, one line stands for many steps.

use super::drawing::{Arrow, Drawing, Look};

use std::collections::BTreeMap;

/// Where a line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// At a box: the line is for every state in it.
    Box(usize),
    /// At a state.
    Node(usize),
}

/// A line, from left to right or not.
#[derive(Clone, Debug)]
pub struct Link {
    /// Where it comes from.
    pub from: End,
    /// Where it leads.
    pub to: End,
    /// The boxes of both.
    pub boxes: (usize, usize),
    /// How it is drawn.
    pub look: Look,
    /// Whether it stands for the way back as well.
    pub both: bool,
}

impl Link {
    /// The steps that it stands for, by their states.
    pub fn steps<'d>(&self, drawing: &'d Drawing) -> Vec<(&'d str, &'d str)> {
        let is_at = |end: End, node: usize| match end {
            End::Box(at) => drawing.boxes.get(at).is_some_and(|one| one.members.contains(&node)),
            End::Node(at) => at == node,
        };
        let name = |at: usize| drawing.nodes.get(at).map_or("", |node| node.name.as_str());
        let stands_for = |arrow: &&Arrow| {
            let there = is_at(self.from, arrow.from) && is_at(self.to, arrow.to);
            let back = self.both && is_at(self.to, arrow.from) && is_at(self.from, arrow.to);
            arrow.look == self.look && arrow.from != arrow.to && (there || back)
        };
        let steps = drawing.arrows.iter().filter(stands_for);
        steps.map(|arrow| (name(arrow.from), name(arrow.to))).collect()
    }
}

/// The lines of `drawing`, without those from a state to itself.
pub fn links(drawing: &Drawing) -> Vec<Link> {
    let home = |node: usize| {
        drawing.boxes.iter().position(|one| one.members.contains(&node)).unwrap_or_default()
    };
    let mut sets: BTreeMap<(usize, usize, Look), Vec<(usize, usize)>> = BTreeMap::new();
    for Arrow { from, to, look } in drawing.arrows.iter().filter(|arrow| arrow.from != arrow.to) {
        sets.entry((home(*from), home(*to), look.clone())).or_default().push((*from, *to));
    }
    let mut links: Vec<Link> = Vec::new();
    for ((out, into, look), mut pairs) in sets {
        let mut ends: Vec<(End, End)> = Vec::new();
        if out != into {
            collapse(drawing, (out, into), &mut pairs, &mut ends);
        }
        ends.extend(pairs.iter().map(|(from, to)| (End::Node(*from), End::Node(*to))));
        for (from, to) in ends {
            let back = links
                .iter_mut()
                .find(|link| (link.from, link.to) == (to, from) && link.look == look && !link.both);
            match back {
                Some(back) => back.both = true,
                None => {
                    let look = look.clone();
                    links.push(Link { from, to, boxes: (out, into), look, both: false });
                }
            }
        }
    }
    links
}

/// Takes out of `pairs` what lines from or to a whole box can stand for.
fn collapse(
    drawing: &Drawing,
    (out, into): (usize, usize),
    pairs: &mut Vec<(usize, usize)>,
    ends: &mut Vec<(End, End)>,
) {
    let members = |at: usize| drawing.boxes.get(at).map_or(&[][..], |one| &one.members);
    let (sources, targets) = (members(out), members(into));
    let whole = |at: usize, members: &[usize]| match members {
        [only] => End::Node(*only),
        _ => End::Box(at),
    };
    if pairs.len() == sources.len() * targets.len() {
        pairs.clear();
        return ends.push((whole(out, sources), whole(into, targets)));
    }
    for to in targets.iter().filter(|_| sources.len() > 1) {
        if sources.iter().all(|from| pairs.contains(&(*from, *to))) {
            pairs.retain(|(_, other)| other != to);
            ends.push((End::Box(out), End::Node(*to)));
        }
    }
    for from in sources.iter().filter(|_| targets.len() > 1) {
        if targets.iter().all(|to| pairs.contains(&(*from, *to))) {
            pairs.retain(|(other, _)| other != from);
            ends.push((End::Node(*from), End::Box(into)));
        }
    }
}
