//! HTTP/2 to the upstream: as honest as HTTP/1, and nothing sent twice.

use crate::harness::frames::*;
use crate::harness::streams::{Deed, Peer, Streams};
use crate::harness::*;

use patchgate::outbound::Egress;
use patchgate::tls::{self, Client, Credentials, Pin};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio_rustls::TlsAcceptor;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const TYPED: (&str, &str) = ("content-type", "application/json");

/// A gateway before an upstream at `address`, which `authority` vouches for.
fn gateway(authority: &Authority, address: SocketAddr, change: impl FnOnce(&mut Setup)) -> Gateway {
    let placeholder = Upstream::start([]);
    Gateway::with(&placeholder, |setup| {
        let base = format!("https://localhost:{}", address.port());
        setup.upstream().base = base.parse().unwrap();
        setup.upstream().tls = Some(Credentials::new(authority.client_of_two()));
        setup.upstream().head_time = Duration::from_secs(1);
        setup.upstream().silence_time = Duration::from_secs(1);
        setup.upstream().handshake_time = Duration::from_secs(1);
        change(setup);
    })
}

/// An upstream of hyper's own.
struct Api {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<(Uri, HeaderMap, Bytes)>>>,
    connections: Arc<AtomicUsize>,
    _runtime: tokio::runtime::Runtime,
}

/// One that answers only once `together` requests have come.
fn api(config: &Arc<ServerConfig>, together: usize) -> Api {
    let mut config = ServerConfig::clone(config);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let connections = Arc::new(AtomicUsize::new(0));
    let barrier = Arc::new(tokio::sync::Barrier::new(together));
    let (noted, counted) = (Arc::clone(&seen), Arc::clone(&connections));
    runtime.spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            let acceptor = TlsAcceptor::from(Arc::new(config.clone()));
            let (seen, barrier) = (Arc::clone(&noted), Arc::clone(&barrier));
            tokio::spawn(async move {
                let Ok(tls) = acceptor.accept(tcp).await else { return };
                let service = service_fn(move |request: Request<Incoming>| {
                    let (seen, barrier) = (Arc::clone(&seen), Arc::clone(&barrier));
                    async move {
                        let (parts, body) = request.into_parts();
                        let body = body.collect().await.unwrap().to_bytes();
                        seen.lock().unwrap().push((parts.uri, parts.headers, body));
                        barrier.wait().await;
                        let document = r#"{"id":"1","status":"New","notes":""}"#;
                        let mut trailers = HeaderMap::new();
                        trailers.insert("x-trailer", "t".parse().unwrap());
                        let body = Full::new(Bytes::from(document));
                        let body = body.with_trailers(async move { Some(Ok(trailers)) });
                        let answer = Response::builder().header("etag", "\"v1\"");
                        let answer = answer.header(TYPED.0, TYPED.1).body(body).unwrap();
                        Ok::<_, Infallible>(answer)
                    }
                });
                let two = http2::Builder::new(TokioExecutor::new());
                let _ = two.serve_connection(TokioIo::new(tls), service).await;
            });
        }
    });
    Api { address, seen, connections, _runtime: runtime }
}

#[test]
fn a_patch_goes_over_http_2_as_it_goes_over_http_1() {
    let authority = Authority::new();
    let api = api(&authority.server("localhost"), 1);
    let gateway = gateway(&authority, api.address, |_| {});
    let reply = gateway.ask(patch_with("TE: trailers\r\nX-Mine: 1\r\n", STATUS));
    assert_eq!((reply.status, reply.whole), (200, true), "{reply:?}");
    assert_eq!(reply.header("via"), Some("2.0 patchgate"));
    assert_eq!(reply.header("x-trailer"), None);
    let seen = api.seen.lock().unwrap().clone();
    let [(got, get, _), (uri, fields, body)] = &seen[..] else { panic!("{seen:?}") };
    let whole = format!("https://localhost:{}{PATH}", api.address.port());
    assert_eq!((got.to_string(), uri.to_string()), (whole.clone(), whole));
    assert_eq!((&fields["if-match"], &body[..]), (&"\"v1\"".parse().unwrap(), STATUS.as_bytes()));
    assert_eq!(fields["content-length"], STATUS.len().to_string());
    assert_eq!((&fields["x-mine"], &fields["via"]), (&"1".parse().unwrap(), &get["via"]));
    for gone in ["host", "te", "connection", "transfer-encoding"] {
        assert!(!fields.contains_key(gone), "{gone}");
    }
    assert_eq!(api.connections.load(Ordering::SeqCst), 1);
}

