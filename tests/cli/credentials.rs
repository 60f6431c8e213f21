//! Credentials that callers are lent, from the file to the upstream.

use super::file;
use super::process::{Finished, Gateway, ask, gateway_file, patchgate};
use crate::harness::{Upstream, eventually};

use serde_json::Value;

use std::fs;

const NOTES: &str = r#"[{"op":"replace","path":"/details/notes","value":"n"}]"#;
const PATCH: &str = "PATCH /v1.0/engagements/referrals/1";

/// A gateway before `url` that lends its partner the token in a file.
fn keys(url: &str) -> String {
    format!(
        "upstream: {{ url: \"{url}\" }}\ncredentials: {{ api: {{ static: {{ token: \"${{file:token}}\" }} }} }}\n\
         identity: [{{ header: X-Partner, from: [127.0.0.1] }}]\n\
         partners: [{{ id: acme, identities: [acme], credentials: api }}]\n\
         unknown_partners: refuse\nreload: {{ every: 80ms }}\nlog: {{ access: stdout, level: trace }}\n"
    )
}

#[test]
fn a_token_comes_from_its_file_is_rotated_by_it_and_comes_out_nowhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::start([]);
    file(&folder, "token", "t0k3n-m4rk-1\n");
    let config = gateway_file(&folder, &keys(&format!("http://{}", upstream.address)));
    let gateway = Gateway::run(&config);
    let send = || {
        let fields = ["X-Partner: acme", "Authorization: Bearer callers-own"];
        assert_eq!(ask(gateway.address, PATCH, &fields, NOTES).status, 200);
        let sent = upstream.requests();
        let sent = sent.last().expect("one");
        assert!(!sent.head.contains("callers-own"), "{}", sent.head);
        sent.header("authorization").expect("a credential").to_owned()
    };
    assert_eq!(send(), "Bearer t0k3n-m4rk-1");
    let replace = |text: &str| {
        let new = file(&folder, "new", text);
        fs::rename(new, folder.path().join("token")).expect("a rename");
    };
    replace("t0k3n-m4rk-2");
    eventually("the new one is shown", || send() == "Bearer t0k3n-m4rk-2");
    let Finished { out, err, .. } =
        patchgate(&["whoami", "-c", &config, "-H", "X-Partner: acme", "--peer", "127.0.0.1"]);
    assert!(out.contains("\ncredential  api\n") && !out.contains("m4rk"), "{out}{err}");
    // What is no token changes nothing.
    replace("t0k3n m4rk");
    let fault = gateway.process.err.event("not reloaded");
    assert!(fault.to_string().contains("no bearer token"), "{fault}");
    assert_eq!(send(), "Bearer t0k3n-m4rk-2");

    gateway.process.signal("TERM");
    let said = format!("{}{}", gateway.process.err.rest(), gateway.process.out.rest());
    assert!(said.contains("acme"), "there is a log");
    let Finished { out, err, .. } = patchgate(&["check", "--print-config", &config]);
    replace("t0k3n-m4rk-3");
    let Finished { out: shown, .. } = patchgate(&["check", "--print-config", &config]);
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["credentials"]["api"]["static"]["token"], "${file:token}");
    for text in [&said, &out, &err, &shown.to_string()] {
        assert!(!text.contains("m4rk"), "{text}");
    }
}

#[test]
fn what_is_wrong_with_credentials_is_told_in_its_place_without_the_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = r#"upstream: { url: "https://api.example", credentials: nowhere }
credentials:
  pass: { static: { token: m4rk } }
  bad: { static: { token: "m4rk m4rk" } }
  idle: { static: { token: m4rk } }
  none: {}
identity: [{ api_key: X-Api-Key }]
partners:
  - { id: p, api_keys: ["sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"], credentials: bda }
"#;
    let Finished { code, err, .. } = patchgate(&["check", &gateway_file(&folder, text)]);
    assert_eq!(code, 1, "{err}");
    let told = |line: usize, message: &str, err: &str| {
        let place = format!("gateway.yaml:{line}:");
        let found = err.lines().any(|text| text.contains(message) && text.contains(&place));
        assert!(found, "{line} {message}: {err}");
        assert!(!err.contains("m4rk"), "{err}");
    };
    told(8, "static", &err);
    let without = text.replace("  none: {}\n", "");
    let Finished { err, .. } = patchgate(&["check", &gateway_file(&folder, &without)]);
    told(3, "has no `nowhere`", &err);
    told(5, "choose another name", &err);
    told(6, "no bearer token", &err);
    told(10, "has no `bda`", &err);
    let idle = without.replace("bda", "bad").replace("m4rk m4rk", "m4rk");
    let idle = idle.replace("nowhere", "bad").replace("  pass: { static: { token: m4rk } }\n", "");
    let idle = format!("{idle}unknown_partners: refuse\n");
    let Finished { code, err, .. } = patchgate(&["check", &gateway_file(&folder, &idle)]);
    assert_eq!(code, 0, "{err}");
    told(6, "nobody is lent this", &err);
    assert_eq!(err.lines().count(), 1, "{err}");
}

/// Errors where strangers can connect, and warnings where they cannot.
#[test]
fn who_proves_nothing_is_lent_nothing_and_nothing_leaves_in_the_clear() {
    let folder = tempfile::tempdir().expect("a folder");
    file(&folder, "token", "m4rk");
    let check = |keys: &str, listen: &str| {
        let text = format!("{keys}listen: \"{listen}\"\n");
        let Finished { code, err, .. } = patchgate(&["check", &gateway_file(&folder, &text)]);
        let secret = "which holds a secret";
        let told = err.lines().filter(|line| !line.contains(secret));
        (code, told.map(str::to_owned).collect::<Vec<_>>().join("\n"))
    };
    let (here, anywhere) = ("127.0.0.1:0", "0.0.0.0:0");
    let good = keys("https://api.example");
    assert_eq!(check(&good, anywhere), (0, String::new()));
    let shared = good
        .replace("example\" }", "example\", credentials: api }")
        .replace("unknown_partners: refuse", "unknown_partners: share");
    let believed = good.replace(", from: [127.0.0.1]", "");
    let claims = good.replace("header: X-Partner, from: [127.0.0.1]", "token_claims: [tid]");
    for (keys, message) in [
        (&shared, "whoever can connect is lent this"),
        (&believed, "whoever writes this name into a request"),
        (&claims, "whoever writes this name into a request"),
    ] {
        for (listen, expected) in
            [(here, 0), ("[::1]:0", 0), (anywhere, 1), ("[::]:0", 1), ("10.0.0.1:80", 1)]
        {
            let (code, err) = check(keys, listen);
            assert_eq!(code, expected, "{listen}: {err}");
            assert!(err.contains(message) && err.lines().count() == 1, "{listen}: {err}");
        }
    }
    // The same partner shows its own, or proves who it is.
    let passes = believed.replace("credentials: api", "credentials: pass");
    let (code, err) = check(&passes, anywhere);
    assert!(code == 0 && err.contains("nobody is lent this"), "{err}");
    for (url, expected) in [
        ("http://api.example", 1),
        ("http://10.0.0.1", 1),
        ("http://localhost.example", 1),
        ("http://127.0.0.1:81", 0),
        ("http://[::1]:81", 0),
        ("http://localhost", 0),
        ("sandbox", 0),
    ] {
        let (code, err) = check(&keys(url), here);
        assert_eq!((code, err.contains("in the clear")), (expected, expected == 1), "{url}: {err}");
    }
}
