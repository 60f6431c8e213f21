//! Callers, as the program serves them: TLS, certificates, reloads, hosts, and who may come in.

use super::process::{Finished, Gateway, ask, gateway_file, patchgate};
use crate::harness::{Authority, eventually};

use rustls::{ClientConfig, ClientConnection, StreamOwned};

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

const REQUEST: &str = "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n";

type Stream = StreamOwned<ClientConnection, TcpStream>;

fn connect(address: SocketAddr, config: &ClientConfig) -> Stream {
    let tcp = TcpStream::connect(address).expect("a connection");
    tcp.set_read_timeout(Some(Duration::from_secs(20))).expect("a bound");
    let host = "localhost".try_into().expect("a name");
    let session = ClientConnection::new(Arc::new(config.clone()), host).expect("a session");
    StreamOwned::new(session, tcp)
}

/// The status of one more answer on `stream`.
fn status(stream: &mut Stream) -> std::io::Result<String> {
    status_of(stream, REQUEST)
}

/// The status of the answer to `request`.
fn status_of(stream: &mut Stream, request: &str) -> std::io::Result<String> {
    stream.write_all(request.as_bytes())?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("text");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a number"))];
    stream.read_exact(&mut body)?;
    Ok(head[9..12].to_owned())
}

/// The certificate that is shown.
fn shown(stream: &Stream) -> Vec<u8> {
    stream.conn.peer_certificates().expect("certificates")[0].to_vec()
}

struct Served {
    gateway: Gateway,
    folder: tempfile::TempDir,
    authority: Authority,
}

impl Served {
    fn start(more: &str) -> Self {
        let (folder, authority) = (tempfile::tempdir().expect("a folder"), Authority::new());
        let served = |folder: &tempfile::TempDir| {
            let ca = authority.path().display();
            let more = more.replace("CA", &ca.to_string());
            let keys = format!(
                "upstream: {{ url: sandbox }}\ntls: {{ certificate: cert.pem, key: key.pem{more} }}"
            );
            gateway_file(folder, &keys)
        };
        let (certificate, key) = authority.pair("localhost");
        fs::write(folder.path().join("cert.pem"), certificate).expect("a file");
        fs::write(folder.path().join("key.pem"), key).expect("a file");
        let gateway = Gateway::run(&served(&folder));
        Self { gateway, folder, authority }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).expect("a file");
    }
}

#[test]
fn a_new_certificate_is_shown_after_a_reload_and_no_connection_is_dropped() {
    let served = Served::start("");
    let config = served.authority.caller("http/1.1", None);
    let mut kept = connect(served.gateway.address, &config);
    assert_eq!(status(&mut kept).expect("an answer"), "404");
    let first = shown(&kept);

    let (certificate, key) = served.authority.pair("localhost");
    let reload = || ask(served.gateway.admin, "POST /reload", &[], "");
    served.write("cert.pem", &certificate);
    let refused = reload();
    assert_eq!(refused.status, 422, "the key is still the old one");
    assert!(refused.body.contains("gateway.yaml:"), "{}", refused.body);
    assert!(refused.body.contains("`key` is not the key of `certificate`"), "{}", refused.body);
    let mut other = connect(served.gateway.address, &config);
    assert_eq!(status(&mut other).expect("an answer"), "404");
    assert_eq!(shown(&other), first, "the old pair stays");
    served.write("key.pem", "-----BEGIN PRIVATE KEY-----\nnonsense\n");
    assert_eq!(reload().status, 422);

    served.write("key.pem", &key);
    assert_eq!(reload().status, 200);
    let mut other = connect(served.gateway.address, &config);
    assert_eq!(status(&mut other).expect("an answer"), "404");
    assert_ne!(shown(&other), first);
    assert_eq!(status(&mut kept).expect("an answer"), "404", "what was open goes on");
}

#[test]
fn a_caller_shows_a_certificate_where_one_is_required() {
    let served = Served::start(", client_ca: \"CA\", client_auth: required");
    let ours = served.authority.pair("caller.test");
    let theirs = Authority::new().pair("caller.test");
    for (pair, is_served) in [(Some(&ours), true), (Some(&theirs), false), (None, false)] {
        let config = served.authority.caller("http/1.1", pair);
        let answer = status(&mut connect(served.gateway.address, &config));
        assert_eq!(answer.is_ok(), is_served, "{answer:?}");
    }
    let served = Served::start(", client_ca: \"CA\", client_auth: optional");
    let ours = served.authority.pair("caller.test");
    for (pair, is_served) in [(Some(&ours), true), (Some(&theirs), false), (None, true)] {
        let config = served.authority.caller("http/1.1", pair);
        let answer = status(&mut connect(served.gateway.address, &config));
        assert_eq!(answer.is_ok(), is_served, "{answer:?}");
    }
}

