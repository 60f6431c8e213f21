//! The places of a resource that a policy may open: each leaf that its schema describes.

use super::view::{Branches, View};
use crate::patch::{OpName, Pointer};
use crate::policy::schema::{Place, Schema};

/// How deep places are looked for.
const DEPTH: usize = 6;
/// How many are listed.
const LINES: usize = 300;

/// What was found in a schema.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Those that may be opened.
    pub(super) lines: Vec<Line>,
    /// What callers do not change.
    pub(super) read_only: Vec<String>,
    /// Places of which the schema does not say what may stand there.
    pub(super) unsaid: Vec<String>,
    /// What is not listed, and why.
    pub(super) beyond: Vec<(String, &'static str)>,
}

/// An entry of `paths`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) path: String,
    /// The ops, where they are not those of the resource.
    pub(super) ops: Vec<OpName>,
    pub(super) subtree: bool,
    /// A place in the elements of the array that this line adds to, to be opened by hand.
    pub(super) within: Option<String>,
}

/// What kinds of patch change the resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct By {
    /// JSON Patches, which may be allowed to `add`.
    pub(super) json_patch: bool,
    pub(super) adds: bool,
    /// Merge patches, which give arrays as a whole.
    pub(super) merge_patch: bool,
}

impl Places {
    /// Those that `written`, a JSON Schema that was compiled to `schema`, describes.
    pub(super) fn of(written: &serde_json::Value, schema: &Schema, by: By) -> Self {
        let mut places = Self::default();
        places.members(&View::of(written, Branches::All), &schema.root(), &Pointer::ROOT, by, 0);
        places
    }

    fn members(
        &mut self,
        view: &View<'_>,
        place: &Place<'_>,
        at: &Pointer<'_>,
        by: By,
        depth: usize,
    ) {
        for name in view.names() {
            let (view, place, at) = (view.member(name), place.child(name), at.join(name));
            let beyond = match () {
                () if is_wild(name) => Some("it is called like a wildcard"),
                () if view.recurs() => Some("it is what stands above it, once more"),
                () if depth >= DEPTH => Some("it lies too deep"),
                () if self.lines.len() >= LINES => Some("there are too many places"),
                () => None,
            };
            if place.is_read_only() {
                self.read_only.push(at.text().to_owned());
            } else if let Some(why) = beyond {
                self.beyond.push((at.text().to_owned(), why));
            } else if place.is_described() {
                self.member(&view, &place, &at, by, depth);
            }
        }
    }

    fn member(
        &mut self,
        view: &View<'_>,
        place: &Place<'_>,
        at: &Pointer<'_>,
        by: By,
        depth: usize,
    ) {
        if !view.says_something() {
            self.unsaid.push(at.text().to_owned());
        } else if view.has_type("array") {
            self.array(view, place, at, by);
        } else if view.has_type("object") {
            // A merge patch makes the object where it is not sure to be there.
            if by.merge_patch && !place.is_object() {
                self.lines.push(line(at.text(), true));
            }
            let is_map = place.child("*").is_described() && view.others().says_something();
            match (view.names().is_empty(), is_map) {
                (true, true) => {
                    let is_container = place.child("*").may_be_container();
                    self.lines.push(line(&format!("{at}/*"), is_container));
                }
                (true, false) => self.unsaid.push(at.text().to_owned()),
                (false, true) => self.beyond.push((format!("{at}/*"), "others are listed by name")),
                (false, false) => {}
            }
            self.members(view, place, at, by, depth + 1);
        } else {
            self.lines.push(line(at.text(), place.may_be_container()));
        }
    }

    fn array(&mut self, view: &View<'_>, place: &Place<'_>, at: &Pointer<'_>, by: By) {
        let element = place.child("-");
        if !element.is_described() || !view.element().says_something() {
            return self.unsaid.push(at.text().to_owned());
        }
        if by.merge_patch {
            self.lines.push(line(at.text(), true));
        }
        if by.json_patch && by.adds {
            let names = view.element().names();
            let open = names.into_iter().find(|name| {
                let inner = element.child(name);
                !is_wild(name)
                    && inner.is_described()
                    && !inner.is_read_only()
                    && !inner.may_be_container()
            });
            let within = open.map(|name| at.join("*").join(name).text().to_owned());
            let path = at.join("-").text().to_owned();
            self.lines.push(Line { path, ops: vec![OpName::Add], subtree: true, within });
        }
    }
}

/// Whether `name` would be taken for a wildcard in a pattern.
fn is_wild(name: &str) -> bool {
    ["*", "**", "-"].contains(&name)
}

fn line(path: &str, subtree: bool) -> Line {
    Line { path: path.to_owned(), ops: Vec::new(), subtree, within: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    use serde_json::json;

    #[test]
    fn each_leaf_that_callers_may_change_is_a_line() {
        let written = json!({
            "$defs": { "node": { "type": "object", "properties": { "next": { "$ref": "#/$defs/node" }, "v": { "type": "string" } } } },
            "type": "object",
            "properties": {
                "id": { "type": "string", "readOnly": true },
                "a": { "type": "object", "properties": { "b/c": { "type": "integer" }, "x": { "type": "string", "readOnly": true } } },
                "l": { "type": "array", "items": { "type": "object", "properties": { "n": { "type": "string" } } } },
                "m": { "type": "object", "additionalProperties": { "type": "string" } },
                "o": { "type": "object" }, "u": {}, "s": { "type": ["string", "null"] },
                "t": { "$ref": "#/$defs/node" },
                "w": { "type": ["object", "null"], "properties": { "x": { "type": "string" } } },
            },
        });
        let schema = Schema::new(&written).expect("a schema");
        let by = By { json_patch: true, adds: true, merge_patch: false };
        let found = Places::of(&written, &schema, by);
        let paths: Vec<_> =
            found.lines.iter().map(|line| (line.path.as_str(), line.subtree)).collect();
        for (path, subtree) in [
            ("/a/b~1c", false),
            ("/l/-", true),
            ("/m/*", false),
            ("/s", false),
            ("/w/x", false),
            ("/t/v", false),
        ] {
            assert!(paths.contains(&(path, subtree)), "{path} {paths:?}");
        }
        assert_eq!(paths.len(), 6, "{paths:?}");
        assert_eq!(found.read_only, ["/a/x", "/id"]);
        assert_eq!(found.unsaid, ["/o", "/u"]);
        let recurs = "it is what stands above it, once more";
        assert_eq!(found.beyond, [("/t/next".to_owned(), recurs)]);
        let list = found.lines.iter().find(|line| line.path == "/l/-").expect("a line");
        assert_eq!(
            (list.ops.as_slice(), list.within.as_deref()),
            (&[OpName::Add][..], Some("/l/*/n"))
        );
        let merged = Places::of(&written, &schema, By { merge_patch: true, ..By::default() });
        let paths: Vec<_> =
            merged.lines.iter().map(|line| (line.path.as_str(), line.subtree)).collect();
        assert!(paths.contains(&("/l", true)) && paths.contains(&("/w", true)), "{paths:?}");
    }
}
