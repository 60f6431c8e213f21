//! Fields that arrive, fields that do not, and fields that are refused. The tests name the rows of
//! the catalogue of threats that they are about.

use crate::harness::*;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use patchgate::partner::{IdentitySource, Unverified};
use patchgate::proxy::request::IdForm;

/// A patch whose field `name` has the bytes `value`.
fn with_bytes(name: &str, value: &[u8]) -> Vec<u8> {
    let whole = patch_with(&format!("{name}: @\r\n"), NOTES);
    let (before, after) = whole.split_once('@').unwrap();
    [before.as_bytes(), value, after.as_bytes()].concat()
}

#[test]
fn row_122_the_current_state_is_read_with_the_callers_own_token() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    assert_eq!(gateway.ask(patch_with("Authorization: Bearer mine\r\n", STATUS)).status, 200);
    assert_eq!(gateway.ask(patch(STATUS)).status, 200);
    let requests = upstream.requests();
    let tokens: Vec<_> = requests.iter().map(|sent| sent.header("authorization")).collect();
    assert_eq!(tokens, [Some("Bearer mine"), Some("Bearer mine"), None, None]);
}

#[test]
fn rows_123_and_124_a_condition_arrives_as_it_was_set() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    for tag in [
        "\"v1\"",
        "\"\"",
        "\"a,b\"",
        "\"a\\b'!#~\"",
        "\"0x8D-gzip\"",
        "*",
        "\"a\", \"b\"",
        "\"a\" ,\"b\",\"c\"",
    ] {
        let before = upstream.requests().len();
        let reply = gateway.ask(patch_with(&format!("If-Match: {tag}\r\n"), NOTES));
        assert_eq!(reply.status, 200, "{tag}");
        assert_eq!(upstream.requests()[before].header("if-match"), Some(tag));
    }
    let before = upstream.requests().len();
    let weak = gateway.ask(patch_with("If-Match: W/\"a\"\r\n", NOTES));
    assert_eq!(weak.json()["errors"][0]["code"], "if-match-weak");
    assert_eq!((weak.status, upstream.requests().len()), (422, before));
    let mixed = "W/\"a\", \"b\"";
    assert_eq!(gateway.ask(patch_with(&format!("If-Match: {mixed}\r\n"), NOTES)).status, 200);
    assert_eq!(upstream.requests()[before].header("if-match"), Some(mixed));
}

#[test]
fn row_125_a_broken_condition_is_400_and_none_is_lost() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    for tag in [
        "",
        "v1",
        "\"v1",
        "v1\"",
        "'v1'",
        "\"v1\" \"v2\"",
        "\"v1\";\"v2\"",
        "w/\"v1\"",
        "\"v 1\"",
        "\"v1\", *",
        "*, \"v1\"",
        ",",
    ] {
        let reply = gateway.ask(patch_with(&format!("If-Match: {tag}\r\n"), NOTES));
        assert_eq!(reply.status, 400, "{tag}");
    }
    assert_eq!(upstream.connections(), 0);
    let twice = "If-Match: \"a\"\r\nIf-Match: \"b\"\r\n";
    assert_eq!(gateway.ask(patch_with(twice, NOTES)).status, 200);
    assert_eq!(upstream.only_request().all("if-match"), ["\"a\"", "\"b\""]);
}

#[test]
fn row_126_a_preference_arrives_and_what_was_made_of_it_comes_back() {
    let lines = "Preference-Applied: return=minimal\r\nVary: Prefer\r\n";
    let upstream = Upstream::start([Act::Answer(answer("200 OK", lines, ""))]);
    let gateway = Gateway::before(&upstream);
    let reply = gateway.ask(patch_with("Prefer: return=minimal\r\nPrefer: wait=5\r\n", NOTES));
    assert_eq!(reply.header("preference-applied"), Some("return=minimal"));
    assert_eq!(reply.header("vary"), Some("Prefer"));
    let reply = gateway.ask(patch_with("Prefer: return=representation\r\n", NOTES));
    assert_eq!((reply.status, reply.header("preference-applied")), (200, None));
    let prefer: Vec<_> =
        upstream.requests().iter().map(|sent| sent.all("prefer").join(" | ")).collect();
    assert_eq!(prefer, ["return=minimal | wait=5", "return=representation"]);
}

