//! Certificates prove who is calling, over both versions of HTTP, and nothing that a request says
//! changes that.

use crate::harness::*;

use http::HeaderName;
use patchgate::partner::{CertificateName, IdentitySource, KeyDigest, NameKind, Verified};
use patchgate::tls::{self, Credentials, Files};

use rcgen::SanType;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConnection, StreamOwned};

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

type Pair = (String, String);

struct Served {
    gateway: Gateway,
    upstream: Upstream,
    authority: Authority,
}

/// The certificate of a caller with these DNS names and URIs.
fn pair(authority: &Authority, hosts: &[&str], uris: &[&str]) -> Pair {
    authority.pair_with("unused.test", |params| {
        let host = |text: &&str| SanType::DnsName((*text).try_into().unwrap());
        let uri = |text: &&str| SanType::URI((*text).try_into().unwrap());
        params.subject_alt_names = hosts.iter().map(host).chain(uris.iter().map(uri)).collect();
    })
}

fn fingerprint(pair: &Pair) -> String {
    KeyDigest::of(&CertificateDer::from_pem_slice(pair.0.as_bytes()).unwrap()).to_string()
}

impl Served {
    /// Partners by certificates of these kinds, in this order, and then by a key.
    fn start(kinds: &[NameKind], change: impl FnOnce(&Authority, &mut Setup)) -> Self {
        let (upstream, authority) = (Upstream::start([]), Authority::new());
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = authority.pair("localhost");
        let [certificate, key] =
            [("cert.pem", certificate), ("key.pem", key)].map(|(name, text)| {
                let path = folder.path().join(name);
                fs::write(&path, text).unwrap();
                path
            });
        let server = tls::server(Files {
            certificate: &certificate,
            key: &key,
            client_ca: Some(authority.path()),
            is_client_required: false,
        });
        let gateway = Gateway::with(&upstream, |setup| {
            setup.settings.tls = Some(Credentials::new(server.unwrap()));
            let kinds = kinds.iter().map(|kind| Verified::Certificate(*kind));
            let key = Verified::ApiKey(HeaderName::from_static("x-api-key"));
            let sources = kinds.chain([key]).map(IdentitySource::Verified);
            setup.partners.identity = sources.collect();
            setup.partners.keys.insert(KeyDigest::of(b"key"), partner("key", 1000));
            let acme = partner("acme", 1000);
            for (name, whose) in [
                ("spiffe://example/acme", &acme),
                ("acme.example", &acme),
                ("www.acme.example", &acme),
                ("other.example", &partner("other", 1000)),
            ] {
                let name = CertificateName::parse(name).unwrap();
                setup.partners.certificates.insert(name, whose.clone());
            }
            change(&authority, setup);
        });
        Self { gateway, upstream, authority }
    }

    /// The status of the answer to a patch with these lines, if there is a connection at all.
    fn ask(&self, pair: Option<&Pair>, lines: &str) -> Option<u16> {
        let config = self.authority.caller("http/1.1", pair);
        let tcp = TcpStream::connect(self.gateway.address).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        let host = "localhost".try_into().unwrap();
        let session = ClientConnection::new(Arc::new(config), host).unwrap();
        let mut stream = StreamOwned::new(session, tcp);
        let lines = format!("Connection: close\r\n{lines}");
        stream.write_all(patch_with(&lines, NOTES).as_bytes()).ok()?;
        let mut said = Vec::new();
        // Not every end is announced.
        let _ = stream.read_to_end(&mut said);
        String::from_utf8_lossy(&said).get(9..12)?.parse().ok()
    }

    /// Whom the log tells of, line by line.
    fn callers(self) -> Vec<String> {
        let log = self.gateway.log();
        log.iter().map(|line| line["partner"].as_str().unwrap_or("nobody").to_owned()).collect()
    }
}

#[test]
fn a_spiffe_id_that_stands_alone_proves_who_is_calling() {
    let served = Served::start(&[NameKind::Spiffe], |_, _| {});
    let of = |uris: &[&str]| pair(&served.authority, &["acme.example"], uris);
    for (uris, status) in [
        (&["spiffe://example/acme"][..], 200),
        // Not known, and in any other writing another one.
        (&["spiffe://example/acme2"], 200),
        (&["spiffe://example/Acme"], 200),
        (&["spiffe://example/acme/"], 200),
        // Two are none (SPIFFE X.509-SVID, 2).
        (&["spiffe://example/acme", "spiffe://example/acme"], 401),
        (&["spiffe://example/acme", "https://acme.example/"], 401),
        // The source does not apply.
        (&[], 200),
    ] {
        assert_eq!(served.ask(Some(&of(uris)), ""), Some(status), "{uris:?}");
    }
    assert_eq!(served.ask(None, ""), Some(200));
    let e = "everybody";
    assert_eq!(served.callers(), ["acme", e, e, e, "nobody", "nobody", e, e]);
}

