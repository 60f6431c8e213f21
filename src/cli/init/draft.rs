//! What a policy says of each resource of an outline: the places that it opens, and its states.

use super::left::{At, Left};
use super::outline::{Kind, Outline, Resource};
use super::places::{Line, Places};
use super::states::States;
use crate::patch::Pointer;
use crate::policy::pattern::Pattern;

/// A resource, and what is drafted for it.
#[derive(Debug)]
pub(super) struct Draft<'o> {
    pub(super) resource: &'o Resource,
    pub(super) kind: &'o Kind,
    /// The ops that patches may use.
    pub(super) ops: Vec<&'static str>,
    pub(super) lines: Vec<Line>,
    pub(super) read_only: Vec<String>,
    pub(super) states: Option<States>,
}

/// The drafts for all resources of `outline`; what none can be made for is added to `left`.
pub(super) fn drafts<'o>(outline: &'o Outline, left: &mut Left) -> Vec<Draft<'o>> {
    let resources =
        outline.resources.iter().filter_map(|resource| outline.resource(&resource.name));
    resources.map(|(resource, kind)| draft(resource, kind, left)).collect()
}

fn draft<'o>(resource: &'o Resource, kind: &'o Kind, left: &mut Left) -> Draft<'o> {
    let is_changed = resource.by.json_patch || resource.by.merge_patch;
    let at = |place: &str| At::default().key(&format!("{} `{place}`", kind.name));
    let mut found = Places::default();
    if is_changed {
        let (written, schema) = match &resource.settable {
            Some((written, schema)) => (written, schema),
            None => (&kind.written, &kind.schema),
        };
        found = Places::of(written, schema, resource.by);
    }
    for place in &found.unsaid {
        left.push(
            &at(place),
            "it is not said what may stand there, and so it is not among the `paths`",
        );
    }
    for (place, why) in &found.beyond {
        left.push(&at(place), format!("{why}, and so it is not among the `paths`"));
    }
    let mut lines = Vec::new();
    for mut line in found.lines {
        let Ok(pattern) = Pattern::parse(&line.path) else { continue };
        let Ok(place) = Pointer::parse(line.path.replace("/*", "/name")) else { continue };
        let place = kind.schema.place(&place);
        if place.is_read_only() {
            found.read_only.push(line.path);
        } else if !kind.schema.describes(&pattern) {
            left.push(&at(&line.path), "a patch may set it, and the document does not have it; it is not among the `paths`");
        } else {
            line.subtree |= place.may_be_container();
            lines.push(line);
        }
    }
    if resource.by.merge_patch {
        opened(kind, &mut lines);
    }
    let mut states = None;
    if is_changed || resource.whole {
        match States::of(&kind.written, &kind.schema) {
            Ok(found) => states = found,
            Err(why) => {
                why.into_iter().for_each(|(name, why)| left.push(&at(&format!("/{name}")), why))
            }
        }
    }
    let ops = ops(resource, &lines);
    Draft { resource, kind, ops, lines, read_only: found.read_only, states }
}

/// The ops that patches of `resource` may use: those that add or replace, of those that the file lists.
fn ops(resource: &Resource, lines: &[Line]) -> Vec<&'static str> {
    let (by, listed) = (resource.by, &resource.ops);
    let is_listed = |op: &str| listed.is_empty() || listed.iter().any(|known| known == op);
    let adds = by.merge_patch || by.json_patch && is_listed("add");
    // Where there are only lists, nothing is replaced.
    let has_fields = lines.is_empty() || lines.iter().any(|line| line.ops.is_empty());
    let replaces = by.json_patch && is_listed("replace") && has_fields;
    match (adds, replaces) {
        (true, true) => vec!["add", "replace"],
        (false, true) => vec!["replace"],
        // A policy has to name some.
        (_, false) => vec!["add"],
    }
}

/// Adds the objects that a merge patch may have to make on its way to one of `lines`.
fn opened(kind: &Kind, lines: &mut Vec<Line>) {
    let mut above: Vec<String> = Vec::new();
    for line in lines.iter() {
        let mut path = line.path.as_str();
        while let Some((parent, _)) = path.rsplit_once('/').filter(|(parent, _)| !parent.is_empty())
        {
            let sure = Pointer::parse(parent.to_owned())
                .is_ok_and(|at| kind.schema.place(&at).is_object());
            let known = lines.iter().any(|line| line.path == parent)
                || above.iter().any(|known| known == parent);
            if !sure && !known {
                above.push(parent.to_owned());
            }
            path = parent;
        }
    }
    lines.extend(above.into_iter().map(|path| Line {
        path,
        ops: Vec::new(),
        subtree: true,
        within: None,
    }));
}
