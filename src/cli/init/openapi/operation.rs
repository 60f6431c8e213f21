//! One operation of a path: its parameters, and what is sent and answered there.

use super::body::essence;
use super::{File, Path};
use crate::cli::init::left::{At, Left};
use crate::cli::init::reference::follow;

use serde_json::Value;

/// Fields that OpenAPI says are no parameters, whoever lists them.
const NOT_PARAMETERS: [&str; 3] = ["accept", "authorization", "content-type"];

/// An operation, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Operation<'d> {
    file: File<'d>,
    pub(super) value: &'d Value,
    pub(super) at: At,
    path: &'d Value,
    above: At,
}

/// What the parameters of an operation come to.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters {
    /// Those of the path, and what each has to be.
    pub(super) path: Vec<(String, &'static str)>,
    /// Whether there is a query.
    pub(super) query: bool,
    /// Whether `If-Match` has to be sent.
    pub(super) if_match: bool,
}

/// A schema that the file holds, and where.
#[derive(Clone, Debug)]
pub(super) struct Held<'d> {
    pub(super) schema: &'d Value,
    pub(super) at: At,
    /// Documents that the file shows beside it.
    pub(super) shown: Vec<Value>,
}

impl<'d> Operation<'d> {
    /// The operation with `method` at `path`, if there is one.
    pub(super) fn of(file: File<'d>, path: &Path<'d>, method: &str) -> Option<Self> {
        let value = path.item.get(method)?;
        Some(Self { file, value, at: path.at.key(method), path: path.item, above: path.at.clone() })
    }

    /// What its parameters come to.
    pub(super) fn parameters(&self, left: &mut Left) -> Parameters {
        let mut found = Parameters::default();
        for (holder, at) in [(self.path, &self.above), (self.value, &self.at)] {
            let list = holder.get("parameters").and_then(Value::as_array);
            for (index, parameter) in list.into_iter().flatten().enumerate() {
                let at = at.key("parameters").index(index);
                match follow(self.file.root, parameter, &at) {
                    Ok((parameter, _)) => self.parameter(parameter, &at, &mut found, left),
                    Err(why) => left.push(&at, why),
                }
            }
        }
        found
    }

    fn parameter(&self, parameter: &Value, at: &At, found: &mut Parameters, left: &mut Left) {
        let name = parameter.get("name").and_then(Value::as_str).unwrap_or_default();
        let is_required = parameter.get("required") == Some(&Value::Bool(true));
        match parameter.get("in").and_then(Value::as_str).unwrap_or_default() {
            "path" => {
                let schema = parameter.get("schema").unwrap_or(&Value::Null);
                let schema =
                    follow(self.file.root, schema, at).map_or(&Value::Null, |(schema, _)| schema);
                let is_guid = schema.get("format").is_some_and(|format| format == "uuid");
                found.path.retain(|(known, _)| known != name);
                found.path.push((name.to_owned(), if is_guid { "guid" } else { "token" }));
            }
            "query" => found.query = true,
            "header" if name.eq_ignore_ascii_case("if-match") => found.if_match |= is_required,
            "header" if NOT_PARAMETERS.contains(&name.to_ascii_lowercase().as_str()) => {}
            "header" if is_required => {
                left.push(at, "the only field that a route demands is `If-Match`; this one is passed on, and not demanded");
            }
            "header" => {}
            "cookie" => left
                .push(at, "cookies are passed on as they are, and none is demanded or looked at"),
            _ => left.push(at, "is no parameter of a path, a query, a header or a cookie"),
        }
    }

    /// What is sent: the schema of each media type, in small letters and without parameters.
    pub(super) fn sent(&self, left: &mut Left) -> Vec<(String, Option<Held<'d>>)> {
        let Some(body) = self.value.get("requestBody") else { return Vec::new() };
        self.content(body, &self.at.key("requestBody"), left)
    }

    /// The schema of what is answered where all went well.
    pub(super) fn answered(&self, left: &mut Left) -> Option<Held<'d>> {
        let responses = self.value.get("responses")?.as_object()?;
        let is_good = |status: &&String| status.starts_with('2');
        let status = ["200"].into_iter().find(|status| responses.contains_key(*status));
        let status = status.or_else(|| responses.keys().find(is_good).map(String::as_str))?;
        let at = self.at.key("responses").key(status);
        let content = self.content(responses.get(status)?, &at, left);
        content
            .into_iter()
            .filter(|(media_type, _)| super::body::is_json(media_type))
            .find_map(|(_, held)| held)
    }

    fn content(
        &self,
        holder: &'d Value,
        at: &At,
        left: &mut Left,
    ) -> Vec<(String, Option<Held<'d>>)> {
        let (holder, at) = match follow(self.file.root, holder, at) {
            Ok(found) => found,
            Err(why) => {
                left.push(at, why);
                return Vec::new();
            }
        };
        let content = holder.get("content").and_then(Value::as_object);
        let held = |(media_type, content): (&String, &'d Value)| {
            let at = at.key("content").key(media_type).key("schema");
            let examples = content.get("examples").and_then(Value::as_object).into_iter().flatten();
            let examples = examples.filter_map(|(_, example)| example.get("value"));
            let shown = content.get("example").into_iter().chain(examples).cloned().collect();
            let schema = content.get("schema");
            (essence(media_type), schema.map(|schema| Held { schema, at, shown }))
        };
        content.into_iter().flatten().map(held).collect()
    }
}
