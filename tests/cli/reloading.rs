//! Reloads as the program does them: by itself, when it is asked to, and under load.

use super::process::{Answer, Gateway, ask};
use crate::harness::{Authority, Caller, Upstream, eventually};

use patchgate::config::{Files, Source, load};
use patchgate::live::Live;
use patchgate::reload::{Origin, Reload, Watch};

use serde_json::Value;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": { "n": { "type": "string" }, "m": { "type": "boolean" } }
}"#;
const POLICY: &str = "apiVersion: patchgate/v1
kind: Policy
name: small
resources:
  thing:
    schema: schema.json
    paths: [{ path: /n }]
routes:
  - id: change
    methods: [PATCH]
    path: /things/{id}
    resource: thing
    body: json-patch
    media_types: [application/json]
";
const PATCH: &str = "PATCH /things/1";
const NOTE: &str = r#"[{"op":"replace","path":"/n","value":"x"}]"#;

/// The files of a gateway, in one folder.
struct Set(tempfile::TempDir);

impl Set {
    fn new(keys: &str) -> Self {
        let set = Self(tempfile::tempdir().expect("a folder"));
        set.write("schema.json", SCHEMA);
        set.write("policy.yaml", POLICY);
        set.write("gateway.yaml", &gateway(keys));
        set
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file");
    }

    /// Puts another file in the place of this one, as editors do.
    fn rename_over(&self, name: &str, text: &str) {
        self.write("new", text);
        fs::rename(self.path("new"), self.path(name)).expect("a rename");
    }

    fn run(&self) -> Gateway {
        Gateway::run(&self.path("gateway.yaml").display().to_string())
    }
}

/// A gateway file that looks for changes often, with `keys`.
fn gateway(keys: &str) -> String {
    let upstream = if keys.contains("upstream:") { "" } else { "upstream: { url: sandbox }\n" };
    let reload =
        if keys.contains("reload:") { "" } else { "reload: { watch: true, every: 80ms }\n" };
    format!(
        "apiVersion: patchgate/v1\nkind: Gateway\npolicy: policy.yaml\nlisten: 127.0.0.1:0\n\
         admin: {{ listen: \"127.0.0.1:0\" }}\nworkers: 1\nlog: {{ access: off }}\n\
         limits: {{ tiers: {{ standard: {{ requests: [1000000/1s] }} }} }}\n{upstream}{reload}{keys}\n"
    )
}

/// A policy that lets nothing through.
fn closed() -> String {
    POLICY.replace("[{ path: /n }]", "[{ path: /m }]").replace("schema.json", "open.json")
}

fn status(gateway: &Gateway) -> u16 {
    ask(gateway.address, PATCH, &[], NOTE).status
}

fn reloads(gateway: &Gateway) -> Value {
    let Answer { status, body } = ask(gateway.admin, "GET /readyz", &[], "");
    assert_eq!(status, 200, "a fault in a file is no reason to send callers elsewhere");
    serde_json::from_str::<Value>(&body).expect("JSON")["reloads"].take()
}

/// Row 175 of the threats, and "a referenced schema changes but the main file does not".
#[test]
fn a_schema_that_changes_alone_is_taken() {
    let set = Set::new("");
    let gateway = set.run();
    assert_eq!(status(&gateway), 404, "permitted, and not known to the sandbox");
    set.write("schema.json", &SCHEMA.replace("string", "integer"));
    gateway.process.err.event("reloaded");
    assert_eq!(status(&gateway), 422);
}

