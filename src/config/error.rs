//! What is wrong in a file: every fault, each with its file, line and column.

use crate::violation::closest;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use std::fmt;
use std::path::PathBuf;

/// A place in a file, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: u64,
    /// The column.
    pub column: u64,
}

/// One fault in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// Where in it, if it could be read at all.
    pub place: Option<Place>,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(place) = self.place {
            write!(f, ":{}:{}", place.line, place.column)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Every fault that was found; one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

impl ConfigErrors {
    /// By file and place.
    pub fn sorted(&self) -> Vec<&ConfigError> {
        let mut errors: Vec<&ConfigError> = self.0.iter().collect();
        errors.sort_by_key(|error| (&error.file, error.place));
        errors
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.sorted().into_iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// The format of a kind of files, which a JSON Schema describes.
pub(super) struct Format {
    schema: Value,
    validator: Validator,
}

impl Format {
    /// The one that `schema` describes.
    pub(super) fn of(schema: &str) -> Result<Self, String> {
        let broken = |error: String| format!("the format's schema is broken: {error}");
        let schema: Value =
            serde_json::from_str(schema).map_err(|error| broken(error.to_string()))?;
        let validator = jsonschema::options().offline().build(&schema);
        Ok(Self { validator: validator.map_err(|error| broken(error.to_string()))?, schema })
    }

    /// Every way in which `json` does not follow it: the pointer to the key at fault, and what is
    /// wrong.
    pub(super) fn faults(&self, json: &Value) -> Vec<(String, String)> {
        let errors = self.validator.iter_errors(json);
        errors.flat_map(|error| explain(&error, &self.schema)).collect()
    }
}

/// The key that a pointer leads to; an element of a list by the key of the list, as `ops[0]`.
fn named(pointer: &str) -> String {
    let Some((above, last)) = pointer.rsplit_once('/') else { return String::new() };
    match last.bytes().all(|byte| byte.is_ascii_digit()) && !above.is_empty() {
        true => format!("{}[{last}]", named(above)),
        false => last.to_owned(),
    }
}

/// What is wrong, each with the pointer to the key at fault.
fn explain(error: &ValidationError<'_>, schema: &Value) -> Vec<(String, String)> {
    let at = error.instance_path().to_string();
    let key = named(&at);
    let one = |message: String| vec![(at.clone(), message)];
    #[allow(clippy::wildcard_enum_match_arm, reason = "the crate's list is open")]
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let parent = error.schema_path().to_string();
            let parent = parent.rsplit_once('/').map_or("", |(parent, _)| parent);
            let known = schema.pointer(parent).and_then(|schema| schema.get("properties"));
            let known: Vec<&str> = known
                .and_then(Value::as_object)
                .into_iter()
                .flat_map(|m| m.keys())
                .map(String::as_str)
                .collect();
            let unknown = |name: &String| {
                let hint = match closest(name, known.iter().copied(), 1).first() {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known are `{}`", known.join("`, `")),
                };
                (format!("{at}/{name}"), format!("unknown key `{name}`; {hint}"))
            };
            unexpected.iter().map(unknown).collect()
        }
        ValidationErrorKind::Required { property } => {
            one(format!("the key `{}` is missing", property.as_str().unwrap_or_default()))
        }
        ValidationErrorKind::Enum { options } => {
            let listed = options
                .as_array()
                .into_iter()
                .flatten()
                .map(|option| format!("`{}`", option.as_str().unwrap_or("?")));
            one(format!("`{key}` is one of {}", listed.collect::<Vec<_>>().join(", ")))
        }
        ValidationErrorKind::OneOfNotValid { .. } => {
            let branches = schema.pointer(&error.schema_path().to_string());
            let listed = branches.and_then(Value::as_array).into_iter().flatten();
            let listed = listed.filter_map(|branch| branch.get("const")?.as_str());
            one(format!("`{key}` is one of `{}`", listed.collect::<Vec<_>>().join("`, `")))
        }
        ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::Pattern { .. } => {
            let parent = error.schema_path().to_string();
            let parent = parent.rsplit_once('/').map_or("", |(parent, _)| parent);
            let about = schema.pointer(parent).and_then(|schema| schema.get("description"));
            one(format!(
                "`{key}` is not written right: {}",
                about.and_then(Value::as_str).unwrap_or("see the reference").replace('\n', " ")
            ))
        }
        _ => one(format!("`{key}`: {}", error.masked())),
    }
}
