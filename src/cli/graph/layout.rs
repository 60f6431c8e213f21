//! Where things stand: boxes in columns by how far they are from the beginning, lines through
//! places of their own in the columns that they cross.

use super::drawing::{Drawing, Look, Node};
use super::links::{End, Link};

/// The height of a state.
pub const NODE: f64 = 32.0;
/// What a box has above its states, and around them.
pub const HEAD: f64 = 30.0;
pub const PAD: f64 = 16.0;
/// Between two states of a box.
pub const BETWEEN: f64 = 26.0;
/// Between two boxes of a column, and around a line that crosses it.
const APART: f64 = 30.0;
const LANE: f64 = 15.0;
/// Between two columns, at least.
const GAP: f64 = 84.0;

/// What stands in a column: a box, or a line that crosses it.
#[derive(Clone, Debug)]
pub struct Spot {
    /// Its column.
    pub column: usize,
    /// The box, unless it is a line's.
    pub group: Option<usize>,
    /// Its size.
    pub width: f64,
    pub height: f64,
    /// Its middle.
    pub y: f64,
}

/// A piece of a line: from one column to the next.
#[derive(Clone, Copy, Debug)]
struct Piece {
    left: (usize, f64),
    right: (usize, f64),
}

/// The places of all.
#[derive(Clone, Debug)]
pub struct Layout {
    /// One for each box, and then those of the lines.
    pub spots: Vec<Spot>,
    /// For each line the spots that it goes through, from left to right.
    pub ways: Vec<Vec<usize>>,
    /// For each line whether it leads from right to left.
    pub back: Vec<bool>,
    /// The left and the right of each column.
    pub columns: Vec<(f64, f64)>,
}

/// How wide `text` is at 13 pixels, rather more than less.
pub fn width(text: &str) -> f64 {
    let of = |c: char| match c {
        'i' | 'j' | 'l' | 't' | 'f' | 'r' | 'I' | '.' | ',' | ':' | ';' | '/' | '|' | ' '
        | '\'' => 5.0,
        'm' | 'w' | 'M' | 'W' | '@' => 12.0,
        c if c.is_ascii_uppercase() => 9.6,
        c if c.is_ascii() => 8.0,
        _ => 13.0,
    };
    text.chars().map(of).sum()
}

/// The way in which the label of a line is written, if it has one.
pub fn label(look: &Look) -> Option<&str> {
    match look {
        Look::Open(label) => Some(label.as_str()).filter(|label| !label.is_empty()),
        Look::Refused(_) => None,
    }
}

/// The width that the states of the box `at` have.
pub fn inner_width(drawing: &Drawing, links: &[Link], at: usize) -> f64 {
    let Some(one) = drawing.boxes.get(at) else { return 0.0 };
    let names = one.members.iter().filter_map(|node| drawing.nodes.get(*node));
    let initial = |node: &Node| if node.initial { 16.0 } else { 0.0 };
    let stays = if one.members.iter().any(|node| drawing.stays(*node)) { 20.0 } else { 0.0 };
    let names = names.map(|node| width(&node.short) + 32.0 + initial(node) + stays);
    // A label between two states stands to the right of the middle.
    let inside = links.iter().filter(|link| link.boxes == (at, at));
    let labels = inside.filter_map(|link| label(&link.look)).map(|text| 2.0 * width(text));
    names.chain(labels).fold(84.0, f64::max)
}

/// How far lines within the box `at` bulge to its right.
pub fn bulge(drawing: &Drawing, links: &[Link], at: usize) -> f64 {
    let inside = links.iter().filter(|link| link.boxes == (at, at));
    let wide = |link: &Link| match reach(drawing, link) {
        0.0 => 0.0,
        reach => reach + label(&link.look).map_or(0.0, width),
    };
    inside.map(wide).fold(0.0, f64::max)
}

/// How far a line within a box bulges: not at all between two states that are neighbours.
pub fn reach(drawing: &Drawing, link: &Link) -> f64 {
    let place = |end: End| match end {
        End::Box(_) => 0,
        End::Node(node) => {
            let place = |members: &Vec<usize>| members.iter().position(|other| *other == node);
            drawing.boxes.iter().find_map(|one| place(&one.members)).unwrap_or_default()
        }
    };
    let steps = place(link.from).abs_diff(place(link.to));
    if steps > 1 { 10.0 + 12.0 * f64::from(u16::try_from(steps).unwrap_or(9)) } else { 0.0 }
}