/// Row 177.
#[test]
fn a_certificate_that_changes_alone_is_taken_and_half_a_pair_is_not() {
    let set = Set::new("tls: { certificate: cert.pem, key: key.pem }");
    let authority = Authority::new();
    let write = |(certificate, key): (String, String)| {
        set.rename_over("key.pem", &key);
        set.rename_over("cert.pem", &certificate);
    };
    write(authority.pair("localhost"));
    let gateway = set.run();
    let (certificate, key) = authority.pair("localhost");
    set.write("cert.pem", &certificate);
    let fault = gateway.process.err.event("not reloaded");
    let fault = fault["error"].as_str().expect("text");
    assert!(fault.contains("`key` is not the key of `certificate`"), "{fault}");
    set.write("key.pem", &key);
    gateway.process.err.event("reloaded");
    write(authority.pair("localhost"));
    gateway.process.err.event("reloaded");
}

#[test]
fn a_file_renamed_over_another_is_taken() {
    let set = Set::new("");
    set.write("open.json", SCHEMA);
    let gateway = set.run();
    for (text, expected) in [(closed(), 422), (POLICY.to_owned(), 404), (closed(), 422)] {
        set.rename_over("policy.yaml", &text);
        gateway.process.err.event("reloaded");
        assert_eq!(status(&gateway), expected);
    }
}

/// As Kubernetes writes a ConfigMap: everything changes by one rename of a link to a folder.
#[test]
fn a_link_that_leads_elsewhere_is_taken_once_and_whole() {
    let set = Set::new("");
    let version = |name: &str, policy: &str, schema: &str| {
        let folder = set.path(name);
        fs::create_dir(&folder).expect("a folder");
        fs::write(folder.join("gateway.yaml"), gateway("")).expect("a file");
        fs::write(folder.join("policy.yaml"), policy).expect("a file");
        fs::write(folder.join(schema), SCHEMA).expect("a file");
    };
    version("..1", POLICY, "schema.json");
    // The one cannot be read with a file of the other.
    version("..2", &closed(), "open.json");
    symlink("..1", set.path("..data")).expect("a link");
    for name in ["gateway.yaml", "policy.yaml", "schema.json", "open.json"] {
        let _ = fs::remove_file(set.path(name));
        symlink(format!("..data/{name}"), set.path(name)).expect("a link");
    }
    let gateway = set.run();
    for (round, expected) in [("..2", 422), ("..1", 404), ("..2", 422)].into_iter().enumerate() {
        let (folder, status_then) = expected;
        symlink(folder, set.path("..data_tmp")).expect("a link");
        fs::rename(set.path("..data_tmp"), set.path("..data")).expect("a rename");
        gateway.process.err.event("reloaded");
        assert_eq!(status(&gateway), status_then);
        let taken = round + 1;
        assert_eq!(
            reloads(&gateway),
            serde_json::json!({ "taken": taken, "refused": 0, "faults": [] })
        );
    }
}

/// Row 175: broken, empty, half written, gone; and a fault that is mended by a file that comes.
#[test]
fn a_file_with_a_fault_changes_nothing_is_shown_and_can_be_mended() {
    let set = Set::new("");
    let gateway = set.run();
    let half = &POLICY[..POLICY.find("routes").expect("routes") + 3];
    let nowhere = POLICY.replace("schema.json", "none.json");
    let faults = [
        ("name: [\n", "policy.yaml:"),
        ("", "policy.yaml:1:1: "),
        (half, "policy.yaml:"),
        (&*nowhere, "policy.yaml:6:5: `none.json` "),
    ];
    for (refused, (text, place)) in faults.into_iter().enumerate() {
        set.write("policy.yaml", text);
        let event = gateway.process.err.event("not reloaded");
        let fault = event["error"].as_str().expect("text");
        assert!(fault.contains(place), "{fault}");
        eventually("it is counted", || reloads(&gateway)["refused"] == refused + 1);
        assert!(reloads(&gateway)["faults"].to_string().contains(place));
        assert_eq!(status(&gateway), 404, "what was in force stays in force");
    }
    fs::remove_file(set.path("policy.yaml")).expect("a file");
    let event = gateway.process.err.event("not reloaded");
    assert!(event["error"].as_str().expect("text").contains("cannot be read"), "{event}");
    set.write("policy.yaml", &nowhere);
    gateway.process.err.event("not reloaded");
    // Not one of those that were in force, but one that the last load asked for.
    set.write("none.json", &SCHEMA.replace("string", "integer"));
    gateway.process.err.event("reloaded");
    assert_eq!(status(&gateway), 422);
    assert_eq!(reloads(&gateway)["faults"], serde_json::json!([]));
}

