//! Loads the configuration again while the gateway runs.
//!
//! Policy, partners, limits, and what is shown and trusted in TLS are replaced, whole and at once; a
//! fault anywhere changes nothing. Listeners, the place of the upstream and the logs are fixed from
//! start to stop: they need a restart.

mod watch;

pub use watch::Watch;

use crate::config::compile::Fixed;
use crate::config::policy::PolicyFile;
use crate::config::{self, File, Files, Loaded, Source};
use crate::live::Live;
use crate::snapshot::Snapshot;
use crate::tls::{Credentials, Side};

use arc_swap::ArcSwap;
use rustls::{ClientConfig, ServerConfig};

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Where the configuration came from, and what it is loaded into.
#[derive(Clone, Debug)]
pub struct Reload {
    source: Source,
    path: PathBuf,
    live: Live,
    to_callers: Option<Credentials<ServerConfig>>,
    to_upstream: Option<Credentials<ClientConfig>>,
    fixed: Fixed,
    /// Those of the last load, whatever came of it. Whoever loads holds them, so that one loads at
    /// a time.
    files: Arc<Mutex<Files>>,
    written: Arc<ArcSwap<Written>>,
}

/// A policy as it is written, and the digest of the configuration that it belongs to.
#[derive(Debug)]
struct Written {
    digest: String,
    policy: Arc<File<PolicyFile>>,
}

/// Where a gateway was loaded from.
#[derive(Debug)]
pub struct Origin {
    /// The disk or the program.
    pub source: Source,
    /// The gateway file.
    pub path: PathBuf,
    /// All files that were read.
    pub files: Files,
    /// What a reload does not change.
    pub fixed: Fixed,
    /// The policy, as it is written.
    pub policy: File<PolicyFile>,
}

impl Reload {
    /// Loads what came from `origin` into `live`, and its certificates into what is shown
    /// `to_callers` and `to_upstream`.
    pub fn new(
        origin: Origin,
        live: Live,
        to_callers: Option<Credentials<ServerConfig>>,
        to_upstream: Option<Credentials<ClientConfig>>,
    ) -> Self {
        let Origin { source, path, files, fixed, policy } = origin;
        let files = Arc::new(Mutex::new(files));
        let written = Written { digest: live.load().digest.clone(), policy: Arc::new(policy) };
        let written = Arc::new(ArcSwap::from_pointee(written));
        Self { source, path, live, to_callers, to_upstream, fixed, files, written }
    }

    /// What is in force, and its policy as it is written; `None` in the moment in between.
    pub fn in_force(&self) -> Option<(Arc<Snapshot>, Arc<File<PolicyFile>>)> {
        let (snapshot, written) = (self.live.load(), self.written.load());
        let agree = snapshot.digest == written.digest;
        agree.then(|| (snapshot, Arc::clone(&written.policy)))
    }

    /// Loads everything again. What partners have spent of a limit that stays is kept.
    ///
    /// # Errors
    ///
    /// Everything that is wrong in any of the files; what was in force stays in force.
    pub fn run(&self) -> Result<String, String> {
        // They are whole at any moment, whoever panicked.
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.live.load();
        // A bug in what compiles must not end what serves.
        let loaded = catch_unwind(AssertUnwindSafe(|| {
            config::load(self.source, &self.path, Some(&old), &mut files)
        }));
        let faults: Vec<String> = match loaded {
            Ok(Ok(loaded)) => return Ok(self.take(loaded, &old)),
            Ok(Err(errors)) => errors.sorted().iter().map(ToString::to_string).collect(),
            Err(_) => vec!["the reload panicked, which is a bug; see the log".to_owned()],
        };
        for error in &faults {
            tracing::error!(%error, "not reloaded");
        }
        self.live.refuse(&faults);
        let faults = faults.join("\n");
        Err(format!("{faults}\nnothing was changed; the digest is still {}\n", old.digest))
    }

    fn take(&self, loaded: Loaded, old: &Snapshot) -> String {
        for warning in &loaded.warnings {
            tracing::warn!(%warning, "odd in the configuration");
        }
        let keys = self.fixed.differs(&loaded.fixed).join(", ");
        if !keys.is_empty() {
            tracing::warn!(%keys, "a restart is needed");
        }
        // Those who are inside go on with the connection that they have.
        loaded.snapshot.open(Some(old));
        let before = &old.digest;
        let digest = loaded.snapshot.digest.clone();
        self.live.replace(loaded.snapshot);
        let policy = Arc::new(loaded.policy);
        self.written.store(Arc::new(Written { digest: digest.clone(), policy }));
        replace(self.to_callers.as_ref(), loaded.gateway.tls, "callers");
        replace(self.to_upstream.as_ref(), loaded.gateway.upstream.tls, "the upstream");
        tracing::info!(%digest, %before, "reloaded");
        let mut said = format!("reloaded; the digest is {digest}, and was {before}\n");
        if !keys.is_empty() {
            said.push_str(&format!("a restart is needed to take what changed under {keys}\n"));
        }
        said
    }

    /// The files of the last load, as it read them.
    fn files(&self) -> Files {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn replace<C>(credentials: Option<&Credentials<C>>, side: Option<Side<C>>, with: &str) {
    match (credentials, side) {
        (Some(credentials), Some(side)) => credentials.replace(side),
        (None, None) => {}
        (Some(_), None) | (None, Some(_)) => {
            tracing::warn!(with, "a restart is needed to begin or end with TLS");
        }
    }
}
