//! Credentials that a token endpoint grants: an endpoint that is slow, fails, rotates and lies.

use super::file;
use super::process::{Answer, Finished, Gateway, ask, gateway_file, patchgate};
use crate::harness::{Act, Authority, Signer, Upstream, answer, eventually, issuer, scripted};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{KeyPair, PublicKeyData};
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const NOTES: &str = r#"[{"op":"replace","path":"/details/notes","value":"n"}]"#;
const PATCH: &str = "PATCH /v1.0/engagements/referrals/1";

/// An answer with the token `token`, which is good for so long.
fn token(token: &str, seconds: u64) -> Vec<u8> {
    let more =
        format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":{seconds}}}"#);
    answer("200 OK", "Content-Type: application/json\r\n", &more)
}

/// The same with another refresh token.
fn rotated(token: &str, seconds: u64, refresh: &str) -> Vec<u8> {
    let more = format!(
        r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":{seconds},"refresh_token":"{refresh}"}}"#
    );
    answer("200 OK", "", &more)
}

fn refused(error: &str) -> Vec<u8> {
    answer(
        "400 Bad Request",
        "",
        &format!(r#"{{"error":"{error}","error_description":"s3cr3t-m4rk"}}"#),
    )
}

/// An answer that comes when the gateway serves, and its log is read.
fn late(answer: Vec<u8>) -> Act {
    Act::Slow(vec![answer], Duration::from_secs(1))
}

/// An API, a token endpoint and a gateway in between that lends its partner what that grants.
struct World {
    folder: tempfile::TempDir,
    upstream: Upstream,
    endpoint: Upstream,
}

impl World {
    fn new(script: impl IntoIterator<Item = Act>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        file(&folder, "secret", "s3cr3t-m4rk");
        Self { folder, upstream: Upstream::start([]), endpoint: Upstream::start(script) }
    }

    /// The gateway file, with `oauth` beside the URL and the client.
    fn config(&self, oauth: &str) -> String {
        let (api, endpoint) = (self.upstream.address, self.endpoint.address);
        gateway_file(
            &self.folder,
            &format!(
                "upstream: {{ url: \"http://{api}\" }}\n\
                 credentials:\n  api:\n    oauth: {{ token_url: \"http://{endpoint}/token?p=1\", client_id: me, {oauth} }}\n\
                 identity: [{{ header: X-Partner, from: [127.0.0.1] }}]\n\
                 partners: [{{ id: acme, identities: [acme], credentials: api }}, {{ id: own, identities: [own] }}]\n\
                 unknown_partners: refuse\nreload: {{ every: 80ms }}\nlog: {{ access: stdout, level: trace }}\n"
            ),
        )
    }

    fn for_itself(&self) -> Gateway {
        Gateway::run(&self.config(CLIENT))
    }

    fn state(&self) -> String {
        fs::read_to_string(self.folder.path().join("state")).expect("a state file")
    }

    /// What the API was shown last.
    fn shown(&self) -> String {
        let sent = self.upstream.requests();
        let sent = sent.last().expect("one");
        assert!(!sent.head.contains("callers-own"), "{}", sent.head);
        sent.header("authorization").expect("a credential").to_owned()
    }

    /// What the endpoint was asked, by the request's number.
    fn form(&self, index: usize) -> String {
        String::from_utf8(self.endpoint.requests()[index].body.clone()).expect("a form")
    }
}

const CLIENT: &str =
    "grant: client_credentials, client_secret: \"${file:secret}\", scope: \"api/.default\"";
const PERSON: &str = "grant: refresh_token, client_secret: \"${file:secret}\", state_file: state";

fn send(gateway: &Gateway) -> Answer {
    send_to(gateway.address)
}

fn send_to(address: SocketAddr) -> Answer {
    let fields = ["X-Partner: acme", "Authorization: Bearer callers-own"];
    ask(address, PATCH, &fields, NOTES)
}

fn ready(gateway: &Gateway) -> (u16, Value) {
    let Answer { status, body } = ask(gateway.admin, "GET /readyz", &[], "");
    (status, serde_json::from_str::<Value>(&body).expect("JSON")["credentials_awaited"].take())
}

#[test]
fn one_token_is_asked_for_and_shown_for_all_and_until_then_nothing_is_sent() {
    let (give, act) = Act::held();
    let world = World::new([act]);
    let gateway = world.for_itself();
    world.endpoint.wait_for(1);
    assert_eq!(ready(&gateway), (503, json!(["api"])));
    let Answer { status, body } = send(&gateway);
    let problem: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, &problem["code"]), (503, &json!("credential-unavailable")));
    assert_eq!(world.upstream.connections(), 0);
    // Whoever is lent nothing is served.
    assert_eq!(ask(gateway.address, PATCH, &["X-Partner: own"], NOTES).status, 200);

    give.send(token("t0k3n-m4rk", 3600)).expect("it waits");
    eventually("it is there", || ready(&gateway) == (200, json!([])));
    let address = gateway.address;
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..8).map(|_| scope.spawn(|| send_to(address).status)).collect();
        assert!(callers.into_iter().all(|caller| caller.join().expect("an answer") == 200));
    });
    assert_eq!(world.shown(), "Bearer t0k3n-m4rk");
    let asked = world.endpoint.requests();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].line(), "POST /token?p=1 HTTP/1.1");
    let host = world.endpoint.address.to_string();
    assert_eq!(asked[0].header("host"), Some(&*host));
    assert_eq!(asked[0].header("content-type"), Some("application/x-www-form-urlencoded"));
    let basic = format!("Basic {}", STANDARD.encode("me:s3cr3t-m4rk"));
    assert_eq!(asked[0].header("authorization"), Some(&*basic));
    assert_eq!(world.form(0), "grant_type=client_credentials&scope=api%2F.default");

    gateway.process.signal("TERM");
    let said = format!("{}{}", gateway.process.err.rest(), gateway.process.out.rest());
    assert!(said.contains("acme") && said.contains("stopped"), "there is a log");
    let encoded = STANDARD.encode("me:s3cr3t-m4rk");
    assert!(!said.contains("m4rk") && !said.contains(&encoded), "{said}");
}