#[test]
fn a_reload_takes_other_hosts_and_a_list_with_a_fault_changes_nothing() {
    let set = Set::new("hosts: [127.0.0.1]");
    let gateway = set.run();
    assert_eq!(status(&gateway), 404, "permitted, and not known to the sandbox");
    set.write("gateway.yaml", &self::gateway("hosts: [api.example]"));
    gateway.process.err.event("reloaded");
    assert_eq!(status(&gateway), 421);
    assert_eq!(ask(gateway.admin, "GET /livez", &[], "").status, 200, "it has hosts of its own");
    set.write("gateway.yaml", &self::gateway("hosts: []"));
    let fault = gateway.process.err.event("not reloaded");
    assert!(fault["error"].as_str().expect("text").contains("`hosts` is empty"), "{fault}");
    assert_eq!(status(&gateway), 421);
    set.write("gateway.yaml", &self::gateway(""));
    gateway.process.err.event("reloaded");
    assert_eq!(status(&gateway), 404);
}

#[test]
fn half_a_write_is_not_taken() {
    let set = Set::new("");
    let path = set.path("gateway.yaml");
    let mut files = Files::default();
    let loaded = load(Source::Disk, &path, None, &mut files).expect("valid");
    let (fixed, policy) = (loaded.fixed, loaded.policy);
    let origin = Origin { source: Source::Disk, path, files, fixed, policy };
    let live = Live::new(loaded.snapshot);
    let every = Duration::from_secs(2);
    let mut watch = Watch::new(Reload::new(origin, live.clone(), None, None), every);
    let first = live.load().digest.clone();
    assert_eq!(watch.look(), every, "nothing has changed");
    // Valid as far as it is written.
    let whole = format!("{POLICY}    if_match: required\n");
    for end in [0, POLICY.len(), whole.len() - 1] {
        set.write("policy.yaml", &whole[..end]);
        assert_eq!(watch.look(), if end == POLICY.len() { every } else { every / 4 });
        assert_eq!((&live.load().digest, live.loads().refused), (&first, 0), "{end}");
    }
    set.write("policy.yaml", &whole);
    assert_eq!(watch.look(), every / 4, "it is not as it was");
    assert_eq!((watch.look(), watch.look()), (every, every), "it has stood, and is taken");
    assert_eq!((live.loads().taken, live.loads().refused), (1, 0));
    assert_ne!(live.load().digest, first);
}

#[test]
fn nothing_is_taken_unasked_where_no_change_is_looked_for() {
    let set = Set::new("reload: { watch: false, every: 1ms }");
    set.write("open.json", SCHEMA);
    let gateway = set.run();
    set.write("policy.yaml", &closed());
    assert_eq!(status(&gateway), 404);
    assert_eq!(ask(gateway.admin, "POST /-/reload", &[], "").status, 200);
    assert_eq!(status(&gateway), 422);
    assert_eq!(reloads(&gateway)["taken"], 1);
}

#[test]
fn a_change_that_only_a_start_takes_is_named() {
    let (set, changed) = (Set::new(""), gateway("timeouts: { body: 1s }\nh2c: true"));
    let gateway = set.run();
    set.write("gateway.yaml", &changed);
    let event = gateway.process.err.event("a restart is needed");
    assert_eq!(event["keys"], "h2c, timeouts");
    let said = ask(gateway.admin, "POST /reload", &[], "").body;
    assert!(said.contains("a restart is needed to take what changed under h2c, timeouts\n"));
}

