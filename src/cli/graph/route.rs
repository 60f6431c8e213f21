//! How lines run: from port to port, level within columns and curved between them.

use super::drawing::{Drawing, Look};
use super::layout::{self, BETWEEN, HEAD, Layout, NODE, PAD};
use super::links::{End, Link};

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A rectangle: a state, a box, or a label.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rect {
    /// Its left upper corner.
    pub x: f64,
    pub y: f64,
    /// Its size.
    pub width: f64,
    pub height: f64,
}

/// A line as it is drawn.
#[derive(Clone, Debug)]
pub struct Line {
    /// The `d` of its path, in the direction in which it leads.
    pub path: String,
    /// Where its label stands, if it has one.
    pub label: Option<Rect>,
    /// Whether it leads back to an earlier column.
    pub back: bool,
}

/// Everything with its place.
#[derive(Clone, Debug)]
pub struct Picture {
    /// One for each state.
    pub nodes: Vec<Rect>,
    /// One for each box.
    pub boxes: Vec<Rect>,
    /// One for each line.
    pub lines: Vec<Line>,
    /// The size of all.
    pub width: f64,
    pub height: f64,
}

type Point = (f64, f64);

/// How much longer than its label a line runs level.
const RUN: f64 = 16.0;

impl Rect {
    /// Whether they have more than a border in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.x < other.x + other.width
            && other.x < self.x + self.width
            && self.y < other.y + other.height
            && other.y < self.y + self.height
    }

    fn right(&self) -> f64 {
        self.x + self.width
    }

    fn middle(&self) -> f64 {
        self.y + self.height / 2.0
    }
}

impl Picture {
    /// Where everything is that `drawing` and its `links` show.
    pub fn of(drawing: &Drawing, links: &[Link]) -> Self {
        let layout = Layout::of(drawing, links);
        let top = layout.spots.iter().map(|spot| spot.y - spot.height / 2.0).fold(0.0, f64::min);
        let mut boxes = Vec::new();
        let mut nodes = vec![Rect::default(); drawing.nodes.len()];
        for (at, (one, spot)) in drawing.boxes.iter().zip(&layout.spots).enumerate() {
            let (left, right) = layout.columns.get(spot.column).copied().unwrap_or_default();
            let x = (left + right - spot.width) / 2.0;
            let (y, height) = (spot.y - spot.height / 2.0 - top, spot.height);
            boxes.push(Rect { x, y, width: spot.width, height });
            let width = layout::inner_width(drawing, links, at);
            for &node in &one.members {
                let y = spot.y - top + layout::offset(drawing, End::Node(node), at) - NODE / 2.0;
                let x = if one.name.is_some() { x + PAD } else { x };
                if let Some(slot) = nodes.get_mut(node) {
                    *slot = Rect { x, y, width, height: NODE };
                }
            }
        }
        let mut picture = Self { nodes, boxes, lines: Vec::new(), width: 0.0, height: 0.0 };
        let ports = picture.ports(drawing, links, &layout, top);
        let mut labels: Vec<Rect> = Vec::new();
        for (at, link) in links.iter().enumerate() {
            let way = layout.ways.get(at).map_or(&[][..], Vec::as_slice);
            let back = layout.back.get(at).copied().unwrap_or_default();
            let line = if way.is_empty() {
                picture.within(drawing, links, at)
            } else {
                let points = picture.points(link, way, &layout, (at, &ports), top);
                across(link, points, back, &labels)
            };
            labels.extend(line.label);
            picture.lines.push(line);
        }
        let lowest = layout.spots.iter().map(|spot| spot.y + spot.height / 2.0 - top);
        picture.height = lowest.fold(0.0, f64::max);
        picture.width = layout.columns.last().map_or(0.0, |column| column.1);
        picture
    }

    /// The rectangle of an end.
    fn rect(&self, end: End) -> Rect {
        let found = match end {
            End::Box(at) => self.boxes.get(at),
            End::Node(at) => self.nodes.get(at),
        };
        found.copied().unwrap_or_default()
    }

