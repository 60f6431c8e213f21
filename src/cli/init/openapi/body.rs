//! The body of a `patch`: whether it is a JSON Patch or a merge patch, by its media types and schemas.

use super::File;
use super::operation::Held;
use crate::cli::init::left::{At, Left};
use crate::cli::init::reference::follow;
use crate::cli::init::yaml::comment;

use serde_json::Value;

/// A `patch`, as a policy can take it.
#[derive(Clone, Debug)]
pub(super) struct Sent<'d> {
    pub(super) form: Form,
    pub(super) media_types: Vec<String>,
    /// The ops that its schema lists.
    pub(super) ops: Vec<String>,
    /// The schema of a merge patch.
    pub(super) merge: Option<Held<'d>>,
}

/// The form of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    JsonPatch,
    MergePatch,
}

impl<'d> Sent<'d> {
    /// What `content`, the body of the operation `at` this place, may be.
    pub(super) fn of(
        file: File<'d>,
        content: Vec<(String, Option<Held<'d>>)>,
        at: &At,
        left: &mut Left,
    ) -> Option<Self> {
        let here = at.key("requestBody");
        if content.is_empty() {
            left.push(&here, "says nothing of what is sent");
            return None;
        }
        let mut found: Option<Self> = None;
        let mut kept: Vec<(Form, bool, String, Option<Held<'d>>)> = Vec::new();
        for (media_type, held) in content {
            let is_list = held.as_ref().is_some_and(|held| file.is_list(held));
            let (form, is_sure) = match media_type.as_str() {
                "application/json-patch+json" => (Form::JsonPatch, true),
                "application/merge-patch+json" => (Form::MergePatch, true),
                other if !is_json(other) => {
                    let shown = comment(other);
                    left.push(&here, format!("`{shown}` is no JSON, which is all that is judged; it is refused with 415"));
                    continue;
                }
                _ if is_list => (Form::JsonPatch, true),
                _ => (Form::MergePatch, false),
            };
            kept.push((form, is_sure, media_type, held));
        }
        // What says by its name what it is comes first, and of those a JSON Patch.
        kept.sort_by_key(|(form, is_sure, ..)| (!is_sure, *form != Form::JsonPatch));
        for (form, is_sure, media_type, held) in kept {
            match &mut found {
                Some(first) if first.form != form => {
                    let why = format!(
                        "`{}` is left out: a route takes one form of body",
                        comment(&media_type)
                    );
                    left.push(&here, why);
                }
                Some(first) => first.media_types.push(media_type),
                None => {
                    if !is_sure {
                        left.push(&here, format!("`{}` does not say what becomes of what is left out or null; it is judged as a merge patch (RFC 7396)", comment(&media_type)));
                    }
                    let ops = held.as_ref().map(|held| file.ops(held)).unwrap_or_default();
                    let merge = held.filter(|_| form == Form::MergePatch);
                    found = Some(Self { form, media_types: vec![media_type], ops, merge });
                }
            }
        }
        if let Some(found) = &mut found {
            found.media_types.dedup();
        }
        found
    }
}

impl<'d> File<'d> {
    fn is_list(self, held: &Held<'d>) -> bool {
        self.followed(held.schema, &held.at).is_some_and(|schema| {
            schema.get("type").is_some_and(|name| name == "array") || schema.get("items").is_some()
        })
    }

    /// The ops that the schema of a JSON Patch lists.
    fn ops(self, held: &Held<'d>) -> Vec<String> {
        let find = || {
            let list = self.followed(held.schema, &held.at)?;
            let op = self.followed(list.get("items")?, &held.at)?;
            let name = self.followed(op.pointer("/properties/op")?, &held.at)?;
            let names = name.get("enum")?.as_array()?;
            Some(names.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        };
        find().unwrap_or_default()
    }

    fn followed(self, schema: &'d Value, at: &At) -> Option<&'d Value> {
        follow(self.root, schema, at).ok().map(|(schema, _)| schema)
    }
}

/// A media type in small letters and without parameters.
pub(super) fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether what has this media type is JSON.
pub(super) fn is_json(essence: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/+-._".contains(c);
    let is_one = essence.split('/').count() == 2;
    is_one
        && essence.chars().all(plain)
        && (essence.ends_with("/json") || essence.ends_with("+json"))
}
