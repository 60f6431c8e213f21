//! A document of which only a part is known: what a patch tells about its result by itself.

use super::{Op, Patch, Pointer, pointer};
use crate::json::Value;

use std::collections::BTreeMap;

/// What is known of one place in a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Known<'v, 'a> {
    /// This value stands there.
    Value(&'v Value<'a>),
    /// Nothing stands there.
    Absent,
    /// Anything may stand there, or nothing.
    Unknown,
}

/// A document in which each place is a known value, absent, or unknown.
#[derive(Clone, Debug)]
pub struct Partial<'v, 'a> {
    root: Node<'v, 'a>,
}

#[derive(Clone, Debug)]
enum Node<'v, 'a> {
    /// Nothing is known of it or of anything beneath.
    Unknown,
    /// Nothing stands here.
    Absent,
    /// Exactly this value stands here.
    Is(&'v Value<'a>),
    /// An object with exactly these members.
    Object(BTreeMap<String, Self>),
    /// An array of known length.
    Array(Vec<Self>),
    /// An object or an array, of which some members or elements are known.
    Open(BTreeMap<String, Self>),
}

impl<'v, 'a> Partial<'v, 'a> {
    /// A document of which nothing is known.
    pub fn unknown() -> Self {
        Self { root: Node::Unknown }
    }

    /// What is known before and after `patch` is applied to a document of which nothing is known but
    /// that these values stand at these places.
    ///
    /// What a `test` anchors is known before, and after unless a later op changes it.
    pub fn around(patch: &'v Patch<'a>, known: &'v [(Pointer<'a>, Value<'a>)]) -> (Self, Self) {
        let mut before = Self::unknown();
        for (pointer, value) in known {
            before.replace(pointer, Node::Is(value));
        }
        let mut after = before.clone();
        for (index, op) in patch.ops.iter().enumerate() {
            match op {
                Op::Add { path, value } => after.add(path, Node::Is(value)),
                Op::Replace { path, value } => after.replace(path, Node::Is(value)),
                Op::Open { path } => after.open_object(path),
                Op::Remove { path } | Op::Unset { path } => drop(after.remove(path)),
                Op::Copy { from, path } => {
                    let copied = after.node(from);
                    after.add(path, copied);
                }
                Op::Move { from, path } => {
                    let moved = after.remove(from);
                    after.add(path, moved);
                }
                Op::Test { path, value } => {
                    let earlier = patch.effects().take_while(|effect| effect.op < index);
                    let untouched = !earlier.into_iter().any(|effect| effect.may_change(path));
                    if untouched {
                        before.replace(path, Node::Is(value));
                    }
                    after.replace(path, Node::Is(value));
                }
            }
        }
        (before, after)
    }

    /// What is known of the place at `pointer`.
    ///
    /// A container that was written to in part counts as unknown: its parts can be asked for.
    pub fn at(&self, pointer: &Pointer<'_>) -> Known<'v, 'a> {
        match self.node(pointer) {
            Node::Is(value) => Known::Value(value),
            Node::Absent => Known::Absent,
            Node::Unknown | Node::Object(_) | Node::Array(_) | Node::Open(_) => Known::Unknown,
        }
    }

    fn node(&self, pointer: &Pointer<'_>) -> Node<'v, 'a> {
        let mut node = &self.root;
        let mut tokens = pointer.tokens();
        while let Some(token) = tokens.next() {
            node = match node {
                Node::Unknown => return Node::Unknown,
                Node::Absent => return Node::Absent,
                Node::Is(value) => {
                    let inner = tokens.try_fold(step(value, &token), |value, token| {
                        value.map(|value| step(value, &token))
                    });
                    return inner.flatten().map_or(Node::Absent, Node::Is);
                }
                Node::Object(members) => match members.get(&*token) {
                    Some(node) => node,
                    None => return Node::Absent,
                },
                Node::Array(elements) => {
                    match pointer::index(&token).and_then(|index| elements.get(index)) {
                        Some(node) => node,
                        None => return Node::Absent,
                    }
                }
                Node::Open(members) => match members.get(&*token) {
                    Some(node) => node,
                    None => return Node::Unknown,
                },
            };
        }
        node.clone()
    }

    fn open_object(&mut self, path: &Pointer<'_>) {
        match self.node(path) {
            Node::Object(_) | Node::Is(Value::Object(_)) => {}
            Node::Unknown | Node::Open(_) => drop(self.open(path)),
            Node::Absent | Node::Array(_) | Node::Is(_) => {
                self.add(path, Node::Object(BTreeMap::new()));
            }
        }
    }