#[test]
fn requests_share_a_connection() {
    const COUNT: usize = 50;
    let authority = Authority::new();
    let api = api(&authority.server("localhost"), COUNT);
    let gateway = gateway(&authority, api.address, |setup| {
        setup.upstream().head_time = PATIENCE;
    });
    // None is answered before all have come, and so all are under way at once.
    let mut callers: Vec<_> = (0..COUNT).map(|_| gateway.caller()).collect();
    for caller in &mut callers {
        caller.send(patch(NOTES));
    }
    for caller in &mut callers {
        assert_eq!(caller.reply().status, 200);
    }
    assert_eq!(api.seen.lock().unwrap().len(), COUNT);
    assert_eq!(api.connections.load(Ordering::SeqCst), 1);
}

#[test]
fn an_upstream_may_choose_http_1() {
    let authority = Authority::new();
    let upstream = Upstream::start_tls(authority.server("localhost"));
    let gateway = gateway(&authority, upstream.address, |_| {});
    for _ in 0..3 {
        assert_eq!(gateway.ask(patch(NOTES)).status, 200);
    }
    assert_eq!((upstream.requests().len(), upstream.connections()), (3, 1));
    assert_eq!(upstream.requests()[0].line(), format!("PATCH {PATH} HTTP/1.1"));
}

fn deed(deed: impl FnOnce(&mut Peer, u32) + Send + 'static) -> Deed {
    Box::new(deed)
}

fn reset(reason: u32) -> Deed {
    deed(move |peer, stream| {
        peer.send(RESET, 0, stream, &reason.to_be_bytes());
    })
}

/// Goes away after `last`, because of `reason`, and closes.
fn go_away(peer: &mut Peer, last: u32, reason: u32) {
    peer.send(GO_AWAY, 0, 0, &[last.to_be_bytes(), reason.to_be_bytes()].concat());
    peer.close();
}

/// A head with these fields behind 200.
fn head(peer: &mut Peer, flags: u8, stream: u32, fields: &[(&str, &str)]) {
    peer.send(HEADERS, END_HEADERS | flags, stream, &[&[0x88], &block(fields)[..]].concat());
}

/// What becomes of a patch, and how often it came. There is no reply where it broke off at once.
fn try_told(
    settings: &'static [u8],
    script: Vec<Deed>,
) -> (Option<Reply>, usize, Streams, Gateway) {
    let authority = Authority::new();
    let upstream = Streams::start(&authority.server("localhost"), settings, script);
    let gateway = gateway(&authority, upstream.address, |_| {});
    let began = Instant::now();
    let reply = gateway.caller().send(patch(NOTES)).try_last();
    assert!(began.elapsed() < Duration::from_secs(5), "hung");
    (reply, upstream.heads(), upstream, gateway)
}

fn told(settings: &'static [u8], script: Vec<Deed>) -> (Reply, usize, Streams, Gateway) {
    let (reply, count, upstream, gateway) = try_told(settings, script);
    (reply.expect("an answer"), count, upstream, gateway)
}

#[test]
fn what_the_upstream_did_nothing_about_is_sent_again_and_only_once() {
    let away = |reason| deed(move |peer: &mut Peer, stream| go_away(peer, stream - 1, reason));
    for first in [reset(7), away(0), away(11)] {
        let (reply, count, upstream, gateway) = told(&[], vec![first]);
        assert_eq!((reply.status, count), (200, 2));
        assert_eq!(upstream.bodies(), [NOTES.as_bytes(); 2]);
        assert_eq!(upstream.connections(), 2, "on another connection");
        assert_eq!(gateway.ask(patch(NOTES)).status, 200);
    }
    for (first, second) in [(reset(7), reset(7)), (away(0), reset(7)), (reset(7), away(0))] {
        let (reply, count, ..) = told(&[], vec![first, second]);
        assert_eq!((reply.status, reply.code()), (503, "upstream-saturated".to_owned()));
        assert_eq!((&reply.json()["outcome"], count), (&"not-applied".into(), 2));
    }
}

