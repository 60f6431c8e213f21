//! Proofs of who is calling: keys, from `patchgate key` to a gateway that knows them, and certificates.

use super::file;
use super::process::{Finished, Gateway, ask, gateway_file, patchgate, policy_file};
use crate::harness::Authority;

use serde_json::Value;

use std::fs;

const NOTES: &str = r#"[{"op":"replace","path":"/details/notes","value":"n"}]"#;
const PATCH: &str = "PATCH /v1.0/engagements/referrals/1";

/// A key and its digest.
fn make() -> (String, String) {
    let Finished { code, out, err } = patchgate(&["key"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let lines: Vec<_> = out.lines().filter_map(|line| line.split_once(' ')).collect();
    let [("key", key), ("digest", digest)] = lines[..] else { panic!("{out}") };
    (key.trim().to_owned(), digest.trim().to_owned())
}

fn keys(partners: &[(&str, &str)]) -> String {
    let partners: String = partners
        .iter()
        .map(|(id, digests)| format!("  - {{ id: {id}, api_keys: [{digests}] }}\n"))
        .collect();
    format!(
        "upstream: {{ url: sandbox }}\nidentity: [{{ api_key: X-Api-Key }}]\n\
         reload: {{ every: 80ms }}\npartners:\n{partners}"
    )
}

#[test]
fn a_key_is_another_each_time_and_whoami_knows_whose_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let ((first, digest), (second, other)) = (make(), make());
    assert_ne!(first, second);
    assert_eq!(first.len(), 43, "256 bits as base64");
    let config = gateway_file(&folder, &keys(&[("acme", &format!("\"{digest}\", \"{other}\""))]));
    for key in [&first, &second] {
        let field = format!("X-Api-Key: {key}");
        let Finished { code, out, err } = patchgate(&["whoami", "-c", &config, "-H", &field]);
        assert!(code == 0 && out.starts_with("partner     acme\n"), "{out}{err}");
        assert!(!out.contains(key), "{out}");
    }
    let Finished { code, err, .. } = patchgate(&["whoami", "-c", &config, "-H", "X-Api-Key: x"]);
    assert_eq!((code, err.contains("401 unidentified")), (1, true), "{err}");
    let Finished { out, .. } = patchgate(&["check", "--print-config", &config]);
    let shown: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(shown["partners"][0]["api_keys"], serde_json::json!(["***", "***"]));
}

#[test]
fn what_is_wrong_with_keys_is_told_in_its_place_without_what_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let (key, digest) = make();
    let nothing = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let text = format!(
        "upstream: {{ url: sandbox }}\nidentity:\n  - api_key: Authorization\n  - api_key: \"a b\"\n  \
         - api_key: X-Key\n  - header: x-key\n  - {{ api_key: X-A, header: X-B }}\npartners:\n  \
         - {{ id: a, api_keys: [\"{digest}\"] }}\n  - {{ id: b, api_keys: [\"{digest}\"] }}\n  \
         - {{ id: c, api_keys: [\"{key}\"] }}\n  - {{ id: d, api_keys: [\"{nothing}\"] }}\n  - {{ id: e }}\n"
    );
    let Finished { code, err, .. } = patchgate(&["check", &gateway_file(&folder, &text)]);
    assert_eq!(code, 1);
    let faults = [
        (5, "`Authorization` is sent on"),
        (6, "`api_key` is not a header name"),
        (8, "this header is read already"),
        (9, "give one of"),
        (12, "also one of the partner `a`"),
        (13, "no digest of a key"),
        (14, "the digest of nothing"),
        (15, "nothing tells that it is this partner"),
    ];
    for (line, message) in faults {
        let found = err.lines().find(|text| text.contains(message));
        let found = found.unwrap_or_else(|| panic!("{message}: {err}"));
        assert!(found.contains(&format!("gateway.yaml:{line}:")), "{found}");
    }
    assert_eq!(err.lines().count(), faults.len(), "{err}");
    assert!(!err.contains(&key) && !err.contains(&digest), "{err}");
    let none = keys(&[("acme", &format!("\"{digest}\""))]).replace("api_key:", "header:");
    let Finished { code, err, .. } = patchgate(&["check", &gateway_file(&folder, &none)]);
    assert!(code == 1 && err.contains("which header holds a key"), "{err}");
}

#[test]
fn a_reload_rotates_keys_and_a_broken_file_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let ((old, old_digest), (new, new_digest)) = (make(), make());
    let write = |name: &str, text: &str| {
        fs::write(folder.path().join("new"), text).expect("a file");
        fs::rename(folder.path().join("new"), folder.path().join(name)).expect("a rename");
    };
    write("digest", &old_digest);
    let config = gateway_file(&folder, &keys(&[("acme", "\"${file:digest}\"")]));
    let gateway = Gateway::run(&config);
    let status =
        |key: &str| ask(gateway.address, PATCH, &[&format!("X-Api-Key: {key}")], NOTES).status;
    assert_eq!((status(&old), status(&new)), (404, 401), "the sandbox does not know the referral");
    write("digest", &new);
    let fault = gateway.process.err.event("not reloaded");
    let fault = fault["error"].as_str().expect("text");
    assert!(fault.contains("no digest of a key") && !fault.contains(&new), "{fault}");
    assert_eq!((status(&old), status(&new)), (404, 401));
    write("digest", &new_digest);
    gateway.process.err.event("reloaded");
    assert_eq!((status(&old), status(&new)), (401, 404));
    // Both, for as long as the partner changes over.
    gateway_file(&folder, &keys(&[("acme", &format!("\"{old_digest}\", \"{new_digest}\""))]));
    gateway.process.err.event("reloaded");
    assert_eq!((status(&old), status(&new)), (404, 404));
}