    /// The heights at which lines meet their ends: by line, and whether it is its left end.
    fn ports(
        &self,
        drawing: &Drawing,
        links: &[Link],
        layout: &Layout,
        top: f64,
    ) -> BTreeMap<(usize, bool), f64> {
        let mut meeting: BTreeMap<(End, bool), Vec<(f64, usize)>> = BTreeMap::new();
        for (at, link) in links.iter().enumerate() {
            let Some(way) = layout.ways.get(at).filter(|way| !way.is_empty()) else { continue };
            let back = layout.back.get(at).copied().unwrap_or_default();
            let (left, right) = if back { (link.to, link.from) } else { (link.from, link.to) };
            let seen =
                |step: Option<&usize>, end: End| match step.and_then(|s| layout.spots.get(*s)) {
                    Some(spot) if spot.group.is_none() => spot.y - top,
                    Some(_) | None => self.rect(end).middle(),
                };
            meeting.entry((left, true)).or_default().push((seen(way.get(1), right), at));
            meeting
                .entry((right, false))
                .or_default()
                .push((seen(way.iter().nth_back(1), left), at));
        }
        let mut ports = BTreeMap::new();
        for ((end, is_left), mut lines) in meeting {
            lines.sort_by(|one, other| one.0.total_cmp(&other.0));
            let heights = self.heights(drawing, end, &lines);
            ports.extend(lines.iter().zip(heights).map(|((_, at), y)| ((*at, is_left), y)));
        }
        ports
    }

    /// A height for each of the `lines` that meet at `end`. Those at a box meet it between its
    /// states, so that they are not taken for lines that go on to one.
    fn heights(&self, drawing: &Drawing, end: End, lines: &[(f64, usize)]) -> Vec<f64> {
        let rect = self.rect(end);
        let number = layout::count(lines.len());
        let End::Box(at) = end else {
            let step = (20.0 / (number - 1.0).max(1.0)).min(9.0);
            let first = rect.middle() - step * (number - 1.0) / 2.0;
            return (0..lines.len()).map(|place| first + step * layout::count(place)).collect();
        };
        let members = drawing.boxes.get(at).map_or(0, |one| one.members.len());
        let first = rect.y + HEAD + NODE + BETWEEN / 2.0;
        let between = (1..members).map(|gap| first + layout::count(gap - 1) * (NODE + BETWEEN));
        let mut slots: Vec<f64> = std::iter::once(rect.y + HEAD / 2.0).chain(between).collect();
        slots.push(rect.y + rect.height - PAD / 2.0);
        let all = slots.clone();
        let mut heights: Vec<f64> = lines
            .iter()
            .enumerate()
            .map(|(place, (wish, _))| {
                if slots.is_empty() {
                    slots = all
                        .iter()
                        .map(|y| y + 5.0 * layout::count(1 + place / all.len()))
                        .collect();
                }
                let near = |one: &(usize, &f64), other: &(usize, &f64)| {
                    (one.1 - wish).abs().total_cmp(&(other.1 - wish).abs())
                };
                let nearest = slots.iter().enumerate().min_by(near).map_or(0, |(at, _)| at);
                slots.remove(nearest)
            })
            .collect();
        heights.sort_by(f64::total_cmp);
        heights
    }

    /// The points of a line between two boxes, from left to right: level, curved, level, and so on.
    fn points(
        &self,
        link: &Link,
        way: &[usize],
        layout: &Layout,
        (at, ports): (usize, &BTreeMap<(usize, bool), f64>),
        top: f64,
    ) -> Vec<Point> {
        let back = layout.back.get(at).copied().unwrap_or_default();
        let (left, right) = if back { (link.to, link.from) } else { (link.from, link.to) };
        let port = |is_left| ports.get(&(at, is_left)).copied().unwrap_or_default();
        let column = |spot: Option<&usize>| {
            let spot = spot.and_then(|spot| layout.spots.get(*spot));
            spot.and_then(|spot| layout.columns.get(spot.column)).copied().unwrap_or_default()
        };
        let mut points =
            vec![(self.rect(left).right(), port(true)), (column(way.first()).1, port(true))];
        for spot in way.iter().skip(1).take(way.len().saturating_sub(2)) {
            let (start, end) = column(Some(spot));
            let y = layout.spots.get(*spot).map_or(0.0, |spot| spot.y - top);
            points.extend([(start, y), (end, y)]);
        }
        points.extend([(column(way.last()).0, port(false)), (self.rect(right).x, port(false))]);
        points
    }