#[test]
fn whatever_else_ends_a_stream_leaves_the_outcome_unknown_and_is_sent_once() {
    let mut cases: Vec<Deed> = (0..=14).filter(|reason| *reason != 7).map(reset).collect();
    for reason in [0, 1, 11] {
        cases.push(deed(move |peer, stream| go_away(peer, stream, reason)));
        cases.push(deed(move |peer, _| go_away(peer, u32::MAX >> 1, reason)));
    }
    cases.push(deed(|peer, _| peer.close()));
    // What no answer may be.
    for fields in [
        &[("connection", "close")][..],
        &[("transfer-encoding", "chunked")],
        &[("X-Upper", "a")],
        &[("x", "a\r\nb: c")],
        &[(":status", "200")],
    ] {
        cases.push(deed(move |peer, stream| head(peer, END_STREAM, stream, fields)));
    }
    cases.push(deed(|peer, stream| {
        peer.send(HEADERS, END_HEADERS | END_STREAM, stream, &block(&[TYPED]));
    }));
    cases.push(deed(|peer, stream| head(peer, END_STREAM, stream, &[("content-length", "5")])));
    for (index, case) in cases.into_iter().enumerate() {
        let (reply, count, _upstream, gateway) = told(&[], vec![case]);
        assert_eq!((reply.status, count), (502, 1), "case {index}: {reply:?}");
        assert_eq!(reply.json()["outcome"], "unknown", "case {index}");
        assert_eq!(gateway.ask(patch(NOTES)).status, 200, "case {index}: the next one");
    }
}

#[test]
fn an_upstream_that_does_not_come_to_an_answer_is_not_waited_for() {
    const NO_WINDOW: &[u8] = &[0, 4, 0, 0, 0, 0];
    let switching = [(":status", "101")];
    let cases: Vec<(&[u8], Deed)> = vec![
        (&[], deed(|_, _| {})),
        (NO_WINDOW, deed(|_, _| {})),
        (&[], deed(|peer, _| while peer.send(PING, 0, 0, &[0; 8]) {})),
        (&[], deed(|peer, _| while peer.send(SETTINGS, 0, 0, &[]) {})),
        (
            &[],
            deed(move |peer, stream| {
                let switching = block(&switching);
                while peer.send(HEADERS, END_HEADERS, stream, &switching) {}
            }),
        ),
    ];
    for (index, (settings, case)) in cases.into_iter().enumerate() {
        let (reply, count, ..) = told(settings, vec![case]);
        assert!(matches!(reply.status, 502 | 504), "case {index}: {reply:?}");
        assert_eq!((&reply.json()["outcome"], count), (&"unknown".into(), 1), "case {index}");
    }
    // One that wants no stream at all.
    let (reply, count, ..) = told(&[0, 3, 0, 0, 0, 0], vec![]);
    assert_eq!((reply.status, count), (504, 0));
    assert_eq!(reply.json()["outcome"], "not-applied");
}

