//! From what files say to what the gateway runs on. Nothing is run that did not compile whole.

mod audit;
mod cases;
mod credentials;
mod egress;
mod export;
mod fixed;
mod gateway;
mod hosts;
mod issuers;
mod limits;
mod links;
mod lint;
mod oauth;
mod partners;
mod policy;
mod store;
mod upstream;
mod way;

pub use audit::Audit;
pub use cases::{CASES_SCHEMA, Case, Cases, Expect, Stored, Wanted, load_cases};
pub use export::Export;
pub use fixed::Fixed;
pub use gateway::Gateway;
pub use upstream::{Target, Upstream};

use super::gateway::GatewayFile;
use super::policy::PolicyFile;
use super::references::References;
use super::{ConfigError, ConfigErrors, File, Files, Kind, Source, kind, parse, read, typed};
use crate::policy::Policy;
use crate::snapshot::Snapshot;

use lint::Callers;
use partners::With;

use aws_lc_rs::digest::{Context, SHA256};
use serde::de::DeserializeOwned;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

/// The JSON Schema of gateway files.
pub const GATEWAY_SCHEMA: &str = include_str!("../../schemas/gateway.schema.json");
/// The JSON Schema of policy files.
pub const POLICY_SCHEMA: &str = include_str!("../../schemas/policy.schema.json");

/// What a gateway file and everything it refers to came to.
#[derive(Debug)]
pub struct Loaded {
    /// What is fixed from start to stop.
    pub gateway: Gateway,
    /// What a reload replaces.
    pub snapshot: Snapshot,
    /// The policy file as it is written.
    pub policy: File<PolicyFile>,
    /// What is written where only a start takes it.
    pub fixed: Fixed,
    /// What is odd in the configuration without being wrong.
    pub warnings: Vec<ConfigError>,
}

/// How often files are read again that change while they are read.
const TRIES: usize = 5;

/// Reads the gateway file at `path` and everything it refers to. What is spent of `old`, and the
/// credentials in it that stay as they are, are kept.
/// `files` become those that were read, whatever came of it.
///
/// # Errors
///
/// Everything that is wrong in any of the files.
pub fn load(
    source: Source,
    path: &Path,
    old: Option<&Snapshot>,
    files: &mut Files,
) -> Result<Loaded, ConfigErrors> {
    let mut changed = None;
    for _ in 0..TRIES {
        let mut reading = Reading::of(source);
        let loaded = load_once(&mut reading, path, old);
        *files = reading.files;
        // All is of one moment, or it may be half of one configuration and half of another.
        match files.differs(&files.again()) {
            None => return loaded,
            Some(path) => changed = Some(path.to_owned()),
        }
    }
    let message = "changes while it is read; try again when it is written";
    let file = changed.unwrap_or_else(|| path.to_owned());
    Err(ConfigError { file, place: None, message: message.to_owned() }.into())
}

fn load_once(
    reading: &mut Reading,
    path: &Path,
    old: Option<&Snapshot>,
) -> Result<Loaded, ConfigErrors> {
    let file: Option<File<GatewayFile>> = reading.gateway_file(path);
    let Some(file) = file else { return Err(reading.faults()) };
    reading.note(path)?;
    reading.callers = Some(Callers::of(&file.value));
    let policy = reading.policy(&file.beside(&file.value.policy));
    let shadow = match &*file.value.shadow {
        "" => None,
        path => reading.policy(&file.beside(path)).map(|(policy, _)| policy),
    };
    let egress = reading.egress(&file).flatten();
    let gateway =
        reading.gateway(&file, policy.as_ref().map(|(policy, _)| policy), egress.as_ref());
    let limits = reading.limits(&file, old.map(|old| &old.limits));
    let credentials = reading.credentials(&file, egress.as_ref(), old.map(|old| &old.credentials));
    let with = With { limits: &limits, credentials: &credentials, egress: egress.as_ref(), old };
    let partners = reading.partners(&file, &with);
    let hosts = reading.hosts(&file);
    let digest = reading.digest();
    match (policy, gateway, partners) {
        (Some((policy, written)), Some(gateway), Some(partners)) if reading.is_sound() => {
            Ok(Loaded {
                gateway,
                snapshot: Snapshot {
                    policy,
                    shadow,
                    partners,
                    credentials,
                    hosts,
                    limits,
                    digest,
                    effective: format!("{:#}", file.effective()).into(),
                },
                policy: written,
                fixed: Fixed::of(&file.value),
                warnings: std::mem::take(&mut reading.warnings),
            })
        }
        _ => Err(reading.faults()),
    }
}

/// Reads the policy file at `path` and the schemas it refers to.
///
/// # Errors
///
/// Everything that is wrong in any of the files.
pub fn load_policy(source: Source, path: &Path) -> Result<Policy, ConfigErrors> {
    load_policy_file(source, path).map(|(policy, _)| policy)
}

/// The same, with the file as it is written.
///
/// # Errors
///
/// Everything that is wrong in any of the files.
pub fn load_policy_file(
    source: Source,
    path: &Path,
) -> Result<(Policy, File<PolicyFile>), ConfigErrors> {
    let mut reading = Reading::of(source);
    match reading.policy(path) {
        Some(found) if reading.errors.is_empty() => Ok(found),
        _ => Err(ConfigErrors(reading.errors)),
    }
}

