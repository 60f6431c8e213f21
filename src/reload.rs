//! Loads the configuration again while the gateway runs.
//!
//! Policy, partners, limits, and what is shown and trusted in TLS are replaced, whole and at once; a
//! fault anywhere changes nothing. Listeners, the place of the upstream and the logs are fixed from
//! start to stop: they need a restart.

use crate::config::{self, Source};
use crate::live::Live;
use crate::tls::Credentials;

use rustls::{ClientConfig, ServerConfig};

use std::path::PathBuf;
use std::sync::Arc;

/// Where the configuration came from, and what it is loaded into.
#[derive(Clone, Debug)]
pub struct Reload {
    source: Source,
    path: PathBuf,
    live: Live,
    to_callers: Option<Credentials<ServerConfig>>,
    to_upstream: Option<Credentials<ClientConfig>>,
}

impl Reload {
    /// Loads the gateway file at `path` into `live`, and its certificates into what is shown
    /// `to_callers` and `to_upstream`.
    pub fn new(
        source: Source,
        path: PathBuf,
        live: Live,
        to_callers: Option<Credentials<ServerConfig>>,
        to_upstream: Option<Credentials<ClientConfig>>,
    ) -> Self {
        Self { source, path, live, to_callers, to_upstream }
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
                replace(self.to_callers.as_ref(), loaded.gateway.tls, "callers");
                replace(self.to_upstream.as_ref(), loaded.gateway.upstream.tls, "the upstream");
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

fn replace<C>(credentials: Option<&Credentials<C>>, config: Option<Arc<C>>, with: &str) {
    match (credentials, config) {
        (Some(credentials), Some(config)) => credentials.replace(config),
        (None, None) => {}
        (Some(_), None) | (None, Some(_)) => {
            tracing::warn!(with, "a restart is needed to begin or end with TLS");
        }
    }
}