#[test]
fn row_127_a_preference_that_is_odd_does_no_harm() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let long = "x".repeat(20 << 10);
    for preference in
        ["return=minimal, return=representation", "respond-async", "=,;\"", "", "return", &long]
    {
        let before = upstream.requests().len();
        let reply = gateway.ask(patch_with(&format!("Prefer: {preference}\r\n"), NOTES));
        assert_eq!(reply.status, 200);
        assert_eq!(upstream.requests()[before].header("prefer").unwrap_or(""), preference);
        assert_eq!(reply.header("preference-applied"), None);
    }
}

#[test]
fn row_138_there_is_one_authorization_and_its_identity_is_the_same_in_any_spelling() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        let claims = IdentitySource::Unverified(Unverified::TokenClaims(vec!["azp".to_owned()]));
        setup.only(claims, &[partner("acme", 10), partner("other", 10)]);
    });
    let token = |who: &str| {
        let claims = URL_SAFE_NO_PAD.encode(format!(r#"{{"azp":"{who}"}}"#));
        format!("e30.{claims}.sig")
    };
    let (acme, other) = (token("acme"), token("other"));
    for (first, second) in [(&acme, &other), (&acme, &acme)] {
        let twice = format!("Authorization: Bearer {first}\r\nauthorization: Bearer {second}\r\n");
        assert_eq!(gateway.ask(patch_with(&twice, NOTES)).status, 400);
    }
    assert_eq!(upstream.connections(), 0);
    for scheme in ["Bearer ", "bearer ", "BEARER ", "Bearer   "] {
        let before = upstream.requests().len();
        let line = format!("Authorization: {scheme}{acme}\r\n");
        assert_eq!(gateway.ask(patch_with(&line, NOTES)).status, 200, "{scheme}");
        let sent = &upstream.requests()[before];
        assert_eq!(sent.header("authorization"), Some(&*format!("{scheme}{acme}")));
    }
    for odd in [format!("Bearer\t{acme}"), format!("Bearer {acme}, Bearer {other}"), acme] {
        let reply = gateway.ask(patch_with(&format!("Authorization: {odd}\r\n"), NOTES));
        assert_eq!(reply.status, 401, "{odd}");
    }
    assert!(gateway.log().iter().all(|line| line["partner"] != "other"));
}

#[test]
fn row_155_what_an_answer_nominates_stays_on_its_hop() {
    let lines = "Connection: X-Theirs, ETag\r\nX-Theirs: 1\r\nX-Kept: 1\r\nETag: \"a\"\r\n";
    let upstream = Upstream::start([Act::Answer(answer("200 OK", lines, ""))]);
    let gateway = Gateway::before(&upstream);
    let reply = gateway.ask(patch(NOTES));
    assert_eq!((reply.status, reply.header("x-kept")), (200, Some("1")));
    assert_eq!(reply.header("x-theirs"), None);
}

#[test]
fn rows_160_and_161_what_is_about_one_connection_is_dropped() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let lines = "Connection: X-Private\r\nconnection: x-other , keep-alive\r\nX-Private: 1\r\n\
                 X-Other: 1\r\nProxy-Authorization: Basic x\r\nProxy-Authenticate: x\r\n\
                 Keep-Alive: timeout=1\r\nTE: trailers\r\nTrailer: X\r\nUpgrade: h2c\r\n\
                 Proxy-Connection: close\r\nProxy-Anything: x\r\nX-Kept: 1\r\n";
    assert_eq!(gateway.ask(patch_with(lines, NOTES)).status, 200);
    let sent = upstream.only_request();
    for name in [
        "connection",
        "x-private",
        "x-other",
        "proxy-authorization",
        "proxy-authenticate",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "proxy-connection",
        "proxy-anything",
    ] {
        assert!(sent.all(name).is_empty(), "{name}");
    }
    assert_eq!(sent.header("x-kept"), Some("1"));
}

#[test]
fn rows_162_and_163_an_id_is_the_same_for_the_caller_and_for_every_request_upstream() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    for (lines, body, status) in [
        ("", STATUS, 200),
        ("", REMOVE, 422),
        ("Request-ID: 0aZ._-\r\n", STATUS, 200),
        ("Request-ID: 0aZ._-\r\n", "{", 400),
    ] {
        let before = upstream.requests().len();
        let reply = gateway.ask(patch_with(lines, body));
        let id = reply.header("request-id").unwrap();
        assert_eq!(reply.status, status);
        assert!(if lines.is_empty() { id.len() == 36 } else { id == "0aZ._-" }, "{id}");
        let sent = &upstream.requests()[before..];
        assert_eq!(sent.len(), if status == 200 { 2 } else { 0 });
        assert!(sent.iter().all(|sent| sent.header("request-id") == Some(id)));
    }
}

