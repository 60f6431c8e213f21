//! The upstream behind a company's proxy: through it, or not at all.

use crate::harness::*;

use patchgate::outbound::Egress;
use patchgate::tls::Credentials;

use http::HeaderValue;

use std::time::{Duration, Instant};

/// `gateway:` and `password` in Base64, as Basic.
fn basic(password: &str) -> Option<HeaderValue> {
    let text = match password {
        "secret" => "Basic Z2F0ZXdheTpzZWNyZXQ=",
        "wrong" => "Basic Z2F0ZXdheTp3cm9uZw==",
        _ => panic!("no text for {password}"),
    };
    Some(HeaderValue::from_static(text))
}

struct Way {
    upstream: Upstream,
    authority: Authority,
}

impl Way {
    /// An upstream that speaks TLS.
    fn new() -> Self {
        let authority = Authority::new();
        Self { upstream: Upstream::start_tls(authority.server("localhost")), authority }
    }

    fn port(&self) -> u16 {
        self.upstream.address.port()
    }

    /// A gateway that goes through `egress`.
    fn gateway(&self, egress: Egress) -> Gateway {
        Gateway::with(&self.upstream, |setup| {
            let base = format!("https://localhost:{}", self.port());
            setup.upstream().base = base.parse().unwrap();
            setup.upstream().tls = Some(Credentials::new(self.authority.client()));
            setup.upstream().connect_time = Duration::from_secs(3);
            setup.upstream().egress = Some(egress);
        })
    }

    fn through(&self, port: u16, authorization: Option<HeaderValue>) -> Gateway {
        self.gateway(Egress { host: "127.0.0.1".to_owned(), port, tls: None, authorization })
    }

    fn over_tls(&self, port: u16, trust: &Authority) -> Gateway {
        self.gateway(Egress {
            host: "localhost".to_owned(),
            port,
            tls: Some(trust.client()),
            authorization: basic("secret"),
        })
    }

    /// The proxy leads to nobody; no connection was made around it, and nothing told of its secret.
    #[track_caller]
    fn assert_failed(&self, gateway: Gateway, detail: &str) {
        let began = Instant::now();
        let reply = gateway.ask(patch_with("Authorization: Bearer t\r\n", NOTES));
        assert_eq!((reply.status, &*reply.code()), (502, "proxy-failed"), "{detail}");
        assert!(began.elapsed() < Duration::from_secs(5));
        let problem = reply.json();
        assert_eq!(problem["outcome"], "not-applied");
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}");
        let said = format!("{:?}{:?}{:?}", reply.headers, reply.body, gateway.log());
        assert!(!said.contains("Z2F0ZXdh") && !said.contains("proxy-auth"), "{said}");
        assert_eq!(self.upstream.connections(), 0, "never around it");
    }

    #[track_caller]
    fn assert_served(&self, gateway: &Gateway) {
        for _ in 0..3 {
            assert_eq!(gateway.ask(patch(NOTES)).status, 200);
        }
        assert_eq!((self.upstream.requests().len(), self.upstream.connections()), (3, 1));
        assert_eq!(self.upstream.requests()[0].body, NOTES.as_bytes());
        for sent in self.upstream.requests() {
            assert!(sent.all("proxy-authorization").is_empty(), "{}", sent.head);
        }
    }
}

#[test]
fn a_real_squid_leads_to_the_upstream_and_to_nobody_else() {
    let way = Way::new();
    let squid = Daemon::squid(&way.authority, way.port());
    for password in [None, basic("wrong")] {
        way.assert_failed(way.through(squid.port, password), "wants a user");
    }
    let other = Way::new();
    other.assert_failed(other.through(squid.port, basic("secret")), "does not let");
    way.assert_served(&way.through(squid.port, basic("secret")));
}

#[test]
fn a_real_squid_is_spoken_to_over_tls() {
    let way = Way::new();
    let squid = Daemon::squid(&way.authority, way.port());
    way.assert_failed(way.over_tls(squid.tls_port, &Authority::new()), "no trusted TLS");
    way.assert_failed(way.over_tls(squid.port, &way.authority), "no trusted TLS");
    way.assert_served(&way.over_tls(squid.tls_port, &way.authority));
}

#[test]
fn a_real_tinyproxy_leads_to_the_upstream() {
    let way = Way::new();
    let tinyproxy = Daemon::tinyproxy();
    for password in [None, basic("wrong")] {
        way.assert_failed(way.through(tinyproxy.port, password), "proxy");
    }
    way.assert_served(&way.through(tinyproxy.port, basic("secret")));
}

