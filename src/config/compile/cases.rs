//! Cases: from what a file says to requests that can be judged.

mod given;

use super::Reading;
use crate::config::cases::{self as file, CasesFile, Expected, Given};
use crate::config::{ConfigError, ConfigErrors, File, Kind, Source, error, kind, read};
use crate::policy::route::BodyForm;
use crate::policy::{IfMatch, NormalPath, Policy, Resolution, Route};
use crate::violation::{Code, closest};

use bytes::Bytes;
use serde_json::{Value, json};

use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The JSON Schema of case files.
pub const CASES_SCHEMA: &str = include_str!("../../../schemas/cases.schema.json");

/// The cases of one file, and the policy that they are judged by.
#[derive(Debug)]
pub struct Cases {
    /// The policy.
    pub policy: Policy,
    /// The file of the policy.
    pub written: PathBuf,
    /// The cases, in the order of the file; each row of a table is one.
    pub cases: Vec<Case>,
    /// What is odd in the configuration without being wrong.
    pub warnings: Vec<ConfigError>,
}

/// One request, and what the policy has to say of it.
#[derive(Debug)]
pub struct Case {
    /// What it claims.
    pub name: String,
    /// Where it stands.
    pub place: Option<error::Place>,
    /// The route that it takes.
    pub route: Arc<Route>,
    /// The id of the partner that is calling, and the roles that it has.
    pub partner: String,
    pub roles: Vec<String>,
    /// Its condition.
    pub if_match: IfMatch,
    /// Its body.
    pub body: Bytes,
    /// What is stored, where the case says it.
    pub stored: Option<Stored>,
    /// What the policy has to say.
    pub expect: Expect,
}

/// A stored document.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The document as JSON.
    pub document: Bytes,
    /// Its entity tag, where the document does not hold it.
    pub tag: Option<String>,
}

/// What the policy has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// That the request may be sent.
    Permit,
    /// That it depends on the stored document.
    NeedsCurrent,
    /// These violations and no others, in any order.
    Violations(Vec<Wanted>),
}

/// A violation, as far as it is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its code.
    pub code: Code,
    /// The index of its op.
    pub op: Option<usize>,
    /// Its place in the document.
    pub pointer: Option<String>,
}

/// Reads the cases in the case or policy file at `path`, to be judged by the policy at `policy`
/// if one is given, else by the one that the file names or is.
///
/// # Errors
///
/// Everything that is wrong in any of the files.
pub fn load_cases(
    source: Source,
    path: &Path,
    policy: Option<&Path>,
) -> Result<Cases, ConfigErrors> {
    let mut reading = Reading::of(source);
    let cases = match kind(source, path)? {
        Kind::Cases => reading.case_file(path, policy),
        Kind::Gateway => {
            let message = "a gateway file holds no cases; name its policy".to_owned();
            return Err(ConfigError { file: path.to_owned(), place: None, message }.into());
        }
        Kind::Policy => reading.cases_of_policy(path, policy),
    };
    match cases {
        Some(cases) if reading.errors.is_empty() => Ok(cases),
        _ => Err(ConfigErrors(reading.errors)),
    }
}

impl Reading {
    fn case_file(&mut self, path: &Path, policy: Option<&Path>) -> Option<Cases> {
        let file: Option<File<CasesFile>> = read(self.source, path, CASES_SCHEMA, &mut self.errors);
        let file = file?;
        let sound = self.errors.is_empty();
        let written = policy.map_or_else(|| file.beside(&file.value.policy), Path::to_path_buf);
        if policy.is_none()
            && let Err(error) = self.source.read(&written)
        {
            let message = format!("`{}` cannot be read: {error}", file.value.policy);
            self.errors.push(file.error("/policy", message));
            return None;
        }
        let (policy, _) = self.policy(&written)?;
        let base = self.document(&file, "/document", &file.value.document);
        let mut draft = Draft { file: &file, policy: &policy, base, sound, reading: self };
        let cases = draft.compile(&file.value.cases);
        Some(Cases { policy, written, cases, warnings: std::mem::take(&mut self.warnings) })
    }