/// How far beneath the middle of its box an end is.
pub fn offset(drawing: &Drawing, end: End, at: usize) -> f64 {
    let members = drawing.boxes.get(at).map_or(&[][..], |one| &one.members);
    let End::Node(node) = end else { return 0.0 };
    let place = members.iter().position(|other| *other == node).unwrap_or_default();
    let middle = (count(members.len()) - 1.0) / 2.0;
    let head = if members.len() > 1 { (HEAD - PAD) / 2.0 } else { 0.0 };
    (count(place) - middle) * (NODE + BETWEEN) + head
}

pub fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

impl Layout {
    /// The places of `drawing` and its `links`.
    pub fn of(drawing: &Drawing, links: &[Link]) -> Self {
        let order = order(drawing, links);
        let position = |at: usize| order.iter().position(|one| *one == at).unwrap_or_default();
        let back: Vec<bool> =
            links.iter().map(|link| position(link.boxes.0) > position(link.boxes.1)).collect();
        let mut columns = vec![0_usize; drawing.boxes.len()];
        for &at in &order {
            let before = links.iter().zip(&back).filter_map(|(link, back)| {
                let (left, right) = sides(link, *back);
                (right == at && left != at).then(|| columns.get(left).map_or(0, |c| c + 1))
            });
            let column = before.max().unwrap_or_default();
            if let Some(slot) = columns.get_mut(at) {
                *slot = column;
            }
        }
        let mut spots: Vec<Spot> = Vec::new();
        for (at, one) in drawing.boxes.iter().enumerate() {
            let column = columns.get(at).copied().unwrap_or_default();
            let (inner, members) = (inner_width(drawing, links, at), count(one.members.len()));
            let (width, height) = if one.name.is_some() {
                let title = width(one.name.as_deref().unwrap_or_default()) + 2.0 * PAD;
                let width = (inner + 2.0 * PAD + bulge(drawing, links, at)).max(title);
                (width, HEAD + members * (NODE + BETWEEN) - BETWEEN + PAD)
            } else {
                (inner, NODE)
            };
            spots.push(Spot { column, group: Some(at), width, height, y: 0.0 });
        }
        let (mut ways, mut pieces) = (Vec::new(), Vec::new());
        for (link, back) in links.iter().zip(&back) {
            let (left, right) = sides(link, *back);
            let mut way = Vec::new();
            if left != right {
                let column = |at: usize| columns.get(at).copied().unwrap_or_default();
                let (start, end) = if *back { (link.to, link.from) } else { (link.from, link.to) };
                let mut last = (left, offset(drawing, start, left));
                way.push(left);
                for column in column(left) + 1..column(right) {
                    spots.push(Spot { column, group: None, width: 0.0, height: 2.0, y: 0.0 });
                    let next = (spots.len() - 1, 0.0);
                    pieces.push(Piece { left: last, right: next });
                    way.push(next.0);
                    last = next;
                }
                pieces.push(Piece { left: last, right: (right, offset(drawing, end, right)) });
                way.push(right);
            }
            ways.push(way);
        }
        stand(&mut spots, &pieces);
        let columns = widths(&spots, links, &ways, &back);
        Self { spots, ways, back, columns }
    }
}

/// The boxes at the left and at the right of a line.
fn sides(link: &Link, back: bool) -> (usize, usize) {
    let (from, to) = link.boxes;
    if back { (to, from) } else { (from, to) }
}