#[test]
fn all_known_dns_names_have_to_be_those_of_one_partner_and_no_pattern_matches() {
    let served = Served::start(&[NameKind::Dns], |_, setup| setup.partners.unknown = None);
    for (hosts, status) in [
        (&["acme.example"][..], 200),
        (&["ACME.Example", "www.acme.example", "else.example"], 200),
        (&["acme.example", "other.example"], 401),
        (&["*.example"], 401),
        (&["acme.example.else"], 401),
        (&["sub.acme.example"], 401),
    ] {
        let pair = pair(&served.authority, hosts, &["spiffe://example/acme"]);
        assert_eq!(served.ask(Some(&pair), ""), Some(status), "{hosts:?}");
    }
    assert_eq!(served.ask(None, ""), Some(401), "no certificate, and nobody else is let in");
    assert_eq!(served.ask(None, "X-Api-Key: key\r\n"), Some(200), "the next source applies");
    assert_eq!(served.upstream.requests().len(), 3);
}

#[test]
fn nothing_that_a_request_says_turns_whom_a_certificate_proves_nor_stands_in_for_one() {
    let served = Served::start(&[NameKind::Spiffe, NameKind::Dns], |_, _| {});
    let ours = pair(&served.authority, &["other.example"], &["spiffe://example/acme"]);
    let text = ours.0.replace('\n', "");
    let spoofs = [
        "X-Api-Key: key\r\n".to_owned(),
        "X-Api-Key: wrong\r\n".to_owned(),
        format!("X-Client-Cert: {text}\r\nX-SSL-Client-Cert: {text}\r\nClient-Cert: :AA==:\r\n"),
        "X-Forwarded-Client-Cert: URI=spiffe://example/acme\r\n".to_owned(),
        "X-Forwarded-For: 10.0.0.1\r\nForwarded: for=10.0.0.1\r\nCookie: a=b\r\n".to_owned(),
    ];
    for spoof in &spoofs {
        assert_eq!(served.ask(Some(&ours), spoof), Some(200), "{spoof}");
    }
    for spoof in &spoofs[2..] {
        assert_eq!(served.ask(None, spoof), Some(200), "{spoof}");
    }
    // The names are right, and nobody trusts who says so.
    let theirs = pair(&Authority::new(), &["acme.example"], &["spiffe://example/acme"]);
    assert_eq!(served.ask(Some(&theirs), "X-Api-Key: key\r\n"), None);
    let expected = [["acme"; 5].as_slice(), &["everybody"; 3]].concat();
    assert_eq!(served.callers(), expected);
}

#[test]
fn a_fingerprint_is_that_of_one_certificate() {
    let mut known = None;
    let served = Served::start(&[NameKind::Fingerprint], |authority, setup| {
        let ours = authority.pair("acme.example");
        let name = CertificateName::parse(&fingerprint(&ours).to_uppercase().replace("SHA", "sha"));
        setup.partners.certificates.insert(name.unwrap(), partner("print", 1000));
        known = Some(ours);
    });
    assert_eq!(served.ask(known.as_ref(), ""), Some(200));
    let other = served.authority.pair("acme.example");
    let lines = format!("X-Api-Key: {}\r\n", fingerprint(known.as_ref().unwrap()));
    assert_eq!(served.ask(Some(&other), &lines), Some(200));
    assert_eq!(served.callers(), ["print", "everybody"]);
}

#[test]
fn over_http_2_each_stream_comes_from_whom_the_certificate_proves() {
    let served = Served::start(&[NameKind::Spiffe], |_, _| {});
    let ours = pair(&served.authority, &[], &["spiffe://example/acme"]);
    let config = Arc::new(served.authority.caller("h2", Some(&ours)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let tcp = tokio::net::TcpStream::connect(served.gateway.address).await.unwrap();
        let host = "localhost".try_into().unwrap();
        let tls = tokio_rustls::TlsConnector::from(config).connect(host, tcp).await.unwrap();
        let (client, connection) = h2::client::handshake(tls).await.unwrap();
        tokio::spawn(connection);
        let mut client = client.ready().await.unwrap();
        for spoof in ["key", "wrong"] {
            let request = http::Request::get(format!("https://localhost{PATH}"));
            let request = request.header("x-api-key", spoof).body(()).unwrap();
            let (answer, _) = client.send_request(request, true).unwrap();
            assert_eq!(answer.await.unwrap().status(), 200);
        }
    });
    assert_eq!(served.callers(), ["acme", "acme"]);
}