    fn cases_of_policy(&mut self, path: &Path, policy: Option<&Path>) -> Option<Cases> {
        let (own, file) = self.policy(path)?;
        let sound = self.errors.is_empty();
        let written = policy.unwrap_or(path).to_owned();
        let policy = match policy {
            Some(other) => self.policy(other)?.0,
            None => own,
        };
        let mut draft = Draft { file: &file, policy: &policy, base: None, sound, reading: self };
        let cases = draft.compile(&file.value.cases);
        Some(Cases { policy, written, cases, warnings: std::mem::take(&mut self.warnings) })
    }

    /// A document that is written where it is needed, or in a file of its own.
    fn document<T>(&mut self, file: &File<T>, at: &str, written: &Value) -> Option<Value> {
        let Value::String(path) = written else {
            return Some(written.clone()).filter(|written| !written.is_null());
        };
        let text = self.source.read(&file.beside(path));
        let text =
            text.map_err(|error| file.error(at, format!("`{path}` cannot be read: {error}")));
        let value = self.keep(text).map(|text| serde_json::from_str(&text));
        self.keep(value?.map_err(|error| file.error(at, format!("`{path}` is not JSON: {error}"))))
    }
}

/// Cases that are being compiled.
struct Draft<'d, T> {
    file: &'d File<T>,
    policy: &'d Policy,
    /// What states are put on.
    base: Option<Value>,
    /// Whether the file followed its format, so that nothing was left out of it.
    sound: bool,
    reading: &'d mut Reading,
}

