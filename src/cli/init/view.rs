//! What a JSON Schema says of one place, gathered from all the sub-schemas that hold there or may:
//! enough to draft a policy by. The judge has its own reading, and the last word.

use serde_json::Value;

/// How many sub-schemas are looked at for one place.
const LAYERS: usize = 64;

/// The sub-schemas of one place, those that say it more directly first.
#[derive(Clone, Debug)]
pub(super) struct View<'s> {
    root: &'s Value,
    branches: Branches,
    layers: Vec<&'s Value>,
    /// What each place above it is by its own, and then it itself.
    trail: Vec<&'s Value>,
}

/// Which branches of `anyOf` and `oneOf` are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Branches {
    /// All of them: whatever may be.
    All,
    /// Of each the first that is not only null: something that is.
    First,
}

impl<'s> View<'s> {
    /// The whole document that the schema `root` describes.
    pub(super) fn of(root: &'s Value, branches: Branches) -> Self {
        Self::at(root, branches, [root])
    }

    fn at(
        root: &'s Value,
        branches: Branches,
        schemas: impl IntoIterator<Item = &'s Value>,
    ) -> Self {
        let mut layers: Vec<&'s Value> = Vec::new();
        let mut open: Vec<&'s Value> = schemas.into_iter().collect();
        let mut at = 0;
        while let Some(schema) = open.get(at).copied().filter(|_| layers.len() < LAYERS) {
            at += 1;
            if layers.iter().any(|known| std::ptr::eq(*known, schema)) {
                continue;
            }
            layers.push(schema);
            let reference = schema.get("$ref").and_then(Value::as_str);
            open.extend(reference.and_then(|text| root.pointer(text.strip_prefix('#')?)));
            let each =
                |keyword| schema.get(keyword).and_then(Value::as_array).into_iter().flatten();
            open.extend(each("allOf"));
            for keyword in ["anyOf", "oneOf"] {
                match branches {
                    Branches::All => open.extend(each(keyword)),
                    Branches::First => {
                        let is_null =
                            |branch: &Value| branch.get("type").is_some_and(|name| name == "null");
                        open.extend(each(keyword).find(|branch| !is_null(branch)));
                    }
                }
            }
        }
        let trail = layers.first().map(|schema| referred(root, schema)).into_iter().collect();
        Self { root, branches, layers, trail }
    }

    fn beneath(&self, schemas: impl IntoIterator<Item = &'s Value>) -> Self {
        let mut view = Self::at(self.root, self.branches, schemas);
        view.trail.splice(0..0, self.trail.iter().copied());
        view
    }

    /// Whether what stands here is what stands above it, once more.
    pub(super) fn recurs(&self) -> bool {
        let Some((own, above)) = self.trail.split_last() else { return false };
        !self.layers.is_empty() && above.iter().any(|above| std::ptr::eq(*above, *own))
    }

    /// The names that are listed beneath, in their order.
    pub(super) fn names(&self) -> Vec<&'s str> {
        let properties =
            self.layers.iter().filter_map(|layer| layer.get("properties")?.as_object());
        let mut names: Vec<&str> =
            properties.flat_map(|members| members.keys().map(String::as_str)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The member `name`.
    pub(super) fn member(&self, name: &str) -> Self {
        let members = self.layers.iter().filter_map(|layer| layer.get("properties")?.get(name));
        self.beneath(members)
    }

    /// The members that are not listed.
    pub(super) fn others(&self) -> Self {
        self.beneath(self.layers.iter().filter_map(|layer| layer.get("additionalProperties")))
    }

    /// The elements of the array.
    pub(super) fn element(&self) -> Self {
        self.beneath(self.layers.iter().filter_map(|layer| layer.get("items")))
    }

    /// The names of members that have to be there.
    pub(super) fn required(&self) -> Vec<&'s str> {
        let lists = self.layers.iter().filter_map(|layer| layer.get("required")?.as_array());
        lists.flatten().filter_map(Value::as_str).collect()
    }

    /// What the first sub-schema with the keyword `name` says by it.
    pub(super) fn keyword(&self, name: &str) -> Option<&'s Value> {
        self.layers.iter().find_map(|layer| layer.get(name))
    }

    /// The same, as a number of characters, elements and the like.
    pub(super) fn count(&self, name: &str) -> Option<usize> {
        usize::try_from(self.keyword(name)?.as_u64()?).ok()
    }

    /// Whether a value of this type may stand here, by what the sub-schemas say of types.
    pub(super) fn has_type(&self, name: &str) -> bool {
        let types: Vec<&Value> = self.layers.iter().filter_map(|layer| layer.get("type")).collect();
        let is = |said: &&Value| match said.as_array() {
            Some(all) => all.iter().any(|one| one == name),
            None => **said == name,
        };
        match name {
            _ if !types.is_empty() => types.iter().any(is),
            "object" => !self.names().is_empty() || self.says("additionalProperties"),
            "array" => self.says("items") || self.says("prefixItems"),
            _ => false,
        }
    }

    /// Whether anything is said of what may stand here.
    pub(super) fn says_something(&self) -> bool {
        let keywords =
            ["type", "enum", "const", "properties", "items", "prefixItems", "not", "format"];
        keywords.iter().any(|keyword| self.says(keyword))
    }

    fn says(&self, keyword: &str) -> bool {
        self.layers.iter().any(|layer| layer.get(keyword).is_some())
    }
}

/// What `schema` is, where it is only a reference.
fn referred<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let mut schema = schema;
    for _ in 0..LAYERS {
        let reference = schema.get("$ref").and_then(Value::as_str);
        match reference.and_then(|text| root.pointer(text.strip_prefix('#')?)) {
            Some(next) => schema = next,
            None => break,
        }
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    use serde_json::json;

    #[test]
    fn what_holds_at_a_place_is_gathered_from_wherever_it_is_said() {
        let root = json!({
            "$defs": {
                "node": { "type": "object", "properties": { "next": { "$ref": "#/$defs/node" }, "n": { "type": "integer" } }, "required": ["n"] },
            },
            "allOf": [{ "$ref": "#/$defs/node" }, { "properties": { "l": { "items": { "type": "string" } }, "n": { "minimum": 1 } } }],
        });
        let view = View::of(&root, Branches::All);
        assert_eq!(view.names(), ["l", "n", "next"]);
        assert_eq!(view.required(), ["n"]);
        assert!(view.has_type("object") && !view.has_type("string"));
        assert!(view.member("n").has_type("integer"));
        assert_eq!(view.member("n").count("minimum"), Some(1));
        assert!(
            view.member("l").has_type("array") && view.member("l").element().has_type("string")
        );
        assert!(view.member("next").member("next").says_something());
        assert!(!view.member("next").recurs() && view.member("next").member("next").recurs());
        assert!(!view.member("none").says_something() && !view.others().says_something());
    }

    #[test]
    fn a_schema_that_leads_to_itself_ends() {
        let root = json!({ "$ref": "#", "anyOf": [{ "$ref": "#" }, { "type": "null" }] });
        assert!(View::of(&root, Branches::All).has_type("null"));
        assert!(!View::of(&root, Branches::First).has_type("null"));
    }
}
