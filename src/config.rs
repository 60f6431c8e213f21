//! From files to values: everything a file can get wrong is found here, all at once, with its place.

pub mod cases;
pub mod compile;
pub mod error;
mod files;
pub mod gateway;
pub mod policy;
mod references;
mod secret;
pub mod source;
mod tree;
pub mod units;

pub use compile::{Checked, Loaded, check, load, load_cases, load_policy, load_policy_file};
pub use error::{ConfigError, ConfigErrors};
pub use files::Files;
pub use secret::Secret;
pub use source::Source;

use error::{Format, Place};
use references::References;
use tree::Tree;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use std::path::{Path, PathBuf};

/// The version of the file formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
pub enum ApiVersion {
    /// The only one so far.
    #[serde(rename = "patchgate/v1")]
    V1,
}

/// The kinds of file, by what their key `kind` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Requests, and what a policy has to say of them.
    Cases,
    /// Where things are.
    #[value(alias = "config")]
    Gateway,
    /// What is allowed.
    Policy,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Cases, Self::Gateway, Self::Policy];

    /// The kind as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cases => "Cases",
            Self::Gateway => "Gateway",
            Self::Policy => "Policy",
        }
    }

    /// The JSON Schema of such files, made from the types that they are read into.
    pub fn schema(self) -> String {
        let schema = match self {
            Self::Cases => schemars::schema_for!(cases::CasesFile),
            Self::Gateway => schemars::schema_for!(gateway::GatewayFile),
            Self::Policy => schemars::schema_for!(policy::PolicyFile),
        };
        let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// A file that was read: its typed content, and where each key stands.
#[derive(Debug)]
pub struct File<T> {
    /// Where it was read from.
    pub path: PathBuf,
    /// What it holds.
    pub value: T,
    tree: Tree,
    references: References,
}

impl<T: Serialize> File<T> {
    /// The file with everything that it leaves out, and with references instead of what they lead to.
    fn effective(&self) -> serde_json::Value {
        let mut json = serde_json::to_value(&self.value).unwrap_or_default();
        self.references.mask(&mut json);
        json
    }
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

    /// The place of the key that `pointer` leads to, or of what comes nearest.
    pub fn place(&self, pointer: &str) -> Option<Place> {
        self.tree.place(pointer)
    }

    /// Whether the value that `pointer` leads to was made from elsewhere.
    pub fn is_referred(&self, pointer: &str) -> bool {
        self.references.leads_to(pointer)
    }

    /// `path` as it is meant in this file: beside it, unless it is absolute.
    pub fn beside(&self, path: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }
}

/// What the file at `path` says it is.
fn kind(source: Source, path: &Path) -> Result<Kind, ConfigErrors> {
    let fail = |place: Option<Place>, message: String| {
        ConfigErrors::from(ConfigError { file: path.to_owned(), place, message })
    };
    let text = source.read(path).map_err(|error| fail(None, format!("cannot be read: {error}")))?;
    let tree = Tree::parse(&text).map_err(|(place, message)| fail(place, message))?;
    let json = tree.to_json();
    let said = json.get("kind").and_then(serde_json::Value::as_str).unwrap_or_default();
    Kind::ALL.into_iter().find(|kind| kind.as_str() == said).ok_or_else(|| {
        let known = Kind::ALL.map(Kind::as_str).join("`, `");
        let message =
            format!("`kind` is one of `{known}`, and stands beside `apiVersion: patchgate/v1`");
        fail(tree.place("/kind"), message)
    })
}

/// Reads the YAML or JSON file at `path`, whose format `schema` describes.
///
/// Whatever does not follow the format is added to `errors` and then left out, so that what the
/// rest gets wrong can be told in the same breath. `None` when too little is left.
fn read<T: DeserializeOwned>(
    source: Source,
    path: &Path,
    schema: &str,
    errors: &mut Vec<ConfigError>,
) -> Option<File<T>> {
    let tree = parse(source, path, errors)?;
    let json = tree.to_json();
    typed(path, tree, json, References::default(), schema, errors)
}

/// What `text`, the YAML or JSON of the file at `path`, holds, whatever its format is.
///
/// # Errors
///
/// When it is neither.
pub fn plain(path: &Path, text: &str) -> Result<serde_json::Value, ConfigError> {
    let fail = |(place, message)| ConfigError { file: path.to_owned(), place, message };
    Tree::parse(text).map(|tree| tree.to_json()).map_err(fail)
}

/// The file at `path` as a tree.
fn parse(source: Source, path: &Path, errors: &mut Vec<ConfigError>) -> Option<Tree> {
    let parsed = source.read(path).map_err(|error| (None, format!("cannot be read: {error}")));
    let tree = parsed.and_then(|text| Tree::parse(&text));
    let fail =
        |(place, message)| errors.push(ConfigError { file: path.to_owned(), place, message });
    tree.map_err(fail).ok()
}

/// What `json` holds, which is what `tree` says with its `references` resolved.
fn typed<T: DeserializeOwned>(
    path: &Path,
    tree: Tree,
    mut json: serde_json::Value,
    references: References,
    schema: &str,
    errors: &mut Vec<ConfigError>,
) -> Option<File<T>> {
    let fail = |place, message| ConfigError { file: path.to_owned(), place, message };
    let format = Format::of(schema).map_err(|error| errors.push(fail(None, error))).ok()?;
    let mut faults = format.faults(&json);
    if references.read_as_wanted(&mut json, faults.iter().map(|(at, _)| at)) {
        faults = format.faults(&json);
    }
    errors.extend(faults.iter().map(|(at, message)| fail(tree.place(at), message.clone())));
    let mut left = faults.clone();
    // What is left may lack what is required of it, and is then left out as well.
    for _ in 0..8 {
        if left.is_empty() {
            break;
        }
        for (at, _) in &left {
            leave_out(&mut json, at);
        }
        left = format.faults(&json);
    }
    match serde_json::from_value(json) {
        Ok(value) => Some(File { path: path.to_owned(), value, tree, references }),
        Err(_) if !faults.is_empty() => None,
        // The schema is made from the same types; what it cannot say is said here.
        Err(error) => {
            errors.push(fail(None, error.to_string()));
            None
        }
    }
}

/// Takes the key that `pointer` leads to out of its map; for an element of a list, the list.
fn leave_out(json: &mut serde_json::Value, pointer: &str) {
    let Some((parent, key)) = pointer.rsplit_once('/') else { return };
    match json.pointer_mut(parent) {
        Some(serde_json::Value::Object(members)) => {
            members.remove(&key.replace("~1", "/").replace("~0", "~"));
        }
        _ => leave_out(json, parent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_schemas_are_those_of_the_types() {
        for (kind, shipped) in [
            (Kind::Cases, compile::CASES_SCHEMA),
            (Kind::Gateway, compile::GATEWAY_SCHEMA),
            (Kind::Policy, compile::POLICY_SCHEMA),
        ] {
            if shipped != kind.schema() {
                let name = kind.as_str().to_lowercase();
                let path = format!("{}/target/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
                std::fs::write(&path, kind.schema()).expect("target is writable");
                panic!("schemas/{name}.schema.json is not current; the current one is in {path}");
            }
        }
    }
}
