//! Where a request comes from: hops, traces, versions. The tests name the rows of the catalogue of
//! threats that they are about.

use crate::harness::*;

use patchgate::partner::Network;
use patchgate::proxy::fields::{FieldValue, Fields};
use patchgate::proxy::forwarded::{self, Dialect, Hops};
use patchgate::tls::Credentials;

use http::header::HeaderName;
use proptest::prelude::*;
use rustls::{ClientConnection, StreamOwned};

use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A gateway that believes 127.0.0.1, by the fields `read`, and tells the upstream by those of `send`.
fn trusting(upstream: &Upstream, read: Dialect, send: Option<Dialect>) -> Gateway {
    Gateway::with(upstream, |setup| {
        let trusted = Network { address: [127, 0, 0, 1].into(), prefix: 32 };
        let forwarded = &mut setup.settings.proxy.origin.forwarded;
        (forwarded.trusted, forwarded.read, forwarded.send) = (vec![trusted], read, send);
    })
}

#[test]
fn row_165_what_nobody_trusted_says_of_hops_is_dropped_and_nothing_is_told() {
    let lines = "Forwarded: for=6.6.6.6\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n\
                 X-Forwarded-Host: a\r\nX-Real-IP: 6.6.6.6\r\nX-Client-IP: 6.6.6.6\r\n\
                 X-Forwarded-Anything: a\r\nX_Forwarded_For: 6.6.6.6\r\nClient-IP: 6.6.6.6\r\n\
                 True-Client-IP: 6.6.6.6\r\nCF-Connecting-IP: 6.6.6.6\r\n\
                 Fastly-Client-IP: 6.6.6.6\r\nX-Cluster-Client-IP: 6.6.6.6\r\n\
                 X-Original-Forwarded-For: 6.6.6.6\r\nX-Original-Host: 6.6.6.6\r\n\
                 X-Remote-IP: 6.6.6.6\r\nX-Remote-Addr: 6.6.6.6\r\nTrue_Client_IP: 6.6.6.6\r\n";
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    assert_eq!(gateway.ask(patch_with(lines, NOTES)).status, 200);
    let sent = upstream.only_request();
    let head = sent.head.to_lowercase().replace("x-forwarded-", "forwarded");
    assert!(!head.contains("forwarded") && !head.contains("6.6.6.6"), "{}", sent.head);
    assert_eq!(gateway.log()[0]["client"], "127.0.0.1");
}

#[test]
fn row_165_what_another_peer_than_a_trusted_one_says_is_dropped() {
    let upstream = Upstream::start([]);
    let gateway = trusting(&upstream, Dialect::XForwarded, Some(Dialect::XForwarded));
    let mut caller = Caller::from([127, 0, 0, 2], gateway.address);
    let lines = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n";
    assert_eq!(caller.ask(patch_with(lines, NOTES)).status, 200);
    let sent = upstream.only_request();
    assert_eq!(sent.header("x-forwarded-for"), Some("127.0.0.2"));
    assert_eq!(sent.header("x-forwarded-proto"), Some("http"));
    assert_eq!(sent.header("x-forwarded-host"), Some("gateway"));
    assert_eq!(gateway.log()[0]["client"], "127.0.0.2");
}

#[test]
fn row_165_a_trusted_hop_is_believed_and_the_upstream_is_told_as_the_configuration_says() {
    for (read, send, lines, told) in [
        (
            Dialect::XForwarded,
            Some(Dialect::XForwarded),
            "X-Forwarded-For: 6.6.6.6, 2001:db8::1\r\nX-Forwarded-Proto: https\r\n\
             X-Forwarded-Host: a.b:443\r\nForwarded: for=6.6.6.6\r\n",
            [None, Some("2001:db8::1, 127.0.0.1"), Some("https"), Some("a.b:443")],
        ),
        (
            Dialect::Forwarded,
            Some(Dialect::Forwarded),
            "X-Forwarded-For: 6.6.6.6\r\n\
             Forwarded: for=6.6.6.6, for=\"[2001:db8::1]:80\";proto=https;host=\"a.b:443\"\r\n",
            [
                Some(
                    "for=\"[2001:db8::1]\";proto=https;host=\"a.b:443\", \
                     for=127.0.0.1;proto=http;host=gateway;by=_patchgate",
                ),
                None,
                None,
                None,
            ],
        ),
        (Dialect::Forwarded, None, "Forwarded: for=\"[2001:db8::1]\"\r\n", [None; 4]),
    ] {
        let upstream = Upstream::start([]);
        let gateway = trusting(&upstream, read, send);
        assert_eq!(gateway.ask(patch_with(lines, STATUS)).status, 200);
        let requests = upstream.requests();
        assert_eq!(requests.len(), 2, "the read of the current state tells the same");
        for sent in requests {
            let names = ["forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"];
            assert_eq!(names.map(|name| sent.header(name)), told, "{}", sent.head);
        }
        assert_eq!(gateway.log()[0]["client"], "2001:db8::1");
    }
}