#[test]
fn a_token_is_replaced_before_it_ends_and_shown_until_then_whatever_the_endpoint_does() {
    let world = World::new([
        Act::Answer(token("one", 2)),
        Act::Close,
        Act::Answer(token("two", 4)),
        Act::Answer(refused("temporarily_unavailable")),
        Act::Silence,
    ]);
    let gateway = world.for_itself();
    let mut seen = Vec::new();
    let mut lost = None;
    let began = Instant::now();
    while lost.is_none() {
        assert!(began.elapsed() < Duration::from_secs(20), "{seen:?}");
        let Answer { status, body } = send(&gateway);
        match status {
            200 => {
                let shown = world.shown();
                if seen.last() != Some(&shown) {
                    seen.push(shown);
                }
            }
            503 if seen.len() < 2 => {}
            _ => lost = Some((status, body)),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(seen, ["Bearer one", "Bearer two"]);
    let (status, body) = lost.expect("in the end");
    assert!(status == 503 && body.contains("credential-unavailable"), "{status} {body}");
    // It is the token of some callers alone that is missing.
    assert_eq!(ready(&gateway).0, 200);
    let event = gateway.process.err.event("a credential is not granted");
    assert_eq!(event["why"], "the connection ended before the answer did");
    let event = gateway.process.err.event("a credential is granted again");
    assert_eq!(event["credential"], "api");
    let event = gateway.process.err.event("a credential is not granted");
    assert_eq!(event["why"], "it answered 400: `temporarily_unavailable`");
    assert!(world.endpoint.requests().len() <= 5, "pauses grow");
}

#[test]
fn an_endpoint_that_wants_to_be_left_alone_is() {
    let busy = answer("503 Service Unavailable", "Retry-After: 60\r\n", "{}");
    let world = World::new([late(busy)]);
    let gateway = world.for_itself();
    let event = gateway.process.err.event("a credential is not granted");
    assert!((59.0..76.0).contains(&event["again_in"].as_f64().expect("seconds")), "{event}");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(world.endpoint.requests().len(), 1);
    let reply = crate::harness::Caller::to(gateway.address).ask(format!(
        "GET /v1.0/engagements/referrals/1 HTTP/1.1\r\nHost: {}\r\nX-Partner: acme\r\n\r\n",
        gateway.address
    ));
    let wait: u64 = reply.header("retry-after").expect("a time").parse().expect("seconds");
    assert!((50..=60).contains(&wait), "{wait}");
}

#[test]
fn a_token_that_the_api_does_not_take_is_replaced_once_and_the_patch_is_not_sent_again() {
    let world = World::new([Act::Answer(token("one", 3600)), Act::Answer(token("two", 3600))]);
    let unauthorized =
        || Act::Answer(answer("401 Unauthorized", "WWW-Authenticate: Bearer\r\n", ""));
    let gateway = world.for_itself();
    eventually("it is there", || ready(&gateway).0 == 200);
    world.upstream.then(unauthorized());
    assert_eq!(send(&gateway).status, 401);
    assert_eq!(world.upstream.requests().len(), 1);
    eventually("another is there", || {
        send(&gateway).status == 200 && world.shown() == "Bearer two"
    });
    // An API that takes no token at all is no reason to ask for one after another.
    for _ in 0..5 {
        world.upstream.then(unauthorized());
        assert_eq!(send(&gateway).status, 401);
    }
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(world.endpoint.requests().len(), 2);
}

#[test]
fn a_refresh_token_is_on_the_disk_before_its_token_is_shown_and_is_used_after_a_restart() {
    let world = World::new([
        Act::Answer(rotated("one", 2, "r3fr3sh-m4rk-2")),
        Act::Answer(rotated("two", 3600, "r3fr3sh-m4rk-3")),
        Act::Answer(token("three", 3600)),
    ]);
    file(&world.folder, "state", "r3fr3sh-m4rk-1\n");
    let config = world.config(PERSON);
    let gateway = Gateway::run(&config);
    let mut seen = Vec::new();
    eventually("two tokens were shown", || {
        let shown = (send(&gateway).status == 200).then(|| world.shown());
        match shown.as_deref() {
            Some("Bearer one") => {
                assert!(["r3fr3sh-m4rk-2\n", "r3fr3sh-m4rk-3\n"].contains(&&*world.state()))
            }
            Some("Bearer two") => assert_eq!(world.state(), "r3fr3sh-m4rk-3\n"),
            _ => {}
        }
        shown.as_deref() == Some("Bearer two")
    });
    seen.extend((0..2).map(|index| world.form(index)));
    let form = |token: &str| format!("grant_type=refresh_token&refresh_token={token}");
    assert_eq!(seen, [form("r3fr3sh-m4rk-1"), form("r3fr3sh-m4rk-2")]);
    gateway.process.signal("TERM");
    let said = format!("{}{}", gateway.process.err.rest(), gateway.process.out.rest());
    assert!(!said.contains("m4rk"), "{said}");
    drop(gateway);

    let gateway = Gateway::run(&config);
    eventually("it goes on", || send(&gateway).status == 200);
    assert_eq!((world.shown().as_str(), world.form(2)), ("Bearer three", form("r3fr3sh-m4rk-3")));
    assert_eq!(world.state(), "r3fr3sh-m4rk-3\n", "no other was given");
}

#[test]
fn a_refresh_token_that_comes_at_the_very_end_is_not_lost() {
    let (give, act) = Act::held();
    let world = World::new([act]);
    file(&world.folder, "state", "first");
    let gateway = Gateway::run(&world.config(PERSON));
    world.endpoint.wait_for(1);
    gateway.process.signal("TERM");
    let _ = gateway.process.err.event("stopping");
    std::thread::sleep(Duration::from_millis(500));
    give.send(rotated("t", 3600, "second")).expect("it waits");
    assert_eq!(gateway.process.end(), 0);
    assert_eq!(world.state(), "second\n");
}

#[test]
fn a_state_file_has_one_user_and_a_new_token_in_it_is_taken() {
    let world = World::new([late(refused("invalid_grant")), Act::Answer(token("t", 3600))]);
    file(&world.folder, "state", "ended");
    let config = world.config(PERSON);
    let gateway = Gateway::run(&config);
    let event = gateway.process.err.event("a credential is not granted");
    assert_eq!(event["why"], "it answered 400: `invalid_grant`");
    file(&world.folder, "state", "new");
    eventually("it is granted", || send(&gateway).status == 200);
    assert_eq!(world.form(1), "grant_type=refresh_token&refresh_token=new");

    let second = Gateway::run(&config);
    let why = second.process.err.event("a credential is not granted")["why"].take();
    assert!(why.as_str().expect("text").ends_with("is in use by another gateway"), "{why}");
    assert_eq!(ready(&second), (503, json!(["api"])));
    assert_eq!(world.endpoint.requests().len(), 2);
    world.endpoint.then(Act::Answer(token("t", 3600)));
    gateway.process.signal("TERM");
    assert_eq!(gateway.process.end(), 0);
    eventually("the second goes on", || ready(&second).0 == 200);
}

#[test]
fn what_cannot_be_written_is_kept_and_not_used() {
    let world = World::new([late(rotated("one", 2, "second"))]);
    file(&world.folder, "state", "first");
    // Where the new file would be.
    let blocked = world.folder.path().join("state.new");
    fs::create_dir(&blocked).expect("a folder");
    let gateway = Gateway::run(&world.config(PERSON));
    let event = gateway.process.err.event("a refresh token is not written down yet");
    assert!(event["why"].as_str().expect("text").contains("cannot be written"), "{event}");
    let _ = gateway.process.err.event("a credential is not granted");
    assert_eq!((world.state().as_str(), world.endpoint.requests().len()), ("first", 1));
    world.endpoint.then(Act::Answer(token("two", 3600)));
    fs::remove_dir(&blocked).expect("an empty one");
    eventually("it goes on", || send(&gateway).status == 200 && world.shown() == "Bearer two");
    assert_eq!(world.state(), "second\n");
    assert_eq!(world.form(1), "grant_type=refresh_token&refresh_token=second");
}

#[test]
fn a_reload_keeps_the_token_of_what_has_not_changed() {
    let world = World::new([Act::Answer(token("one", 3600)), Act::Answer(token("two", 3600))]);
    let config = world.config(CLIENT);
    let gateway = Gateway::run(&config);
    eventually("it is there", || ready(&gateway).0 == 200);
    let reload = || ask(gateway.admin, "POST /reload", &[], "");
    let text = fs::read_to_string(&config).expect("a file");
    fs::write(&config, format!("{text}h2c: true\n")).expect("a file");
    assert_eq!(reload().status, 200);
    assert_eq!(send(&gateway).status, 200);
    assert_eq!((world.shown().as_str(), world.endpoint.requests().len()), ("Bearer one", 1));
    // Another secret is another credential.
    file(&world.folder, "secret", "an0ther-m4rk");
    assert_eq!(reload().status, 200);
    eventually("it is asked for", || send(&gateway).status == 200 && world.shown() == "Bearer two");
    let basic = format!("Basic {}", STANDARD.encode("me:an0ther-m4rk"));
    assert_eq!(world.endpoint.requests()[1].header("authorization"), Some(&*basic));
    // One that cannot be had closes the gateway to nobody else.
    fs::write(&config, text.replace("client_id: me", "client_id: you")).expect("a file");
    world.endpoint.then(Act::Answer(refused("invalid_client")));
    world.endpoint.then(Act::Silence);
    assert_eq!(reload().status, 200);
    eventually("it is missing", || send(&gateway).status == 503);
    assert_eq!(ready(&gateway), (200, json!(["api"])));
    assert_eq!(ask(gateway.address, PATCH, &["X-Partner: own"], NOTES).status, 200);
}

/// A PEM file of `der`.
fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

#[test]
fn a_client_proves_itself_by_what_it_signs() {
    let ecdsa = KeyPair::generate().expect("a key");
    let point = ecdsa.der_bytes();
    let base64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let es256 = json!({"kty": "EC", "crv": "P-256", "kid": "k", "x": base64(&point[1..33]), "y": base64(&point[33..])});
    let rsa = Signer::rsa("k");
    for (algorithm, key, jwk) in [
        ("ES256", ecdsa.serialize_pem(), es256),
        ("PS256", pem("PRIVATE KEY", &rsa.private().expect("one")), rsa.jwk()),
        ("RS256", pem("PRIVATE KEY", &rsa.private().expect("one")), rsa.jwk()),
    ] {
        let world = World::new([Act::Answer(token("t", 3600))]);
        file(&world.folder, "key", &key);
        let (certificate, _) = Authority::new().pair("me");
        file(&world.folder, "certificate", &certificate);
        let gateway = Gateway::run(&world.config(&format!(
            "grant: client_credentials, auth_method: private_key_jwt, key: key, key_id: k, certificate: certificate, algorithm: {algorithm}"
        )));
        eventually("it is granted", || send(&gateway).status == 200);
        let form = world.form(0);
        let assertion = form.rsplit_once("&client_assertion=").expect("an assertion").1;
        assert_eq!(
            form.strip_suffix(assertion).expect("its end"),
            "grant_type=client_credentials&client_id=me&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion="
        );
        assert!(world.endpoint.requests()[0].header("authorization").is_none());
        let mut endpoint = issuer("me", &[jwk]);
        endpoint.audiences = vec![format!("http://{}/token?p=1", world.endpoint.address)];
        endpoint.types = vec!["JWT".to_owned()];
        endpoint.claims = vec!["sub".to_owned()];
        let proved = endpoint.prove(assertion, crate::harness::now()).expect("one of ours");
        assert_eq!(proved, Ok("me".to_owned()), "{algorithm}");
        let header = URL_SAFE_NO_PAD.decode(assertion.split('.').next().expect("a header"));
        let header: Value = serde_json::from_slice(&header.expect("base64")).expect("JSON");
        let der = rustls::pki_types::CertificateDer::from_pem_slice(certificate.as_bytes());
        let thumbprint = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &der.expect("one"));
        assert_eq!(
            header,
            json!({"alg": algorithm, "typ": "JWT", "kid": "k", "x5t#S256": base64(thumbprint.as_ref())})
        );
    }
}

#[test]
fn a_client_proves_itself_by_a_certificate_or_by_a_secret_in_the_body() {
    let authority = Authority::new();
    let pair = authority.pair("me");
    let mut world = World::new([]);
    world.endpoint = Upstream::start_tls_with(
        [Act::Answer(token("t", 3600))],
        authority.demanding_server(&authority.pair("localhost")),
    );
    file(&world.folder, "certificate", &pair.0);
    file(&world.folder, "key", &pair.1);
    let ca = authority.path().display();
    let config = world.config(&format!(
        "grant: client_credentials, auth_method: tls_client_auth, certificate: certificate, key: key, ca_file: {ca}"
    ));
    let url = format!("http://{}", world.endpoint.address);
    let port = world.endpoint.address.port();
    let text = fs::read_to_string(&config).expect("a file");
    fs::write(&config, text.replace(&url, &format!("https://localhost:{port}"))).expect("a file");
    let gateway = Gateway::run(&config);
    eventually("it is granted", || send(&gateway).status == 200);
    assert_eq!(world.form(0), "grant_type=client_credentials&client_id=me");

    // Whom nobody vouches for is told nothing.
    let trusted = fs::read_to_string(&config).expect("a file");
    fs::write(&config, trusted.replace(&format!(", ca_file: {ca}"), "")).expect("a file");
    let stranger = Gateway::run(&config);
    let event = stranger.process.err.event("a credential is not granted");
    assert_eq!(event["why"], "no trusted TLS connection could be made");
    assert_eq!(world.endpoint.requests().len(), 1);

    let world = World::new([Act::Answer(token("t", 3600))]);
    let gateway = Gateway::run(&world.config(
        "grant: client_credentials, auth_method: client_secret_post, client_secret: \"s3 &m4rk\"",
    ));
    eventually("it is granted", || send(&gateway).status == 200);
    assert_eq!(
        world.form(0),
        "grant_type=client_credentials&client_id=me&client_secret=s3+%26m4rk"
    );
}

#[test]
fn an_endpoint_is_reached_through_the_proxy_or_not_at_all() {
    let world = World::new([Act::Answer(token("t", 3600))]);
    let (port, heard) = scripted("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    let config = world.config(CLIENT);
    let text = fs::read_to_string(&config).expect("a file");
    let proxy = format!("\", proxy: {{ url: \"http://127.0.0.1:{port}\" }} }}\ncredentials");
    fs::write(&config, text.replace("\" }\ncredentials", &proxy)).expect("a file");
    let gateway = Gateway::run(&config);
    let heard = String::from_utf8(heard.join().expect("a proxy")).expect("text");
    let connect = format!("CONNECT {} HTTP/1.1\r\n", world.endpoint.address);
    assert!(heard.starts_with(&connect), "{heard}");
    assert_eq!((send(&gateway).status, world.endpoint.connections()), (503, 0));
    drop(gateway);
    let text = fs::read_to_string(&config).expect("a file");
    let exempt = format!("{port}\", no_proxy: [127.0.0.1] }} }}");
    fs::write(&config, text.replace(&format!("{port}\" }} }}"), &exempt)).expect("a file");
    let gateway = Gateway::run(&config);
    eventually("it is granted", || send(&gateway).status == 200);
}

#[test]
fn what_is_wrong_is_told_in_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    file(&folder, "state", "two words");
    file(&folder, "good", "token");
    file(&folder, "key", "no key");
    for (oauth, key, message) in [
        ("grant: client_credentials", "client_secret", "`auth_method` needs a `client_secret`"),
        ("grant: client_credentials, client_secret: s, key: key", "key", "no meaning with this"),
        (
            "grant: client_credentials, client_secret: s, algorithm: ES256",
            "algorithm",
            "no meaning",
        ),
        ("grant: client_credentials, auth_method: none", "auth_method", "prove who asks"),
        ("grant: client_credentials, auth_method: private_key_jwt", "key", "needs a `key`"),
        (
            "grant: client_credentials, auth_method: private_key_jwt, key: key",
            "key",
            "`key` cannot be read",
        ),
        (
            "grant: client_credentials, auth_method: tls_client_auth, key: key",
            "certificate",
            "needs a `certificate`",
        ),
        (
            "grant: client_credentials, client_secret: s, scope: \"a\\tb\"",
            "scope",
            "names with a space",
        ),
        (
            "grant: client_credentials, client_secret: s, state_file: good",
            "state_file",
            "is for `grant: refresh_token`",
        ),
        (
            "grant: client_credentials, client_secret: s, ca_file: nowhere",
            "ca_file",
            "cannot be read",
        ),
        (
            "grant: refresh_token, client_secret: s",
            "state_file",
            "needs a file with the first refresh token",
        ),
        (
            "grant: refresh_token, client_secret: s, state_file: nowhere",
            "state_file",
            "cannot be read",
        ),
        (
            "grant: refresh_token, client_secret: s, state_file: state",
            "state_file",
            "in one line, and nothing else",
        ),
        ("grant: password, client_secret: s", "grant", "grant"),
    ] {
        let text = format!(
            "upstream: {{ url: \"https://api.example\", credentials: api }}\ncredentials:\n  api:\n    oauth:\n      token_url: https://login.example/token\n      client_id: me\n      {}\nunknown_partners: refuse\n",
            oauth.replace(", ", "\n      ")
        );
        let Finished { code, err, .. } = patchgate(&["check", &gateway_file(&folder, &text)]);
        assert_eq!(code, 1, "{oauth}: {err}");
        let line = text.lines().position(|line| line.trim_start().starts_with(&format!("{key}:")));
        // What is missing is told at the section.
        let line = line.map_or(3 + 3, |line| line + 3);
        let told = err.lines().any(|told| {
            told.contains(message)
                && (told.contains(&format!("gateway.yaml:{line}:"))
                    || told.contains("gateway.yaml:7:"))
        });
        assert!(told, "{oauth}: {line} {message}: {err}");
    }
    let check = |keys: &str| {
        let text = format!(
            "upstream: {{ url: \"https://api.example\", credentials: api }}\ncredentials:\n{keys}identity: [{{ api_key: X-Api-Key }}]\npartners: [{{ id: p, api_keys: [\"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"] }}]\nunknown_partners: refuse\n"
        );
        patchgate(&["check", &gateway_file(&folder, &text)])
    };
    let with = |url: &str| {
        check(&format!(
            "  api: {{ oauth: {{ grant: client_credentials, token_url: \"{url}\", client_id: me, client_secret: s }} }}\n"
        ))
    };
    for (url, message) in [
        ("http://login.example/token", "in the clear; use `https://`"),
        ("https://u:m4rk@login.example/token", "without user and password"),
        ("login.example", "no `https://` URL"),
        ("ftp://login.example/", "no `https://` URL"),
    ] {
        let Finished { code, err, .. } = with(url);
        assert!(code == 1 && err.contains(message) && !err.contains("m4rk"), "{url}: {err}");
    }
    let Finished { code, err, .. } = with("https://login.example/token");
    assert_eq!((code, &*err), (0, ""));
    let Finished { err, .. } = check("  api: {}\n");
    assert!(err.contains("either `static` or `oauth`"), "{err}");
    let person = "oauth: { grant: refresh_token, token_url: \"https://login.example/\", client_id: me, auth_method: none, state_file: good }";
    let Finished { code, err, .. } =
        check(&format!("  api: {{ {person} }}\n  two: {{ {person} }}\n"));
    assert!(code == 1 && err.contains("another credential has this file"), "{err}");
}
