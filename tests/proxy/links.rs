//! Links of the API in its answers: led to the gateway where the route says so.

use crate::harness::*;

const TYPE: &str = "Content-Type: application/json; charset=utf-8\r\n";

fn leading(setup: &mut Setup) {
    setup.links = vec!["/@odata.nextLink", "/links/*/uri"];
    setup.upstream().public = Some("https://gateway.example".to_owned());
    // The API is known by a name, and reached where it listens.
    let base = setup.upstream().base.to_string();
    setup.upstream().base = base.replace("127.0.0.1", "localhost").parse().unwrap();
}

fn get(fields: &str) -> String {
    format!("GET {PATH} HTTP/1.1\r\nHost: g\r\n{fields}\r\n")
}

/// A document with links to `origin`.
fn document(origin: &str) -> String {
    format!(
        r#"{{ "@odata.nextLink" : "{origin}\/v1.0/a?b\u0026c", "links":{{"self":{{"uri":"{origin}/x"}}}}, "notes":"{origin}/x", "other":"https://evil.example/{origin}"}}"#
    )
}

#[test]
fn links_to_the_api_lead_to_the_gateway_and_the_tag_is_that_of_the_api() {
    let upstream = Upstream::start([]);
    let origin = format!("http://localhost:{}", upstream.address.port());
    let lines = format!(
        "{TYPE}ETag: \"v7\"\r\nAccept-Ranges: bytes\r\nContent-MD5: x\r\nRepr-Digest: sha-256=:x:\r\nLocation: {origin}/l\r\n"
    );
    let body = document(&origin);
    upstream.then(Act::Answer(answer("200 OK", &lines, &body)));
    let gateway = Gateway::with(&upstream, leading);
    let reply = gateway.ask(get("Range: bytes=0-9\r\nAccept-Encoding: gzip\r\n"));
    let expected = body
        .replace(&format!("\"{origin}\\/v1.0"), "\"https://gateway.example\\/v1.0")
        .replace(&format!("\"uri\":\"{origin}"), "\"uri\":\"https://gateway.example");
    assert_eq!(String::from_utf8(reply.body.clone()).unwrap(), expected);
    assert!(reply.whole && expected != body);
    assert_eq!(reply.header("etag"), Some("\"v7\""));
    assert_eq!(reply.header("location"), Some("https://gateway.example/l"));
    for gone in ["accept-ranges", "content-md5", "repr-digest", "content-length"] {
        assert_eq!(reply.header(gone), None, "{gone}");
    }
    let sent = upstream.only_request();
    assert_eq!((sent.header("range"), sent.header("accept-encoding")), (None, Some("identity")));
    // The tag goes back as it came.
    upstream.then(Act::Answer(answer("204 No Content", "", "")));
    let reply = gateway.ask(patch_with("If-Match: \"v7\"\r\n", NOTES));
    assert_eq!(reply.status, 204);
    assert_eq!(upstream.requests()[1].header("if-match"), Some("\"v7\""));
}

#[test]
fn answers_that_are_no_whole_json_keep_every_byte_and_their_length() {
    let upstream = Upstream::start([]);
    let origin = format!("http://localhost:{}", upstream.address.port());
    let gateway = Gateway::with(&upstream, leading);
    let body = document(&origin);
    for (status, lines) in [
        ("404 Not Found", TYPE.to_owned()),
        ("206 Partial Content", TYPE.to_owned()),
        ("200 OK", "Content-Type: text/plain\r\n".to_owned()),
        ("200 OK", String::new()),
        ("200 OK", format!("{TYPE}Content-Encoding: gzip\r\n")),
    ] {
        upstream.then(Act::Answer(answer(status, &lines, &body)));
        let reply = gateway.ask(get(""));
        assert_eq!(reply.body, body.as_bytes(), "{status} {lines}");
        assert_eq!(reply.header("content-length"), Some(&*body.len().to_string()));
    }
    // A route without places; and a caller who could not tell a whole body from one that broke off.
    let plain = Gateway::before(&upstream);
    upstream.then(Act::Answer(answer("200 OK", TYPE, &body)));
    assert_eq!(plain.ask(get("")).body, body.as_bytes());
    upstream.then(Act::Answer(answer("200 OK", TYPE, &body)));
    let reply = gateway.ask(get("").replace("HTTP/1.1", "HTTP/1.0"));
    assert_eq!(reply.body, body.as_bytes());
}

#[test]
fn an_answer_in_pieces_is_led_as_it_comes_and_one_that_breaks_off_is_cut() {
    let upstream = Upstream::start([]);
    let origin = format!("http://localhost:{}", upstream.address.port());
    let body = format!(r#"{{"links":{{"self":{{"uri":"{origin}/x"}}}}}}"#);
    let (first, second) = body.split_at(30);
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len()).into_bytes();
    let head = format!("HTTP/1.1 200 OK\r\n{TYPE}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    let pause = std::time::Duration::from_millis(10);
    let end = b"0\r\n\r\n".to_vec();
    upstream.then(Act::Slow(vec![head.clone(), chunk(first), chunk(second), end], pause));
    upstream.then(Act::AnswerAndClose([head, chunk(first)].concat()));
    let gateway = Gateway::with(&upstream, leading);
    let reply = gateway.ask(get(""));
    assert_eq!(reply.body, br#"{"links":{"self":{"uri":"https://gateway.example/x"}}}"#);
    assert!(reply.whole);
    assert!(!gateway.ask(get("")).whole);
}

#[test]
fn the_judge_sees_what_the_api_said() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, leading);
    assert_eq!(gateway.ask(patch(STATUS)).status, 200);
    assert_eq!(upstream.requests()[1].header("if-match"), Some("\"v1\""));
}