#[test]
fn an_answer_that_breaks_off_never_looks_whole() {
    // Row 145: behind its head, within its body, and a byte beside its length.
    let length = &[("content-length", "10")][..];
    let ends: [fn(&mut Peer, u32); 10] = [
        |peer, _| peer.close(),
        |peer, stream| {
            peer.send(RESET, 0, stream, &[0, 0, 0, 0]);
        },
        |peer, stream| {
            peer.send(RESET, 0, stream, &[0, 0, 0, 2]);
        },
        |peer, stream| {
            peer.send(RESET, 0, stream, &[0, 0, 0, 7]);
        },
        |peer, stream| {
            peer.send(RESET, 0, stream, &[0, 0, 0, 8]);
        },
        |peer, _| go_away(peer, 0, 0),
        |peer, _| go_away(peer, 0, 2),
        |peer, stream| go_away(peer, stream, 0),
        // A head within the body.
        |peer, stream| head(peer, 0, stream, &[]),
        // Nothing more.
        |_, _| {},
    ];
    let mut cases: Vec<Deed> = Vec::new();
    for end in ends {
        for fields in [length, &[]] {
            for data in ["", "abc"] {
                cases.push(deed(move |peer, stream| {
                    head(peer, 0, stream, fields);
                    peer.send(DATA, 0, stream, data.as_bytes());
                    end(peer, stream);
                }));
                cases.push(deed(move |peer, stream| {
                    head(peer, 0, stream, fields);
                    if !data.is_empty() {
                        peer.send(DATA, 0, stream, data.as_bytes());
                    }
                    // What came is passed on before it ends.
                    std::thread::sleep(Duration::from_millis(20));
                    end(peer, stream);
                }));
            }
        }
    }
    for data in ["abcd", "abcdefghijk", ""] {
        cases.push(deed(move |peer, stream| {
            head(peer, 0, stream, length);
            peer.send(DATA, END_STREAM, stream, data.as_bytes());
        }));
    }
    for (index, case) in cases.into_iter().enumerate() {
        let (reply, count, ..) = try_told(&[], vec![case]);
        assert_eq!(count, 1, "case {index}");
        let is_cut = reply.as_ref().is_none_or(|reply| !reply.whole || reply.status == 502);
        assert!(is_cut, "case {index}: {reply:?}");
    }
}

#[test]
fn an_answer_that_is_over_before_its_request_is_passed_on() {
    // RFC 9113, 8.1: what is reset without an error after its end is whole.
    const LITTLE_WINDOW: &[u8] = &[0, 4, 0, 0, 0, 1];
    let authority = Authority::new();
    for (fields, body) in [(&[("content-length", "5")][..], "early"), (&[], "early"), (&[], "")] {
        let early = deed(move |peer, stream| {
            let flags = if body.is_empty() { END_STREAM } else { 0 };
            head(peer, flags, stream, fields);
            if !body.is_empty() {
                peer.send(DATA, END_STREAM, stream, body.as_bytes());
            }
            peer.send(RESET, 0, stream, &[0; 4]);
        });
        let server = authority.server("localhost");
        let upstream = Streams::start_early(&server, LITTLE_WINDOW, [early]);
        let gateway = gateway(&authority, upstream.address, |_| {});
        let reply = gateway.ask(patch(NOTES));
        assert_eq!((reply.status, reply.whole), (200, true), "{reply:?}");
        assert_eq!(reply.body, body.as_bytes());
        assert_eq!(upstream.heads(), 1);
    }
}

#[test]
fn informational_answers_come_before_the_one_that_counts_and_are_bounded() {
    // Row 150, and row 146.
    let early = |status: &'static str| {
        move |peer: &mut Peer, stream| {
            let fields = [(":status", status), ("x-early", "1")];
            peer.send(HEADERS, END_HEADERS, stream, &block(&fields))
        }
    };
    let authority = Authority::new();
    let server = authority.server("localhost");
    for (status, passed) in [("100", 0), ("102", 3), ("103", 3), ("199", 3)] {
        let script = deed(move |peer, stream| {
            for _ in 0..3 {
                early(status)(peer, stream);
            }
            head(peer, 0, stream, &[("x-late", "1")]);
            peer.send(DATA, END_STREAM, stream, b"ok");
        });
        let upstream = Streams::start(&server, &[], [script]);
        let gateway = gateway(&authority, upstream.address, |_| {});
        let mut caller = gateway.caller();
        caller.send(patch(NOTES));
        for _ in 0..passed {
            let reply = caller.reply();
            assert_eq!(
                (reply.status.to_string(), reply.header("x-early")),
                (status.into(), Some("1"))
            );
        }
        let reply = caller.reply();
        assert_eq!((reply.status, &*reply.body), (200, &b"ok"[..]), "{status}");
        assert_eq!((reply.header("x-early"), reply.header("x-late")), (None, Some("1")));
        assert_eq!(upstream.heads(), 1);
    }
    let flood = deed(move |peer, stream| while early("103")(peer, stream) {});
    let ended = deed(move |peer, stream| {
        peer.send(HEADERS, END_HEADERS | END_STREAM, stream, &block(&[(":status", "103")]));
    });
    for case in [flood, ended] {
        let (reply, count, _upstream, gateway) = told(&[], vec![case]);
        assert!(matches!(reply.status, 502 | 504), "{reply:?}");
        assert_eq!((&reply.json()["outcome"], count), (&"unknown".into(), 1));
        assert_eq!(gateway.ask(patch(NOTES)).status, 200, "the next one");
    }
}