#[test]
fn row_165_a_chain_that_a_caller_has_broken_ends_at_who_is_trusted() {
    let upstream = Upstream::start([]);
    let gateway = trusting(&upstream, Dialect::Forwarded, None);
    let lines = [
        "Forwarded: for=unknown\r\n",
        "Forwarded: for=\"1.1.1.1\r\n",
        "Forwarded: for=1.1.1.1;for=2.2.2.2\r\n",
        "Forwarded: for=1.1.1.1\r\nForwarded: for=_\r\n",
        "Forwarded: for=\"\u{e9}\"\r\n",
        "",
    ];
    for lines in lines {
        assert_eq!(gateway.ask(patch_with(lines, NOTES)).status, 200, "{lines}");
    }
    let log = gateway.log();
    assert_eq!(log.len(), lines.len());
    assert!(log.iter().all(|line| line["client"] == "127.0.0.1"), "{log:?}");
}

#[test]
fn the_log_keeps_the_clients_address_to_itself_if_it_is_to() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| setup.settings.proxy.logs_client = false);
    gateway.ask(patch(NOTES));
    assert_eq!(gateway.log()[0]["client"], serde_json::Value::Null);
}

#[test]
fn row_166_a_trace_goes_on_with_a_parent_of_ours() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let lines = format!(
        "traceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\ntracestate: a=1, b=2\r\n\
         Tracestate: c=3\r\nbaggage: user=1\r\n"
    );
    let reply = gateway.ask(patch_with(&lines, STATUS));
    assert_eq!(reply.status, 200);
    assert_eq!(upstream.requests().len(), 2);
    for sent in upstream.requests() {
        let parent = sent.header("traceparent").unwrap();
        assert!(parent.starts_with(&format!("00-{TRACE}-")) && parent.ends_with("-01"), "{parent}");
        assert!(!parent.contains("00f067aa0ba902b7"), "{parent}");
        let state = format!("patchgate={},a=1,b=2,c=3", &parent[36..52]);
        assert_eq!(sent.header("tracestate"), Some(&*state));
        assert_eq!(sent.header("baggage"), None);
    }
    assert_eq!(gateway.log()[0]["trace_id"], TRACE);
}

#[test]
fn row_166_in_the_place_of_what_is_no_trace_another_begins() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let good = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let parents = [
        "x".to_owned(),
        good.replace(TRACE, &"0".repeat(32)),
        good.replace("00f067aa0ba902b7", &"0".repeat(16)),
        good.replacen("00", "ff", 1),
        good.to_uppercase(),
        format!("{good}-{}", "x".repeat(9000)),
        format!("{good}\r\ntraceparent: {good}"),
    ];
    for parent in &parents {
        let lines = format!("traceparent: {parent}\r\ntracestate: a=1\r\n");
        assert_eq!(gateway.ask(patch_with(&lines, NOTES)).status, 200, "{parent}");
    }
    let huge = format!("traceparent: {good}\r\ntracestate: a={}\r\n", "x".repeat(9000));
    assert_eq!(gateway.ask(patch_with(&huge, NOTES)).status, 200);
    let mut seen = std::collections::HashSet::new();
    let requests = upstream.requests();
    let (last, others) = requests.split_last().unwrap();
    assert_eq!(others.len(), parents.len());
    for sent in others {
        let parent = sent.header("traceparent").unwrap();
        assert!(parent.len() == 55 && parent.ends_with("-02"), "{parent}");
        assert!(!parent.contains(TRACE) && !parent.contains(&"0".repeat(16)), "{parent}");
        assert!(seen.insert(parent.to_owned()));
        assert_eq!(sent.header("tracestate"), None);
    }
    assert!(last.header("traceparent").unwrap().contains(TRACE));
    assert_eq!(last.header("tracestate").unwrap().len(), "patchgate=".len() + 16);
    for (line, sent) in gateway.log().iter().zip(requests) {
        assert_eq!(line["trace_id"], sent.header("traceparent").unwrap()[3..35]);
    }
}

#[test]
fn a_trace_may_end_here_and_baggage_go_on() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.settings.proxy.origin.sends_trace = false;
        setup.settings.proxy.origin.sends_baggage = true;
    });
    let lines = format!(
        "traceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\ntracestate: a=1\r\nbaggage: u=1\r\n"
    );
    assert_eq!(gateway.ask(patch_with(&lines, NOTES)).status, 200);
    let sent = upstream.only_request();
    let names = ["traceparent", "tracestate", "baggage"];
    assert_eq!(names.map(|name| sent.header(name)), [None, None, Some("u=1")]);
    assert_eq!(gateway.log()[0]["trace_id"], TRACE);
}

