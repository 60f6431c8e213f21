//! Tokens that prove who is calling, from the files to a gateway that knows their issuer.

use super::file;
use super::process::{Finished, Gateway, ask, gateway_file, patchgate};
use crate::harness::{Act, Authority, Signer, Upstream, answer, eventually, now, scripted};

use serde_json::json;

use std::fs;
use std::time::Duration;

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

/// The gateway file with the keys at `url`, and `more` beside it.
fn fetching(folder: &tempfile::TempDir, url: &str, more: &str) -> String {
    let keys = KEYS.replace("jwks_file: keys.json", &format!("jwks_url: \"{url}\"{more}"));
    gateway_file(folder, &keys.replace("access: off", "access: stdout"))
}

fn jwks(signers: &[&Signer]) -> Act {
    Act::Answer(answer("200 OK", "Content-Type: application/jwk-set+json\r\n", &set(signers)))
}

fn status(gateway: &Gateway, signer: &Signer) -> u16 {
    ask(gateway.address, PATCH, &[&shown(signer, "gate")], NOTES).status
}

fn ready(gateway: &Gateway) -> u16 {
    ask(gateway.admin, "GET /readyz", &[], "").status
}

#[test]
fn keys_are_fetched_once_and_again_when_one_is_missing_whatever_a_flood_asks_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let (old, new, other) = (Signer::p256("old"), Signer::p256("new"), Signer::p256("old"));
    let (give, act) = Act::held();
    let publisher = Upstream::start([act]);
    let url = format!("http://{}/keys?v=2", publisher.address);
    let config = fetching(&folder, &url, "");
    let gateway = Gateway::run(&config);
    publisher.wait_for(1);
    // Nothing can be said of a token yet; who shows none is told as ever.
    assert_eq!((ready(&gateway), status(&gateway, &old)), (503, 503));
    assert_eq!(ask(gateway.address, PATCH, &["Authorization: Basic eDp5"], NOTES).status, 401);
    let good = answer("200 OK", "", &set(&[&old]));
    give.send(good).expect("it waits");
    eventually("they are there", || ready(&gateway) == 200);
    assert_eq!((status(&gateway, &old), status(&gateway, &other)), (404, 401));
    let asked = publisher.only_request();
    assert_eq!(asked.line(), "GET /keys?v=2 HTTP/1.1");
    assert!(asked.header("authorization").is_none(), "{}", asked.head);

    // The issuer signs with a new one.
    publisher.then(jwks(&[&new]));
    assert_eq!(status(&gateway, &new), 401);
    eventually("the new one is there", || status(&gateway, &new) == 404);
    assert_eq!(publisher.requests().len(), 2);
    for _ in 0..50 {
        assert_eq!(status(&gateway, &old), 401);
    }
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(publisher.requests().len(), 2);

    // A reload keeps them, and what is offline does not ask for them.
    assert_eq!(ask(gateway.admin, "POST /reload", &[], "").status, 200);
    assert_eq!((status(&gateway, &new), publisher.requests().len()), (404, 2));
    let Finished { code, err, .. } =
        patchgate(&["whoami", "--config", &config, "-H", &shown(&new, "gate")]);
    assert!(code != 0 && err.contains("503 keys-unavailable"), "{err}");
    assert_eq!(publisher.requests().len(), 2);
}

