//! The policy file, as it is written: `kind: Policy`.

mod resource;
mod states;

pub use resource::{Case, Formats, Path, Resource};
pub use states::{Edits, States, Transition};

use super::ApiVersion;
use super::cases::TestCase;
use super::units::Size;

use schemars::JsonSchema;
use serde::Deserialize;

use std::collections::BTreeMap;

/// A policy: the resources of an API, and the routes that change them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "patchgate policy file")]
pub struct PolicyFile {
    /// The version of the format.
    #[serde(rename = "apiVersion")]
    pub api_version: ApiVersion,
    /// What the file is.
    pub kind: PolicyKind,
    /// The name of the policy, in logs and on the admin page.
    pub name: String,
    /// In which form callers are told of a refusal.
    #[serde(default)]
    pub errors: ErrorForm,
    /// The kinds of document that routes change, by name.
    #[serde(default)]
    pub resources: BTreeMap<String, Resource>,
    /// The routes. What no route admits is refused.
    pub routes: Vec<Route>,
    /// Requests, and what the policy has to say of them; `patchgate test` asks it.
    #[serde(default)]
    pub cases: Vec<TestCase>,
}

/// `Policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum PolicyKind {
    /// A policy file.
    Policy,
}

/// The form of a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorForm {
    /// The error envelope of the Partner Center API.
    PartnerCenter,
    /// Problem details (RFC 9457).
    #[default]
    Problem,
}

/// Refuse it, or let it pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// Let it pass.
    Permit,
    /// Refuse it.
    #[default]
    Refuse,
}

/// An operation of RFC 6902.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// `add`
    Add,
    /// `copy`
    Copy,
    /// `move`
    Move,
    /// `remove`
    Remove,
    /// `replace`
    Replace,
    /// `test`
    Test,
}

/// Methods and a path template, with the rules for what comes there.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The name in logs and metrics.
    pub id: String,
    /// The methods, as `PATCH`.
    pub methods: Vec<String>,
    /// The path template, as `/v1.0/things/{id}`.
    pub path: String,
    /// What parameters of the path have to be, by name; another value is a path that is not known.
    #[serde(default)]
    pub params: BTreeMap<String, Param>,
    /// Whether unknown callers are refused with 401, where the gateway lets them in elsewhere.
    #[serde(default)]
    pub identity: Identity,
    /// The partners that it is open to, beside those with one of `roles`; to all if neither is given.
    #[serde(default)]
    pub partners: Vec<String>,
    /// The roles that it is open to.
    #[serde(default)]
    pub roles: Vec<String>,
    /// The resource that it changes; needed for every body but `none`.
    #[serde(default)]
    pub resource: String,
    /// What the body has to be.
    #[serde(default)]
    pub body: Body,
    /// The media types that the body may have.
    #[serde(default)]
    pub media_types: Vec<String>,
    /// Whether the body may be in the content coding gzip; it is judged and sent on without it.
    #[serde(default)]
    pub gzip: Choice,
    /// Whether a query is passed on.
    #[serde(default)]
    pub query: Choice,
    /// How many slashes may follow the path; they are not sent on.
    #[serde(default)]
    pub trailing_slashes: usize,
    /// Whether callers must send `If-Match`.
    #[serde(default)]
    pub if_match: IfMatch,
    /// Whether the current state is read where a rule needs it.
    #[serde(default)]
    pub state: State,
    /// What to do where a rule needs the current state and `state` is `never`.
    #[serde(default)]
    pub undecided: Choice,
    /// What to do where the current state carries no strong entity tag to pin it by.
    #[serde(default)]
    pub untagged: Choice,
    /// What to do where the answer to a change is lost that was pinned to the version it was judged
    /// by: tell that nobody knows what became of it, or read the document again to find out.
    #[serde(default)]
    pub lost_answer: LostAnswer,
    /// Patterns of places in answers that hold links to the API, which are led to the gateway instead.
    #[serde(default)]
    pub links: Vec<String>,
    /// Whether the rules are enforced. `observe` refuses only what cannot be read: every violation
    /// becomes a warning, and the current state is not read.
    #[serde(default)]
    pub mode: Mode,
    /// What becomes of what each rule finds.
    #[serde(default)]
    pub rules: RuleModes,
    /// What to do with members of an op that RFC 6902 does not name.
    #[serde(default)]
    pub unknown_members: Choice,
    /// What to do with a patch without ops.
    #[serde(default)]
    pub empty_patch: Choice,
    /// How much is read.
    #[serde(default)]
    pub bounds: Bounds,
}

/// What a parameter of a path has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Param {
    /// One segment of the path, whatever it says.
    Any,
    /// A GUID, as `01a2030c-fc67-70b1-8fef-0a0ad6421b6a`.
    Guid,
    /// 1 to 128 letters, digits, `-`, `.`, `_` or `~`.
    Token,
}

/// What the body has to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// A whole document: with POST a new one, else one that replaces what is stored.
    Document,
    /// A JSON Patch (RFC 6902).
    JsonPatch,
    /// A merge patch (RFC 7396). What it sets counts as `add`, its `null` as `remove`.
    MergePatch,
    /// No body.
    #[default]
    None,
}

/// Whether callers must be known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Identity {
    /// They may be.
    #[default]
    Optional,
    /// They must.
    Required,
}

/// Whether callers must send `If-Match`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum IfMatch {
    /// They may.
    #[default]
    Optional,
    /// They must.
    Required,
}

/// Whether the current state is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Where a rule needs it.
    #[default]
    Fetch,
    /// Never.
    Never,
}

/// What to do where the answer to a pinned change is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LostAnswer {
    /// Tell that nobody knows what became of it.
    #[default]
    Report,
    /// Read the document again, to find out.
    Resolve,
}

/// Whether the rules of a route are enforced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// They are.
    #[default]
    Enforce,
    /// They only warn, all of them.
    Observe,
}

/// What becomes of what a rule finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RuleMode {
    /// The request is refused.
    #[default]
    Enforce,
    /// The rule is not asked.
    Off,
    /// The request passes, with a warning in the answer and in the log. A rule that warns never
    /// makes the gateway read the current state.
    Warn,
}

/// What becomes of what each rule finds.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleModes {
    /// Fields that keep their value.
    #[serde(default)]
    pub immutable: RuleMode,
    /// The ops that are allowed.
    #[serde(default)]
    pub operations: RuleMode,
    /// The places that may be reached.
    #[serde(default)]
    pub paths: RuleMode,
    /// What is demanded of `If-Match`.
    #[serde(default)]
    pub precondition: RuleMode,
    /// Values that fit the schema.
    #[serde(default)]
    pub schema: RuleMode,
    /// Fields that change only together.
    #[serde(default)]
    pub together: RuleMode,
    /// States, and the steps between them.
    #[serde(default)]
    pub transition: RuleMode,
}

/// How much of a body is read.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// Bytes in all.
    #[serde(default = "super::gateway::max_body")]
    pub body: Size,
    /// Ops in a patch.
    #[serde(default = "ops")]
    pub ops: usize,
    /// Containers within containers.
    #[serde(default = "depth")]
    #[schemars(range(min = 2, max = 64))]
    pub depth: usize,
    /// Values in all.
    #[serde(default = "values")]
    pub values: usize,
    /// Bytes of one string.
    #[serde(default = "string")]
    pub string: Size,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            body: super::gateway::max_body(),
            ops: ops(),
            depth: depth(),
            values: values(),
            string: string(),
        }
    }
}

fn ops() -> usize {
    100
}

fn depth() -> usize {
    32
}

fn values() -> usize {
    20_000
}

fn string() -> Size {
    Size::new("64KiB")
}