#[test]
fn what_is_no_tls_does_no_harm() {
    let served = Served::start("");
    for bytes in [REQUEST.as_bytes(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[0xff; 300]] {
        let mut plain = TcpStream::connect(served.gateway.address).expect("a connection");
        plain.set_read_timeout(Some(Duration::from_secs(20))).expect("a bound");
        plain.write_all(bytes).expect("it is taken");
        let mut said = Vec::new();
        // An alert, and then the end, which may be a reset.
        let _ = plain.read_to_end(&mut said);
        assert!(!said.starts_with(b"HTTP/"), "{said:?}");
    }
    let config = served.authority.caller("http/1.1", None);
    assert_eq!(status(&mut connect(served.gateway.address, &config)).expect("an answer"), "404");
}

#[test]
fn over_tls_a_caller_chooses_http_2() {
    let served = Served::start("");
    let config = served.authority.caller("h2", None);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (status, id) = runtime
        .expect("a runtime")
        .block_on(async {
            let tcp = tokio::net::TcpStream::connect(served.gateway.address).await?;
            let host = "localhost".try_into().expect("a name");
            let tls = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(host, tcp).await?;
            let (client, connection) = h2::client::handshake(tls).await?;
            tokio::spawn(connection);
            let request =
                http::Request::get("https://localhost/nothing").body(()).expect("a request");
            let (answer, _) = client.ready().await?.send_request(request, true)?;
            let answer = answer.await?;
            let id = answer.headers().get("request-id").cloned();
            Ok::<_, Box<dyn std::error::Error>>((answer.status(), id))
        })
        .expect("an answer");
    assert_eq!(status, 404);
    assert!(id.is_some());
}

#[test]
fn a_handshake_that_stalls_is_given_up() {
    let served = Served::start(" }\ntimeouts: { handshake: 200ms");
    let mut tcp = TcpStream::connect(served.gateway.address).expect("a connection");
    tcp.set_read_timeout(Some(Duration::from_secs(20))).expect("a bound");
    tcp.write_all(&[0x16, 3, 1]).expect("it is taken");
    assert_eq!(tcp.read(&mut [0; 10]).expect("an end"), 0);
    eventually("others are served", || {
        let config = served.authority.caller("http/1.1", None);
        status(&mut connect(served.gateway.address, &config)).is_ok()
    });
}

#[test]
fn a_reload_tells_anew_whose_a_certificate_is_on_connections_that_go_on() {
    let served = Served::start(
        ", client_ca: \"CA\", client_auth: optional }\nidentity: [{ certificate: dns }]\n\
         unknown_partners: refuse\npartners: [{ id: acme, certificates: [caller.test] }]\n\
         log: { access: off",
    );
    let pair = served.authority.pair("caller.test");
    let config = served.authority.caller("http/1.1", Some(&pair));
    let mut kept = connect(served.gateway.address, &config);
    let mut told = || {
        let request = "GET /v1.0/engagements/referrals/1 HTTP/1.1\r\nHost: localhost\r\n\
            Authorization: Bearer x\r\n\r\n";
        status_of(&mut kept, request).expect("an answer")
    };
    assert_eq!(told(), "404", "the sandbox does not know the referral");
    let path = served.folder.path().join("gateway.yaml");
    let text = fs::read_to_string(path).expect("a file");
    for (name, status) in [("other.test", "401"), ("caller.test", "404")] {
        served.write("gateway.yaml", &text.replace("caller.test", name));
        assert_eq!(ask(served.gateway.admin, "POST /reload", &[], "").status, 200);
        assert_eq!(told(), status, "{name}");
    }
}

#[test]
fn faults_of_the_hosts_are_told_in_their_places() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = |hosts: &str| {
        let text = format!("upstream: {{ url: sandbox }}\nhosts:{hosts}");
        patchgate(&["check", &gateway_file(&folder, &text)])
    };
    let entries = [
        ("api.example", ""),
        ("\"https://api.example\"", "this is no host"),
        ("\"*.example\"", "this is no host"),
        ("\"api.example:8443\"", ""),
        ("\"api.example:0\"", "this is no host"),
        ("\"::1\"", "this is no host"),
        ("API.example.", "this host is there twice"),
        ("\"\"", "this is no host"),
        ("\"[::1]\"", ""),
        ("\"[0::1]\"", "this host is there twice"),
    ];
    let list: String = entries.iter().map(|(entry, _)| format!("\n  - {entry}")).collect();
    let Finished { code, err, .. } = check(&list);
    assert_eq!(code, 1, "{err}");
    let mut said = err.lines();
    for (index, (entry, fault)) in entries.iter().enumerate() {
        if !fault.is_empty() {
            let line = said.next().unwrap_or_else(|| panic!("{entry}: {err}"));
            let place = format!("gateway.yaml:{}:5: ", index + 5);
            assert!(line.contains(&place) && line.contains(fault), "{entry}: {line}");
        }
    }
    assert_eq!(said.next(), None, "{err}");
    let Finished { code, err, .. } = check(" []");
    assert!(code == 1 && err.contains("gateway.yaml:4:1: `hosts` is empty"), "{err}");
    for other in [" api.example", " [1]", " [[a]]"] {
        let Finished { code, err, .. } = check(other);
        assert!(code == 1 && err.contains("gateway.yaml:4:"), "{other}: {err}");
    }
    for good in [" [localhost, 127.0.0.1, \"[::1]:8443\"]", " null", ""] {
        let Finished { code, err, .. } = check(good);
        assert_eq!(code, 0, "{good}: {err}");
    }
}
