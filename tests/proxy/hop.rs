//! Header fields: what stays on its hop, and the id of a request.

use crate::harness::*;

#[test]
fn what_is_about_one_connection_stays_on_it_in_both_directions() {
    // Row 155.
    let lines = "Connection: x-theirs\r\nX-Theirs: 1\r\nKeep-Alive: timeout=5\r\n\
                 Upgrade: h2c\r\nAlt-Svc: h3=\":1\"\r\nProxy-Authenticate: Basic\r\nX-Kept: 1\r\n";
    let upstream = Upstream::start([Act::Answer(answer("200 OK", lines, ""))]);
    let gateway = Gateway::before(&upstream);
    let mine = "Connection: keep-alive, X-Secret\r\nX-Secret: 1\r\nKeep-Alive: 1\r\nTE: trailers\r\n\
                Proxy-Authorization: x\r\nProxy-Connection: x\r\nX-HTTP-Method-Override: PUT\r\n\
                X-Forwarded-For: 1.1.1.1\r\nForwarded: for=1\r\nX-Real-IP: 1\r\nIf_Match: \"x\"\r\n\
                X-Original-URL: /x\r\nX-Kept: 1\r\nPrefer: return=minimal\r\n";
    let reply = gateway.ask(patch_with(mine, NOTES));
    let sent = upstream.only_request();
    for name in [
        "connection",
        "x-secret",
        "keep-alive",
        "te",
        "proxy-authorization",
        "proxy-connection",
        "x-http-method-override",
        "x-forwarded-for",
        "forwarded",
        "x-real-ip",
        "if_match",
        "x-original-url",
    ] {
        assert_eq!(sent.header(name), None, "{name}");
    }
    assert_eq!((sent.header("x-kept"), sent.header("prefer")), (Some("1"), Some("return=minimal")));
    assert_eq!(sent.header("via"), Some("1.1 patchgate"));
    for name in ["connection", "x-theirs", "keep-alive", "upgrade", "alt-svc", "proxy-authenticate"]
    {
        assert_eq!(reply.header(name), None, "{name}");
    }
    assert_eq!((reply.header("x-kept"), reply.header("via")), (Some("1"), Some("1.1 patchgate")));
}

#[test]
fn lines_of_one_name_stay_apart_and_in_their_order() {
    let lines = "Set-Cookie: a=1; Path=/\r\nX-More: 1\r\nSet-Cookie: b=2, c\r\n\
                 WWW-Authenticate: Bearer\r\nWWW-Authenticate: Basic realm=\"a, b\"\r\n\
                 X-More: 2\r\nX-Empty: \r\n";
    let upstream = Upstream::start([Act::Answer(answer("401 No", lines, ""))]);
    let gateway = Gateway::before(&upstream);
    let mine = "Accept-Language: de\r\nX-Mine: b, c\r\nAccept-Language: en;q=0.5\r\n\
                X-Mine: a\r\nX-Unknown-To-All: ~\r\nCookie: a=1; b=2\r\n";
    let reply = gateway.ask(patch_with(mine, NOTES));
    let sent = upstream.only_request();
    assert_eq!(sent.all("accept-language"), ["de", "en;q=0.5"]);
    assert_eq!(sent.all("x-mine"), ["b, c", "a"]);
    assert_eq!(sent.all("x-unknown-to-all"), ["~"]);
    assert_eq!(sent.all("cookie"), ["a=1; b=2"]);
    let told = |name: &str| reply.all(name).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(told("set-cookie"), ["a=1; Path=/", "b=2, c"]);
    assert_eq!(told("www-authenticate"), ["Bearer", "Basic realm=\"a, b\""]);
    assert_eq!(told("x-more"), ["1", "2"]);
    assert_eq!(told("x-empty"), [""]);
}

#[test]
fn a_caller_that_closes_its_connection_leaves_that_of_the_upstream() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    for _ in 0..3 {
        let mut caller = gateway.caller();
        let reply = caller.ask(patch_with("Connection: close\r\n", NOTES));
        assert_eq!((reply.status, reply.header("connection")), (200, Some("close")));
        assert!(caller.is_closed());
    }
    assert_eq!((upstream.requests().len(), upstream.connections()), (3, 1));
}

#[test]
fn a_request_that_was_here_before_is_not_sent_again() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let reply = gateway.ask(patch_with("Via: 1.1 other, 1.1 patchgate\r\n", NOTES));
    assert_eq!((reply.status, reply.code()), (508, "loop-detected".to_owned()));
    assert_eq!(upstream.connections(), 0);
    assert_eq!(gateway.ask(patch_with("Via: 1.1 other\r\n", NOTES)).status, 200);
    assert_eq!(upstream.only_request().all("via"), ["1.1 other", "1.1 patchgate"]);
}

#[test]
fn a_well_formed_id_is_kept_and_any_other_replaced() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    for (lines, kept) in [
        ("Request-ID: a.B_9-x\r\n".to_owned(), Some("a.B_9-x")),
        (format!("Request-ID: {}\r\n", "x".repeat(129)), None),
        ("Request-ID: a b\r\n".to_owned(), None),
        ("Request-ID: a\r\nRequest-ID: b\r\n".to_owned(), None),
        (String::new(), None),
    ] {
        let before = upstream.requests().len();
        let reply = gateway.ask(patch_with(&lines, NOTES));
        let id = reply.header("request-id").unwrap();
        assert_eq!(upstream.requests()[before].header("request-id"), Some(id));
        match kept {
            Some(kept) => assert_eq!(id, kept),
            None => assert_eq!((id.len(), &id[14..15]), (36, "7"), "{lines}"),
        }
    }
}

#[test]
fn every_kind_of_answer_has_the_id() {
    let upstream = Upstream::start([Act::Close]);
    let gateway = Gateway::before(&upstream);
    let tag = "Request-ID: me\r\n";
    let asked = [
        (patch_with(tag, NOTES), 502),
        (patch_with(tag, NOTES), 200),
        (patch_with(tag, REMOVE), 422),
        (patch_with(tag, "{"), 400),
        (patch_with(tag, NOTES).replace(PATH, "/x"), 404),
        (patch_with(tag, NOTES).replace("PATCH", "PUT"), 405),
        (patch_with(tag, NOTES).replace("Host: gateway", "Host: a b"), 400),
        (patch_with(tag, NOTES).replace("json-patch", "xml"), 415),
        (patch_with(tag, &" ".repeat(5000)), 413),
    ];
    for (request, status) in asked {
        let reply = gateway.ask(request);
        assert_eq!((reply.status, reply.header("request-id")), (status, Some("me")));
    }
}

#[test]
fn an_id_of_the_upstreams_own_is_passed_on_under_another_name() {
    let lines = "Request-ID: theirs\r\n";
    let script = [answer("200 OK", lines, ""), answer("200 OK", "Request-ID: mine\r\n", "")];
    let upstream = Upstream::start(script.map(Act::Answer));
    let gateway = Gateway::before(&upstream);
    let reply = gateway.ask(patch_with("Request-ID: mine\r\n", NOTES));
    assert_eq!(reply.all("request-id").collect::<Vec<_>>(), ["mine"]);
    assert_eq!(reply.header("upstream-request-id"), Some("theirs"));
    let reply = gateway.ask(patch_with("Request-ID: mine\r\n", NOTES));
    assert_eq!(reply.header("upstream-request-id"), None);
    let log = gateway.log();
    assert_eq!(log[0]["upstream_request_id"], "theirs");
    assert_eq!(log[1]["upstream_request_id"], serde_json::Value::Null);
}