#[test]
fn whoami_knows_certificates_and_names_that_nothing_looks_at_are_faults() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new();
    let (certificate, key) = authority.pair("acme.example");
    let shown = file(&folder, "cert.pem", &certificate);
    file(&folder, "key.pem", &key);
    let ca = authority.path().display();
    let tls = format!(
        "tls: {{ certificate: cert.pem, key: key.pem, client_auth: optional, client_ca: {ca} }}"
    );
    let text = "upstream: { url: sandbox }\nidentity: [{ certificate: dns }]\npartners:\n  \
        - { id: acme, certificates: [acme.example] }\n";
    let config = gateway_file(&folder, &format!("{text}{tls}"));
    for (more, who) in [(&["--certificate", &*shown][..], "acme"), (&[], "unknown")] {
        let Finished { out, err, .. } = patchgate(&[&["whoami", "-c", &config], more].concat());
        assert!(out.starts_with(&format!("partner     {who}\n")), "{out}{err}");
    }
    let check = |text: &str| {
        let Finished { code, err, .. } = patchgate(&["check", &gateway_file(&folder, text)]);
        assert_eq!(code, 1, "{err}");
        err
    };
    // In the clear, and where nobody is asked for one.
    let open = tls.replace(&format!("client_auth: optional, client_ca: {ca}"), "client_auth: none");
    for tls in ["", &open] {
        let err = check(&format!("{text}{tls}"));
        assert!(err.contains("gateway.yaml:4:") && err.contains("show no certificate"), "{err}");
    }
    for (name, fault) in [
        ("spiffe://example/a", "add `certificate: spiffe`"),
        ("sha256:1", "no name of a certificate"),
        ("*.acme.example", "no name of a certificate"),
        ("acme.example, ACME.example", "also one of the partner `acme`"),
    ] {
        let text =
            text.replace("[acme.example]", &format!("[\"{}\"]", name.replace(", ", "\", \"")));
        let err = check(&format!("{text}{tls}"));
        assert!(err.contains("gateway.yaml:6:") && err.contains(fault), "{name}: {err}");
    }
}

#[test]
fn whoami_and_explain_tell_of_routes_that_are_closed() {
    let folder = tempfile::tempdir().expect("a folder");
    let policy = policy_file(&folder, "    roles: [editor, ghost]\n    identity: required\n");
    let text = format!(
        "policy: {policy}\nupstream: {{ url: sandbox }}\nidentity: [{{ header: X-P }}]\npartners:\n  \
        - {{ id: acme, identities: [acme], roles: [editor] }}\n  - {{ id: b, identities: [b] }}\n"
    );
    let config = gateway_file(&folder, &text);
    let patch = file(&folder, "p.json", NOTES);
    for (who, closed, answer) in
        [("acme", false, ""), ("b", true, "403 not-admitted"), ("c", true, "401 unidentified")]
    {
        let field = format!("X-P: {who}");
        let Finished { out, err, .. } = patchgate(&["whoami", "-c", &config, "-H", &field]);
        assert_eq!(out.contains("closed      update-referral\n"), closed, "{out}{err}");
        let Finished { code, err, .. } =
            patchgate(&["explain", "--config", &config, "-H", &field, &patch]);
        assert_eq!((code, err.contains(answer)), (i32::from(closed), true), "{err}");
    }
    let Finished { code, .. } =
        patchgate(&["explain", "--policy", &policy, "--partner", "x", "--role", "editor", &patch]);
    assert_eq!(code, 0);
    let Finished { code, err, .. } = patchgate(&["explain", "--policy", &policy, &patch]);
    assert_eq!((code, err.contains("401 unidentified")), (1, true), "{err}");
    let Finished { code, err, .. } = patchgate(&["check", "--deny-warnings", &config]);
    assert_eq!(
        (code, err.contains("no partner of the gateway file has the role `ghost`")),
        (1, true),
        "{err}"
    );
}

#[test]
fn a_reload_closes_a_route_and_opens_it_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let policy = policy_file(&folder, "");
    let (key, digest) = make();
    let digest = format!("\"{digest}\"");
    let keys = keys(&[("acme", &digest)]).replace("every: 80ms", "watch: false");
    let gateway = Gateway::run(&gateway_file(&folder, &format!("policy: {policy}\n{keys}")));
    let field = format!("X-Api-Key: {key}");
    let told = |more: &str| {
        policy_file(&folder, more);
        assert_eq!(ask(gateway.admin, "POST /reload", &[], "").status, 200);
        let answer = ask(gateway.address, PATCH, &[&field], NOTES);
        (answer.status, answer.body.contains("not-admitted"))
    };
    assert_eq!(told("    partners: [other]\n"), (403, true));
    assert_eq!(told("    partners: [acme]\n"), (404, false), "nobody knows the referral");
    assert_eq!(told("    roles: [editor]\n"), (403, true));
    assert_eq!(told(""), (404, false));
}