#[test]
fn an_upstream_that_a_real_proxy_cannot_reach_is_not_reached_around_it() {
    let way = Way::new();
    let port = way.port();
    let squid = Daemon::squid(&way.authority, port);
    let gateway = way.through(squid.port, basic("secret"));
    let Way { upstream, .. } = way;
    drop(upstream);
    let reply = gateway.ask(patch(NOTES));
    assert_eq!((reply.status, &*reply.code()), (502, "proxy-failed"));
    assert!(reply.json()["detail"].as_str().unwrap().contains("could not reach the API"));
}

#[test]
fn a_proxy_that_dies_is_not_gone_around() {
    let way = Way::new();
    let squid = Daemon::squid(&way.authority, way.port());
    let gateway = way.through(squid.port, basic("secret"));
    assert_eq!(gateway.ask(patch(NOTES)).status, 200);
    drop(squid);
    eventually("the end is seen", || gateway.ask(patch(NOTES)).status == 502);
    let reply = gateway.ask(patch(NOTES));
    assert_eq!(reply.code(), "proxy-failed");
    assert_eq!(reply.json()["outcome"], "not-applied");
    assert_eq!(way.upstream.connections(), 1);
}

#[test]
fn a_proxy_that_answers_badly_is_not_gone_around() {
    let ok = "HTTP/1.1 200 Connection established\r\n";
    let long = format!("{ok}X: {}...", "x".repeat(20 << 10));
    for (answer, detail) in [
        (
            "HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 3\r\n\r\nwho",
            "wants a user",
        ),
        ("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", "does not let"),
        ("HTTP/1.1 302 There\r\nLocation: http://127.0.0.1/\r\n\r\n", "does not let"),
        ("HTTP/1.1 502 Bad\r\n\r\n", "could not reach the API"),
        ("HTTP/1.1 503 Busy\r\nRetry-After: 1\r\n\r\n", "could not reach the API"),
        ("HTTP/1.1 101 Switch\r\n\r\n", "does not let"),
        ("HTTP/2.0 200 OK\r\n\r\n", "no proper answer"),
        ("HTTP/1.1 20 OK\r\n\r\n", "no proper answer"),
        ("garbage\r\n\r\n", "no proper answer"),
        ("HTTP/1.1 200 OK\r\n", "no proper answer"),
        (&format!("{ok}Content-Length: 5\r\n\r\nhello"), "no proper answer"),
        (&long, "no proper answer"),
    ] {
        let way = Way::new();
        let (port, thread) = scripted(answer);
        way.assert_failed(way.through(port, basic("secret")), detail);
        let heard = String::from_utf8(thread.join().unwrap()).unwrap();
        let target = format!("localhost:{}", way.port());
        let expected = format!(
            "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\
             Proxy-Authorization: Basic Z2F0ZXdheTpzZWNyZXQ=\r\n\r\n"
        );
        assert_eq!(heard, expected, "and nothing of the request");
    }
}

#[test]
fn a_proxy_that_is_not_there_or_silent_is_not_gone_around() {
    let way = Way::new();
    let (_held, closed) = nobody();
    way.assert_failed(way.through(closed.port(), None), "could not be reached");
    let (port, thread) = scripted("");
    let gateway = way.through(port, None);
    let reply = gateway.ask(patch(NOTES));
    assert_eq!((reply.status, &*reply.code()), (504, "upstream-too-slow"));
    assert_eq!(reply.json()["outcome"], "not-applied");
    drop(thread);
    assert_eq!(way.upstream.connections(), 0);
}

#[test]
fn a_tunnel_that_leads_elsewhere_gets_nothing() {
    // What a proxy that is not what it seems could do.
    let way = Way::new();
    let elsewhere = Upstream::start_tls(Authority::new().server("localhost"));
    let squid = Daemon::squid(&way.authority, elsewhere.address.port());
    let gateway = Gateway::with(&way.upstream, |setup| {
        let base = format!("https://localhost:{}", elsewhere.address.port());
        setup.upstream().base = base.parse().unwrap();
        setup.upstream().tls = Some(Credentials::new(way.authority.client()));
        setup.upstream().egress = Some(Egress {
            host: "127.0.0.1".to_owned(),
            port: squid.port,
            tls: None,
            authorization: basic("secret"),
        });
    });
    let reply = gateway.ask(patch(NOTES));
    assert_eq!((reply.status, &*reply.code()), (502, "upstream-untrusted"));
    assert!(elsewhere.requests().is_empty());
}
