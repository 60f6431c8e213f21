//! From one JSON Schema to an outline: one resource, at paths that are made up.

use super::left::Left;
use super::names::{is_name, kebab, plural};
use super::outline::{Body, Kind, Outline, Resource, Route};
use super::places::By;
use super::view::{Branches, View};
use super::yaml::comment;
use crate::policy::schema::Schema;

use serde_json::Value;

use std::path::Path;

/// What is drafted from where there is no file.
pub(super) const EXAMPLE: &str = include_str!("example.schema.json");

/// The outline of an API with one kind of document, which `written` describes.
///
/// # Errors
///
/// When the gateway cannot use it.
pub(super) fn read(
    written: Value,
    text: Option<String>,
    named: Option<&str>,
    file: &Path,
) -> Result<Outline, String> {
    let schema =
        Schema::new(&written).map_err(|why| format!("the schema cannot be used: {why}"))?;
    if !schema.root().may_be_object() || View::of(&written, Branches::All).names().is_empty() {
        return Err("the schema describes no object with `properties`, and nothing else is changed by patches".to_owned());
    }
    let title = written.get("title").and_then(Value::as_str).map(comment).unwrap_or_default();
    let file = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = file.split('.').next().unwrap_or_default();
    let names =
        [named.map(str::to_owned), Some(kebab(&title)), Some(kebab(stem))].into_iter().flatten();
    let name =
        names.into_iter().find(|name| is_name(name)).unwrap_or_else(|| "document".to_owned());
    let route = |id: String, method, path: String, body| Route {
        id,
        method,
        params: if path.ends_with('}') { vec![("id".to_owned(), "token")] } else { Vec::new() },
        path,
        trailing_slashes: 0,
        media_types: match &body {
            Body::Document(_) => vec!["application/json".to_owned()],
            Body::JsonPatch(_) => vec!["application/json-patch+json".to_owned()],
            Body::MergePatch(_) => vec!["application/merge-patch+json".to_owned()],
            Body::None => Vec::new(),
        },
        body,
        query: false,
        if_match: false,
        reads: true,
    };
    let (many, one) = (format!("/{}", plural(&name)), format!("/{}/{{id}}", plural(&name)));
    let routes = vec![
        route(format!("read-{name}"), "GET", one.clone(), Body::None),
        route(format!("create-{name}"), "POST", many, Body::Document(name.clone())),
        route(format!("change-{name}"), "PATCH", one, Body::JsonPatch(name.clone())),
    ];
    let by = By { json_patch: true, adds: true, merge_patch: false };
    let resource = Resource {
        name: name.clone(),
        kind: name.clone(),
        by,
        whole: false,
        ops: Vec::new(),
        settable: None,
    };
    let title = if title.is_empty() { plural(&name) } else { title };
    let kind = Kind { name: name.clone(), written, schema, text, shown: Vec::new() };
    let (origin, left) = (String::new(), Left::default());
    let (kinds, resources) = (vec![kind], vec![resource]);
    Ok(Outline { title, name, origin, url: None, made_up: true, kinds, resources, routes, left })
}
