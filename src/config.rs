//! From files to values: everything a file can get wrong is found here, all at once, with its place.

pub mod compile;
pub mod error;
pub mod gateway;
pub mod policy;
pub mod source;
mod tree;
pub mod units;

pub use compile::{Loaded, load, load_policy};
pub use error::{ConfigError, ConfigErrors};
pub use source::Source;

use error::Place;
use tree::Tree;

use schemars::JsonSchema;
use serde::{Deserialize, de::DeserializeOwned};

use std::path::{Path, PathBuf};

/// The version of the file formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The only one so far.
    #[serde(rename = "patchgate/v1")]
    V1,
}

/// A file that was read: its typed content, and where each key stands.
#[derive(Debug)]
pub struct File<T> {
    /// Where it was read from.
    pub path: PathBuf,
    /// What it holds.
    pub value: T,
    tree: Tree,
}

impl<T> File<T> {
    /// An error at the key that `pointer` leads to.
    pub fn error(&self, pointer: &str, message: impl Into<String>) -> ConfigError {
        ConfigError {
            file: self.path.clone(),
            place: self.tree.place(pointer),
            message: message.into(),
        }
    }

    /// `path` as it is meant in this file: beside it, unless it is absolute.
    pub fn beside(&self, path: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }
}

/// The JSON Schema of the file format `T`, as it is shipped.
pub fn schema_of<T: JsonSchema>() -> String {
    let schema = schemars::schema_for!(T);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

/// Reads the YAML or JSON file at `path`, whose format `schema` describes.
///
/// # Errors
///
/// Everything that does not follow the format.
fn read<T: DeserializeOwned>(
    source: Source,
    path: &Path,
    schema: &str,
) -> Result<File<T>, ConfigErrors> {
    let fail = |place: Option<Place>, message: String| {
        ConfigErrors::from(ConfigError { file: path.to_owned(), place, message })
    };
    let text = source.read(path).map_err(|error| fail(None, format!("cannot be read: {error}")))?;
    let tree = Tree::parse(&text).map_err(|(place, message)| fail(place, message))?;
    let json = tree.to_json();
    let errors = error::against_schema(path, &tree, &json, schema);
    if !errors.is_empty() {
        return Err(ConfigErrors(errors));
    }
    match serde_json::from_value(json) {
        Ok(value) => Ok(File { path: path.to_owned(), value, tree }),
        // The schema is made from the same types; what it cannot say is said here.
        Err(error) => Err(fail(None, error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_schemas_are_those_of_the_types() {
        for (name, shipped, current) in [
            ("gateway", compile::GATEWAY_SCHEMA, schema_of::<gateway::GatewayFile>()),
            ("policy", compile::POLICY_SCHEMA, schema_of::<policy::PolicyFile>()),
        ] {
            if shipped != current {
                let path = format!("{}/target/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
                std::fs::write(&path, current).expect("target is writable");
                panic!("schemas/{name}.schema.json is not current; the current one is in {path}");
            }
        }
    }
}
