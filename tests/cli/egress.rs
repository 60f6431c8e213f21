//! The way to the upstream, as the gateway file sets it and a reload changes it.

use super::process::{Gateway, ask, gateway_file, patchgate};
use crate::harness::{Authority, Daemon, PATH, USER, Upstream, eventually};

use std::fs;

/// What `check` says of `upstream`.
fn faults(upstream: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let checked = patchgate(&["check", &gateway_file(&folder, &format!("upstream: {upstream}"))]);
    assert_eq!(checked.code, 1, "{upstream}: {}", checked.out);
    format!("{}{}", checked.out, checked.err)
}

#[test]
fn faults_of_tls_are_told_at_their_keys() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let (certificate, key) = authority.pair("gateway.test");
    let (cert, key) = (write("cert.pem", &certificate), write("key.pem", &key));
    let other = write("other.pem", &authority.pair("gateway.test").1);
    let empty = write("empty.pem", "");
    let one = format!("sha256/{}=", "A".repeat(43));
    for (more, message) in [
        (format!("ca_file: {empty}"), "`ca_file` holds no certificate"),
        ("ca_file: nowhere.pem".to_owned(), "`ca_file` cannot be read"),
        (format!("certificate: {cert}"), "`key` is missing, and `certificate` is there"),
        (format!("key: {key}"), "`certificate` is missing, and `key` is there"),
        (format!("certificate: {cert}, key: {other}"), "`key` is not the key of `certificate`"),
        (format!("certificate: {cert}, key: {empty}"), "`key` holds no private key"),
        (format!("pins: [\"{one}\"]"), "add that of a backup key"),
        (format!("pins: [\"{one}\", \"{one}\"]"), "this pin is there twice"),
        (format!("pins: [\"{one}\", sha1/x]"), "this is no pin"),
        ("server_name: \"a b\"".to_owned(), "`server_name` is neither"),
    ] {
        let said = faults(&format!("{{ url: \"https://localhost\", {more} }}"));
        assert!(said.contains(message), "{more}: {said}");
        assert!(said.contains("gateway.yaml:3:"), "{said}");
        for url in ["\"http://localhost\"", "sandbox"] {
            let said = faults(&format!("{{ url: {url}, {more} }}"));
            assert!(said.contains("is for TLS, and `url` is not `https://`"), "{more}: {said}");
        }
    }
    let said = faults("{ url: \"http://localhost\", http2: true }");
    assert!(said.contains("`http2` is for TLS, and `url` is not `https://`"), "{said}");
}

#[test]
fn a_reload_changes_whom_the_upstream_is_trusted_by_and_drops_no_connection() {
    let (ours, other) = (Authority::new(), Authority::new());
    let upstream = Upstream::start_tls(ours.server("localhost"));
    let folder = tempfile::tempdir().expect("a folder");
    let trust = |text: &[u8]| fs::write(folder.path().join("ca.pem"), text).expect("a file");
    let of = |authority: &Authority| fs::read(authority.path()).expect("a file");
    trust(&of(&ours));
    let keys = format!(
        "upstream: {{ url: \"https://localhost:{}\", ca_file: ca.pem }}",
        upstream.address.port()
    );
    let gateway = Gateway::run(&gateway_file(&folder, &keys));
    let read = || ask(gateway.address, &format!("GET {PATH}"), &[], "").status;
    let reload = || ask(gateway.admin, "POST /reload", &[], "").status;
    assert_eq!(read(), 200);

    trust(b"");
    assert_eq!(reload(), 422, "nobody to trust: the old ones stay");
    trust(&of(&other));
    assert_eq!(reload(), 200);
    assert_eq!((read(), upstream.connections()), (200, 1), "what is open goes on");
    upstream.close_all();
    eventually("the end is seen", || read() == 502);
    trust(&of(&ours));
    assert_eq!(reload(), 200);
    assert_eq!(read(), 200);
}