/// What is told of a file without faults.
#[derive(Debug)]
pub struct Checked {
    /// In a few words what it holds.
    pub found: String,
    /// What is odd in it without being wrong.
    pub warnings: ConfigErrors,
    /// A gateway file with everything that it leaves out, and without what is secret.
    pub effective: Option<Arc<str>>,
}

/// Reads the file at `path`, whichever kind it says it is, and everything it refers to.
///
/// # Errors
///
/// Everything that is wrong in any of the files.
pub fn check(source: Source, path: &Path) -> Result<Checked, ConfigErrors> {
    let described = |policy: &Policy| {
        let routes = policy.routes.iter().count();
        format!("policy `{}`, {routes} routes", policy.name)
    };
    match kind(source, path)? {
        Kind::Cases => {
            let cases = load_cases(source, path, None)?;
            let found = format!("{} cases, {}", cases.cases.len(), described(&cases.policy));
            Ok(Checked { found, warnings: ConfigErrors(cases.warnings), effective: None })
        }
        Kind::Gateway => {
            let Loaded { snapshot, warnings, .. } =
                load(source, path, None, &mut Files::default())?;
            let policy = described(&snapshot.policy);
            let found = format!("gateway, {policy}, digest {}", snapshot.digest);
            Ok(Checked {
                found,
                warnings: ConfigErrors(warnings),
                effective: Some(snapshot.effective),
            })
        }
        Kind::Policy => {
            // Its own cases are checked with it.
            let Cases { policy, warnings, .. } = load_cases(source, path, None)?;
            let (found, warnings) = (described(&policy), ConfigErrors(warnings));
            Ok(Checked { found, warnings, effective: None })
        }
    }
}

/// What was found so far, and the files they were found in.
struct Reading {
    source: Source,
    files: Files,
    errors: Vec<ConfigError>,
    warnings: Vec<ConfigError>,
    /// Who may call, if a gateway file says so.
    callers: Option<Callers>,
    /// Where references lead nowhere: what else is said of those places is only a consequence.
    unresolved: Vec<ConfigError>,
    content: Context,
}

impl Reading {
    fn of(source: Source) -> Self {
        Self {
            source,
            files: Files::default(),
            errors: Vec::new(),
            warnings: Vec::new(),
            callers: None,
            unresolved: Vec::new(),
            content: Context::new(&SHA256),
        }
    }

    /// Counts the file at `path` among those of this load, and reads it.
    fn read<T: DeserializeOwned>(&mut self, path: &Path, schema: &str) -> Option<File<T>> {
        self.watch(path);
        read(self.source, path, schema, &mut self.errors)
    }

    /// The same for a gateway file, which may refer to what stands elsewhere.
    fn gateway_file(&mut self, path: &Path) -> Option<File<GatewayFile>> {
        self.watch(path);
        let tree = parse(self.source, path, &mut self.errors)?;
        let mut json = tree.to_json();
        let folder = path.parent().unwrap_or(Path::new(""));
        let references = References::resolve(&mut json, folder, &mut self.files);
        for (at, message) in &references.faults {
            let (file, place, message) = (path.to_owned(), tree.place(at), message.clone());
            self.unresolved.push(ConfigError { file, place, message });
        }
        let file = typed(path, tree, json, references, GATEWAY_SCHEMA, &mut self.errors);
        let file: File<GatewayFile> = file?;
        for (at, path) in &file.references.files {
            self.guard(&file, at, path);
        }
        Some(file)
    }

    /// Warns of a file with a secret that everybody may read, named at the key `at`.
    fn guard(&mut self, file: &File<GatewayFile>, at: &str, path: &Path) {
        use std::os::unix::fs::PermissionsExt;
        let open = std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o7 != 0);
        if open {
            let path = path.display();
            let message = format!(
                "every user of this machine may read or change `{path}`, which holds a secret; `chmod o= {path}` ends that"
            );
            self.warnings.push(file.error(at, message));
        }
    }

    fn watch(&mut self, path: &Path) {
        match self.source {
            Source::Disk => self.files.push(path.to_owned()),
            Source::Shipped => {}
        }
    }

    /// Reads the text of `path` and counts it among the files of this load.
    fn note(&mut self, path: &Path) -> Result<String, ConfigError> {
        self.watch(path);
        let text = self.source.read(path).map_err(|error| ConfigError {
            file: path.to_owned(),
            place: None,
            message: format!("cannot be read: {error}"),
        })?;
        self.content.update(&text.len().to_be_bytes());
        self.content.update(text.as_bytes());
        Ok(text)
    }

    fn is_sound(&self) -> bool {
        self.errors.is_empty() && self.unresolved.is_empty()
    }

    /// What is wrong.
    fn faults(&mut self) -> ConfigErrors {
        let mut faults = std::mem::take(&mut self.unresolved);
        let places: Vec<_> = faults.iter().map(|e| (e.file.clone(), e.place)).collect();
        let mut errors = std::mem::take(&mut self.errors);
        errors.retain(|error| !places.contains(&(error.file.clone(), error.place)));
        faults.append(&mut errors);
        ConfigErrors(faults)
    }

    /// Keeps the error, if it is one.
    fn keep<T>(&mut self, result: Result<T, ConfigError>) -> Option<T> {
        result.map_err(|error| self.errors.push(error)).ok()
    }

    /// The first 16 hexadecimal digits of a digest of every file that was read.
    fn digest(&self) -> String {
        let digest = self.content.clone().finish();
        digest.as_ref().iter().take(8).fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}