    /// A line between two states of one box: straight between neighbours, else round the right.
    fn within(&self, drawing: &Drawing, links: &[Link], at: usize) -> Line {
        let Some(link) = links.get(at) else {
            return Line { path: String::new(), label: None, back: false };
        };
        let (from, to) = (self.rect(link.from), self.rect(link.to));
        let down = from.y < to.y;
        let text = layout::label(&link.look).map(layout::width);
        let label = |x: f64, y: f64| text.map(|width| Rect { x, y: y - 8.0, width, height: 16.0 });
        let reach = layout::reach(drawing, link);
        if reach > 0.0 {
            // The longer one of two lines meets a state nearer to its middle.
            let turn = (16.0 - reach / 11.0).max(4.0) * if down { 1.0 } else { -1.0 };
            let (x, y, end) = (from.right(), from.middle() + turn, to.middle() - turn);
            let far = x + reach;
            let path = format!("M{x:.1} {y:.1}C{far:.1} {y:.1} {far:.1} {end:.1} {x:.1} {end:.1}");
            return Line {
                path,
                label: label(x + reach * 0.75 + 4.0, (y + end) / 2.0),
                back: !down,
            };
        }
        let same = |other: &&Link| (other.from, other.to) == (link.to, link.from);
        let twin = links.iter().any(|other| same(&other));
        let side = match (twin, down) {
            (false, _) => 0.0,
            (true, true) => -10.0,
            (true, false) => 10.0,
        };
        let x = from.x + from.width / 2.0 + side;
        let (start, end) = if down { (from.y + NODE, to.y) } else { (from.y, to.y + NODE) };
        let path = format!("M{x:.1} {start:.1}L{x:.1} {end:.1}");
        let place = if twin && down { x - 6.0 - text.unwrap_or_default() } else { x + 6.0 };
        Line { path, label: label(place, (start + end) / 2.0), back: !down }
    }
}

/// Points of the curve from `start` to `end`.
fn curve(start: Point, end: Point) -> impl Iterator<Item = Point> {
    (1..10_u8).map(move |step| {
        let t = f64::from(step) / 10.0;
        let (u, half) = (1.0 - t, (start.0 + end.0) / 2.0);
        let x = start.0 * u * u * u + 3.0 * half * t * u + end.0 * t * t * t;
        (x, start.1 + (end.1 - start.1) * t * t * (3.0 - 2.0 * t))
    })
}

/// The line through `points`. Its label stands where it begins, on a level run of its own; where
/// another stands there, further on.
fn across(link: &Link, mut points: Vec<Point>, back: bool, labels: &[Rect]) -> Line {
    if back {
        points.reverse();
    }
    let width = layout::label(&link.look).map(|text| layout::width(text) + 4.0);
    let mut path = String::new();
    let mut label = None;
    let mut last: Option<Point> = None;
    for (at, point) in points.iter().enumerate() {
        let (x, y) = *point;
        match last {
            None => {
                let _ = write!(path, "M{x:.1} {y:.1}");
            }
            Some((before, _)) if at % 2 == 1 => {
                if (before - x).abs() > 0.05 {
                    let _ = write!(path, "L{x:.1} {y:.1}");
                }
            }
            Some((mut before, height)) => {
                if let Some(width) = width.filter(|_| label.is_none()) {
                    let run = if x > before { width + RUN } else { -width - RUN };
                    let level = |at: f64| Rect {
                        x: at - width / 2.0,
                        y: height - 8.0,
                        width,
                        height: 16.0,
                    };
                    let free = |rect: &Rect| !labels.iter().any(|other| other.overlaps(rect));
                    let curve = curve((before + run, height), *point).map(|(x, y)| Rect {
                        x: x - width / 2.0,
                        y: y - 8.0,
                        width,
                        height: 16.0,
                    });
                    let first = level(before + run / 2.0);
                    label = Some(std::iter::once(first).chain(curve).find(free).unwrap_or(first));
                    before += run;
                    let _ = write!(path, "L{before:.1} {height:.1}");
                }
                let half = (before + x) / 2.0;
                let _ = write!(path, "C{half:.1} {height:.1} {half:.1} {y:.1} {x:.1} {y:.1}");
            }
        }
        last = Some(*point);
    }
    Line { path, label, back: back && matches!(link.look, Look::Open(_)) }
}