#[test]
fn what_no_answer_may_have_reaches_nobody() {
    // Row 153: a body where there is none. Row 146: a head without end. Row 147: lengths that are none.
    for status in ["204", "304"] {
        for fields in [&[][..], &[("content-length", "6")]] {
            let authority = Authority::new();
            let script = (0..3).map(|_| {
                deed(move |peer, stream| {
                    let fields = [&[(":status", status)], fields].concat();
                    peer.send(HEADERS, END_HEADERS, stream, &block(&fields));
                    peer.send(DATA, END_STREAM, stream, b"poison");
                })
            });
            let upstream = Streams::start(&authority.server("localhost"), &[], script);
            let gateway = gateway(&authority, upstream.address, |_| {});
            let mut caller = gateway.caller();
            for _ in 0..4 {
                let Some(reply) = caller.send(patch(NOTES)).try_reply() else { break };
                assert!(!reply.body.ends_with(b"poison"), "{status}: {reply:?}");
            }
            assert_eq!(gateway.ask(patch(NOTES)).status, 200);
        }
    }
    let long = "x".repeat(8 << 10);
    let large = deed(move |peer, stream| {
        peer.send(HEADERS, 0, stream, &[0x88]);
        while peer.send(CONTINUATION, 0, stream, &block(&[("x", &long)])) {}
    });
    let many = deed(|peer, stream| {
        peer.send(HEADERS, 0, stream, &[0x88]);
        while peer.send(CONTINUATION, 0, stream, &block(&[("x", "y"); 100])) {}
    });
    // A field that is added to the table once, and then named over and over.
    let bomb = deed(|peer, stream| {
        let mut bomb = vec![0x88, 0x40, 1, b'x', 127, 0x81, 0x1e];
        bomb.extend(vec![b'y'; 4000]);
        bomb.extend(vec![0xbe; 12_000]);
        peer.send(HEADERS, END_HEADERS | END_STREAM, stream, &bomb);
    });
    let mut cases = vec![large, many, bomb];
    for length in ["x", "+5", "5, 6", "-1", "18446744073709551616", ""] {
        cases.push(deed(move |peer, stream| {
            head(peer, 0, stream, &[("content-length", length)]);
            peer.send(DATA, END_STREAM, stream, b"abcde");
        }));
    }
    cases.push(deed(|peer, stream| {
        head(peer, 0, stream, &[("content-length", "5"), ("content-length", "6")]);
        peer.send(DATA, END_STREAM, stream, b"abcde");
    }));
    for (index, case) in cases.into_iter().enumerate() {
        let (reply, count, _upstream, gateway) = try_told(&[], vec![case]);
        assert_eq!(count, 1, "case {index}");
        let is_cut = reply.as_ref().is_none_or(|reply| !reply.whole || reply.status == 502);
        assert!(is_cut, "case {index}: {reply:?}");
        assert_eq!(gateway.ask(patch(NOTES)).status, 200, "case {index}: the next one");
    }
}

#[test]
fn the_upstream_says_how_many_requests_a_connection_takes() {
    let authority = Authority::new();
    let (told, tell) = std::sync::mpsc::channel::<()>();
    let held = deed(move |peer, stream| {
        tell.recv_timeout(PATIENCE).unwrap();
        head(peer, END_STREAM, stream, &[]);
    });
    let one_stream = &[0, 3, 0, 0, 0, 1];
    let upstream = Streams::start(&authority.server("localhost"), one_stream, [held]);
    let gateway = gateway(&authority, upstream.address, |setup| {
        setup.upstream().connections = 2;
        setup.upstream().head_time = PATIENCE;
    });
    let mut first = gateway.caller();
    first.send(patch(NOTES));
    eventually("the first is there", || upstream.bodies().len() == 1);
    for _ in 0..3 {
        assert_eq!(gateway.ask(patch(NOTES)).status, 200);
    }
    assert_eq!(upstream.connections(), 2);
    told.send(()).unwrap();
    assert_eq!(first.reply().status, 200);
    assert_eq!(upstream.heads(), 4);
}

