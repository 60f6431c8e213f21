//! Whom values concern, as the schema marks them: `x-data-class`.

use super::Shape;
use super::spot::Core;

/// Whom values concern, the least of them first (`x-data-class`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DataClass {
    /// Nobody in particular.
    Public,
    /// A business.
    Commercial,
    /// A person.
    Personal,
}

impl DataClass {
    /// The class that is called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "public" => Some(Self::Public),
            "commercial" => Some(Self::Commercial),
            "personal" => Some(Self::Personal),
            _ => None,
        }
    }
}

impl Core {
    /// The strictest class that any sub-schema marks the place with that may hold here.
    pub(super) fn mark(&self, shapes: &[Shape]) -> Option<DataClass> {
        let mut found: Vec<usize> = Vec::new();
        let mut open = self.holds.clone();
        while let Some(at) = open.pop() {
            if !found.contains(&at) {
                found.push(at);
                let next = shapes.get(at).into_iter();
                open.extend(
                    next.flat_map(|shape| shape.also.iter().chain(shape.either.iter().flatten())),
                );
            }
        }
        found.into_iter().filter_map(|at| shapes.get(at)?.class).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::schema::Schema;

    use serde_json::json;

    #[test]
    fn the_nearest_mark_holds_and_of_several_at_one_place_the_strictest() {
        let schema = json!({
            "x-data-class": "commercial",
            "properties": {
                "a": {"properties": {"b": {"x-data-class": "public", "properties": {"c": {}}}}},
                "person": {"$ref": "#/$defs/person"},
                "one": {"x-data-class": "public", "anyOf": [{"x-data-class": "personal"}, {}]},
                "either": {"anyOf": [
                    {"properties": {"x": {"x-data-class": "public"}}},
                    {"properties": {"x": {"x-data-class": "personal"}, "y": {"type": "string"}}}
                ]},
                "list": {"items": {"properties": {"mail": {"x-data-class": "personal"}}}}
            },
            "$defs": {"person": {"x-data-class": "personal", "properties": {"name": {}}}}
        });
        let schema = Schema::new(&schema).unwrap();
        let class = |text: &str| {
            let pointer = crate::patch::Pointer::parse(text).unwrap();
            schema.place(&pointer).data_class()
        };
        use DataClass::{Commercial, Personal, Public};
        for (pointer, wanted) in [
            ("", Commercial),
            ("/a", Commercial),
            ("/a/b", Public),
            ("/a/b/c/d", Public),
            ("/person", Personal),
            ("/person/name", Personal),
            ("/one", Personal),
            ("/either/x", Personal),
            ("/either/y", Commercial),
            ("/list/7", Commercial),
            ("/list/-/mail", Personal),
            ("/unknown", Commercial),
        ] {
            assert_eq!(class(pointer), Some(wanted), "{pointer}");
        }
        let unmarked = Schema::new(&json!({"properties": {"a": {}}})).unwrap();
        assert_eq!(unmarked.place(&crate::patch::Pointer::parse("/a").unwrap()).data_class(), None);
        let wrong = Schema::new(&json!({"properties": {"a": {"x-data-class": "secret"}}}));
        assert!(wrong.is_err_and(|why| why.contains("x-data-class")));
    }
}
