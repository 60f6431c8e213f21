//! TLS to the upstream. Rows are those of the catalogue of threats.

use crate::harness::*;

use patchgate::tls::{self, Credentials, Pin};

use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn over_tls(setup: &mut Setup, port: u16, client: &Credentials<ClientConfig>) {
    let base = format!("https://localhost:{port}");
    setup.upstream().base = base.parse().unwrap();
    setup.upstream().tls = Some(client.clone());
    setup.upstream().handshake_time = Duration::from_secs(1);
}

fn gateway(upstream: &Upstream, client: Arc<ClientConfig>) -> Gateway {
    let client = Credentials::new(client);
    Gateway::with(upstream, |setup| over_tls(setup, upstream.address.port(), &client))
}

/// A patch is refused because of TLS, and not a byte of it was sent.
#[track_caller]
fn assert_untrusted(upstream: &Upstream, gateway: &Gateway) {
    let reply = gateway.ask(patch_with("Authorization: Bearer t\r\n", NOTES));
    assert_eq!((reply.status, reply.code()), (502, "upstream-untrusted".to_owned()));
    assert_eq!(reply.json()["outcome"], "not-applied");
    assert!(upstream.requests().is_empty());
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
    // Rows 157 and 174: wrong host, unknown authority, its own authority, expired, not valid yet.
    let (ours, other) = (Authority::new(), Authority::new());
    let until = |year| {
        ours.server_with("localhost", |params| {
            params.not_before = rcgen::date_time_ymd(year - 1, 1, 1);
            params.not_after = rcgen::date_time_ymd(year, 1, 1);
        })
    };
    for server in [
        ours.server("elsewhere.test"),
        other.server("localhost"),
        ours.self_signed("localhost"),
        until(2020),
        until(4000),
    ] {
        let upstream = Upstream::start_tls(server);
        assert_untrusted(&upstream, &gateway(&upstream, ours.client()));
    }
}

#[test]
fn not_a_byte_goes_in_the_clear() {
    // Row 157.
    let upstream = Upstream::start([]);
    let gateway = gateway(&upstream, Authority::new().client());
    // It waits for the end of a head that never comes; nothing was sent that it could answer.
    let reply = gateway.ask(patch(NOTES));
    assert_eq!((reply.status, &reply.json()["outcome"]), (504, &"not-applied".into()));
    assert!(upstream.requests().is_empty());
}

/// Accepts once, and answers the first bytes with `bytes`; what it was sent comes back at the end.
fn answer_raw(bytes: &[u8]) -> (u16, std::thread::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let bytes = bytes.to_vec();
    let thread = std::thread::spawn(move || {
        let (mut tcp, _) = listener.accept().unwrap();
        let mut seen = vec![0; 16 << 10];
        let count = tcp.read(&mut seen).unwrap();
        seen.truncate(count);
        tcp.write_all(&bytes).unwrap();
        let _ = tcp.read_to_end(&mut seen);
        seen
    });
    (port, thread)
}

#[test]
fn a_handshake_that_is_old_or_odd_or_stalls_ends_in_time() {
    // Row 157: TLS 1.1, no TLS, and nothing.
    let mut old = [0; 51];
    old[..11].copy_from_slice(&[0x16, 3, 2, 0, 46, 2, 0, 0, 42, 3, 2]);
    old[44..48].copy_from_slice(&[0, 0, 0x2f, 0]);
    for (bytes, status) in [(&old[..], 502), (b"HTTP/1.1 400 No\r\n\r\n", 502), (b"", 504)] {
        let (port, thread) = answer_raw(bytes);
        let upstream = Upstream::start([]);
        let client = Credentials::new(Authority::new().client());
        let gateway = Gateway::with(&upstream, |setup| over_tls(setup, port, &client));
        let began = Instant::now();
        let reply = gateway.ask(patch(NOTES));
        assert_eq!((reply.status, &reply.json()["outcome"]), (status, &"not-applied".into()));
        assert!(began.elapsed() < Duration::from_secs(5));
        let seen = thread.join().unwrap();
        assert_eq!(seen[0], 0x16, "a handshake");
        assert!(!seen.windows(5).any(|window| window == b"PATCH"));
    }
}