#[test]
fn row_164_an_id_of_another_form_is_replaced_and_never_repeated() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let ids: [&[u8]; 9] = [
        &[b'x'; 129],
        b"<script>",
        b"a b",
        b"a%0d%0aX-Evil: 1",
        b"a,b",
        b"\xc3\xa9",
        b"a\tb",
        b"",
        b"mine\r\nRequest-ID: other",
    ];
    for id in ids {
        let before = upstream.requests().len();
        let reply = gateway.ask(with_bytes("Request-ID", id));
        let made = reply.header("request-id").unwrap();
        assert_eq!((reply.status, made.len()), (200, 36), "{id:?}");
        assert_eq!(reply.all("request-id").count(), 1);
        assert_eq!(upstream.requests()[before].all("request-id"), [made]);
    }
    for id in [&b"a\0"[..], b"a\x7f", b"a\rb"] {
        assert_eq!(gateway.ask(with_bytes("Request-ID", id)).status, 400, "{id:?}");
    }
    assert!(!gateway.log_text().contains("script"));
}

#[test]
fn row_164_an_id_may_have_to_be_a_guid() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| setup.settings.proxy.id_form = IdForm::Guid);
    let guid = "01A2030C-fc67-70b1-8fef-0a0ad6421b6a";
    for (id, kept) in [
        (guid, true),
        ("a", false),
        ("01a2030cfc6770b18fef0a0ad6421b6a", false),
        ("{01A2030C-fc67-70b1-8fef-0a0ad6421b6a}", false),
        ("01A2030C-fc67-70b1-8fef-0a0ad6421b6g", false),
    ] {
        let reply = gateway.ask(patch_with(&format!("Request-ID: {id}\r\n"), NOTES));
        let given = reply.header("request-id").unwrap();
        assert_eq!(given == id, kept, "{id}");
        assert_eq!(given.len(), 36);
        let sent = upstream.requests();
        assert_eq!(sent[sent.len() - 1].header("request-id"), Some(given));
    }
}

#[test]
fn every_time_a_request_is_sent_is_counted_under_one_id() {
    let version = |tag: &str| {
        let body = r#"{"status":"New"}"#;
        Act::Answer(answer("200 OK", &format!("ETag: \"{tag}\"\r\n"), body))
    };
    let moved = || Act::Answer(answer("412 Precondition Failed", "", ""));
    let upstream = Upstream::start([version("1"), moved(), version("2"), moved(), version("3")]);
    let gateway = Gateway::before(&upstream);
    assert_eq!(gateway.ask(patch_with("Request-ID: me\r\n", STATUS)).status, 200);
    assert!(upstream.requests().iter().all(|sent| sent.header("request-id") == Some("me")));
    let log = gateway.log();
    assert_eq!((&log[0]["attempts"], &log[0]["fetches"]), (&3.into(), &3.into()));
}

#[test]
fn row_167_twins_with_an_underscore_are_dropped() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.only(by_header("x-partner-id"), &[partner("acme", 100)]);
    });
    let names = [
        "If_Match",
        "if_none_match",
        "Request_ID",
        "Content_Type",
        "Content_Encoding",
        "Content_Digest",
        "Idempotency_Key",
        "Signature_Input",
        "X_Forwarded_For",
        "X_Partner_Id",
        "X-Partner_Id",
        "X_HTTP_Method_Override",
        "Proxy_Authorization",
    ];
    for name in names {
        let before = upstream.requests().len();
        let lines = format!("X-Partner-Id: acme\r\n{name}: evil\r\nX_Mine: 1\r\n");
        let reply = gateway.ask(patch_with(&lines, NOTES));
        assert!(matches!(reply.status, 200 | 400), "{name}: {}", reply.status);
        for sent in &upstream.requests()[before..] {
            assert!(!sent.head.contains("evil"), "{name}: {}", sent.head);
            assert_eq!(sent.header("x_mine"), Some("1"));
        }
    }
    for name in ["Content_Length", "Transfer_Encoding"] {
        let lines = format!("X-Partner-Id: acme\r\n{name}: 1\r\n");
        assert_eq!(gateway.ask(patch_with(&lines, NOTES)).status, 400, "{name}");
    }
}