/// The boxes in an order in which as few lines as may be lead back.
fn order(drawing: &Drawing, links: &[Link]) -> Vec<usize> {
    fn visit(
        at: usize,
        next: &dyn Fn(usize) -> Vec<usize>,
        seen: &mut Vec<usize>,
        done: &mut Vec<usize>,
    ) {
        if seen.contains(&at) {
            return;
        }
        seen.push(at);
        for to in next(at) {
            visit(to, next, seen, done);
        }
        done.push(at);
    }
    let open = |link: &&Link| matches!(link.look, Look::Open(_)) && link.boxes.0 != link.boxes.1;
    let next = |at: usize| {
        let mut next: Vec<usize> = (links.iter().filter(open))
            .filter_map(|link| match link.boxes {
                (from, to) if from == at => Some(to),
                (from, to) if to == at && link.both => Some(from),
                _ => None,
            })
            .collect();
        next.sort_unstable();
        next
    };
    let all = 0..drawing.boxes.len();
    let begins = |at: &usize| {
        let members = drawing.boxes.get(*at).map_or(&[][..], |one| &one.members);
        members.iter().filter_map(|node| drawing.nodes.get(*node)).any(|node| node.initial)
    };
    let led_to = |at: &usize| links.iter().filter(open).any(|link| link.boxes.1 == *at);
    let mut roots: Vec<usize> = all.clone().filter(begins).collect();
    roots.extend(all.clone().filter(|at| !led_to(at)));
    roots.extend(all);
    let (mut seen, mut trees) = (Vec::new(), Vec::new());
    for root in roots {
        let mut done = Vec::new();
        visit(root, &next, &mut seen, &mut done);
        done.reverse();
        trees.extend(done);
    }
    trees
}

/// Orders each column so that few lines cross, and gives everything its height.
fn stand(spots: &mut [Spot], pieces: &[Piece]) {
    let last = spots.iter().map(|spot| spot.column).max().unwrap_or_default();
    let mut columns: Vec<Vec<usize>> = vec![Vec::new(); last + 1];
    for (at, spot) in spots.iter().enumerate() {
        if let Some(column) = columns.get_mut(spot.column) {
            column.push(at);
        }
    }
    columns.iter().for_each(|column| place(spots, column, |_| None));
    let mut best: Option<(usize, Vec<Vec<usize>>)> = None;
    for round in 0..16 {
        let from_left = round % 2 == 0;
        let sweep: Vec<usize> =
            if from_left { (0..=last).collect() } else { (0..=last).rev().collect() };
        for at in sweep {
            let Some(column) = columns.get_mut(at) else { continue };
            let wish = |spot: usize| {
                pull(spots, pieces, spot, Some(from_left)).unwrap_or_else(|| height(spots, spot))
            };
            let mut keyed: Vec<(f64, usize)> = column.iter().map(|s| (wish(*s), *s)).collect();
            keyed.sort_by(|one, other| one.0.total_cmp(&other.0));
            *column = keyed.into_iter().map(|(_, spot)| spot).collect();
            let column = column.clone();
            let wishes: Vec<_> =
                column.iter().map(|spot| pull(spots, pieces, *spot, Some(from_left))).collect();
            place(spots, &column, |at| wishes.get(at).copied().flatten());
        }
        let crossed = crossings(spots, pieces);
        if best.as_ref().is_none_or(|(fewest, _)| crossed < *fewest) {
            best = Some((crossed, columns.clone()));
        }
    }
    let columns = best.map_or(columns, |(_, columns)| columns);
    columns.iter().for_each(|column| place(spots, column, |_| None));
    for round in 0..24 {
        let side = if round < 16 { Some(round % 2 == 0) } else { None };
        let sweep: Vec<usize> =
            if round % 2 == 0 { (0..=last).collect() } else { (0..=last).rev().collect() };
        for column in sweep.into_iter().filter_map(|at| columns.get(at)) {
            let wishes: Vec<_> =
                column.iter().map(|spot| pull(spots, pieces, *spot, side)).collect();
            place(spots, column, |at| wishes.get(at).copied().flatten());
        }
    }
}

fn height(spots: &[Spot], at: usize) -> f64 {
    spots.get(at).map_or(0.0, |spot| spot.y)
}

