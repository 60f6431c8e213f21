//! What a permitted and a refused request come to.

use crate::harness::*;

use patchgate::policy::ErrorForm;

#[test]
fn an_allowed_patch_arrives_byte_for_byte_and_once() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let body = " [ {\"op\":\"replace\", \"path\":\"/notes\",\"value\": 1.0e2 } ]\n";
    let reply = gateway.ask(patch_with("If-Match: \"v0\"\r\nX-Mine: a\r\nX-Mine: b\r\n", body));
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("etag"), Some("\"v1\""));
    let sent = upstream.only_request();
    assert_eq!(sent.line(), format!("PATCH {PATH} HTTP/1.1"));
    assert_eq!(sent.body, body.as_bytes());
    assert_eq!(sent.header("if-match"), Some("\"v0\""));
    assert_eq!(sent.all("x-mine"), ["a", "b"]);
    assert_eq!(sent.header("host"), Some(&*upstream.address.to_string()));
    assert_eq!(sent.header("content-type"), Some("application/json-patch+json"));
}

#[test]
fn a_chunked_patch_is_sent_with_its_length() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let (first, second) = NOTES.split_at(10);
    let head = format!(
        "PATCH {PATH} HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\nTrailer: If-Match\r\n\r\n"
    );
    let chunks = format!(
        "{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\nIf-Match: \"t\"\r\n\r\n",
        first.len(),
        second.len()
    );
    assert_eq!(gateway.ask(head + &chunks).status, 200);
    let sent = upstream.only_request();
    assert_eq!(sent.body, NOTES.as_bytes());
    assert_eq!((sent.header("if-match"), sent.header("trailer")), (None, None));
}

#[test]
fn a_refused_patch_never_reaches_the_upstream() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let reply = gateway.ask(patch_with("Request-ID: retry-7\r\n", REMOVE));
    assert_eq!((reply.status, reply.code()), (422, "refused".to_owned()));
    let problem = reply.json();
    assert_eq!(problem["type"], "https://patchgate.dev/problems/refused");
    assert_eq!(problem["instance"], "urn:request:retry-7");
    let error = &problem["errors"][0];
    assert_eq!(error["code"], "op-forbidden");
    assert_eq!(error["op"], 0);
    assert_eq!(error["pointer"], "/notes");
    assert_eq!(error["accepted"], serde_json::json!(["add", "replace", "test"]));
    assert_eq!(error["docs"], "https://patchgate.dev/violations/op-forbidden");
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn each_class_of_violation_has_its_status() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let many = format!("[{}]", vec![NOTES.trim_matches(['[', ']']); 101].join(","));
    let gateway_large = Gateway::with(&upstream, |setup| setup.max_body = 1 << 20);
    assert_eq!(gateway.ask(patch("not json")).status, 400);
    assert_eq!(gateway.ask(patch("[]")).status, 422);
    assert_eq!(gateway_large.ask(patch(&many)).status, 413);
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_policy_may_speak_the_apis_own_envelope() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| setup.errors = ErrorForm::PartnerCenter);
    let reply = gateway.ask(patch(REMOVE));
    assert_eq!(reply.status, 422);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let error = &reply.json()["error"];
    assert_eq!(error["code"], "invalidRequest");
    assert_eq!(error["target"], "/notes");
    assert_eq!(error["innerError"]["code"], "op-forbidden");
}

#[test]
fn a_get_passes_with_its_query_and_a_patch_with_one_does_not() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let get = format!("GET {PATH}?a=%20b&c HTTP/1.1\r\nHost: g\r\n\r\n");
    assert_eq!(gateway.ask(get).status, 200);
    assert_eq!(upstream.only_request().line(), format!("GET {PATH}?a=%20b&c HTTP/1.1"));
    assert_eq!(upstream.only_request().header("content-length"), None);
    let reply = gateway.ask(patch(NOTES).replace(PATH, &format!("{PATH}?a")));
    assert_eq!((reply.status, reply.code()), (400, "head-malformed".to_owned()));
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn a_get_with_a_body_is_refused() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let get = format!("GET {PATH} HTTP/1.1\r\nHost: g\r\nContent-Length: 2\r\n\r\n{{}}");
    let reply = gateway.ask(get);
    assert_eq!(reply.json()["errors"][0]["code"], "body-unexpected");
    assert!(upstream.requests().is_empty());
}

#[test]
fn slashes_at_the_end_are_not_sent_on_and_the_base_path_is_set_before() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        let base = format!("{}/base/", setup.upstream().base.to_string().trim_end_matches('/'));
        setup.upstream().base = base.parse().unwrap();
    });
    assert_eq!(gateway.ask(patch(NOTES).replace(PATH, &format!("{PATH}/"))).status, 200);
    assert_eq!(upstream.only_request().line(), format!("PATCH /base{PATH} HTTP/1.1"));
}

#[test]
fn unknown_paths_and_methods_are_told_apart() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let ask = |line: &str| gateway.ask(format!("{line} HTTP/1.1\r\nHost: g\r\n\r\n"));
    for path in ["/", "/livez", "/v1.0/engagements/referrals/1/..", "/v1.0//engagements", "/%2e"] {
        let reply = ask(&format!("GET {path}"));
        assert_eq!((reply.status, reply.code()), (404, "unrouted".to_owned()), "{path}");
    }
    let reply = ask(&format!("DELETE {PATH}"));
    assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, PATCH, POST")));
    assert_eq!(ask(&format!("get {PATH}")).status, 405);
    assert_eq!(ask(&format!("TRACE {PATH}")).status, 501);
    assert_eq!(ask("CONNECT g:80").status, 501);
    let reply = ask(&format!("OPTIONS {PATH}"));
    assert_eq!((reply.status, reply.header("allow")), (204, Some("GET, PATCH, POST, OPTIONS")));
    assert_eq!(reply.header("accept-patch"), Some("application/json, application/json-patch+json"));
    assert!(reply.header("request-id").is_some());
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn what_is_only_warned_of_goes_on_and_the_answer_and_the_log_say_so() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| setup.observe = true);
    let reply = gateway.ask(patch(REMOVE));
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("patchgate-warning"), Some("op-forbidden;op=0;at=\"/notes\""));
    assert_eq!(upstream.requests()[0].body, REMOVE.as_bytes());
    assert_eq!(gateway.ask(patch(NOTES)).header("patchgate-warning"), None);
    let log = gateway.log();
    assert_eq!(log[0]["warnings"], serde_json::json!(["op-forbidden"]));
    assert_eq!((&log[0]["decision"], &log[0]["codes"]), (&"permit".into(), &serde_json::json!([])));
}