#[test]
fn faults_of_the_proxy_are_told_at_their_keys() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let (password, empty) = (write("password", "secret\n"), write("empty", "\n"));
    let two = write("two", "a\nb\n");
    for (proxy, message) in [
        ("username: x".to_owned(), "`username` is there, and `url` is missing"),
        ("no_proxy: [x]".to_owned(), "`no_proxy` is there, and `url` is missing"),
        ("url: \"http://proxy\"".to_owned(), "of a name and a port"),
        ("url: \"socks5://proxy:1080\"".to_owned(), "of a name and a port"),
        ("url: \"http://proxy:3128/x\"".to_owned(), "of a name and a port"),
        ("url: \"http://u:secret@proxy:3128\"".to_owned(), "may not name a user"),
        ("url: \"http://proxy:1\", username: x".to_owned(), "`password` is missing"),
        (
            format!("url: \"http://proxy:1\", password: \"${{file:{password}}}\""),
            "`username` is missing",
        ),
        (
            format!("url: \"http://proxy:1\", username: x, password: \"${{file:{empty}}}\""),
            "`password` is missing",
        ),
        (
            format!("url: \"http://proxy:1\", username: x, password: \"${{file:{two}}}\""),
            "one line",
        ),
        (
            format!(
                "url: \"http://proxy:1\", username: \"x:y\", password: \"${{file:{password}}}\""
            ),
            "may not have a `:`",
        ),
        (
            "url: \"http://proxy:1\", username: x, password: \"${file:nowhere}\"".to_owned(),
            "nowhere` cannot be read",
        ),
        (format!("url: \"http://proxy:1\", ca_file: {empty}"), "is for TLS"),
        (format!("url: \"https://proxy:1\", ca_file: {empty}"), "`ca_file` holds no certificate"),
        ("url: \"http://proxy:1\", no_proxy: [\"a b\"]".to_owned(), "this is neither `*`"),
    ] {
        let said = faults(&format!("{{ url: \"http://localhost:1\", proxy: {{ {proxy} }} }}"));
        assert!(said.contains(message), "{proxy}: {said}");
        assert!(said.contains("gateway.yaml:3:") && !said.contains("secret"), "{said}");
    }
    let said = faults("{ url: sandbox, proxy: { url: \"http://proxy:1\" } }");
    assert!(said.contains("the sandbox is not behind a proxy"), "{said}");
}

#[test]
fn the_upstream_is_reached_through_the_proxy_of_the_file_unless_it_is_exempt() {
    let authority = Authority::new();
    let upstream = Upstream::start_tls(authority.server("localhost"));
    let port = upstream.address.port();
    let squid = Daemon::squid(&authority, port);
    let proxy = squid.port;
    let folder = tempfile::tempdir().expect("a folder");
    let run = |more: &str, password: &str| {
        fs::write(folder.path().join("password"), password).expect("a file");
        let keys = format!(
            "upstream: {{ url: \"https://localhost:{port}\", ca_file: {}, proxy: {{ \
             url: \"http://127.0.0.1:{}\", username: {USER}, \
             password: \"${{file:password}}\"{more} }} }}",
            authority.path().display(),
            proxy,
        );
        Gateway::run(&gateway_file(&folder, &keys))
    };
    let read = |gateway: &Gateway| ask(gateway.address, &format!("GET {PATH}"), &[], "");
    let gateway = run("", "wrong-secret\n");
    assert_eq!((read(&gateway).status, upstream.connections()), (502, 0));
    let event = gateway.process.err.event("the company's proxy opened no tunnel");
    assert_eq!(event["status"], 407);
    gateway.process.signal("TERM");
    let rest = gateway.process.err.rest();
    assert!(!rest.contains("wrong-secret"), "{rest}");

    assert_eq!(read(&run("", "secret\n")).status, 200);
    drop(squid);
    assert_eq!(read(&run(", no_proxy: [other.test]", "secret")).status, 502);
    assert_eq!(upstream.connections(), 1);
    assert_eq!(read(&run(", no_proxy: [localhost]", "secret")).status, 200, "an exception");
}
