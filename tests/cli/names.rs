//! Row 184 of the catalogue of threats: an upstream whose name changes its address, or has several. The
//! gateway runs where the file of names is one of the test's own, and asks the system as it always does.

use super::process::{Gateway, PROGRAM, ask, gateway_file};
use crate::harness::{Act, Upstream};

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

const TARGET: &str = "PATCH /v1.0/engagements/referrals/10000000-0000-4000-8000-000000000003";
const NOTE: &str = r#"[{"op":"replace","path":"/details/notes","value":"n"}]"#;

/// A folder in which `hosts` says where `api.test` is.
struct Names(tempfile::TempDir);

impl Names {
    fn new(addresses: &[[u8; 4]]) -> Self {
        let names = Self(tempfile::tempdir().expect("a folder"));
        names.lead_to(addresses);
        names
    }

    /// In place, as another file would not be the one that the gateway sees.
    fn lead_to(&self, addresses: &[[u8; 4]]) {
        let line = |[a, b, c, d]: &[u8; 4]| format!("{a}.{b}.{c}.{d} api.test\n");
        let text: String = addresses.iter().map(line).collect();
        fs::write(self.0.path().join("hosts"), text).expect("a file");
    }

    /// A gateway before `api.test`, for which the file is that of the machine. `None` where the system
    /// lets nobody have a file of its own.
    fn gateway(&self, port: u16) -> Option<Gateway> {
        let keys = format!(
            "upstream: {{ url: \"http://api.test:{port}\", max_age: 1s }}\n\
             limits: {{ tiers: {{ standard: {{}} }} }}"
        );
        let config = gateway_file(&self.0, &keys);
        let own = |command: &str| {
            let mut bash = Command::new("unshare");
            // Nobody but root may mount, unless as the root of a world of its own.
            bash.args(["--user", "--map-root-user", "--mount", "bash", "-euc"]);
            bash.arg(format!("mount --bind \"$HOSTS\" /etc/hosts; {command}"));
            bash.env("HOSTS", self.0.path().join("hosts"));
            bash
        };
        let possible = own("grep -q api.test /etc/hosts").output().expect("bash");
        if !possible.status.success() {
            let why = String::from_utf8_lossy(&possible.stderr).into_owned();
            let told =
                writeln!(io::stderr(), "names are not tried, as none can be made here: {why}");
            told.expect("standard error");
            return None;
        }
        let run = "exec \"$PROGRAM\" run --config \"$CONFIG\"";
        Some(Gateway::start(own(run).env("PROGRAM", PROGRAM).env("CONFIG", config)))
    }
}

const FIRST: [u8; 4] = [127, 0, 0, 2];
const SECOND: [u8; 4] = [127, 0, 0, 3];
/// Nobody listens there.
const NOWHERE: [u8; 4] = [127, 0, 0, 4];

/// Two upstreams at one port.
fn two() -> [Upstream; 2] {
    let first = Upstream::start_at(SocketAddr::from((FIRST, 0)));
    let port = first.address.port();
    [first, Upstream::start_at(SocketAddr::from((SECOND, port)))]
}

fn send(gateway: &Gateway) -> u16 {
    ask(gateway.address, TARGET, &[], NOTE).status
}

#[test]
fn a_name_that_moves_is_followed_once_the_connections_are_old() {
    let [first, second] = two();
    let names = Names::new(&[FIRST]);
    let Some(gateway) = names.gateway(first.address.port()) else { return };
    assert_eq!([(); 3].map(|()| send(&gateway)), [200; 3]);
    assert_eq!((first.requests().len(), first.connections()), (3, 1));
    names.lead_to(&[SECOND]);
    let began = Instant::now();
    let mut sent = 3;
    // Nobody closes the old connection, and it is never idle.
    while second.requests().is_empty() {
        assert_eq!(send(&gateway), 200);
        sent += 1;
        assert!(began.elapsed() < Duration::from_secs(10), "it is never followed");
    }
    let before = first.requests().len();
    assert_eq!([(); 3].map(|()| send(&gateway)), [200; 3]);
    assert_eq!(first.requests().len(), before, "nothing more goes to where it was");
    assert_eq!(before + second.requests().len(), sent + 3, "none is lost and none sent twice");
}

#[test]
fn of_several_addresses_one_that_is_dead_costs_nothing() {
    let [first, second] = two();
    let names = Names::new(&[NOWHERE, SECOND]);
    let Some(gateway) = names.gateway(first.address.port()) else { return };
    assert_eq!([(); 3].map(|()| send(&gateway)), [200; 3]);
    assert_eq!((first.requests().len(), second.requests().len()), (0, 3));
}

#[test]
fn what_was_sent_to_one_address_is_sent_to_no_other() {
    for act in [|| Act::Close, || Act::Reset] {
        let both = two();
        let names = Names::new(&[FIRST, SECOND]);
        let Some(gateway) = names.gateway(both[0].address.port()) else { return };
        both.iter().for_each(|upstream| upstream.then(act()));
        assert_eq!(send(&gateway), 502);
        let count: usize = both.iter().map(|upstream| upstream.requests().len()).sum();
        assert_eq!(count, 1);
    }
}
