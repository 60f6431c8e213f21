//! What the gateway shows the upstream in the place of what callers show.

use crate::harness::*;

use patchgate::limits::Limits;
use patchgate::partner::Partners;
use patchgate::policy::{Policy, Routes};
use patchgate::snapshot::Snapshot;

use std::collections::HashMap;

const BODY: &str = r#"{"id":"1","status":"New"}"#;
/// A patch that does not apply to that document.
const MISFIT: &str = r#"[{"op":"replace","path":"/status","value":"Active"},{"op":"replace","path":"/x","value":1}]"#;

fn version() -> Act {
    Act::Answer(answer("200 OK", "ETag: \"a\"\r\n", BODY))
}

/// Two partners that are lent something, and one that is not.
fn gateway(upstream: &Upstream) -> Gateway {
    Gateway::with(upstream, |setup| {
        let known =
            [borrower("acme", "of-acme"), borrower("other", "of-other"), partner("own", 99)];
        setup.only(by_header("x-partner-id"), &known);
    })
}

fn shown(upstream: &Upstream) -> Vec<String> {
    let requests = upstream.requests();
    requests.iter().map(|sent| sent.all("authorization").join(" | ")).collect()
}

#[test]
fn what_is_lent_takes_the_place_of_all_that_the_caller_shows_in_every_request() {
    let upstream = Upstream::start([]);
    let gateway = gateway(&upstream);
    let ask = |who: &str, body: &str| {
        let lines = format!(
            "X-Partner-Id: {who}\r\nAuthorization: Bearer callers-own\r\nCookie: a=callers-own\r\n"
        );
        assert_eq!(gateway.ask(patch_with(&lines, body)).status, 200);
    };
    // The second of them is judged from the current state, which is read first.
    ask("acme", NOTES);
    ask("acme", STATUS);
    ask("other", STATUS);
    let read = format!(
        "GET {PATH} HTTP/1.1\r\nHost: g\r\nX-Partner-Id: other\r\nAuthorization: Bearer callers-own\r\n\r\n"
    );
    assert_eq!(gateway.ask(read).status, 200);
    let (acme, other) = ("Bearer of-acme", "Bearer of-other");
    assert_eq!(shown(&upstream), [acme, acme, acme, other, other, other]);
    assert!(upstream.requests().iter().all(|sent| !sent.head.contains("callers-own")));
    // Who shows nothing is lent it all the same; who is lent nothing shows its own.
    assert_eq!(gateway.ask(patch_with("X-Partner-Id: acme\r\n", NOTES)).status, 200);
    ask("own", STATUS);
    let requests = shown(&upstream);
    assert_eq!(requests[6..], [acme, "Bearer callers-own", "Bearer callers-own"]);
    assert_eq!(upstream.requests()[8].header("cookie"), Some("a=callers-own"));
    for name in ["of-acme", "of-other", "callers-own"] {
        assert!(!gateway.log_text().contains(name));
    }
}

#[test]
fn who_is_not_let_in_is_lent_nothing() {
    let upstream = Upstream::start([]);
    let gateway = gateway(&upstream);
    for lines in ["", "X-Partner-Id: else\r\n", "Authorization: Bearer of-acme\r\n"] {
        let reply = gateway.ask(patch_with(lines, NOTES));
        assert_eq!(reply.status, 401, "{lines}");
        let text = format!("{:?} {}", reply.headers, String::from_utf8_lossy(&reply.body));
        assert!(!text.contains("of-acme"), "{text}");
    }
    assert_eq!(gateway.ask(patch_with("X-Partner-Id: acme\r\n", REMOVE)).status, 422);
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn what_was_read_with_one_credential_is_not_used_for_another_and_callers_of_one_share_it() {
    let upstream = Upstream::start((0..9).map(|_| version()));
    let gateway = gateway(&upstream);
    let ask = |who: &str, token: &str| {
        let lines =
            format!("X-Partner-Id: {who}\r\nAuthorization: Bearer {token}\r\nIf-Match: \"a\"\r\n");
        assert_eq!(gateway.ask(patch_with(&lines, MISFIT)).status, 409);
        upstream.requests().len()
    };
    assert_eq!(ask("acme", "one"), 1);
    assert_eq!(ask("acme", "two"), 1, "what the caller shows counts for nothing");
    assert_eq!(ask("other", "one"), 2);
    assert_eq!((ask("own", "of-acme"), ask("own", "of-other")), (3, 4));
    assert_eq!((ask("other", "x"), ask("acme", "x")), (4, 4), "all are remembered");

    // The same partner in the same load, but for the credential.
    let old = gateway.live.load();
    let lends = |token: &str| {
        let called = HashMap::from([("acme".to_owned(), borrower("acme", token))]);
        gateway.live.replace(Snapshot {
            shadow: None,
            policy: Policy {
                name: old.policy.name.clone(),
                routes: Routes::new(old.policy.routes.iter().cloned().collect()).unwrap(),
                errors: old.policy.errors,
            },
            partners: Partners {
                identity: old.partners.identity.clone(),
                called,
                ..Partners::default()
            },
            credentials: Default::default(),
            hosts: None,
            limits: Limits::default(),
            digest: old.digest.clone(),
            effective: "{}".into(),
        });
    };
    lends("another");
    assert_eq!(ask("acme", "one"), 5);
    assert_eq!(ask("acme", "one"), 5);
    // A token that reads the same may be another's: each load asks anew.
    lends("another");
    assert_eq!(ask("acme", "one"), 6);
    assert_eq!(shown(&upstream)[4..], ["Bearer another", "Bearer another"]);
}
