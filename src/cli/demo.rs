//! `patchgate demo`: the gateway in front of the sandbox, and what becomes of some requests.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line talks to whoever typed it"
)]

mod script;

use super::launch::{Asked, Launched, Signals, launch};
use crate::config::{Source, load, source};
use crate::limits::Limits;

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
        println!("gateway on http://{address}, judging by {}", source::REFERRALS_POLICY);
        println!("admin   on http://{}", gateway.admin.local_addr());
        if let Some(sandbox) = &gateway.sandbox {
            println!(
                "sandbox on http://{}, standing in for api.partner.microsoft.com",
                sandbox.address
            );
        }
        let requests = script::requests();
        let mut unexpected = 0;
        for request in &requests {
            let answer = script::send(address, request)?;
            print(request, &answer);
            unexpected += usize::from(answer.status != request.expected);
        }
        println!("\n{} requests, {unexpected} not answered as expected", requests.len());
        if self.once {
            return Ok(if unexpected == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        invite(address, &requests);
        while signals.next() != Asked::Stop {}
        gateway.server.shutdown();
        Ok(ExitCode::SUCCESS)
    }
}

/// The shipped configuration on free ports, without an access log.
fn start() -> io::Result<Launched> {
    let path = Path::new(source::GATEWAY);
    let mut loaded = load(Source::Shipped, path, &Limits::default())
        .map_err(|errors| io::Error::other(errors.to_string()))?;
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    loaded.gateway.listen = any;
    loaded.gateway.admin = any;
    "off".clone_into(&mut loaded.gateway.access_log);
    launch(loaded, Source::Shipped, path)
}

fn print(request: &Request, answer: &Answer) {
    println!("\n── {}", request.about);
    println!("{} {}", request.method, request.path);
    for (name, value) in &request.headers {
        println!("{name}: {value}");
    }
    if !request.body.is_empty() {
        println!("{}", request.body);
    }
    println!("→ {}: {}", answer.verdict(), answer.status);
    println!("  Request-ID: {}", answer.request_id);
    for line in answer.told() {
        println!("  {line}");
    }
    if answer.status != request.expected {
        println!("  NOT AS EXPECTED: {} was", request.expected);
    }
}

/// How to go on by hand.
fn invite(address: SocketAddr, requests: &[Request]) {
    println!("\nTry it yourself (Ctrl-C ends it):\n");
    for request in requests.iter().filter(|request| request.invite) {
        println!("curl -i -X {} 'http://{address}{}' \\", request.method, request.path);
        println!("  -H 'Authorization: Bearer demo' -H 'Content-Type: application/json' \\");
        for (name, value) in &request.headers {
            println!("  -H '{name}: {value}' \\");
        }
        println!("  -d '{}'\n", request.body);
    }
}
