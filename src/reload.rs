//! Loads the configuration again while the gateway runs.
//!
//! Policy, partners, limits and what is shown to callers are replaced, whole and at once; a fault
//! anywhere changes nothing. Listeners, the upstream and the logs are fixed from start to stop: they need a restart.

use crate::config::{self, Source};
use crate::live::Live;
use crate::tls::Credentials;

use std::path::PathBuf;

/// Where the configuration came from, and what it is loaded into.
#[derive(Clone, Debug)]
pub struct Reload {
    source: Source,
    path: PathBuf,
    live: Live,
    credentials: Option<Credentials>,
}

impl Reload {
    /// Loads the gateway file at `path` into `live`, and what it shows to callers into
    /// `credentials`.
    pub fn new(
        source: Source,
        path: PathBuf,
        live: Live,
        credentials: Option<Credentials>,
    ) -> Self {
        Self { source, path, live, credentials }
    }

    /// Loads everything again. What partners have spent of a limit that stays is kept.
    ///
    /// # Errors
    ///
    /// Everything that is wrong in any of the files; what was in force stays in force.
    pub fn run(&self) -> Result<String, String> {
        let old = self.live.load();
        match config::load(self.source, &self.path, &old.limits) {
            Ok(loaded) => {
                for warning in &loaded.warnings {
                    tracing::warn!(%warning, "odd in the policy");
                }
                let digest = loaded.snapshot.digest.clone();
                self.live.replace(loaded.snapshot);
                match (&self.credentials, loaded.gateway.tls) {
                    (Some(credentials), Some(tls)) => credentials.replace(tls),
                    (None, None) => {}
                    (Some(_), None) | (None, Some(_)) => {
                        tracing::warn!("a restart is needed to begin or end with TLS");
                    }
                }
                tracing::info!(%digest, before = %old.digest, "reloaded");
                Ok(format!("reloaded; the digest is {digest}, and was {}\n", old.digest))
            }
            Err(errors) => {
                for error in &errors.0 {
                    tracing::error!(%error, "not reloaded");
                }
                Err(format!("{errors}\nnothing was changed; the digest is still {}\n", old.digest))
            }
        }
    }
}
