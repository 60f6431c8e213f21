//! The policy file, as text.

use super::draft::Draft;
use super::outline::{Body, Outline, Route};
use super::places::Line;
use super::states::States;
use super::view::{Branches, View};
use super::yaml::{comment, list, quoted};
use crate::patch::OpName;

use std::fmt::Write as _;

/// How long a line of a comment becomes.
const WIDTH: usize = 104;

/// What entity tags are called that stand in documents.
const TAGS: [&str; 4] = ["ETag", "_etag", "eTag", "etag"];

/// The policy for `outline`, whose first lines are `head`.
pub(super) fn policy(outline: &Outline, drafts: &[Draft<'_>], head: &str) -> String {
    let mut text = head.to_owned();
    let Outline { title, origin, name, .. } = outline;
    note(
        &mut text,
        0,
        &format!(
            "The policy for {title}, drafted by `patchgate init` from {origin}. It is a beginning: it lets through whatever that describes. Read every line of it, take out what callers have no business with, and write down in the cases what has to stay so."
        ),
    );
    let _ = write!(
        text,
        "apiVersion: patchgate/v1\nkind: Policy\nname: {}\n\nresources:\n",
        quoted(name)
    );
    for (index, draft) in drafts.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        // What two resources have in common is written once.
        let same =
            |other: &&Draft<'_>| other.kind.name == draft.kind.name && other.states.is_some();
        let (before, after) =
            (drafts.iter().take(index).find(same), drafts.iter().skip(index + 1).find(same));
        resource(&mut text, draft, (before.is_some(), after.is_some()));
    }
    text.push_str("\nroutes:\n");
    if outline.made_up {
        note(
            &mut text,
            2,
            "The paths are made up: put those of the API in their place, and below `media_types` what it takes.",
        );
    }
    note(
        &mut text,
        2,
        "Where a rule needs the stored document, the gateway reads it and pins the patch to the version that it saw, by its `ETag`. Without a strong one the patch is refused; `untagged: permit` lets it pass unpinned.",
    );
    note(
        &mut text,
        2,
        "`token` takes 1 to 128 letters, digits, `-`, `.`, `_` or `~`, and `guid` a GUID; `any` takes every segment.",
    );
    for route in &outline.routes {
        write_route(&mut text, route);
    }
    text
}

fn resource(text: &mut String, draft: &Draft<'_>, (is_known, is_needed): (bool, bool)) {
    let (resource, kind) = (draft.resource, draft.kind);
    let _ = write!(
        text,
        "  {}:\n    schema: ../schemas/{}.schema.json\n",
        quoted(&resource.name),
        kind.name
    );
    let names = View::of(&kind.written, Branches::All).names();
    if let Some(tag) = names.iter().find(|name| TAGS.contains(name)) {
        note(
            text,
            4,
            &format!(
                "For an API that sends no `ETag` field, where its documents hold the tag, quotes included: `tag: /{tag}`."
            ),
        );
    }
    let is_changed = resource.by.json_patch || resource.by.merge_patch;
    if resource.whole {
        note(
            text,
            4,
            "It is replaced as a whole. What is `readOnly` has to be sent back as it is.",
        );
        text.push_str("    ops: [replace]\n    paths:\n      - { path: \"\", subtree: true }\n");
    } else if is_changed {
        ops(text, draft);
        note(
            text,
            4,
            match draft.lines.is_empty() {
                true => "Nothing is open yet: no place is known that callers may change.",
                false => "The places that patches may reach, and no others.",
            },
        );
        text.push_str(if draft.lines.is_empty() { "    paths: []\n" } else { "    paths:\n" });
        for line in &draft.lines {
            path(text, line);
        }
        if !draft.read_only.is_empty() {
            let names = comment_list(&draft.read_only);
            note(text, 6, &format!("Left out, because the schema calls it `readOnly`: {names}."));
        }
    }
    if let Some(states) = draft.states.as_ref().filter(|_| is_changed || resource.whole) {
        match (is_known, is_needed) {
            (true, _) => {
                let _ = writeln!(text, "    states: *{}-states", kind.name);
            }
            (false, true) => write_states(text, states, &format!(" &{}-states", kind.name)),
            (false, false) => write_states(text, states, ""),
        }
    }
}

fn ops(text: &mut String, draft: &Draft<'_>) {
    let listed = draft.resource.ops.iter();
    let others: Vec<String> =
        listed.filter(|op| !draft.ops.contains(&op.as_str())).cloned().collect();
    if draft.resource.by.merge_patch {
        note(text, 4, "What a merge patch sets counts as `add`, and its `null` as `remove`.");
    }
    if !others.is_empty() {
        note(text, 4, &format!("The file lists more of them: {}.", comment_list(&others)));
    }
    let _ = writeln!(text, "    ops: {}", list(&draft.ops));
}

