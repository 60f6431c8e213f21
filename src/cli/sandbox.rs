//! `patchgate sandbox`: the stand-in for the referrals API alone, on a socket of this machine.
#![allow(clippy::print_stderr, reason = "a command line talks to whoever typed it")]

use super::print::print;
use crate::sandbox::{Options, Sandbox, serve};

use tokio::net::TcpListener;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

/// Serve a stand-in for the referrals API, in memory
#[derive(clap::Args, Debug)]
pub struct Command {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8099")]
    listen: SocketAddr,

    #[command(flatten)]
    options: Options,
}

impl Command {
    /// Serves until Ctrl-C or SIGTERM.
    pub fn run(self) -> ExitCode {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let listen = self.listen;
        match runtime.and_then(|runtime| runtime.block_on(self.listen())) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("patchgate: the sandbox cannot listen on {listen}: {error}");
                ExitCode::from(EX_OSERR)
            }
        }
    }

    async fn listen(self) -> io::Result<()> {
        // Before anything is served, so that a signal that comes early is not lost.
        let stop = stop()?;
        let listener = TcpListener::bind(self.listen).await?;
        let sandbox = Arc::new(Sandbox::new(self.options));
        print(format_args!("{}\n", greeting(listener.local_addr()?, &sandbox)));
        serve(listener, sandbox, stop).await
    }
}

fn greeting(address: SocketAddr, sandbox: &Sandbox) -> String {
    use std::fmt::Write as _;

    let base = format!("http://{address}/v1.0/engagements/referrals");
    let entries = sandbox.entries();
    let mut text = format!("sandbox of the referrals API at {base}\n\n");
    for entry in &entries {
        let _ = writeln!(text, "  {}  {}", entry.id, entry.state);
    }
    if let Some(entry) = entries.iter().find(|entry| entry.state == "Active/Accepted") {
        let (id, tag) = (&entry.id, &entry.tag);
        let _ = write!(
            text,
            "\ncurl -H 'Authorization: Bearer any' {base}/{id}\n\
             curl -i -X PATCH -H 'Authorization: Bearer any' -H 'Content-Type: application/json' \
             -H 'If-Match: {tag}' \
             -d '[{{\"op\":\"replace\",\"path\":\"/details/notes\",\"value\":\"Called back.\"}}]' \
             {base}/{id}\n"
        );
    }
    text
}

#[cfg(unix)]
fn stop() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn stop() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

/// The exit code of sysexits for what the system denies.
const EX_OSERR: u8 = 71;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greeting_names_every_seed_and_gives_two_lines_to_paste() {
        let sandbox = Sandbox::new(Options::default());
        let text = greeting(SocketAddr::from(([127, 0, 0, 1], 8099)), &sandbox);
        for entry in sandbox.entries() {
            assert!(text.contains(&format!("{}  {}", entry.id, entry.state)), "{text}");
        }
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("curl ")).collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[1].contains(r#"-H 'If-Match: "0303a1b2-"#), "{}", lines[1]);
    }
}