    fn add(&mut self, path: &Pointer<'_>, node: Node<'v, 'a>) {
        let Some((parent, last)) = path.split_last() else {
            self.root = node;
            return;
        };
        match self.open(&parent) {
            Node::Object(members) => drop(members.insert(last.into_owned(), node)),
            Node::Array(elements) if last == "-" => elements.push(node),
            Node::Array(elements) => match pointer::index(&last) {
                Some(index) if index <= elements.len() => elements.insert(index, node),
                // The op fails, and with it the patch: there is no result to know.
                _ => self.root = Node::Unknown,
            },
            Node::Open(members) => {
                if let Some(place) = pointer::index(&last) {
                    forget_from(members, place);
                }
                // In an array `-` is past the end, in an object it is a name like any other.
                let node = if last == "-" { Node::Unknown } else { node };
                members.insert(last.into_owned(), node);
            }
            Node::Unknown | Node::Absent | Node::Is(_) => self.root = Node::Unknown,
        }
    }

    fn replace(&mut self, path: &Pointer<'_>, node: Node<'v, 'a>) {
        let Some((parent, last)) = path.split_last() else {
            self.root = node;
            return;
        };
        match self.open(&parent) {
            Node::Object(members) | Node::Open(members) => {
                members.insert(last.into_owned(), node);
            }
            Node::Array(elements) => {
                match pointer::index(&last).and_then(|index| elements.get_mut(index)) {
                    Some(slot) => *slot = node,
                    None => self.root = Node::Unknown,
                }
            }
            Node::Unknown | Node::Absent | Node::Is(_) => self.root = Node::Unknown,
        }
    }

    fn remove(&mut self, path: &Pointer<'_>) -> Node<'v, 'a> {
        let removed = self.node(path);
        let Some((parent, last)) = path.split_last() else {
            self.root = Node::Absent;
            return removed;
        };
        match self.open(&parent) {
            Node::Object(members) => drop(members.remove(&*last)),
            Node::Array(elements) => match pointer::index(&last) {
                Some(index) if index < elements.len() => drop(elements.remove(index)),
                _ => self.root = Node::Unknown,
            },
            Node::Open(members) => match pointer::index(&last) {
                // In an array what comes after moves up; in an object it is gone.
                Some(place) => forget_from(members, place),
                None => drop(members.insert(last.into_owned(), Node::Absent)),
            },
            Node::Unknown | Node::Absent | Node::Is(_) => self.root = Node::Unknown,
        }
        removed
    }

    /// The container at `pointer`, opened so that its parts can be set; what lies on the way is
    /// taken to exist, since the op could not be applied otherwise.
    fn open(&mut self, pointer: &Pointer<'_>) -> &mut Node<'v, 'a> {
        let mut node = &mut self.root;
        node.unfold();
        for token in pointer.tokens() {
            node = match node {
                Node::Object(members) => members.entry(token.into_owned()).or_insert(Node::Absent),
                Node::Open(members) => members.entry(token.into_owned()).or_insert(Node::Unknown),
                Node::Array(elements) => {
                    // Past the end the op fails; any element will do to say that nothing is known.
                    let index = pointer::index(&token).filter(|index| *index < elements.len());
                    let index = index.unwrap_or_else(|| {
                        elements.push(Node::Absent);
                        elements.len() - 1
                    });
                    #[allow(
                        clippy::indexing_slicing,
                        reason = "INVARIANT: index < len, from above"
                    )]
                    &mut elements[index]
                }
                Node::Unknown | Node::Absent | Node::Is(_) => return node,
            };
            node.unfold();
        }
        node
    }
}

impl<'v, 'a> Node<'v, 'a> {
    /// Turns a known container into its parts, and an unknown one into an open one.
    fn unfold(&mut self) {
        match self {
            Self::Unknown => *self = Self::Open(BTreeMap::new()),
            Self::Is(Value::Object(members)) => {
                let members =
                    members.iter().map(|(name, value)| (name.to_string(), Self::Is(value)));
                *self = Self::Object(members.collect());
            }
            Self::Is(Value::Array(elements)) => {
                *self = Self::Array(elements.iter().map(Self::Is).collect());
            }
            Self::Absent | Self::Is(_) | Self::Object(_) | Self::Array(_) | Self::Open(_) => {}
        }
    }
}

