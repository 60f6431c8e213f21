//! From an OpenAPI file to an outline: every path with a `patch`, and the collection above it.

mod body;
mod collect;
mod operation;

use super::left::{At, Left};
use super::names::{kebab, singular};
use super::outline::Outline;
use super::reference::follow;
use super::source::Dialect;
use super::yaml::comment;

use collect::Collected;

use serde_json::Value;

use std::collections::BTreeSet;

/// How many paths without a `patch` are told one by one.
const TOLD: usize = 10;
/// The operations of a path that no route is drafted for.
const NO_ROUTE: [&str; 4] = ["delete", "head", "options", "trace"];

/// A file, and where its paths begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct File<'d> {
    root: &'d Value,
    dialect: Dialect,
}

/// A path of the file: its template and what stands there.
#[derive(Clone, Debug)]
struct Path<'d> {
    template: &'d str,
    item: &'d Value,
    at: At,
}

/// The outline of the API that the OpenAPI file `root` describes; `named` is the name of the policy and
/// `url` where the API is, if somebody says so.
///
/// # Errors
///
/// When nothing in it can be changed by a patch.
pub(super) fn read(
    root: &Value,
    dialect: Dialect,
    named: Option<&str>,
    url: Option<&str>,
) -> Result<Outline, String> {
    let file = File { root, dialect };
    let mut left = Left::default();
    let paths = file.paths(&mut left);
    let (patched, others): (Vec<&Path<'_>>, Vec<&Path<'_>>) =
        paths.iter().partition(|path| path.item.get("patch").is_some());
    if patched.is_empty() {
        return Err(
            "no path has a `patch`, so that there is nothing to write a policy for".to_owned()
        );
    }
    let mut collected = Collected::new(file, &mut left);
    for path in &patched {
        collected.patched(path);
    }
    let above: BTreeSet<&str> = patched.iter().filter_map(|path| above(path.template)).collect();
    let (above, others): (Vec<&Path<'_>>, Vec<&Path<'_>>) =
        others.into_iter().partition(|path| above.contains(path.template.trim_end_matches('/')));
    for path in above {
        collected.above(path);
    }
    let Collected { mut kinds, resources, routes, .. } = collected;
    kinds.retain(|kind| resources.iter().any(|resource| resource.kind == kind.name));
    if !routes.iter().any(|route| route.method == "PATCH") {
        return Err(format!("no `patch` could be translated:\n{left}"));
    }
    for path in &patched {
        for method in NO_ROUTE.iter().filter(|method| path.item.get(method).is_some()) {
            left.push(
                &path.at.key(method),
                "no route is drafted for it, and what no route admits is refused",
            );
        }
    }
    told_others(&others, &mut left);
    file.rest(&mut left);
    let title =
        root.pointer("/info/title").and_then(Value::as_str).map(comment).unwrap_or_default();
    let first = kinds.first().map(|kind| kind.name.clone()).unwrap_or_default();
    let name = [named.map(str::to_owned), Some(kebab(&title)), Some(first)];
    let name = name.into_iter().flatten().find(|name| !name.is_empty()).unwrap_or_default();
    let title = if title.is_empty() { name.clone() } else { title };
    let url = url.map(str::to_owned).or_else(|| file.url(&mut left));
    let (origin, made_up) = (String::new(), false);
    Ok(Outline { title, name, origin, url, made_up, kinds, resources, routes, left })
}

impl<'d> File<'d> {
    fn paths(self, left: &mut Left) -> Vec<Path<'d>> {
        let mut paths = Vec::new();
        let all = self.root.get("paths").and_then(Value::as_object);
        for (template, item) in all.into_iter().flatten().filter(|(name, _)| name.starts_with('/'))
        {
            let at = At::default().key("paths").key(template);
            match follow(self.root, item, &at) {
                // It is told by its path, and not by where its `$ref` leads.
                Ok((item, _)) => paths.push(Path { template, item, at }),
                Err(why) => left.push(&at, why),
            }
        }
        paths
    }

    /// The address of the API, without a slash at the end.
    fn url(self, left: &mut Left) -> Option<String> {
        let servers = self.root.get("servers").and_then(Value::as_array);
        let server = servers.and_then(|servers| servers.first())?;
        let at = At::default().key("servers").index(0).key("url");
        let mut url = server.get("url")?.as_str()?.to_owned();
        for (name, variable) in
            server.get("variables").and_then(Value::as_object).into_iter().flatten()
        {
            if let Some(default) = variable.get("default").and_then(Value::as_str) {
                url = url.replace(&format!("{{{name}}}"), default);
            }
        }
        let url = url.trim_end_matches('/');
        if !super::gateway::is_url(url) {
            left.push(&at, "is no `http://` or `https://` address of an upstream; write it into the gateway file, or give `--url`");
            return None;
        }
        Some(url.to_owned())
    }

    /// What stands beside the paths, and has no place in a policy.
    fn rest(self, left: &mut Left) {
        let at = At::default();
        if self.root.get("webhooks").is_some() {
            left.push(
                &at.key("webhooks"),
                "the gateway stands before the API, and not before its callers",
            );
        }
        let schemes = self.root.pointer("/components/securitySchemes").and_then(Value::as_object);
        for (name, scheme) in schemes.into_iter().flatten() {
            let at = at.key("components").key("securitySchemes").key(name);
            if scheme.get("type").is_some_and(|kind| kind == "apiKey") {
                left.push(&at, "the gateway passes it on; but where it reads the current state itself it shows `Authorization` alone");
            }
        }
    }
}

/// The path of the collection that the documents at `template` are in.
fn above(template: &str) -> Option<&str> {
    let (above, last) = template.trim_end_matches('/').rsplit_once('/')?;
    (last.starts_with('{') && !above.is_empty()).then_some(above)
}

/// What the documents at `template` are, by the last segment that is no parameter.
fn called(template: &str) -> String {
    let plain =
        template.split('/').rev().find(|segment| !segment.is_empty() && !segment.contains('{'));
    match singular(&kebab(plain.unwrap_or_default())) {
        name if name.is_empty() => "document".to_owned(),
        name => name,
    }
}

fn told_others(others: &[&Path<'_>], left: &mut Left) {
    let why = "it has no `patch`, and no route leads there";
    if others.len() <= TOLD {
        others.iter().for_each(|path| left.push(&path.at, why));
    } else if let Some(first) = others.first() {
        let more = format!(
            "{} paths, as `{}`, have no `patch`, and no route leads there",
            others.len(),
            comment(first.template)
        );
        left.push(&At::default().key("paths"), more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_tells_what_is_there_and_what_is_above_it() {
        for (template, name, collection) in [
            ("/v1/orders/{id}", "order", Some("/v1/orders")),
            ("/orders/{id}/", "order", Some("/orders")),
            ("/orders/{id}/lines/{line}", "line", Some("/orders/{id}/lines")),
            ("/me/settings", "setting", None),
            ("/{id}", "document", None),
        ] {
            assert_eq!((called(template).as_str(), above(template)), (name, collection));
        }
    }
}
