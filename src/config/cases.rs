//! The case file, as it is written: `kind: Cases`.

use super::ApiVersion;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// Cases: requests, and what a policy has to say of them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "patchgate case file")]
pub struct CasesFile {
    /// The version of the format.
    #[serde(rename = "apiVersion")]
    pub api_version: ApiVersion,
    /// What the file is.
    pub kind: CasesKind,
    /// The policy that the cases are judged by, relative to this file.
    pub policy: String,
    /// The document that `state` is put on, inline or as the path of a JSON file; an empty one if
    /// it is left out.
    #[serde(default)]
    pub document: Value,
    /// The cases.
    pub cases: Vec<TestCase>,
}

/// `Cases`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum CasesKind {
    /// A case file.
    Cases,
}

/// A request, or a table of them, and what the policy has to say.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestCase {
    /// What the case claims.
    pub name: String,
    /// The id of the route; without it and `path`, the first one that takes a JSON Patch.
    #[serde(default)]
    pub route: String,
    /// The method of the request; `PATCH` if it is left out.
    #[serde(default)]
    pub method: String,
    /// The path of the request.
    #[serde(default)]
    pub path: String,
    /// What holds before the request.
    #[serde(default)]
    pub given: Given,
    /// The ops of the patch.
    #[serde(default)]
    #[schemars(with = "Vec<Value>")]
    pub patch: Option<Vec<Value>>,
    /// What is sent instead of a patch: a text as it is, anything else as JSON.
    #[serde(default)]
    pub body: Value,
    /// A table: each row is a case of its own.
    #[serde(default)]
    pub each: Vec<Row>,
    /// What the policy has to say; in a table, of the rows that do not say it themselves.
    #[serde(default)]
    #[schemars(with = "Expect")]
    pub expect: Option<Expect>,
}

/// What holds before the request.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// The stored document, inline or as the path of a JSON file.
    #[serde(default)]
    pub current: Value,
    /// The state of the stored document: its values are put on `current`, or on `document` of the
    /// file.
    #[serde(default)]
    pub state: String,
    /// The entity tag of the stored document, quotes included. If it is left out, the document's
    /// own, or else one that is made up; `""` for none.
    #[serde(default)]
    #[schemars(with = "String")]
    pub tag: Option<String>,
    /// The id of the partner that is calling.
    #[serde(default)]
    pub partner: String,
    /// The roles that it has.
    #[serde(default)]
    pub roles: Vec<String>,
    /// The value of `If-Match`.
    #[serde(default)]
    #[schemars(with = "String")]
    pub if_match: Option<String>,
}

/// One or more rows of a table: steps between states, or a patch.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// States that the document is in before; `*` stands for any value of a field.
    #[serde(default)]
    pub from: Vec<String>,
    /// States that the patch sets from each of those, or `same`.
    #[serde(default)]
    pub to: Vec<String>,
    /// The ops of the patch, in a row that is no step.
    #[serde(default)]
    #[schemars(with = "Vec<Value>")]
    pub patch: Option<Vec<Value>>,
    /// What the policy has to say.
    #[serde(default)]
    #[schemars(with = "Expect")]
    pub expect: Option<Expect>,
}

/// `permit`, `needs-current`, or the violations, as
/// `[value-invalid, { code: op-forbidden, op: 1 }]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Expect {
    /// It has nothing against the request, or cannot tell.
    Verdict(Verdict),
    /// These and no others, in any order.
    Violations(#[schemars(length(min = 1))] Vec<Expected>),
}

/// What the policy says where it refuses nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The request may be sent.
    Permit,
    /// It depends on the stored document, which the case does not give.
    NeedsCurrent,
}

/// A violation: its code, or more of it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Expected {
    /// Its code.
    Code(String),
    /// Its code, and where it is found.
    Violation(ExpectedViolation),
}

/// A violation, as far as it is expected.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedViolation {
    /// The code.
    pub code: String,
    /// The index of the op.
    #[serde(default)]
    #[schemars(with = "usize")]
    pub op: Option<usize>,
    /// The place in the document.
    #[serde(default)]
    #[schemars(with = "String")]
    pub pointer: Option<String>,
}