#[test]
fn via_tells_by_which_version_each_message_came() {
    use crate::harness::frames::*;
    let script = [answer("200 OK", "Via: 1.1 far\r\n", ""), b"HTTP/1.0 200 OK\r\n\r\n".to_vec()];
    let [first, second] = script;
    let upstream = Upstream::start([Act::Answer(first), Act::AnswerAndClose(second)]);
    let gateway = Gateway::with(&upstream, |setup| setup.settings.h2c = true);
    let reply = gateway.ask(patch_with("Via: 1.0 near\r\n", NOTES));
    assert_eq!(reply.all("via").collect::<Vec<_>>(), ["1.1 far", "1.1 patchgate"]);
    assert_eq!(gateway.ask(patch(NOTES)).header("via"), Some("1.0 patchgate"));
    let fields = [(":method", "GET"), (":scheme", "http"), (":path", PATH), (":authority", "g")];
    let mut frames = Frames::to(gateway.address);
    frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &block(&fields));
    assert!(frames.end(1).has_status(200));
    let old = patch(NOTES).replacen("HTTP/1.1", "HTTP/1.0", 1);
    assert_eq!(gateway.ask(old).status, 200);
    let seen: Vec<_> = upstream.requests().iter().map(|sent| sent.all("via").join(", ")).collect();
    assert_eq!(
        seen,
        ["1.0 near, 1.1 patchgate", "1.1 patchgate", "2.0 patchgate", "1.0 patchgate"]
    );
}

#[test]
fn without_a_name_there_is_no_via_and_no_loop() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| setup.upstream().pseudonym = None);
    let reply = gateway.ask(patch_with("Via: 1.1 patchgate\r\n", NOTES));
    assert_eq!((reply.status, reply.header("via")), (200, None));
    assert_eq!(upstream.only_request().all("via"), ["1.1 patchgate"]);
}

#[test]
fn over_tls_the_upstream_is_told_of_https() {
    let (upstream, authority) = (Upstream::start([]), Authority::new());
    let gateway = Gateway::with(&upstream, |setup| {
        setup.settings.tls = Some(Credentials::new(authority.server("localhost")));
        setup.settings.proxy.origin.forwarded.send = Some(Dialect::Forwarded);
    });
    let session = ClientConnection::new(authority.client(), "localhost".try_into().unwrap());
    let tcp = TcpStream::connect(gateway.address).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut stream = StreamOwned::new(session.unwrap(), tcp);
    stream.write_all(patch(NOTES).as_bytes()).unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    let told = "for=127.0.0.1;proto=https;host=gateway;by=_patchgate";
    assert_eq!(upstream.only_request().header("forwarded"), Some(told));
}

/// Text in which what a chain is made of is frequent.
fn said() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => "[ -~]",
        1 => Just("\"".to_owned()),
        1 => Just(", ".to_owned()),
        1 => Just("for=6.6.6.6".to_owned()),
        1 => Just("6.6.6.6".to_owned()),
        1 => Just("for=\"[::6]\"".to_owned()),
        1 => Just("for=10.0.0.6".to_owned()),
        1 => Just("10.0.0.6".to_owned()),
        1 => Just(";by=_x".to_owned()),
        1 => Just("\\".to_owned()),
    ];
    proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    /// A trusted hop puts what it saw behind what the caller said. Whatever that was, the client is
    /// who the hop saw, or the hop itself; and what is told of it is well-formed.
    #[test]
    fn nothing_that_a_caller_says_makes_it_another(said in said(), is_apart in any::<bool>()) {
        let peer: IpAddr = [10, 0, 0, 9].into();
        for (read, name, seen) in [
            (Dialect::Forwarded, "forwarded", "for=1.1.1.1;proto=https"),
            (Dialect::Forwarded, "forwarded", "for=\"[2001:db8::1]\""),
            (Dialect::XForwarded, "x-forwarded-for", "1.1.1.1"),
        ] {
            let mut fields = Fields::default();
            let lines = match is_apart {
                true => vec![said.clone(), seen.to_owned()],
                false => vec![format!("{said}, {seen}")],
            };
            for line in lines {
                fields.add(&HeaderName::from_static(name), FieldValue::of(&line).unwrap());
            }
            let trusted = vec![Network { address: [10, 0, 0, 0].into(), prefix: 8 }];
            let settings = forwarded::Settings { trusted, read, send: Some(read) };
            let hops = Hops::of(&fields, peer, "http", &settings);
            let client = hops.client().unwrap().to_string();
            let is_seen = seen.contains(&client);
            prop_assert!(is_seen || client == peer.to_string(), "{said}: {client}");
            prop_assert!(is_seen || !is_apart, "{said}");
            // Another gateway behind this one finds the same.
            let mut told = Fields::default();
            for (name, value) in hops.tell(read, Some("us")) {
                told.add(&name, FieldValue::of(&value).unwrap());
            }
            let again = Hops::of(&told, [10, 0, 0, 8].into(), "http", &settings);
            prop_assert_eq!(again.client().unwrap().to_string(), client, "{:?}", told);
        }
    }
}
