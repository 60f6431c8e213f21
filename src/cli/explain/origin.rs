//! Where a rule, and what it found, is written: a line of the policy file, a keyword of a schema.

use crate::config::File;
use crate::config::policy::{PolicyFile, Resource};
use crate::patch::{OpName, Pointer};
use crate::policy::pattern::Pattern;
use crate::policy::rule::Name;
use crate::policy::{Route, Rule, Step};
use crate::violation::{Code, Violation};

use std::path::{Component, Path, PathBuf};

/// The file of a policy, as the rules of one route are found in it.
#[derive(Debug)]
pub(super) struct Origin<'o> {
    file: &'o File<PolicyFile>,
    route: &'o Route,
    step: Option<Step>,
    /// The pointer to the route, and to its resource.
    at_route: String,
    at_resource: String,
}

impl<'o> Origin<'o> {
    pub(super) fn of(file: &'o File<PolicyFile>, route: &'o Route, step: Option<Step>) -> Self {
        let index = file.value.routes.iter().position(|known| *known.id == *route.id);
        let name = route.resource.as_ref().map_or("", |resource| &resource.name);
        Self {
            file,
            route,
            step,
            at_route: format!("/routes/{}", index.unwrap_or_default()),
            at_resource: Pointer::ROOT.join("resources").join(name).text().to_owned(),
        }
    }

    /// The line of the rule called `name`; of the step that it let pass, the one that decided.
    pub(super) fn rule(&self, name: Name) -> String {
        self.line(&match name {
            Name::Precondition => format!("{}/if_match", self.at_route),
            Name::Transition => self.deciding(),
            // What the policy does not name, the schema calls `readOnly`.
            Name::Immutable if self.resource().is_none_or(|known| known.immutable.is_empty()) => {
                format!("{}/schema", self.at_resource)
            }
            Name::Immutable | Name::Operations | Name::Paths | Name::Schema | Name::Together => {
                format!("{}/{}", self.at_resource, key(name))
            }
        })
    }

    /// The line that decided what `violation` is about, where a rule found it.
    pub(super) fn violation(&self, violation: &Violation) -> Option<String> {
        let name = Name::ALL.into_iter().find(|name| Some(name.as_str()) == violation.rule)?;
        let at = violation.pointer.clone().and_then(|text| Pointer::parse(text).ok());
        let resource = self.resource();
        let entry = |key: &str, index: Option<usize>| match index {
            Some(index) => format!("{}/{key}/{index}", self.at_resource),
            None => format!("{}/{key}", self.at_resource),
        };
        let key = match (name, violation.code) {
            (Name::Operations, Code::PatchEmpty) => format!("{}/empty_patch", self.at_route),
            (Name::Immutable, _) => {
                let fields = resource.map_or(&[][..], |resource| &resource.immutable);
                let bound = |text: &String| overlaps(text, at.as_ref());
                match fields.iter().position(bound) {
                    Some(index) => entry("immutable", Some(index)),
                    // What the policy does not name, the schema calls `readOnly`.
                    None => entry("schema", None),
                }
            }
            (Name::Paths, _) => {
                let paths = resource.map_or(&[][..], |resource| &resource.paths);
                entry("paths", paths.iter().position(|path| matches(&path.path, at.as_ref())))
            }
            (Name::Transition, Code::StateForbidden) => entry("states/names", None),
            (Name::Transition, Code::StateFrozen) => {
                let states = resource.and_then(|resource| resource.states.as_ref());
                let edits = states.map_or(&[][..], |states| &states.edits);
                let mut binding = (0..).zip(edits).filter(|(_, edits)| {
                    !edits.allow && !edits.except.iter().any(|text| matches(text, at.as_ref()))
                });
                let only = binding.next().filter(|_| binding.next().is_none());
                entry("states/edits", only.map(|(index, _)| index))
            }
            (_, _) => return Some(self.rule(name)),
        };
        Some(self.line(&key))
    }

    /// The line that allows `op` at `pointer`.
    pub(super) fn allowing(&self, op: OpName, pointer: &Pointer<'_>) -> Option<String> {
        let index = self.route.rules.iter().find_map(|rule| match rule {
            Rule::Paths(paths) => paths
                .allowed()
                .iter()
                .position(|path| path.ops.contains(&op) && path.pattern.matches(pointer)),
            Rule::Immutable(_)
            | Rule::Operations(_)
            | Rule::Precondition(_)
            | Rule::Schema(_)
            | Rule::Together(_)
            | Rule::Transition(_) => None,
        });
        Some(self.line(&format!("{}/paths/{}", self.at_resource, index?)))
    }

    /// The keyword of the schema of the resource, with its file.
    pub(super) fn keyword(&self, violation: &Violation) -> Option<String> {
        let file = without_dots(&self.file.beside(&self.resource()?.schema));
        violation.keyword.as_ref().map(|keyword| format!("{}{keyword}", file.display()))
    }

    /// The names of the states that the step is between.
    pub(super) fn step(&self) -> Option<(&str, &str)> {
        let graph = self.route.resource.as_ref()?.graph.as_ref()?;
        self.step.map(|step| (graph.name(step.from), graph.name(step.to)))
    }

    fn resource(&self) -> Option<&Resource> {
        self.file.value.resources.get(&*self.route.resource.as_ref()?.name)
    }

    /// The step of the policy that decided, where the states are known.
    fn deciding(&self) -> String {
        let graph = self.route.resource.as_ref().and_then(|resource| resource.graph.as_ref());
        let index =
            graph.zip(self.step).and_then(|(graph, Step { from, to })| graph.deciding(from, to));
        match index {
            Some(index) => format!("{}/states/transitions/{index}", self.at_resource),
            None => format!("{}/states/transitions", self.at_resource),
        }
    }

    fn line(&self, pointer: &str) -> String {
        let file = self.file.path.display();
        match self.file.place(pointer) {
            Some(place) => format!("{file}:{}:{}", place.line, place.column),
            None => file.to_string(),
        }
    }
}

/// The key of a resource that a rule comes from.
fn key(name: Name) -> &'static str {
    match name {
        Name::Immutable => "immutable",
        Name::Operations => "ops",
        Name::Paths => "paths",
        Name::Precondition => "",
        Name::Schema => "schema",
        Name::Together => "states/together",
        Name::Transition => "states/transitions",
    }
}

fn matches(pattern: &str, at: Option<&Pointer<'_>>) -> bool {
    at.is_some_and(|at| Pattern::parse(pattern).is_ok_and(|pattern| pattern.matches(at)))
}

fn overlaps(pattern: &str, at: Option<&Pointer<'_>>) -> bool {
    at.is_some_and(|at| Pattern::parse(pattern).is_ok_and(|pattern| pattern.overlaps(at)))
}

/// `path` without the folders that it goes into only to leave them again.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        let leaves = matches!(plain.components().next_back(), Some(Component::Normal(_)));
        if component == Component::ParentDir && leaves {
            plain.pop();
        } else if component != Component::CurDir {
            plain.push(component);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_keeps_the_dots_that_lead_out_of_it() {
        for (path, plain) in [
            ("config/policies/../../schemas/s.json", "schemas/s.json"),
            ("../p/../../s.json", "../../s.json"),
            ("./a/./b", "a/b"),
            ("/a/../b", "/b"),
        ] {
            assert_eq!(without_dots(Path::new(path)), Path::new(plain), "{path}");
        }
    }
}
