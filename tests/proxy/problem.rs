//! Answers of the gateway's own: what they say of themselves, and in which form.

use crate::harness::*;

use patchgate::policy::ErrorForm;
use patchgate::tls::Credentials;

use std::time::Duration;

#[test]
fn an_answer_of_our_own_says_so_and_why() {
    let short = Duration::from_millis(200);
    let script = [
        Act::Close,
        Act::Silence,
        Act::Answer(answer("500 Oops", "", "")),
        Act::Answer(answer("404 Not Found", "Proxy-Status: far;error=dns_error\r\n", "")),
    ];
    let upstream = Upstream::start(script);
    let gateway = Gateway::with(&upstream, |setup| setup.upstream().head_time = short);
    let told = |request: String| {
        let reply = gateway.ask(request);
        (reply.status, reply.header("proxy-status").map(str::to_owned))
    };
    let own = |text: &str| Some(format!("patchgate;error={text}"));
    for (request, status, expected) in [
        (patch(NOTES), 502, own(r#"connection_terminated;details="upstream-broken""#)),
        (patch(NOTES), 504, own(r#"http_response_timeout;details="upstream-too-slow""#)),
        (
            patch(STATUS),
            502,
            own(r#"destination_unavailable;details="current-unavailable";received-status=500"#),
        ),
        (patch(NOTES), 404, Some("far;error=dns_error".to_owned())),
        (patch(NOTES), 200, None),
        (patch(REMOVE), 422, own(r#"http_request_denied;details="refused""#)),
        (patch("").replace("PATCH", "OPTIONS"), 204, own("proxy_internal_response")),
        (patch(NOTES).replace(PATH, "/x"), 404, own(r#"http_request_denied;details="unrouted""#)),
        (
            patch_with("Via: 1.1 patchgate\r\n", NOTES),
            508,
            own(r#"proxy_loop_detected;details="loop-detected""#),
        ),
        ("nonsense\r\n\r\n".to_owned(), 400, own(r#"http_request_error;details="head-malformed""#)),
    ] {
        assert_eq!(told(request), (status, expected));
    }
    upstream.refuse_connections();
    upstream.close_all();
    let unreachable = own(r#"destination_unavailable;details="upstream-unreachable""#);
    eventually("it is gone", || told(patch(NOTES)).1 == unreachable);
}

#[test]
fn a_gateway_says_by_its_own_name_that_it_could_not_connect() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        // Nobody there speaks TLS, and so the handshake has no end.
        let base = format!("https://localhost:{}", upstream.address.port());
        setup.upstream().base = base.parse().unwrap();
        setup.upstream().tls = Some(Credentials::new(Authority::new().client()));
        setup.upstream().handshake_time = Duration::from_millis(200);
        setup.upstream().pseudonym = Some("1st".to_owned());
    });
    let expected = r#""1st";error=connection_timeout;details="upstream-too-slow""#;
    assert_eq!(gateway.ask(patch(NOTES)).header("proxy-status"), Some(expected));
}

#[test]
fn why_no_connection_was_made_is_told_as_every_proxy_does() {
    let ours = Authority::new();
    let told = |base: String, client: bool| {
        let upstream = Upstream::start([]);
        let gateway = Gateway::with(&upstream, |setup| {
            setup.upstream().base = base.parse().unwrap();
            setup.upstream().tls = client.then(|| Credentials::new(ours.client()));
        });
        let reply = gateway.ask(patch(NOTES));
        assert_eq!(reply.status, 502);
        reply.header("proxy-status").unwrap().to_owned()
    };
    let own = |error: &str, slug: &str| format!("patchgate;error={error};details=\"{slug}\"");
    let strangers = Upstream::start_tls(Authority::new().server("localhost"));
    let odd = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = odd.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut tcp, _) = odd.accept().unwrap();
        let _ = tcp.read(&mut [0; 64]);
        tcp.write_all(b"HTTP/1.1 400 No\r\n\r\n").unwrap();
    });
    for (base, error, slug) in [
        ("http://nowhere.invalid".to_owned(), "dns_error", "upstream-unreachable"),
        ("http://127.0.0.1:1".to_owned(), "connection_refused", "upstream-unreachable"),
        (
            format!("https://localhost:{}", strangers.address.port()),
            "tls_certificate_error",
            "upstream-untrusted",
        ),
        (format!("https://localhost:{port}"), "tls_protocol_error", "upstream-untrusted"),
    ] {
        assert_eq!(told(base.clone(), base.starts_with("https")), own(error, slug), "{base}");
    }
    thread.join().unwrap();
}

#[test]
fn a_condition_that_the_policy_demands_is_428_and_kept_by_nobody() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| setup.conditional = true);
    for lines in ["", "If-None-Match: \"a\"\r\n", "If_Match: \"a\"\r\n"] {
        let reply = gateway.ask(patch_with(lines, NOTES));
        assert_eq!((reply.status, reply.code()), (428, "refused".to_owned()), "{lines}");
        assert_eq!(reply.json()["errors"][0]["code"], "if-match-required");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
    assert_eq!(upstream.connections(), 0);
    assert_eq!(gateway.ask(patch_with("If-Match: \"a\"\r\n", NOTES)).status, 200);
    assert_eq!(upstream.only_request().header("if-match"), Some("\"a\""));
}

#[test]
fn of_too_many_faults_the_first_are_told_and_the_rest_counted() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let op = r#"{"op":"remove","path":"/notes"}"#;
    let reply = gateway.ask(patch(&format!("[{}]", [op; 50].join(","))));
    let problem = reply.json();
    let told = problem["errors"].as_array().unwrap();
    let ops: Vec<_> = told.iter().map(|error| error["op"].as_u64().unwrap()).collect();
    assert_eq!(reply.status, 422);
    assert_eq!(ops, (0..told.len() as u64).collect::<Vec<_>>());
    assert!((1..50).contains(&told.len()), "{}", told.len());
    assert_eq!(problem["more"], 50 - told.len());
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn a_problem_has_the_form_that_the_caller_would_rather_have() {
    let upstream = Upstream::start([]);
    let (problem, json) = ("application/problem+json", "application/json");
    let forms = [ErrorForm::Problem, ErrorForm::PartnerCenter];
    let gateways = forms.map(|form| Gateway::with(&upstream, |setup| setup.errors = form));
    for (accept, plain, dialect) in [
        ("", problem, json),
        ("Accept: */*\r\n", problem, json),
        ("Accept: text/html\r\n", problem, json),
        ("Accept: application/json\r\n", json, json),
        ("Accept: application/json;q=0.1, */*\r\n", problem, problem),
        ("Accept: application/json\r\nAccept: application/problem+json;q=0.9\r\n", json, json),
        ("Accept: application/problem+json\r\n", problem, problem),
        ("Accept: ,;q=\t\"\r\n", problem, json),
    ] {
        for (gateway, expected) in gateways.iter().zip([plain, dialect]) {
            let reply = gateway.ask(patch_with(accept, REMOVE));
            assert_eq!((reply.status, reply.header("content-type")), (422, Some(expected)));
            let enveloped = expected == json && !std::ptr::eq(gateway, &gateways[0]);
            let member = if enveloped { "/error/innerError/code" } else { "/errors/0/code" };
            assert_eq!(reply.json().pointer(member).unwrap(), "op-forbidden", "{accept}");
        }
    }
}