/// What `token` leads to within `value`.
fn step<'v, 'a>(value: &'v Value<'a>, token: &str) -> Option<&'v Value<'a>> {
    match value {
        Value::Object(members) => members.get(token),
        Value::Array(elements) => elements.get(pointer::index(token)?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Forgets what is known of the elements at `place` and after it.
fn forget_from(members: &mut BTreeMap<String, Node<'_, '_>>, place: usize) {
    for (token, node) in members.iter_mut() {
        if pointer::index(token).is_some_and(|index| index >= place) {
            *node = Node::Unknown;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Bounds, read};
    use crate::patch::{UnknownMembers, apply};
    use proptest::prelude::*;

    fn after(patch: &str, at: &str) -> String {
        let patch = Patch::from(patch);
        assert!(!patch.ops.is_empty(), "an unreadable patch");
        let (_, after) = Partial::around(&patch, &[]);
        match after.at(&Pointer::parse(at.to_owned()).expect("well-formed")) {
            Known::Value(value) => value.to_string(),
            Known::Absent => "absent".into(),
            Known::Unknown => "unknown".into(),
        }
    }

    #[test]
    fn a_patch_tells_what_it_sets_and_what_it_takes_away() {
        let patch = r#"[{"op":"replace","path":"/details","value":{"notes":"n"}}]"#;
        assert_eq!(after(patch, "/details/notes"), r#""n""#);
        assert_eq!(after(patch, "/details/dealValue"), "absent");
        assert_eq!(after(patch, "/status"), "unknown");
        assert_eq!(after(r#"[{"op":"remove","path":"/status"}]"#, "/status"), "absent");
        let moved = r#"[{"op":"add","path":"/a","value":1},{"op":"move","from":"/a","path":"/b"}]"#;
        assert_eq!((after(moved, "/b"), after(moved, "/a")), ("1".into(), "absent".into()));
        let twice = r#"[{"op":"add","path":"/a","value":1},{"op":"add","path":"/a","value":2}]"#;
        assert_eq!(after(twice, "/a"), "2");
    }

    #[test]
    fn elements_behind_an_insertion_are_forgotten() {
        let patch =
            r#"[{"op":"replace","path":"/t/1","value":1},{"op":"add","path":"/t/0","value":0}]"#;
        assert_eq!((after(patch, "/t/0"), after(patch, "/t/1")), ("0".into(), "unknown".into()));
    }

    #[test]
    fn a_test_anchors_what_no_earlier_op_has_touched() {
        let patch = Patch::from(
            r#"[{"op":"test","path":"/s","value":"A"},{"op":"replace","path":"/s","value":"B"},
            {"op":"test","path":"/s","value":"B"}]"#,
        );
        let (before, after) = Partial::around(&patch, &[]);
        let s = Pointer::parse("/s").expect("well-formed");
        assert_eq!(before.at(&s), Known::Value(&Value::String("A".into())));
        assert_eq!(after.at(&s), Known::Value(&Value::String("B".into())));
    }

    fn document() -> impl Strategy<Value = String> {
        let leaf =
            prop_oneof![Just("1".to_owned()), Just("\"x\"".to_owned()), Just("null".to_owned())];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3)
                    .prop_map(|v| format!("[{}]", v.join(","))),
                prop::collection::btree_map("[ab0-]", inner, 0..3).prop_map(|m| {
                    let members: Vec<_> = m.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
                    format!("{{{}}}", members.join(","))
                }),
            ]
        })
    }

    fn patch() -> impl Strategy<Value = String> {
        let path = "(/[ab01-]){0,3}";
        let op = prop_oneof![
            (path, document())
                .prop_map(|(p, v)| format!(r#"{{"op":"add","path":"{p}","value":{v}}}"#)),
            (path, document())
                .prop_map(|(p, v)| format!(r#"{{"op":"replace","path":"{p}","value":{v}}}"#)),
            (path, document())
                .prop_map(|(p, v)| format!(r#"{{"op":"test","path":"{p}","value":{v}}}"#)),
            path.prop_map(|p| format!(r#"{{"op":"remove","path":"{p}"}}"#)),
            (path, path).prop_map(|(f, p)| format!(r#"{{"op":"move","from":"{f}","path":"{p}"}}"#)),
            (path, path).prop_map(|(f, p)| format!(r#"{{"op":"copy","from":"{f}","path":"{p}"}}"#)),
        ];
        prop::collection::vec(op, 1..5).prop_map(|ops| format!("[{}]", ops.join(",")))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        /// What the patch alone claims to know is what every document ends with.
        #[test]
        fn what_is_known_holds_for_every_document(
            document in document(), patch in patch(), at in "(/[ab01-]){0,3}",
        ) {
            let before = read(document.as_bytes(), Bounds::default()).expect("JSON");
            let patch = Patch::read(patch.as_bytes(), Bounds::default(), UnknownMembers::Refuse).expect("a patch");
            let at = Pointer::parse(at).expect("well-formed");
            let Ok(result) = apply(&patch, before.clone()) else { return Ok(()) };
            let (known_before, known_after) = Partial::around(&patch, &[]);
            for (known, document) in [(known_before, &before), (known_after, &result)] {
                let found = crate::patch::apply::find(document, &at);
                match known.at(&at) {
                    Known::Value(value) => prop_assert_eq!(found, Some(value)),
                    Known::Absent => prop_assert_eq!(found, None),
                    Known::Unknown => {}
                }
            }
            let changed = crate::patch::apply::find(&before, &at) != crate::patch::apply::find(&result, &at);
            if changed {
                prop_assert!(patch.effects().any(|effect| effect.may_change(&at)));
            }
        }
    }
}
