//! From what files say to what the gateway runs on. Nothing is run that did not compile whole.

mod gateway;
mod partners;
mod policy;

pub use gateway::{Gateway, Target};

use super::gateway::GatewayFile;
use super::{ConfigError, ConfigErrors, File, Kind, Source, kind, read};
use crate::limits::Limits;
use crate::policy::Policy;
use crate::snapshot::Snapshot;

use aws_lc_rs::digest::{Context, SHA256};

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

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
    /// Every file that was read.
    pub files: Vec<PathBuf>,
}

/// Reads the gateway file at `path` and everything it refers to. What is spent of `old` is kept.
///
/// # Errors
///
/// Everything that is wrong in any of the files.
pub fn load(source: Source, path: &Path, old: &Limits) -> Result<Loaded, ConfigErrors> {
    let mut reading = Reading::of(source);
    let file: Option<File<GatewayFile>> = read(source, path, GATEWAY_SCHEMA, &mut reading.errors);
    let Some(file) = file else { return Err(ConfigErrors(reading.errors)) };
    reading.note(path)?;
    let policy = reading.policy(&file.beside(&file.value.policy));
    let gateway = reading.gateway(&file);
    let limits = partners::limits(&file.value, old);
    let partners = reading.partners(&file, &limits);
    let digest = reading.digest();
    match (policy, gateway, partners) {
        (Some(policy), Some(gateway), Some(partners)) if reading.errors.is_empty() => Ok(Loaded {
            gateway,
            snapshot: Snapshot { policy, partners, limits, digest },
            files: reading.files,
        }),
        _ => Err(ConfigErrors(reading.errors)),
    }
}

/// Reads the policy file at `path` and the schemas it refers to.
///
/// # Errors
///
/// Everything that is wrong in any of the files.
pub fn load_policy(source: Source, path: &Path) -> Result<Policy, ConfigErrors> {
    let mut reading = Reading::of(source);
    match reading.policy(path) {
        Some(policy) if reading.errors.is_empty() => Ok(policy),
        _ => Err(ConfigErrors(reading.errors)),
    }
}

/// Reads the file at `path`, whichever kind it says it is, and everything it refers to; gives back
/// in a few words what was found.
///
/// # Errors
///
/// Everything that is wrong in any of the files.
pub fn check(source: Source, path: &Path) -> Result<String, ConfigErrors> {
    let described = |policy: &Policy| {
        let routes = policy.routes.iter().count();
        format!("policy `{}`, {routes} routes", policy.name)
    };
    match kind(source, path)? {
        Kind::Gateway => {
            let Snapshot { policy, digest, .. } = load(source, path, &Limits::default())?.snapshot;
            Ok(format!("gateway, {}, digest {digest}", described(&policy)))
        }
        Kind::Policy => load_policy(source, path).map(|policy| described(&policy)),
    }
}

/// The errors found so far, and the files they were found in.
struct Reading {
    source: Source,
    files: Vec<PathBuf>,
    errors: Vec<ConfigError>,
    content: Context,
}

impl Reading {
    fn of(source: Source) -> Self {
        Self { source, files: Vec::new(), errors: Vec::new(), content: Context::new(&SHA256) }
    }

    /// Reads the text of `path` and counts it among the files of this load.
    fn note(&mut self, path: &Path) -> Result<String, ConfigError> {
        let text = self.source.read(path).map_err(|error| ConfigError {
            file: path.to_owned(),
            place: None,
            message: format!("cannot be read: {error}"),
        })?;
        self.files.push(path.to_owned());
        self.content.update(&text.len().to_be_bytes());
        self.content.update(text.as_bytes());
        Ok(text)
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
