//! The hosts that callers may ask for.

use crate::harness::frames::*;
use crate::harness::*;

use patchgate::snapshot::{Host, Hosts};
use patchgate::tls::Credentials;

use allocation_counter::measure;
use rustls::{ClientConnection, StreamOwned};

use std::io::{Read, Write};
use std::net::TcpStream;

fn hosts(texts: &[&str]) -> Option<Hosts> {
    let mut hosts = Hosts::default();
    texts.iter().for_each(|text| hosts.add(text).unwrap());
    Some(hosts)
}

fn for_host(host: &str) -> String {
    patch(NOTES).replace("Host: gateway", &format!("Host: {host}"))
}

#[test]
fn a_host_that_is_not_listed_is_refused_before_anything_is_looked_up() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.hosts = hosts(&["api.example", "gate.example:8443", "[::1]"]);
        setup.partners.unknown = None;
    });
    let absolute = |base: &str, host: &str| for_host(host).replace(PATH, &format!("{base}{PATH}"));
    for request in [
        patch(NOTES),
        for_host("api.example.evil"),
        for_host("evil.api.example"),
        for_host("gate.example"),
        for_host("gate.example:443"),
        for_host("127.0.0.1"),
        for_host("[::2]"),
        absolute("http://other", "other"),
        absolute("https://gate.example", "gate.example"),
        // Neither whether there is such a path nor whether somebody is known is told.
        for_host("other").replace(PATH, "/nowhere"),
        for_host("other").replace(PATH, "/a/../b"),
        for_host("other").replace("PATCH", "OPTIONS"),
        for_host("other").replace("PATCH", "DELETE"),
        for_host("other").replace("Host", "Via: 1.1 patchgate\r\nHost"),
    ] {
        let reply = gateway.ask(&request);
        assert_eq!((reply.status, reply.code()), (421, "host-unknown".to_owned()), "{request}");
        let told = reply.json().to_string();
        assert!(told.contains("add the host to `hosts`"), "{told}");
        for host in ["api.example", "gate.example", "::1"] {
            assert!(!told.contains(host), "{told}");
        }
        assert!(reply.header("www-authenticate").is_none());
        let status = "patchgate;error=http_request_denied;details=\"host-unknown\"";
        assert_eq!(reply.header("proxy-status"), Some(status));
    }
    // The others come as far as they would without a list.
    for host in ["api.example", "API.Example.", "api.example:1", "gate.EXAMPLE:8443", "[0::1]:7"] {
        assert_eq!(gateway.ask(for_host(host)).status, 401, "{host}");
        let nowhere = for_host(host).replace(PATH, "/nowhere");
        assert_eq!(gateway.ask(nowhere).status, 404, "{host}");
    }
    assert_eq!(gateway.ask(absolute("http://Api.example", "api.example")).status, 401);
    // What is malformed stays so.
    for host in ["a b", "api.example\r\nHost: api.example", "api.example:x", ""] {
        assert_eq!(gateway.ask(for_host(host)).status, 400, "{host}");
    }
    assert_eq!(gateway.ask(absolute("http://api.example", "gate.example:8443")).status, 400);
    assert_eq!(upstream.connections(), 0);
    let lines = gateway.log();
    let unknown = |line: &&serde_json::Value| line["rejection"] == "host-unknown";
    assert_eq!(lines.iter().filter(unknown).count(), 14);
    assert!(
        lines
            .iter()
            .filter(unknown)
            .all(|line| line["route"].is_null() && line["partner"].is_null()),
        "{lines:?}"
    );
}

#[test]
fn a_listed_host_is_served_and_without_a_list_any_is() {
    let upstream = Upstream::start([]);
    let listed = Gateway::with(&upstream, |setup| setup.hosts = hosts(&["api.example:80"]));
    let open = Gateway::before(&upstream);
    for host in ["api.example", "api.example:80", "API.EXAMPLE.:80"] {
        assert_eq!(listed.ask(for_host(host)).status, 200, "{host}");
        assert_eq!(open.ask(for_host(host)).status, 200, "{host}");
    }
    assert_eq!(upstream.requests().len(), 6);
    assert_eq!((listed.ask(patch(NOTES)).status, open.ask(patch(NOTES)).status), (421, 200));
    assert_eq!(upstream.requests().len(), 7);
}

#[test]
fn the_authority_of_http_2_is_held_against_the_hosts() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.settings.h2c = true;
        setup.hosts = hosts(&["api.example", "gate.example:8443"]);
    });
    let send = |more: &[(&str, &str)]| {
        let mut frames = Frames::to(gateway.address);
        let typed = ("content-type", "application/json");
        let fields = [(":method", "PATCH"), (":scheme", "http"), (":path", PATH)];
        frames.send(HEADERS, END_HEADERS, 1, &block(&[&fields[..], more, &[typed]].concat()));
        frames.send(DATA, END_STREAM, 1, NOTES.as_bytes());
        frames.end(1)
    };
    for more in [
        &[(":authority", "other")][..],
        &[(":authority", "gate.example")],
        &[(":authority", "other"), ("host", "other")],
        &[("host", "other")],
    ] {
        let end = send(more);
        assert!(end.has_status(421), "{more:?}: {end:?}");
    }
    let end = send(&[(":authority", "other"), ("host", "api.example")]);
    assert!(end.has_status(400), "{end:?}");
    assert_eq!(upstream.connections(), 0);
    for authority in ["api.example", "API.example:1", "gate.example:8443"] {
        let end = send(&[(":authority", authority)]);
        assert!(end.has_status(200), "{authority}: {end:?}");
    }
    assert!(send(&[("host", "api.example")]).has_status(200));
    assert_eq!(upstream.requests().len(), 4);
}

#[test]
fn over_tls_a_host_without_a_port_is_for_that_of_https() {
    let authority = Authority::new();
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.settings.tls = Some(Credentials::new(authority.server("localhost")));
        setup.hosts = hosts(&["api.example:443"]);
    });
    let ask = |host: &str| {
        let tcp = TcpStream::connect(gateway.address).unwrap();
        let name = "localhost".try_into().unwrap();
        let client = ClientConnection::new(authority.client(), name).unwrap();
        let mut stream = StreamOwned::new(client, tcp);
        stream.write_all(for_host(host).as_bytes()).unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        String::from_utf8_lossy(&status[9..]).into_owned()
    };
    assert_eq!((&*ask("api.example"), &*ask("api.example:443")), ("200", "200"));
    assert_eq!((&*ask("api.example:80"), &*ask("other")), ("421", "421"));
    assert_eq!(upstream.requests().len(), 2);
}

#[test]
fn no_memory_is_asked_for_to_look_a_host_up() {
    let hosts = hosts(&["a.example", "[::1]:1", "api.example:8443"]).unwrap();
    for (host, expected) in
        [("API.example.:8443", true), ("[0::1]:1", true), ("api.example", false)]
    {
        let mut found = None;
        let used = measure(|| {
            found = Host::read(host.as_bytes()).map(|host| hosts.include(&host, 80));
        });
        assert_eq!((found, used.count_total), (Some(expected), 0), "{host}");
    }
}