impl<T> Draft<'_, T> {
    fn fail(&mut self, at: &str, message: impl Into<String>) {
        let error = self.file.error(at, message);
        self.reading.errors.push(error);
    }

    fn compile(&mut self, cases: &[file::TestCase]) -> Vec<Case> {
        let mut compiled = Vec::new();
        for (index, case) in cases.iter().enumerate() {
            let at = format!("/cases/{index}");
            let Some(route) = self.route(&at, case) else { continue };
            if case.each.is_empty() {
                let expect = self.expect(&at, case.expect.as_ref());
                let body = self.body(&at, case.patch.as_deref(), &case.body);
                let stored = self.stored(&format!("{at}/given"), &case.given, &route);
                if let (Some(expect), Some(body), Some(stored)) = (expect, body, stored) {
                    compiled.push(self.case(
                        &at,
                        &case.given,
                        case.name.clone(),
                        &route,
                        body,
                        stored,
                        expect,
                    ));
                }
                continue;
            }
            if case.patch.is_some() || !case.body.is_null() {
                self.fail(&at, "a case with `each` has its patches in the rows");
            }
            for (position, row) in case.each.iter().enumerate() {
                let at = format!("{at}/each/{position}");
                let expect = self.expect(&at, row.expect.as_ref().or(case.expect.as_ref()));
                let steps = self.steps(&at, row, &route);
                for (label, given, patch) in self.requests(&at, case, row, steps, &route) {
                    let stored = self.stored(&at, &given, &route);
                    if let (Some(expect), Some(stored)) = (&expect, stored) {
                        let name = format!("{}: {label}", case.name);
                        compiled.push(self.case(
                            &at,
                            &given,
                            name,
                            &route,
                            patch,
                            stored,
                            expect.clone(),
                        ));
                    }
                }
            }
        }
        compiled
    }

    #[allow(clippy::too_many_arguments, reason = "these are the parts of a case")]
    fn case(
        &self,
        at: &str,
        given: &Given,
        name: String,
        route: &Arc<Route>,
        body: Bytes,
        stored: Option<Stored>,
        expect: Expect,
    ) -> Case {
        let if_match = IfMatch::parse(given.if_match.as_ref().map(|tag| tag.as_bytes()));
        let (place, route) = (self.file.place(at), Arc::clone(route));
        let (partner, roles) = (given.partner.clone(), given.roles.clone());
        Case { name, place, route, partner, roles, if_match, body, stored, expect }
    }

    fn route(&mut self, at: &str, case: &file::TestCase) -> Option<Arc<Route>> {
        let policy = self.policy;
        let found = match (case.route.as_str(), case.path.as_str()) {
            ("", "") => {
                let mut routes = policy.routes.iter();
                let found = routes.find(|route| route.body == BodyForm::JsonPatch);
                found.ok_or_else(|| ("", "name the `route`: none takes a JSON Patch".to_owned()))
            }
            ("", path) => {
                let method = if case.method.is_empty() { "PATCH" } else { &case.method };
                let resolution =
                    NormalPath::of(path).map(|path| policy.routes.resolve(method, &path));
                match resolution {
                    Some(Resolution::Found(route)) => Ok(route),
                    Some(Resolution::MethodNotAllowed(allowed)) => Err((
                        "/method",
                        format!("`{path}` takes {}, not {method}", allowed.join(", ")),
                    )),
                    Some(Resolution::Unknown) | None => {
                        Err(("/path", format!("no route leads to `{path}`")))
                    }
                }
            }
            (id, "") => policy.routes.iter().find(|route| *route.id == *id).ok_or_else(|| {
                let known: Vec<&str> = policy.routes.iter().map(|route| &*route.id).collect();
                ("/route", format!("`route` is one of `{}`", known.join("`, `")))
            }),
            (_, _) => Err(("/path", "give one of `route` and `path`".to_owned())),
        };
        match found {
            Ok(route) => Some(Arc::clone(route)),
            Err((key, message)) => {
                self.fail(&format!("{at}{key}"), message);
                None
            }
        }
    }

    fn expect(&mut self, at: &str, wanted: Option<&file::Expect>) -> Option<Expect> {
        let listed = match wanted {
            None => {
                if self.sound {
                    self.fail(at, "a case needs `expect`: what the policy has to say");
                }
                return None;
            }
            Some(file::Expect::Verdict(file::Verdict::Permit)) => return Some(Expect::Permit),
            Some(file::Expect::Verdict(file::Verdict::NeedsCurrent)) => {
                return Some(Expect::NeedsCurrent);
            }
            Some(file::Expect::Violations(listed)) => listed,
        };
        let mut violations = Vec::new();
        for (index, expected) in listed.iter().enumerate() {
            let (slug, op, pointer) = match expected {
                Expected::Code(slug) => (slug, None, None),
                Expected::Violation(wanted) => (&wanted.code, wanted.op, wanted.pointer.clone()),
            };
            match Code::from_slug(slug) {
                Some(code) => violations.push(Wanted { code, op, pointer }),
                None => {
                    let near = closest(slug, Code::ALL.iter().map(|code| code.slug()), 1);
                    let hint = near.first().map_or_else(
                        || "`patchgate explain CODE` knows them".to_owned(),
                        |near| format!("did you mean `{near}`?"),
                    );
                    let message = format!("there is no code `{slug}`; {hint}");
                    self.fail(&format!("{at}/expect/{index}"), message);
                }
            }
        }
        Some(Expect::Violations(violations))
    }

    fn body(&mut self, at: &str, patch: Option<&[Value]>, body: &Value) -> Option<Bytes> {
        match (patch, body) {
            (Some(patch), Value::Null) => Some(json!(patch).to_string().into()),
            (None, Value::Null) => Some(Bytes::new()),
            (None, Value::String(text)) => Some(text.clone().into()),
            (None, other) => Some(other.to_string().into()),
            (Some(_), _) => {
                self.fail(&format!("{at}/body"), "give one of `patch` and `body`");
                None
            }
        }
    }
}