/// Row 135.
#[test]
fn what_is_spent_stays_spent_also_where_the_quota_changes() {
    let quota = |most: u32| gateway("").replace("1000000/1s", &format!("{most}/1h"));
    let set = Set::new("");
    set.write("gateway.yaml", &quota(3));
    let gateway = set.run();
    assert_eq!([status(&gateway), status(&gateway)], [404, 404]);
    set.write("schema.json", &SCHEMA.replace("\"string\"", "[\"string\", \"null\"]"));
    gateway.process.err.event("reloaded");
    assert_eq!([status(&gateway), status(&gateway)], [404, 429], "a reload is no refill");
    set.write("gateway.yaml", &quota(4));
    gateway.process.err.event("reloaded");
    assert_eq!(status(&gateway), 429, "another quota is none either");
}

/// Row 176.
#[test]
fn reloads_under_load_lose_nothing_and_each_request_is_judged_by_one_policy() {
    let upstream = Upstream::start([]);
    let set = Set::new(&format!("upstream: {{ url: \"http://{}\" }}", upstream.address));
    set.write("open.json", SCHEMA);
    let gateway = set.run();
    let request = format!(
        "{PATCH} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{NOTE}",
        NOTE.len()
    );
    let done = AtomicBool::new(false);
    let load = || {
        // One connection all along: a reload closes none.
        let mut caller = Caller::to(gateway.address);
        let (mut permitted, mut refused) = (0, 0);
        while !done.load(Ordering::Relaxed) {
            match caller.ask(&request).status {
                200 => permitted += 1,
                422 => refused += 1,
                other => panic!("{other}"),
            }
        }
        (permitted, refused)
    };
    let counts: Vec<(usize, usize)> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..8).map(|_| scope.spawn(load)).collect();
        for round in 0..30 {
            let text = if round % 2 == 0 { closed() } else { POLICY.to_owned() };
            let broken = &text[..text.len() / 2];
            set.rename_over("policy.yaml", if round % 5 == 4 { broken } else { &text });
            match round % 3 {
                0 => gateway.process.signal("HUP"),
                1 => drop(ask(gateway.admin, "POST /reload", &[], "")),
                _ => gateway.process.err.find(|line| line.contains("reloaded").then_some(())),
            }
        }
        done.store(true, Ordering::Relaxed);
        callers.into_iter().map(|caller| caller.join().expect("a caller")).collect()
    });
    let loads = reloads(&gateway);
    assert!(loads["taken"].as_u64() > Some(10) && loads["refused"].as_u64() > Some(2), "{loads}");
    let permitted: usize = counts.iter().map(|(permitted, _)| permitted).sum();
    assert_eq!(upstream.requests().len(), permitted, "each was sent once");
    assert!(permitted > 0 && counts.iter().any(|(_, refused)| *refused > 0), "{counts:?}");
    println!("{counts:?} {loads}");
}

/// Every file that the gateway depends on is one that it watches.
#[test]
fn every_file_that_is_read_is_watched() {
    let set = Set::new(
        "tls: { certificate: cert.pem, key: key.pem, client_ca: ca.pem, client_auth: required }\n\
         upstream: { url: \"https://localhost:1\", ca_file: up.pem }",
    );
    let authority = Authority::new();
    let (certificate, key) = authority.pair("localhost");
    set.write("cert.pem", &certificate);
    set.write("key.pem", &key);
    let ca = fs::read_to_string(authority.path()).expect("a file");
    set.write("ca.pem", &ca);
    set.write("up.pem", &ca);
    let files = |path: &Path| {
        let mut files = Files::default();
        load(Source::Disk, path, None, &mut files).expect("valid");
        files
    };
    let before = files(&set.path("gateway.yaml"));
    for entry in fs::read_dir(set.0.path()).expect("a folder") {
        let path = entry.expect("an entry").path();
        let was = fs::read(&path).expect("a file");
        fs::write(&path, [&*was, b"\n"].concat()).expect("a file");
        assert_eq!(before.again().differs(&before), Some(&*path));
        fs::write(&path, was).expect("a file");
    }
}
