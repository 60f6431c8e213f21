//! Keys prove who is calling, and nothing else in a request changes that. Rows are those of the
//! catalogue of threats.

use crate::harness::*;

use http::HeaderName;
use patchgate::partner::{IdentitySource, KeyDigest, Verified};

/// Partners by their keys, and by `X-Partner-Id` those who are only called something; everybody else
/// is let in as `everybody`.
fn gateway(upstream: &Upstream) -> Gateway {
    Gateway::with(upstream, |setup| {
        let name = HeaderName::from_static("x-api-key");
        setup.only(by_header("x-partner-id"), &[partner("plain", 1000)]);
        setup.partners.identity.insert(0, IdentitySource::Verified(Verified::ApiKey(name)));
        let acme = partner("acme", 1000);
        for (key, whose) in [("new-key", &acme), ("old-key", &acme), ("other", &partner("b", 9))] {
            setup.partners.keys.insert(KeyDigest::of(key.as_bytes()), whose.clone());
        }
        setup.partners.unknown = Some(partner("everybody", 1000));
    })
}

#[test]
fn each_key_of_a_partner_proves_that_it_calls_and_goes_no_further() {
    let upstream = Upstream::start([]);
    let gateway = gateway(&upstream);
    for key in ["new-key", "old-key"] {
        assert_eq!(gateway.ask(patch_with(&format!("X-Api-Key: {key}\r\n"), NOTES)).status, 200);
    }
    // A read of the current state shows it to nobody, either.
    assert_eq!(gateway.ask(patch_with("x-api-key: new-key\r\n", STATUS)).status, 200);
    for sent in upstream.requests() {
        assert!(!sent.head.contains("-key"), "{}", sent.head);
    }
    assert!(!gateway.log_text().contains("-key"));
    assert!(gateway.log().iter().all(|line| line["partner"] == "acme"));
}

/// The caller would be let in without any key.
#[test]
fn a_wrong_key_is_refused_and_is_not_among_the_unknown_callers() {
    let upstream = Upstream::start([]);
    let gateway = gateway(&upstream);
    assert_eq!(gateway.ask(patch(NOTES)).status, 200);
    let huge = "k".repeat(30_000);
    let digest = KeyDigest::of(b"new-key").to_string();
    let wrong = ["", "new-ke", "new-key2", "New-Key", "\"new-key\"", "Bearer new-key"];
    let wrong = wrong.into_iter().chain(["old-key, new-key", &huge, &digest, &digest[7..]]);
    for key in wrong.map(str::as_bytes).chain([&b"new-key\xe9"[..], b"\xff", "ключ".as_bytes()])
    {
        // A header that would be believed does not help, either.
        let whole = patch_with("X-Partner-Id: plain\r\nX-Api-Key: @\r\n", NOTES);
        let (before, after) = whole.split_once('@').unwrap();
        let reply = gateway.ask([before.as_bytes(), key, after.as_bytes()].concat());
        assert_eq!((reply.status, reply.code()), (401, "unidentified".to_owned()), "{key:?}");
        let challenges = reply.header("www-authenticate");
        assert_eq!(challenges, Some("ApiKey header=\"x-api-key\", Bearer"));
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(text.contains("nothing in the request tells of a known partner"), "{text}");
        assert!(key.is_empty() || !text.contains(&*String::from_utf8_lossy(key)), "{text}");
    }
    for keys in ["new-key\r\nX-Api-Key: new-key", "new-key\r\nx-api-key:", "x\r\nX-API-KEY: other"]
    {
        let reply = gateway.ask(patch_with(&format!("X-Api-Key: {keys}\r\n"), NOTES));
        assert_eq!((reply.status, reply.code()), (400, "head-malformed".to_owned()), "{keys}");
    }
    assert_eq!(upstream.requests().len(), 1, "nothing of it was sent on");
    let log = gateway.log();
    assert_eq!(log[0]["partner"], "everybody");
    assert!(log[1..].iter().all(|line| line["partner"].is_null()), "{log:?}");
}

#[test]
fn row_130_nothing_else_turns_who_shows_a_key() {
    let upstream = Upstream::start([]);
    let gateway = gateway(&upstream);
    let spoofs = [
        "X-Partner-Id: plain",
        "X-Partner-Id: b",
        "X_Api_Key: other",
        "X-Api_Key: other",
        "X-Api-Key-: other",
        "Api-Key: other",
        "Authorization: Bearer other",
        "Cookie: X-Api-Key=other",
        "X-Forwarded-For: 10.0.0.1",
        "Forwarded: for=10.0.0.1",
        "X-Real-IP: 10.0.0.1",
        "User-Agent: b",
        "Connection: X-Api-Key",
    ];
    for spoof in spoofs {
        for lines in [
            format!("X-Api-Key: new-key\r\n{spoof}\r\n"),
            format!("{spoof}\r\nX-API-KEY:new-key\r\n"),
        ] {
            assert_eq!(gateway.ask(patch_with(&lines, NOTES)).status, 200, "{spoof}");
        }
    }
    for sent in upstream.requests() {
        let head = sent.head.to_lowercase().replace('_', "-");
        assert!(!head.contains("\nx-api-key:") && !head.contains("new-key"), "{head}");
    }
    let log = gateway.log();
    assert_eq!(log.len(), 2 * spoofs.len());
    assert!(log.iter().all(|line| line["partner"] == "acme"), "{log:?}");
}

#[test]
fn a_key_counts_nowhere_but_in_its_field_and_what_a_key_alone_names_no_header_does() {
    let upstream = Upstream::start([]);
    let gateway = gateway(&upstream);
    for lines in [
        "X_Api_Key: new-key\r\n",
        "Authorization: Bearer new-key\r\n",
        "Cookie: X-Api-Key=new-key\r\n",
        "X-Partner-Id: acme\r\n",
        "X-Partner-Id: new-key\r\n",
        &format!("X-Partner-Id: {}\r\n", KeyDigest::of(b"new-key")),
    ] {
        assert_eq!(gateway.ask(patch_with(lines, NOTES)).status, 200, "{lines}");
    }
    let read = format!("GET {PATH}?X-Api-Key=new-key HTTP/1.1\r\nHost: gateway\r\n\r\n");
    assert_eq!(gateway.ask(read).status, 200);
    // Trailers are no fields of the head.
    let chunked = format!(
        "PATCH {PATH} HTTP/1.1\r\nHost: g\r\nContent-Type: application/json-patch+json\r\n\
         Transfer-Encoding: chunked\r\nTrailer: X-Api-Key\r\n\r\n{:x}\r\n{NOTES}\r\n0\r\nX-Api-Key: new-key\r\n\r\n",
        NOTES.len()
    );
    let status = gateway.ask(chunked).status;
    assert!(status == 200 || status == 400, "{status}");
    let log = gateway.log();
    assert!(log.iter().all(|line| line["partner"] != "acme"), "{log:?}");
}
