//! TLS to the upstream.

use crate::harness::*;

use std::sync::Arc;

fn gateway(upstream: &Upstream, client: Arc<rustls::ClientConfig>) -> Gateway {
    Gateway::with(upstream, |setup| {
        let base = format!("https://localhost:{}", upstream.address.port());
        setup.upstream().base = base.parse().unwrap();
        setup.upstream().tls = Some(client);
        setup.upstream().connect_time = std::time::Duration::from_secs(1);
    })
}

#[test]
fn a_patch_goes_to_a_server_that_proves_its_name() {
    let authority = Authority::new();
    let upstream = Upstream::start_tls(authority.server("localhost"));
    let gateway = gateway(&upstream, authority.client());
    for _ in 0..2 {
        assert_eq!(gateway.ask(patch(NOTES)).status, 200);
    }
    assert_eq!(upstream.requests().len(), 2);
    assert_eq!(upstream.requests()[0].body, NOTES.as_bytes());
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn not_a_byte_goes_to_a_server_that_does_not() {
    let (ours, other) = (Authority::new(), Authority::new());
    for server in [ours.server("elsewhere.test"), other.server("localhost")] {
        let upstream = Upstream::start_tls(server);
        let gateway = gateway(&upstream, ours.client());
        let reply = gateway.ask(patch(NOTES));
        assert_eq!((reply.status, reply.code()), (502, "upstream-untrusted".to_owned()));
        assert_eq!(reply.json()["outcome"], "not-applied");
        assert!(upstream.requests().is_empty());
    }
}

#[test]
fn not_a_byte_goes_in_the_clear() {
    let upstream = Upstream::start([]);
    let gateway = gateway(&upstream, Authority::new().client());
    // It waits for the end of a head that never comes; nothing was sent that it could answer.
    let reply = gateway.ask(patch(NOTES));
    assert_eq!((reply.status, &reply.json()["outcome"]), (504, &"not-applied".into()));
    assert!(upstream.requests().is_empty());
}
