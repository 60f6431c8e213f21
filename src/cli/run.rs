//! `patchgate run`: the gateway.
#![allow(clippy::print_stderr, reason = "a command line talks to whoever typed it")]

use super::launch::{Asked, Signals, launch};
use crate::config::{Files, Source, load, source};
use crate::limits::Limits;
use crate::reload::Watch;
use crate::telemetry;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The configuration cannot be used (`EX_CONFIG` of sysexits).
const EX_CONFIG: u8 = 78;
/// The gateway cannot start (`EX_OSERR` of sysexits).
const EX_OSERR: u8 = 71;

/// Run the gateway
///
/// Reloads when a file changes, and on SIGHUP; stops on SIGTERM or Ctrl-C once the requests under way are answered, and at
/// once when asked twice. Exits with 78 when the configuration has faults, all of which it prints,
/// and 71 when it cannot listen.
#[derive(clap::Args, Debug)]
pub struct Command {
    /// The gateway file; the shipped one, with the sandbox behind it, if it is left out
    #[arg(long, short, value_name = "FILE", env = "PATCHGATE_CONFIG")]
    config: Option<PathBuf>,
}

impl Command {
    /// Serves until it is asked to stop.
    pub fn run(self) -> ExitCode {
        let (source, path) = match &self.config {
            Some(path) => (Source::Disk, path.as_path()),
            None => (Source::Shipped, Path::new(source::GATEWAY)),
        };
        let mut files = Files::default();
        let loaded = match load(source, path, &Limits::default(), &mut files) {
            Ok(loaded) => loaded,
            Err(errors) => {
                eprintln!("{errors}");
                return ExitCode::from(EX_CONFIG);
            }
        };
        if let Err(error) = telemetry::init(&loaded.gateway.log_level) {
            eprintln!("{}: `level` is no filter: {error}", path.display());
            return ExitCode::from(EX_CONFIG);
        }
        for warning in &loaded.warnings {
            tracing::warn!(%warning, "odd in the policy");
        }
        let digest = loaded.snapshot.digest.clone();
        let started = Signals::listen()
            .and_then(|signals| Ok((signals, launch(loaded, source, path, files)?)));
        let (mut signals, mut gateway) = match started {
            Ok(started) => started,
            Err(error) => {
                eprintln!("patchgate: {error}");
                return ExitCode::from(EX_OSERR);
            }
        };
        tracing::info!(
            listen = %gateway.server.local_addr(),
            admin = %gateway.admin.local_addr(),
            upstream = %if gateway.sandbox.is_some() { "sandbox" } else { "as configured" },
            %digest,
            "serving",
        );
        let mut look = gateway.watch.as_mut().map(Watch::look);
        loop {
            match signals.next(look) {
                Asked::Nothing => look = gateway.watch.as_mut().map(Watch::look),
                // Whatever comes of it is logged, and what is in force stays in force.
                Asked::Reload => drop(gateway.reload.run()),
                Asked::Stop => break,
            }
        }
        tracing::info!(in_flight = gateway.server.in_flight(), "stopping");
        signals.end_at_next();
        gateway.server.shutdown();
        tracing::info!("stopped");
        ExitCode::SUCCESS
    }
}
