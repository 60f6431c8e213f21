//! `patchgate demo`: the gateway in front of the sandbox, and what becomes of some requests.
#![allow(clippy::print_stderr, reason = "a command line talks to whoever typed it")]

mod script;

use super::launch::{Asked, Launched, Signals, launch};
use super::print::print;
use super::supervisor::Sockets;
use crate::config::{Files, Source, load, source};

use script::{Answer, Request};

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

/// Show what the gateway does: start it before the sandbox and send it some requests
///
/// Listens on free loopback ports, downloads nothing and writes no file. Then keeps serving until
/// Ctrl-C.
#[derive(clap::Args, Debug)]
pub struct Command {
    /// Exit after the requests: with 0 when all went as expected, else with 1
    #[arg(long)]
    once: bool,
}

impl Command {
    /// Starts everything, sends the requests, and serves on.
    pub fn run(self) -> ExitCode {
        match self.show() {
            Ok(code) => code,
            Err(error) => {
                eprintln!("patchgate: {error}");
                ExitCode::FAILURE
            }
        }
    }

    fn show(&self) -> io::Result<ExitCode> {
        let mut signals = Signals::listen()?;
        let gateway = start()?;
        let address = gateway.server.local_addr();
        print(format_args!(
            "gateway on http://{address}, judging by {}\n",
            source::REFERRALS_POLICY
        ));
        print(format_args!("admin   on http://{}\n", gateway.admin.local_addr()));
        if let Some(sandbox) = &gateway.sandbox {
            print(format_args!(
                "sandbox on http://{}, standing in for api.partner.microsoft.com\n",
                sandbox.address
            ));
        }
        let requests = script::requests();
        let mut unexpected = 0;
        for request in &requests {
            let answer = script::send(address, request)?;
            show(request, &answer);
            unexpected += usize::from(answer.status != request.expected);
        }
        print(format_args!(
            "\n{} requests, {unexpected} not answered as expected\n",
            requests.len()
        ));
        if self.once {
            return Ok(if unexpected == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        invite(address, &requests);
        while signals.next(None) != Asked::Stop {}
        gateway.server.shutdown();
        Ok(ExitCode::SUCCESS)
    }
}

/// The shipped configuration on free ports, without an access log.
fn start() -> io::Result<Launched> {
    let path = Path::new(source::GATEWAY);
    let mut loaded = load(Source::Shipped, path, None, &mut Files::default())
        .map_err(|errors| io::Error::other(errors.to_string()))?;
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    loaded.gateway.listen = any;
    loaded.gateway.admin = any;
    "off".clone_into(&mut loaded.gateway.access_log);
    launch(loaded, (Source::Shipped, path, Files::default()), Sockets::default(), None)
}

fn show(request: &Request, answer: &Answer) {
    print(format_args!("\n── {}\n", request.about));
    print(format_args!("{} {}\n", request.method, request.path));
    for (name, value) in &request.headers {
        print(format_args!("{name}: {value}\n"));
    }
    if !request.body.is_empty() {
        print(format_args!("{}\n", request.body));
    }
    print(format_args!("→ {}: {}\n", answer.verdict(), answer.status));
    print(format_args!("  Request-ID: {}\n", answer.request_id));
    for line in answer.told() {
        print(format_args!("  {line}\n"));
    }
    if answer.status != request.expected {
        print(format_args!("  NOT AS EXPECTED: {} was\n", request.expected));
    }
}

/// How to go on by hand.
fn invite(address: SocketAddr, requests: &[Request]) {
    print(format_args!("\nTry it yourself (Ctrl-C ends it):\n\n"));
    for request in requests.iter().filter(|request| request.invite) {
        print(format_args!(
            "curl -i -X {} 'http://{address}{}' \\\n",
            request.method, request.path
        ));
        print(format_args!(
            "  -H 'Authorization: Bearer demo' -H 'Content-Type: application/json' \\\n"
        ));
        for (name, value) in &request.headers {
            print(format_args!("  -H '{name}: {value}' \\\n"));
        }
        print(format_args!("  -d '{}'\n\n", request.body));
    }
}