#[test]
fn the_last_good_keys_stay_whatever_the_issuer_publishes() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, two) = (Signer::p256("one"), Signer::p256("two"));
    let huge = format!("{{\"keys\":[\"{}\"]}}", "x".repeat(2 << 20));
    let bad = |body: &str| Act::Answer(answer("200 OK", "", body));
    let secret = r#"{"keys":[{"kty":"oct","kid":"two","k":"c2VjcmV0"}]}"#;
    let publisher = Upstream::start([
        jwks(&[&one]),
        Act::Slow(vec![answer("200 OK", "", "{}")], Duration::from_millis(100)),
        bad(secret),
        bad(&huge),
        Act::Answer(answer("302 Found", "Location: http://127.0.0.1:1/\r\n", "")),
        Act::Answer(answer("503 Service Unavailable", "Retry-After: 60\r\n", "")),
    ]);
    let url = format!("http://{}", publisher.address);
    let gateway = Gateway::run(&fetching(&folder, &url, ""));
    eventually("they are there", || status(&gateway, &one) == 404);
    assert_eq!(status(&gateway, &two), 401);
    let mut pauses = Vec::new();
    for why in [
        "its answer is no set of keys",
        "its answer has a key that is secret",
        "the answer is too large",
        "it answered 302",
        "it answered 503",
    ] {
        let event = gateway.process.err.event("keys of an issuer are not fetched");
        let told = event["why"].as_str().expect("text");
        assert!(told.starts_with(why) && !told.contains("c2VjcmV0"), "{why}: {event}");
        pauses.push(event["again_in"].as_f64().expect("seconds"));
        assert_eq!((status(&gateway, &one), status(&gateway, &two)), (404, 401));
    }
    assert!(pauses.windows(2).all(|two| two[0] < two[1]) && pauses[4] >= 60.0, "{pauses:?}");
    assert_eq!(ready(&gateway), 200);
}

#[test]
fn keys_come_from_whom_is_trusted_and_through_the_proxy() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new();
    let signer = Signer::p256("one");
    let publisher = || Upstream::start_tls_with([jwks(&[&signer])], authority.server("localhost"));
    let (trusted, stranger) = (publisher(), publisher());
    let url = |of: &Upstream| format!("https://localhost:{}/", of.address.port());
    let more = format!(", ca_file: \"{}\"", authority.path().display());
    let gateway = Gateway::run(&fetching(&folder, &url(&trusted), &more));
    eventually("they are there", || status(&gateway, &signer) == 404);
    let gateway = Gateway::run(&fetching(&folder, &url(&stranger), ""));
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!((status(&gateway, &signer), stranger.requests().len()), (503, 0));

    let (port, heard) = scripted("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    let hidden = publisher();
    let config = fetching(&folder, &url(&hidden), &more);
    let proxy =
        format!("url: \"http://api.example\", proxy: {{ url: \"http://127.0.0.1:{port}\" }}");
    let text = fs::read_to_string(&config).expect("a file").replace("url: sandbox", &proxy);
    fs::write(&config, text).expect("a file");
    let gateway = Gateway::run(&config);
    let heard = String::from_utf8(heard.join().expect("a proxy")).expect("text");
    let connect = format!("CONNECT localhost:{} HTTP/1.1\r\n", hidden.address.port());
    assert!(heard.starts_with(&connect), "{heard}");
    assert_eq!((status(&gateway, &signer), hidden.connections()), (503, 0));
}

#[test]
fn what_is_wrong_with_a_source_of_keys_is_told_in_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    file(&folder, "keys.json", &set(&[&Signer::p256("one")]));
    for (keys, message) in [
        ("", "write one of the two"),
        (", jwks_file: keys.json, jwks_url: \"https://a.example/\"", "write one of the two"),
        (", jwks_url: \"http://a.example/\"", "in the clear; use `https://`"),
        (", jwks_url: a", "`jwks_url` is no `https://` URL"),
        (", jwks_url: \"https://a.example/\", ca_file: nowhere", "`ca_file` cannot be read"),
        (", jwks_url: \"http://127.0.0.1:1/\", ca_file: keys.json", "`ca_file` is for TLS"),
        (", jwks_file: keys.json, ca_file: keys.json", "`ca_file` is for `jwks_url`"),
    ] {
        let text = KEYS.replace(", jwks_file: keys.json", keys);
        let Finished { code, err, .. } = patchgate(&["check", &gateway_file(&folder, &text)]);
        let told =
            err.lines().any(|told| told.contains("gateway.yaml:7:") && told.contains(message));
        assert!(code == 1 && told && err.lines().count() == 1, "{keys}: {err}");
    }
}
