//! From what files say to what the gateway runs on. Nothing is run that did not compile whole.

mod cases;
mod egress;
mod fixed;
mod gateway;
mod limits;
mod lint;
mod partners;
mod policy;
mod upstream;

pub use cases::{CASES_SCHEMA, Case, Cases, Expect, Stored, Wanted, load_cases};
pub use egress::Egress;
pub use fixed::Fixed;
pub use gateway::Gateway;
pub use upstream::{Target, Upstream};

use super::gateway::GatewayFile;
use super::policy::PolicyFile;
use super::{ConfigError, ConfigErrors, File, Files, Kind, Source, kind, read};
use crate::limits::Limits;
use crate::policy::Policy;
use crate::snapshot::Snapshot;

use lint::Callers;

use aws_lc_rs::digest::{Context, SHA256};
use serde::de::DeserializeOwned;

use std::fmt::Write as _;
use std::path::Path;

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
    /// What is written where only a start takes it.
    pub fixed: Fixed,
    /// What is odd in the policy without being wrong.
    pub warnings: Vec<ConfigError>,
}

/// How often files are read again that change while they are read.
const TRIES: usize = 5;

/// Reads the gateway file at `path` and everything it refers to. What is spent of `old` is kept.
/// `files` become those that were read, whatever came of it.
///
/// # Errors
///
/// Everything that is wrong in any of the files.
pub fn load(
    source: Source,
    path: &Path,
    old: &Limits,
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

fn load_once(reading: &mut Reading, path: &Path, old: &Limits) -> Result<Loaded, ConfigErrors> {
    let file: Option<File<GatewayFile>> = reading.read(path, GATEWAY_SCHEMA);
    let Some(file) = file else { return Err(reading.faults()) };
    reading.note(path)?;
    reading.callers = Some(Callers::of(&file.value));
    let policy = reading.policy(&file.beside(&file.value.policy)).map(|(policy, _)| policy);
    let gateway = reading.gateway(&file);
    let limits = reading.limits(&file, old);
    let partners = reading.partners(&file, &limits);
    let digest = reading.digest();
    match (policy, gateway, partners) {
        (Some(policy), Some(gateway), Some(partners)) if reading.errors.is_empty() => Ok(Loaded {
            gateway,
            snapshot: Snapshot { policy, partners, limits, digest },
            fixed: Fixed::of(&file.value),
            warnings: std::mem::take(&mut reading.warnings),
        }),
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
            Ok(Checked { found, warnings: ConfigErrors(cases.warnings) })
        }
        Kind::Gateway => {
            let Loaded { snapshot, warnings, .. } =
                load(source, path, &Limits::default(), &mut Files::default())?;
            let policy = described(&snapshot.policy);
            let found = format!("gateway, {policy}, digest {}", snapshot.digest);
            Ok(Checked { found, warnings: ConfigErrors(warnings) })
        }
        Kind::Policy => {
            // Its own cases are checked with it.
            let Cases { policy, warnings, .. } = load_cases(source, path, None)?;
            Ok(Checked { found: described(&policy), warnings: ConfigErrors(warnings) })
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
            content: Context::new(&SHA256),
        }
    }

    /// Counts the file at `path` among those of this load, and reads it.
    fn read<T: DeserializeOwned>(&mut self, path: &Path, schema: &str) -> Option<File<T>> {
        self.watch(path);
        read(self.source, path, schema, &mut self.errors)
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

    /// What is wrong.
    fn faults(&mut self) -> ConfigErrors {
        ConfigErrors(std::mem::take(&mut self.errors))
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
