//! Tokens that prove who is calling, from the files to a gateway that knows their issuer.

use super::file;
use super::process::{Finished, Gateway, ask, gateway_file, patchgate};
use crate::harness::{Signer, now};

use serde_json::json;

use std::fs;

const NOTES: &str = r#"[{"op":"replace","path":"/details/notes","value":"n"}]"#;
const PATCH: &str = "PATCH /v1.0/engagements/referrals/1";
const ISSUER: &str = "https://login.example/";
const KEYS: &str = r#"upstream: { url: sandbox }
reload: { every: 80ms }
log: { access: off, level: "patchgate=debug" }
identity:
  - jwt: { issuer: "https://login.example/", audiences: [gate], jwks_file: keys.json }
partners:
  - id: acme
    tokens: [{ issuer: "https://login.example/", subject: app }]
unknown_partners: refuse
"#;

fn set(signers: &[&Signer]) -> String {
    let keys: Vec<_> = signers.iter().map(|signer| signer.jwk()).collect();
    json!({ "keys": keys }).to_string()
}

/// A header field with a token of `signer` for `audience`.
fn shown(signer: &Signer, audience: &str) -> String {
    let header = json!({"alg": "ES256", "typ": "at+jwt", "kid": signer.id}).to_string();
    let claims = json!({"iss": ISSUER, "aud": audience, "sub": "app", "exp": now() + 300});
    format!("Authorization: Bearer {}", signer.token(&header, &claims.to_string()))
}

#[test]
fn whoami_and_explain_verify_a_token_as_the_gateway_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let (signer, other) = (Signer::p256("one"), Signer::p256("one"));
    file(&folder, "keys.json", &set(&[&signer]));
    let config = gateway_file(&folder, KEYS);
    let patch = file(&folder, "patch.json", NOTES);
    let explain = ["explain", "--config", &config, &patch];
    for command in [&["whoami", "--config", &config][..], &explain] {
        let ask = |field: &str| patchgate(&[command, &["-H", field]].concat());
        let Finished { code, out, err } = ask(&shown(&signer, "gate"));
        assert!(code == 0 && out.contains("partner     acme\n"), "{command:?}: {out}{err}");
        for field in [&shown(&other, "gate"), &shown(&signer, "other"), "Authorization: Bearer x"] {
            let Finished { code, out, err } = ask(field);
            assert!(code != 0 && err.contains("401 unidentified"), "{command:?}: {out}{err}");
            assert!(!format!("{out}{err}").contains("eyJ"), "{out}{err}");
        }
    }
}

#[test]
fn keys_of_an_issuer_are_rotated_by_their_file_without_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let (old, new) = (Signer::p256("old"), Signer::p256("new"));
    let path = file(&folder, "keys.json", &set(&[&old]));
    let gateway = Gateway::run(&gateway_file(&folder, KEYS));
    let status = |gateway: &Gateway, signer: &Signer| {
        ask(gateway.address, PATCH, &[&shown(signer, "gate")], NOTES).status
    };
    assert_eq!((status(&gateway, &old), status(&gateway, &new)), (404, 401));
    gateway.process.err.event("a token proves nothing");
    fs::write(&path, set(&[&old, &new])).expect("a file");
    gateway.process.err.event("reloaded");
    assert_eq!((status(&gateway, &old), status(&gateway, &new)), (404, 404));
    fs::write(&path, set(&[&new])).expect("a file");
    gateway.process.err.event("reloaded");
    assert_eq!((status(&gateway, &old), status(&gateway, &new)), (401, 404));
    // What cannot be read does not take the keys away.
    fs::write(&path, "{\"keys\":[").expect("a file");
    let fault = gateway.process.err.event("not reloaded");
    assert!(fault.to_string().contains("is no set of keys"), "{fault}");
    assert_eq!(status(&gateway, &new), 404);
}

#[test]
fn what_is_wrong_with_issuers_and_tokens_is_told_in_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let signer = Signer::p256("one");
    file(&folder, "keys.json", &set(&[&signer]));
    file(&folder, "secret.json", r#"{"keys":[{"kty":"oct","k":"c2VjcmV0LW1hcmtlcg"}]}"#);
    let text = r#"upstream: { url: sandbox }
identity:
  - jwt: { issuer: a, audiences: [], jwks_file: keys.json }
  - jwt: { issuer: b, audiences: [x], jwks_file: secret.json }
  - jwt: { issuer: c, audiences: [x], jwks_file: missing.json }
  - jwt: { issuer: d, audiences: [x], jwks_file: keys.json, leeway: 6m }
  - jwt: { issuer: e, audiences: [x], jwks_file: keys.json, algorithms: [], typ: [""], claims: [] }
  - jwt: { issuer: f, audiences: [x], jwks_file: keys.json }
  - jwt: { issuer: f, audiences: [y], jwks_file: keys.json }
  - { jwt: { issuer: g, audiences: [y], jwks_file: keys.json }, header: X-Partner }
partners:
  - { id: p, tokens: [{ issuer: f, subject: app }] }
  - { id: q, tokens: [{ issuer: f, subject: app }] }
  - { id: r, tokens: [{ issuer: nobody, subject: app }] }
"#;
    let Finished { code, err, .. } = patchgate(&["check", &gateway_file(&folder, text)]);
    assert_eq!(code, 1, "{err}");
    for (line, message) in [
        (5, "`audiences` says nothing"),
        (6, "is secret"),
        (7, "missing.json"),
        (8, "at most `5m`"),
        (9, "`algorithms` says nothing"),
        (9, "`typ` says nothing"),
        (9, "`claims` says nothing"),
        (11, "tokens of this issuer are read already"),
        (12, "give one of"),
        (15, "also one of the partner `p`"),
        (16, "no `jwt` under `identity` is of this issuer"),
    ] {
        let found = err
            .lines()
            .find(|text| text.contains(message) && text.contains(&format!("gateway.yaml:{line}:")));
        assert!(found.is_some(), "{line} {message}: {err}");
    }
    assert!(!err.contains("c2VjcmV0"), "{err}");
    let text = text.replace("issuer: a", "issuer: a, algorithms: [HS256]");
    let Finished { err, .. } = patchgate(&["check", &gateway_file(&folder, &text)]);
    assert!(err.contains("ES256") && err.contains("gateway.yaml:5:"), "{err}");
}