#[test]
fn a_real_squid_leads_to_http_2_too() {
    let authority = Authority::new();
    let api = api(&authority.server("localhost"), 1);
    let squid = Daemon::squid(&authority, api.address.port());
    let gateway = gateway(&authority, api.address, |setup| {
        setup.upstream().connect_time = Duration::from_secs(3);
        setup.upstream().egress = Some(Egress {
            host: "127.0.0.1".to_owned(),
            port: squid.port,
            tls: None,
            authorization: Some("Basic Z2F0ZXdheTpzZWNyZXQ=".parse().unwrap()),
        });
    });
    for _ in 0..3 {
        assert_eq!(gateway.ask(patch(NOTES)).status, 200);
    }
    for (_, fields, _) in &*api.seen.lock().unwrap() {
        assert!(!fields.contains_key("proxy-authorization"), "{fields:?}");
    }
    assert_eq!(api.connections.load(Ordering::SeqCst), 1);
}

#[test]
fn certificates_and_pins_hold_for_http_2_too() {
    let authority = Authority::new();
    let (own, shown) = (authority.pair("localhost"), authority.pair("gateway"));
    let pin_of = |pem: &str| Pin::of(&CertificateDer::from_pem_slice(pem.as_bytes()).unwrap());
    let (pin, backup) = (pin_of(&own.0).unwrap(), pin_of(&shown.0).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, &shown.0).unwrap();
    std::fs::write(&key, &shown.1).unwrap();
    let api = api(&authority.demanding_server(&own), 1);
    let client = |pair, pins: &[Pin]| {
        let authorities = Some(authority.path());
        tls::client(Client { authorities, pair, pins, http2: true }).unwrap().config
    };
    let pair = Some((&*certificate, &*key));
    for (client, status) in [
        (client(pair, &[pin, backup]), 200),
        (client(pair, &[backup, backup]), 502),
        (client(None, &[pin, backup]), 502),
    ] {
        let gateway = gateway(&authority, api.address, |setup| {
            setup.upstream().tls = Some(Credentials::new(client));
        });
        assert_eq!(gateway.ask(patch(NOTES)).status, status);
    }
    assert_eq!(api.seen.lock().unwrap().len(), 1);
}

#[test]
fn a_reload_offers_http_2_on_new_connections() {
    let authority = Authority::new();
    let mut config = ServerConfig::clone(&authority.server("localhost"));
    config.alpn_protocols = vec![tls::TWO.to_vec(), b"http/1.1".to_vec()];
    let upstream = Upstream::start_tls(Arc::new(config));
    let credentials = Credentials::new(authority.client());
    let gateway = gateway(&authority, upstream.address, |setup| {
        setup.upstream().tls = Some(credentials.clone());
        setup.upstream().age = Duration::ZERO;
    });
    assert_eq!(gateway.ask(patch(NOTES)).status, 200);
    // This upstream agrees to HTTP/2 and cannot speak it.
    credentials.replace(authority.client_of_two());
    assert_eq!(gateway.ask(patch(NOTES)).json()["outcome"], "not-applied");
    credentials.replace(authority.client());
    assert_eq!(gateway.ask(patch(NOTES)).status, 200);
}

#[test]
fn a_connection_grows_old_and_idle() {
    for (age, idle) in [(0, 60), (60, 0)] {
        let authority = Authority::new();
        let upstream = Streams::start(&authority.server("localhost"), &[], []);
        let gateway = gateway(&authority, upstream.address, |setup| {
            setup.upstream().age = Duration::from_secs(age);
            setup.upstream().idle_time = Duration::from_secs(idle);
        });
        for _ in 0..3 {
            assert_eq!(gateway.ask(patch(NOTES)).status, 200);
        }
        assert_eq!(upstream.connections(), 3, "{age} {idle}");
    }
}
