//! YAML as a tree that remembers where each key and value stands.

use super::error::Place;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::{Location, Spanned};

use std::fmt;

/// One value and its place.
#[derive(Debug)]
pub(super) struct Tree {
    place: Place,
    node: Node,
}

#[derive(Debug)]
enum Node {
    Scalar(Value),
    List(Vec<Tree>),
    Map(Vec<(String, Place, Tree)>),
}

impl Tree {
    /// The tree of `text`.
    pub(super) fn parse(text: &str) -> Result<Self, (Option<Place>, String)> {
        // YAML 1.2: `off`, `no` and `n` are texts, and only `true` and `false` are not.
        let options = serde_saphyr::options! { strict_booleans: true };
        let parsed: Result<Spanned<Node>, _> = serde_saphyr::from_str_with_options(text, options);
        parsed.map(Self::from).map_err(|error| {
            let error = error.without_snippet();
            let place = error.location().map(Place::from);
            (place, error.to_string().lines().next().unwrap_or_default().to_owned())
        })
    }

    /// The same values without their places.
    pub(super) fn to_json(&self) -> Value {
        match &self.node {
            Node::Scalar(value) => value.clone(),
            Node::List(elements) => elements.iter().map(Self::to_json).collect(),
            Node::Map(members) => {
                members.iter().map(|(key, _, value)| (key.clone(), value.to_json())).collect()
            }
        }
    }

    /// The place of what `pointer` leads to; where it leads nowhere, of what comes nearest.
    pub(super) fn place(&self, pointer: &str) -> Option<Place> {
        let mut tree = self;
        let mut place = tree.place;
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            let next = match &tree.node {
                Node::Scalar(_) => None,
                Node::List(elements) => token
                    .parse::<usize>()
                    .ok()
                    .and_then(|index| elements.get(index))
                    .map(|element| (element.place, element)),
                Node::Map(members) => members
                    .iter()
                    .find(|(key, _, _)| *key == token)
                    .map(|(_, place, value)| (*place, value)),
            };
            let Some((found, value)) = next else { break };
            (place, tree) = (found, value);
        }
        Some(place)
    }
}

impl From<Spanned<Node>> for Tree {
    fn from(spanned: Spanned<Node>) -> Self {
        Self { place: spanned.referenced.into(), node: spanned.value }
    }
}

impl From<Location> for Place {
    fn from(location: Location) -> Self {
        Self { line: location.line(), column: location.column() }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = access.next_element::<Spanned<Node>>()? {
            elements.push(element.into());
        }
        Ok(Node::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut members = Vec::new();
        while let Some(key) = access.next_key::<Spanned<String>>()? {
            let value = access.next_value::<Spanned<Node>>()?;
            members.push((key.value, key.referenced.into(), value.into()));
        }
        Ok(Node::Map(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_true_and_false_are_truth_values() {
        let tree = Tree::parse("[off, no, n, on, yes, y, true, False]").expect("YAML");
        let expected = r#"["off","no","n","on","yes","y",true,false]"#;
        assert_eq!(tree.to_json().to_string(), expected);
    }
}
