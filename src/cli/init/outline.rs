//! What an API offers, as far as a file tells: what a policy is drafted from.

use super::left::Left;
use super::places::By;
use crate::policy::schema::Schema;

use serde_json::Value;

/// The outline of an API.
#[derive(Debug)]
pub(super) struct Outline {
    /// What the API is called, for readers.
    pub(super) title: String,
    /// The name of the policy.
    pub(super) name: String,
    /// What it was drafted from, for readers.
    pub(super) origin: String,
    /// Where the API is, if the file says so.
    pub(super) url: Option<String>,
    /// Whether paths and routes are only a suggestion.
    pub(super) made_up: bool,
    pub(super) kinds: Vec<Kind>,
    pub(super) resources: Vec<Resource>,
    pub(super) routes: Vec<Route>,
    pub(super) left: Left,
}

/// A kind of document: a schema, which one or more resources have.
#[derive(Debug)]
pub(super) struct Kind {
    /// The name, also of the file.
    pub(super) name: String,
    pub(super) written: Value,
    pub(super) schema: Schema,
    /// The text of the file, where it is copied.
    pub(super) text: Option<String>,
    /// Documents that the file shows.
    pub(super) shown: Vec<Value>,
}

/// A resource of the policy.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) name: String,
    /// The name of its kind.
    pub(super) kind: String,
    /// How it is changed.
    pub(super) by: By,
    /// Whether it is replaced as a whole.
    pub(super) whole: bool,
    /// The ops that the file lists for its patches.
    pub(super) ops: Vec<String>,
    /// The schema of the members that merge patches may set, if it is another one.
    pub(super) settable: Option<(Value, Schema)>,
}

/// A route of the policy.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) id: String,
    pub(super) method: &'static str,
    /// The path template.
    pub(super) path: String,
    /// The parameters, and what each has to be.
    pub(super) params: Vec<(String, &'static str)>,
    pub(super) trailing_slashes: usize,
    pub(super) body: Body,
    pub(super) media_types: Vec<String>,
    pub(super) query: bool,
    pub(super) if_match: bool,
    /// Whether the API answers GET there, so that the current state can be read.
    pub(super) reads: bool,
}

/// What the body of a route is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// A document of this resource.
    Document(String),
    /// A JSON Patch of it.
    JsonPatch(String),
    /// A merge patch of it.
    MergePatch(String),
    None,
}

impl Body {
    /// The resource, if there is one.
    pub(super) fn resource(&self) -> Option<&str> {
        match self {
            Self::Document(name) | Self::JsonPatch(name) | Self::MergePatch(name) => Some(name),
            Self::None => None,
        }
    }

    /// As it is written in a policy.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Document(_) => "document",
            Self::JsonPatch(_) => "json-patch",
            Self::MergePatch(_) => "merge-patch",
            Self::None => "none",
        }
    }
}

impl Outline {
    /// The kind called `name`.
    pub(super) fn kind(&self, name: &str) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.name == name)
    }

    /// The resource called `name`, with its kind.
    pub(super) fn resource(&self, name: &str) -> Option<(&Resource, &Kind)> {
        let resource = self.resources.iter().find(|resource| resource.name == name)?;
        Some((resource, self.kind(&resource.kind)?))
    }
}