fn path(text: &mut String, line: &Line) {
    let mut entry = format!("path: {}", quoted(&line.path));
    if !line.ops.is_empty() {
        let ops: Vec<&str> = line.ops.iter().map(|op: &OpName| op.as_str()).collect();
        let _ = write!(entry, ", ops: {}", list(&ops));
    }
    if line.subtree {
        entry.push_str(", subtree: true");
    }
    let _ = writeln!(text, "      - {{ {entry} }}");
    if let Some(within) = &line.within {
        let _ = writeln!(
            text,
            "      # - {{ path: {} }}  # in each element, by its index",
            comment(&quoted(within))
        );
    }
}

fn write_states(text: &mut String, states: &States, anchor: &str) {
    let States { field, names, initial, may_lack, others } = states;
    note(
        text,
        4,
        &format!(
            "`{}` looks like a state, and so steps from one value to another are judged.",
            comment(field)
        ),
    );
    if *may_lack {
        note(
            text,
            4,
            "A document may lack it. It is then in no state, and its state cannot be changed.",
        );
    }
    if !others.is_empty() {
        note(
            text,
            4,
            &format!(
                "So does {}: a state may be of several `fields`, and its name then joins their values by `/`.",
                comment_list(others)
            ),
        );
    }
    let _ = write!(
        text,
        "    states:{anchor}\n      fields: {}\n      names:\n",
        list(std::slice::from_ref(field))
    );
    for name in names {
        let _ = writeln!(text, "        - {}", quoted(name));
    }
    if let Some(initial) = initial {
        note(
            text,
            6,
            "The schema has it as its default. Without this line a new document may begin in any state.",
        );
        let _ = writeln!(text, "      initial: {}", list(std::slice::from_ref(initial)));
    }
    text.push_str("      transitions:\n");
    note(
        text,
        8,
        "Every step is allowed. To narrow it, take this line away and write down the steps that are meant, as in the next line; a later line overrides an earlier one. States that nothing leads out of go under `final`.",
    );
    text.push_str("        - { from: [\"*\"], to: [\"*\"] }\n");
    if let [first, second, ..] = names.as_slice() {
        let (first, second) = (comment(&quoted(first)), comment(&quoted(second)));
        let _ = writeln!(text, "        # - {{ from: [{first}], to: [same, {second}] }}");
        let _ = writeln!(
            text,
            "        # - {{ from: [{second}], to: [{first}], allow: false, reason: callers are told why }}"
        );
    }
}

fn write_route(text: &mut String, route: &Route) {
    let _ = write!(
        text,
        "  - id: {}\n    methods: [{}]\n    path: {}\n",
        quoted(&route.id),
        route.method,
        route.path
    );
    if !route.params.is_empty() {
        let params: Vec<String> =
            route.params.iter().map(|(name, form)| format!("{}: {form}", quoted(name))).collect();
        let _ = writeln!(text, "    params: {{ {} }}", params.join(", "));
    }
    if route.trailing_slashes > 0 {
        let _ = writeln!(text, "    trailing_slashes: {}", route.trailing_slashes);
    }
    if let Some(resource) = route.body.resource() {
        let _ =
            write!(text, "    resource: {}\n    body: {}\n", quoted(resource), route.body.as_str());
        let _ = writeln!(text, "    media_types: {}", list(&route.media_types));
    }
    if route.query {
        text.push_str("    query: permit\n");
    }
    if route.if_match {
        text.push_str("    if_match: required\n");
    }
    if route.body != Body::None && route.method != "POST" && !route.reads {
        note(
            text,
            4,
            "The file has no `get` here, so that the current state cannot be read: what depends on it is refused.",
        );
        text.push_str("    state: never\n");
    }
}

/// `said` as comments that are indented by `indent`, in lines that are not too long. What stands between
/// backticks stays in one line.
pub(super) fn note(text: &mut String, indent: usize, said: &str) {
    let pad = " ".repeat(indent);
    let (mut line, mut within) = (String::new(), false);
    for word in said.split_whitespace() {
        let is_too_long = indent + line.chars().count() + word.chars().count() > WIDTH;
        if !line.is_empty() && !within && is_too_long {
            let _ = writeln!(text, "{pad}#{line}");
            line.clear();
        }
        line.push(' ');
        line.push_str(word);
        within ^= word.matches('`').count() % 2 == 1;
    }
    let _ = writeln!(text, "{pad}#{line}");
}

fn comment_list(all: &[String]) -> String {
    let shown: Vec<String> = all.iter().map(|text| format!("`{}`", comment(text))).collect();
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_goes_over_lines_and_what_stands_between_backticks_does_not() {
        let mut text = String::new();
        note(&mut text, 2, &format!("{} `a: b c` d.", "x".repeat(95)));
        assert_eq!(text, format!("  # {} `a: b c`\n  # d.\n", "x".repeat(95)));
        let mut text = String::new();
        note(&mut text, 0, &format!("{} `a: {}` d.", "x".repeat(90), "b ".repeat(20)));
        assert_eq!(text.lines().count(), 2, "{text}");
    }
}
