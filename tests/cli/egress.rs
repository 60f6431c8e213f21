//! The way to the upstream, as the gateway file sets it and a reload changes it.

use super::process::{Gateway, ask, gateway_file, patchgate};
use crate::harness::{Authority, PATH, Upstream, eventually};

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