#[test]
fn a_server_may_be_asked_for_by_another_name() {
    let authority = Authority::new();
    let upstream = Upstream::start_tls(authority.server("api.test"));
    assert_untrusted(&upstream, &gateway(&upstream, authority.client()));
    let client = Credentials::new(authority.client());
    let gateway = Gateway::with(&upstream, |setup| {
        over_tls(setup, upstream.address.port(), &client);
        setup.upstream().server_name = Some("api.test".to_owned());
    });
    assert_eq!(gateway.ask(patch(NOTES)).status, 200);
    let host = format!("localhost:{}", upstream.address.port());
    assert_eq!(upstream.only_request().header("host"), Some(&*host), "only TLS has the other name");
}

#[test]
fn a_pinned_key_is_demanded_beside_a_trusted_chain() {
    let (ours, other) = (Authority::new(), Authority::new());
    let pair = ours.pair("localhost");
    let pin = Pin::of(&CertificateDer::from_pem_slice(pair.0.as_bytes()).unwrap()).unwrap();
    let backup = Pin::parse(&format!("sha256/{}=", "A".repeat(43))).unwrap();
    let start = || Upstream::start_tls(ours.server_of(&pair));
    for pins in [vec![pin, backup], vec![backup, pin]] {
        let upstream = start();
        let gateway = gateway(&upstream, ours.client_with(None, &pins));
        assert_eq!(gateway.ask(patch(NOTES)).status, 200);
    }
    let upstream = start();
    let authoritys = Pin::of(&CertificateDer::from_pem_file(ours.path()).unwrap()).unwrap();
    for pins in [vec![backup, backup], vec![authoritys, backup]] {
        assert_untrusted(&upstream, &gateway(&upstream, ours.client_with(None, &pins)));
    }
    assert_untrusted(&upstream, &gateway(&upstream, other.client_with(None, &[pin, backup])));
}

#[test]
fn the_gateway_shows_its_certificate_to_a_server_that_demands_one() {
    let (ours, other) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let upstream = Upstream::start_tls(ours.demanding_server(&ours.pair("localhost")));
    for (authority, is_let_in) in [(Some(&ours), true), (Some(&other), false), (None, false)] {
        let paths = authority.map(|authority| {
            let (certificate, key) = authority.pair("gateway.test");
            (write("cert.pem", &certificate), write("key.pem", &key))
        });
        let paths = paths.as_ref().map(|(certificate, key)| (&**certificate, &**key));
        let gateway = gateway(&upstream, ours.client_with(paths, &[]));
        let before = upstream.requests().len();
        let reply = gateway.ask(patch(NOTES));
        // In TLS 1.3 a server says no only after the handshake.
        assert_eq!(reply.status, if is_let_in { 200 } else { 502 });
        assert_eq!(upstream.requests().len() - before, usize::from(is_let_in));
    }
}

#[test]
fn what_is_replaced_holds_for_new_connections_and_old_ones_go_on() {
    // Row 177.
    let (ours, other) = (Authority::new(), Authority::new());
    let upstream = Upstream::start_tls(ours.server("localhost"));
    let client = Credentials::new(ours.client());
    let gateway = Gateway::with(&upstream, |setup| {
        over_tls(setup, upstream.address.port(), &client);
    });
    assert_eq!(gateway.ask(patch(NOTES)).status, 200);
    client.replace(other.client());
    assert_eq!((gateway.ask(patch(NOTES)).status, upstream.connections()), (200, 1));
    upstream.close_all();
    eventually("the end is seen", || gateway.ask(patch(NOTES)).status == 502);
    client.replace(ours.client());
    assert_eq!(gateway.ask(patch(NOTES)).status, 200);
}

#[test]
fn what_could_be_replayed_is_neither_taken_nor_sent() {
    // A request in the first flight of TLS 1.3 may come twice, and nobody would know.
    let authority = Authority::new();
    assert!(!authority.client().enable_early_data && !authority.client_of_two().enable_early_data);
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = authority.pair("localhost");
    let paths = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    std::fs::write(&paths[0], certificate).unwrap();
    std::fs::write(&paths[1], key).unwrap();
    let [certificate, key] = &paths;
    let files = tls::Files { certificate, key, client_ca: None, is_client_required: false };
    assert_eq!(tls::server(files).unwrap().config.max_early_data_size, 0);
}