/// Where the lines at a spot would have it: those from its left, from its right, or all.
fn pull(spots: &[Spot], pieces: &[Piece], at: usize, left: Option<bool>) -> Option<f64> {
    let wishes = pieces.iter().filter_map(|piece| {
        let (own, other, is_left) = match (piece.left.0 == at, piece.right.0 == at) {
            (_, true) => (piece.right, piece.left, true),
            (true, _) => (piece.left, piece.right, false),
            (false, false) => return None,
        };
        left.is_none_or(|left| left == is_left).then(|| height(spots, other.0) + other.1 - own.1)
    });
    let (sum, number) = wishes.fold((0.0, 0.0), |(sum, number), y| (sum + y, number + 1.0));
    (number > 0.0).then(|| sum / number)
}

/// Gives the spots of a column heights as near to the wished ones as their sizes and order allow.
fn place(spots: &mut [Spot], column: &[usize], wish: impl Fn(usize) -> Option<f64>) {
    // Pools of neighbours that would overlap: the spots, their weight, and where the first goes.
    let mut pools: Vec<(usize, f64, f64)> = Vec::new();
    let (mut shift, mut shifts) = (0.0, Vec::new());
    let mut above: Option<(f64, bool)> = None;
    for (at, spot) in column.iter().filter_map(|at| spots.get(*at)).enumerate() {
        if let Some((half, line)) = above {
            let between = if line || spot.group.is_none() { LANE } else { APART };
            shift += half + between + spot.height / 2.0;
        }
        above = Some((spot.height / 2.0, spot.group.is_none()));
        shifts.push(shift);
        let wished = wish(at).unwrap_or(spot.y) - shift;
        let mut pool = (1, if spot.group.is_none() { 3.0 } else { 1.0 }, wished);
        while let Some(last) = pools.pop_if(|last| last.2 > pool.2) {
            let weight = last.1 + pool.1;
            pool = (last.0 + pool.0, weight, (last.1 * last.2 + pool.1 * pool.2) / weight);
        }
        pools.push(pool);
    }
    let heights = pools.iter().flat_map(|(number, _, y)| std::iter::repeat_n(*y, *number));
    for ((at, y), shift) in column.iter().zip(heights).zip(shifts) {
        if let Some(spot) = spots.get_mut(*at) {
            spot.y = y + shift;
        }
    }
}

fn crossings(spots: &[Spot], pieces: &[Piece]) -> usize {
    let ends = |piece: &Piece| {
        let y = |(at, offset): (usize, f64)| height(spots, at) + offset;
        let column = spots.get(piece.left.0).map_or(0, |spot| spot.column);
        (column, y(piece.left), y(piece.right))
    };
    let all: Vec<_> = pieces.iter().map(ends).collect();
    let crosses = |one: &(usize, f64, f64), other: &(usize, f64, f64)| {
        one.0 == other.0 && (one.1 - other.1) * (one.2 - other.2) < -0.01
    };
    let number = |(at, one)| all.iter().skip(at + 1).filter(|other| crosses(one, other)).count();
    all.iter().enumerate().map(number).sum()
}

/// The left and right of each column; between them is room for the labels.
fn widths(spots: &[Spot], links: &[Link], ways: &[Vec<usize>], back: &[bool]) -> Vec<(f64, f64)> {
    let last = spots.iter().map(|spot| spot.column).max().unwrap_or_default();
    let mut columns = Vec::new();
    let mut left = 0.0;
    for at in 0..=last {
        let own = spots.iter().filter(|spot| spot.column == at);
        let width = own.map(|spot| spot.width).fold(0.0, f64::max);
        columns.push((left, left + width));
        // Labels of lines to the right stand at the left of the gap, and the others at its right.
        let labels = |leads_back: bool| {
            let all = links.iter().zip(ways).zip(back).filter(|(_, back)| **back == leads_back);
            let here = all.filter(|((_, way), back)| {
                let spot = labelled(way, **back).and_then(|spot| spots.get(spot));
                spot.is_some_and(|spot| spot.column == at)
            });
            let texts = here.filter_map(|((link, _), _)| label(&link.look));
            texts.map(|text| self::width(text) + 20.0).fold(0.0, f64::max)
        };
        left += width + labels(false) + labels(true) + GAP;
    }
    columns
}

/// The spot to whose right the label of a line stands: where the line begins.
pub fn labelled(way: &[usize], back: bool) -> Option<usize> {
    if back { way.iter().rev().nth(1).copied() } else { way.first().copied() }
}
