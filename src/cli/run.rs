//! `patchgate run`: the gateway.
#![allow(clippy::print_stderr, reason = "a command line talks to whoever typed it")]

use super::bounds;
use super::launch::{Asked, Launched, Signals, launch};
use super::supervisor::{self, Sockets};
use crate::config::{Files, Source, load, source};
use crate::telemetry::{self, Events};

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

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
        // Before anything secret is read, and before there are threads.
        let open_files = bounds::set();
        let sockets = match Sockets::take() {
            Ok(sockets) => sockets,
            Err(error) => {
                eprintln!("patchgate: {error}");
                return ExitCode::from(EX_OSERR);
            }
        };
        let mut files = Files::default();
        let loaded = match load(source, path, None, &mut files) {
            Ok(loaded) => loaded,
            Err(errors) => {
                eprintln!("{errors}");
                return ExitCode::from(EX_CONFIG);
            }
        };
        let events = match telemetry::init(&loaded.gateway.log_level) {
            Ok(events) => events,
            Err(error) => {
                eprintln!("{}: `level` is no filter: {error}", path.display());
                return ExitCode::from(EX_CONFIG);
            }
        };
        let _settling = Settling(events.clone());
        for warning in &loaded.warnings {
            tracing::warn!(%warning, "odd in the configuration");
        }
        let connections = loaded.gateway.max_connections;
        if let Some(limit) = open_files.filter(|limit| *limit < connections as u64) {
            tracing::warn!(limit, connections, "fewer files may be open than connections");
        }
        let digest = loaded.snapshot.digest.clone();
        let origin = (source, path, files);
        let started = Signals::listen()
            .and_then(|signals| Ok((signals, launch(loaded, origin, sockets, Some(events))?)));
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
        supervisor::ready();
        serve(&mut gateway, &mut signals);
        tracing::info!(in_flight = gateway.server.in_flight(), "stopping");
        supervisor::stopping();
        signals.end_at_next();
        gateway.server.leave().take();
        std::thread::sleep(gateway.drain_delay);
        gateway.server.shutdown();
        gateway.live.load().credentials.values().for_each(|credential| credential.settle());
        if let Some(audit) = &gateway.audit {
            audit.close();
        }
        if let Some(exporter) = &gateway.exporter {
            exporter.close();
        }
        tracing::info!("stopped");
        ExitCode::SUCCESS
    }
}

/// Dropped at the end, it waits until what was said is written.
struct Settling(Events);

impl Drop for Settling {
    fn drop(&mut self) {
        self.0.settle();
    }
}

/// Does what is asked and what is due, until it is asked to stop.
fn serve(gateway: &mut Launched, signals: &mut Signals) {
    let beat = supervisor::watchdog();
    let mut next_beat = beat.map(|every| Instant::now() + every);
    let mut next_look = gateway.watch.is_some().then(Instant::now);
    loop {
        let next = next_beat.into_iter().chain(next_look).min();
        match signals.next(next.map(|next| next.saturating_duration_since(Instant::now()))) {
            Asked::Nothing => {}
            // Whatever comes of it is logged, and what is in force stays in force.
            Asked::Reload => {
                supervisor::reloading();
                drop(gateway.reload.run());
                supervisor::ready();
            }
            Asked::Reopen => {
                if let Some(audit) = &gateway.audit {
                    audit.reopen();
                }
            }
            Asked::Stop => return,
        }
        let now = Instant::now();
        if next_beat.is_some_and(|next| next <= now) {
            // A worker that hangs is one that the manager ends, with all others.
            if gateway.server.beats() {
                supervisor::alive();
            }
            next_beat = beat.map(|every| now + every);
        }
        if next_look.is_some_and(|next| next <= now) {
            next_look = gateway.watch.as_mut().map(|watch| Instant::now() + watch.look());
        }
    }
}
