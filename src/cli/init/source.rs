//! The file that describes the API: read, and told apart by what it says of itself.

use super::NoFiles;
use crate::config::{ConfigError, error::Place, plain};

use serde_json::Value;

use std::path::Path;

/// A file, by what it is.
#[derive(Debug)]
pub(super) enum Described {
    /// OpenAPI 3.0 or 3.1.
    OpenApi(Dialect, Value),
    /// A JSON Schema, and its text if that is JSON.
    Schema(Value, Option<String>),
}

/// What schemas in an OpenAPI file are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// OpenAPI's own, which is almost JSON Schema.
    V30,
    /// JSON Schema 2020-12.
    V31,
}

impl Described {
    /// Reads the file at `path`, YAML or JSON.
    pub(super) fn read(path: &Path) -> Result<Self, NoFiles> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            NoFiles::Unreadable(format!("{}: cannot be read: {error}", path.display()))
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let is_json = text.trim_start().starts_with('{');
        let value = match is_json {
            true => serde_json::from_str(text).map_err(|error| {
                let place = Place { line: error.line() as u64, column: error.column() as u64 };
                let message = format!("is not JSON: {error}");
                ConfigError { file: path.to_owned(), place: Some(place), message }
            }),
            false => plain(path, text),
        };
        let value: Value = value.map_err(|error| NoFiles::Unreadable(error.to_string()))?;
        Self::of(value, is_json.then(|| text.to_owned()))
            .map_err(|why| NoFiles::Nothing(format!("{}: {why}", path.display())))
    }

    fn of(value: Value, json: Option<String>) -> Result<Self, String> {
        let version = |key: &str| match value.get(key) {
            Some(Value::String(text)) => Some(text.clone()),
            // `openapi: 3.1` is a number in YAML.
            Some(other) => Some(other.to_string()),
            None => None,
        };
        if let Some(version) = version("openapi") {
            let dialect = match version.split('.').collect::<Vec<_>>().as_slice() {
                ["3", "0", ..] => Dialect::V30,
                ["3", "1", ..] => Dialect::V31,
                _ => {
                    return Err(
                        "`openapi` is neither 3.0 nor 3.1, and no other version is read".to_owned()
                    );
                }
            };
            return Ok(Self::OpenApi(dialect, value));
        }
        if version("swagger").is_some() {
            return Err(
                "this is Swagger 2.0; convert it to OpenAPI 3, which many tools do".to_owned()
            );
        }
        let keywords =
            ["$schema", "$ref", "type", "properties", "allOf", "anyOf", "oneOf", "$defs"];
        match keywords.iter().any(|keyword| value.get(keyword).is_some()) {
            true => Ok(Self::Schema(value, json)),
            false => Err("this is neither OpenAPI (it has no `openapi`) nor a JSON Schema (it has no `type` and no `properties`)".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use serde_json::json;

    #[test]
    fn a_file_is_what_it_says() {
        for (value, dialect) in [
            (json!({ "openapi": "3.0.3" }), Dialect::V30),
            (json!({ "openapi": "3.1.0" }), Dialect::V31),
            (json!({ "openapi": 3.1 }), Dialect::V31),
        ] {
            let is = Described::of(value, None);
            assert!(matches!(is, Ok(Described::OpenApi(found, _)) if found == dialect), "{is:?}");
        }
        let schema = Described::of(json!({ "type": "object" }), None);
        assert!(matches!(schema, Ok(Described::Schema(..))));
        for (value, why) in [
            (json!({ "openapi": "3.2.0" }), "neither 3.0 nor 3.1"),
            (json!({ "swagger": "2.0" }), "convert it"),
            (json!({ "name": "x" }), "neither OpenAPI"),
            (json!([]), "neither OpenAPI"),
        ] {
            assert!(Described::of(value, None).is_err_and(|said| said.contains(why)), "{why}");
        }
    }
}
