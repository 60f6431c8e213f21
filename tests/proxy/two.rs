//! HTTP/2, frame by frame. The first number of a case is its row in the catalogue of threats.

use crate::harness::frames::*;
use crate::harness::*;

use patchgate::limits::Quotas;

use std::time::{Duration, Instant};

const PSEUDO: [(&str, &str); 4] =
    [(":method", "PATCH"), (":scheme", "http"), (":path", PATH), (":authority", "g")];
const TYPED: (&str, &str) = ("content-type", "application/json");

fn gateway(upstream: &Upstream) -> Gateway {
    Gateway::with(upstream, |setup| setup.settings.h2c = true)
}

/// Sends a patch with these fields; what becomes of it.
fn send(gateway: &Gateway, fields: &[(&str, &str)], body: &str) -> End {
    let mut frames = Frames::to(gateway.address);
    frames.send(HEADERS, END_HEADERS, 1, &block(fields));
    frames.send(DATA, END_STREAM, 1, body.as_bytes());
    frames.end(1)
}

/// A good patch with other fields behind the pseudo-fields.
fn with(others: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    [&PSEUDO[..], &[TYPED], others].concat()
}

#[track_caller]
fn is_served(gateway: &Gateway) {
    let end = send(gateway, &with(&[]), NOTES);
    assert!(end.has_status(200), "{end:?}");
}

#[test]
fn a_patch_is_sent_on_as_http_1() {
    let upstream = Upstream::start([]);
    let gateway = gateway(&upstream);
    let cookies = [("cookie", "a=1"), ("cookie", "b=2"), ("te", "trailers"), ("x-mine", "1")];
    let end = send(&gateway, &with(&cookies), NOTES);
    assert!(end.has_status(200), "{end:?}");
    let sent = upstream.only_request();
    assert_eq!(sent.line(), format!("PATCH {PATH} HTTP/1.1"));
    assert_eq!(sent.header("host"), Some(&*upstream.address.to_string()));
    assert_eq!(sent.header("cookie"), Some("a=1; b=2"), "row 54");
    assert_eq!((sent.header("te"), sent.header("x-mine")), (None, Some("1")));
    assert_eq!(sent.body, NOTES.as_bytes());
}

#[test]
fn what_is_said_before_an_answer_is_passed_on_when_it_is_said() {
    let pause = Duration::from_millis(300);
    let early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".to_vec();
    let pieces = vec![early, answer("200 OK", "", "ok")];
    let upstream = Upstream::start([Act::Slow(pieces, pause)]);
    let gateway = gateway(&upstream);
    let mut frames = Frames::to(gateway.address);
    frames.send(HEADERS, END_HEADERS, 1, &block(&with(&[])));
    frames.send(DATA, END_STREAM, 1, NOTES.as_bytes());
    assert!(frames.end(1).has_status(103));
    let came = Instant::now();
    assert!(frames.end(1).has_status(200));
    assert!(came.elapsed() > pause / 2, "it came {:?} before the answer", came.elapsed());
    assert_eq!(frames.body(1), (b"ok".to_vec(), true));
}

#[test]
fn both_versions_are_served_on_one_port() {
    let upstream = Upstream::start([]);
    let open = gateway(&upstream);
    is_served(&open);
    assert_eq!(open.ask(patch(NOTES)).status, 200);
    let mut slow = open.caller();
    for byte in patch(NOTES).as_bytes() {
        slow.send([*byte]);
    }
    assert_eq!(slow.reply().status, 200);
    let closed = Gateway::before(&upstream);
    assert_eq!(send(&closed, &with(&[]), NOTES), End::Closed);
}

#[test]
fn a_head_that_breaks_the_protocol_goes_nowhere() {
    let upstream = Upstream::start([]);
    let gateway = gateway(&upstream);
    let mut cases: Vec<(u32, Vec<(&str, &str)>)> = Vec::new();
    for missing in 0..3 {
        let mut fields = with(&[]);
        fields.remove(missing);
        cases.push((49, fields));
    }
    for more in
        [(":method", "GET"), (":path", "/"), (":scheme", "http"), (":foo", "x"), (":status", "200")]
    {
        cases.push((49, [&[more], &PSEUDO[..], &[TYPED]].concat()));
        cases.push((49, with(&[more])));
    }
    cases.push((49, [&[TYPED], &PSEUDO[..]].concat()));
    let neither: Vec<_> = with(&[]).into_iter().filter(|(name, _)| *name != ":authority").collect();
    cases.push((50, neither.clone()));
    cases.push((50, [&neither[..], &[("host", "a"), ("host", "a")]].concat()));
    cases.push((50, with(&[("host", "other")])));
    cases.push((50, with(&[("host", "g"), ("host", "other")])));
    for field in [
        ("connection", "close"),
        ("keep-alive", "1"),
        ("proxy-connection", "x"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("te", "gzip"),
        ("te", "trailers, x"),
    ] {
        cases.push((51, with(&[field])));
    }
    for field in [
        ("x", "a\r\nb: c"),
        ("x", "a\nb"),
        ("x", "a\rb"),
        ("x", "a\0b"),
        ("x\r\ny", "a"),
        ("x:y", "a"),
        ("x y", "a"),
        ("X-Upper", "a"),
        ("", "a"),
        ("x\0", "a"),
    ] {
        cases.push((52, with(&[field])));
    }
    for (at, value) in [
        (2, "/a b"),
        (2, "/a\r\nX: y"),
        (2, "/\0"),
        (2, ""),
        (2, "a"),
        (2, "/x HTTP/1.1\r\nHost: b"),
        (0, "PA TCH"),
        (0, "PATCH / HTTP/1.1\r\nX:"),
        (0, ""),
        (3, "a b"),
        (3, "a\r\nb"),
        (3, "u@g"),
        (3, "a/b"),
        (1, "ftp"),
        (1, "ht tp"),
    ] {
        let mut fields = with(&[]);
        fields[at].1 = value;
        cases.push((52, fields));
    }
    for (row, fields) in cases {
        let end = send(&gateway, &fields, NOTES);
        let is_refused = [400, 404].iter().any(|status| end.has_status(*status));
        assert!(is_refused || !matches!(end, End::Answered(_)), "row {row}: {fields:?}: {end:?}");
        assert_eq!(upstream.connections(), 0, "row {row}: {fields:?}");
    }
    is_served(&gateway);
}

#[test]
fn a_length_that_the_frames_belie_is_not_believed() {
    let upstream = Upstream::start([]);
    let gateway = gateway(&upstream);
    for (length, body) in [("5", NOTES), ("500", NOTES), ("0", NOTES), ("x", NOTES), ("5", "")] {
        let end = send(&gateway, &with(&[("content-length", length)]), body);
        let is_refused = end.has_status(400);
        assert!(is_refused || !matches!(end, End::Answered(_)), "row 53: {length}: {end:?}");
    }
    assert_eq!(upstream.connections(), 0, "row 53");
    is_served(&gateway);
}

#[test]
fn trailers_end_a_request_and_are_dropped() {
    let upstream = Upstream::start([]);
    let gateway = gateway(&upstream);
    let ask = |trailers: &[(&str, &str)], flags| {
        let mut frames = Frames::to(gateway.address);
        frames.send(HEADERS, END_HEADERS, 1, &block(&with(&[])));
        frames.send(DATA, 0, 1, NOTES.as_bytes());
        frames.send(HEADERS, flags, 1, &block(trailers));
        frames.end(1)
    };
    assert_eq!(ask(&[("x", "y")], END_HEADERS), End::Reset, "row 55: an open end");
    assert_eq!(upstream.connections(), 0, "row 55");
    let end = ask(&[("if-match", "\"t\""), ("host", "x")], END_HEADERS | END_STREAM);
    assert!(end.has_status(200), "{end:?}");
    let sent = upstream.only_request();
    assert_eq!(sent.line(), format!("PATCH {PATH} HTTP/1.1"));
    assert_eq!(sent.header("if-match"), None);
    for trailers in [
        &[(":path", "/")][..],
        &[(":status", "200")],
        &[("x", "y"), (":path", "/")],
        &[(":path", "/"), ("x", "y")],
    ] {
        assert_eq!(ask(trailers, END_HEADERS | END_STREAM), End::Reset, "row 55: {trailers:?}");
    }
    assert_eq!(ask(&[(":odd", "")], END_HEADERS | END_STREAM), End::Closed, "row 55");
    assert_eq!(upstream.requests().len(), 1, "row 55");
}

#[test]
fn pseudo_fields_are_found_in_trailers_however_they_are_written() {
    // Row 55. The head puts an authority and a field of no matter into the table, the younger first.
    let upstream = Upstream::start([]);
    let gateway = gateway(&upstream);
    let mut first = block(&PSEUDO[..3]);
    first.extend(b"\x41\x01g");
    first.extend(block(&[TYPED]));
    first.extend(b"\x40\x01x\x01y");
    let mut frames = Frames::to(gateway.address);
    let mut stream = 1;
    let mut ask = |trailers: &[&[u8]]| {
        let head = if stream == 1 { first.clone() } else { block(&with(&[])) };
        frames.send(HEADERS, END_HEADERS, stream, &head);
        frames.send(DATA, 0, stream, NOTES.as_bytes());
        let flags = |last| if last { END_HEADERS } else { 0 };
        for (index, part) in trailers.iter().enumerate() {
            let (kind, more) = if index == 0 { (HEADERS, END_STREAM) } else { (CONTINUATION, 0) };
            frames.send(kind, more | flags(index + 1 == trailers.len()), stream, part);
        }
        stream += 2;
        frames.end(stream - 2)
    };
    let served = |end: End| matches!(end, End::Answered(_));
    assert!(served(ask(&[b"\xbe"])), "the field of the table");
    for (shown, trailers) in [
        ("of the table", &[&b"\xbf"[..]][..]),
        ("of the fixed table", &[b"\x84"]),
        ("the name of the table", &[b"\x0f\x30\x01h"]),
        ("the name of the fixed table", &[b"\x14\x01/"]),
        ("in the code", &[b"\x00\x84\xb9\x58\xd3\x3f\x01/"]),
        ("in the code, and to be kept", &[b"\x40\x84\xb9\x58\xd3\x3f\x01/"]),
        ("in two frames", &[b"\x00", b"\x05:path\x01/"]),
        ("behind a field", &[b"\xbe\x00\x05:path\x01/"]),
    ] {
        assert_eq!(ask(trailers), End::Reset, "{shown}");
    }
    // What was to be kept is: the entries are older by one.
    assert!(served(ask(&[b"\xbf"])), "the connection goes on");
    assert_eq!(ask(&[b"\xc0"]), End::Reset, "and is still followed");
    assert_eq!(upstream.requests().len(), 2);
    assert_eq!(gateway.log().len(), 11);
}

#[test]
fn fields_beyond_their_bound_are_answered_with_431() {
    let upstream = Upstream::start([]);
    let gateway = gateway(&upstream);
    let fields = [("x", "twenty bytes of text"); 400];
    let end = send(&gateway, &[&with(&[])[..], &fields].concat(), NOTES);
    assert!(end.has_status(431), "{end:?}");
    assert_eq!(upstream.connections(), 0);
    is_served(&gateway);
}

#[test]
fn resets_do_not_flood_the_upstream() {
    let upstream = Upstream::start([]);
    let gateway = gateway(&upstream);
    let fields = block(&with(&[]));
    let mut frames = Frames::to(gateway.address);
    for index in 0..2000 {
        let stream = index * 2 + 1;
        let taken = frames.send(HEADERS, END_HEADERS | END_STREAM, stream, &fields)
            && frames.send(RESET, 0, stream, &[0, 0, 0, 8]);
        if !taken {
            break;
        }
    }
    let mut frames = Frames::to(gateway.address);
    for index in 0..2000 {
        // A window of nothing has the other side reset the stream ("made you reset").
        let stream = index * 2 + 1;
        let taken = frames.send(HEADERS, END_HEADERS, stream, &fields)
            && frames.send(WINDOW_UPDATE, 0, stream, &[0; 4]);
        if !taken {
            break;
        }
    }
    is_served(&gateway);
    eventually("row 56: nothing is left", || gateway.running().in_flight() == 0);
    assert_eq!(upstream.requests().len(), 1, "row 56: an empty patch is never sent");
}

#[test]
fn so_many_streams_may_be_open_and_no_more() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.settings.h2c = true;
        setup.settings.proxy.in_flight = 5000;
    });
    let fields = block(&with(&[]));
    let mut frames = Frames::to(gateway.address);
    for index in 0..2000 {
        if !frames.send(HEADERS, END_HEADERS, index * 2 + 1, &fields) {
            break;
        }
    }
    assert_eq!(frames.end(201), End::Reset, "row 56: REFUSED_STREAM");
    assert!(gateway.running().in_flight() <= 100, "row 56");
    is_served(&gateway);
}

#[test]
fn floods_of_frames_are_bounded() {
    let upstream = Upstream::start([]);
    let gateway = gateway(&upstream);
    let fields = block(&with(&[]));
    let flood = |count: u32, send: &dyn Fn(&mut Frames, u32) -> bool| {
        let mut frames = Frames::to(gateway.address);
        for index in 0..count {
            if !send(&mut frames, index) {
                break;
            }
        }
        is_served(&gateway);
        frames
    };
    // Row 57, one by one.
    flood(5000, &|frames, index| match index {
        0 => frames.send(HEADERS, END_STREAM, 1, &fields),
        _ => frames.send(CONTINUATION, 0, 1, &block(&[("x", "y")])),
    });
    flood(5000, &|frames, _| frames.send(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]));
    flood(5000, &|frames, _| frames.send(PING, 0, 0, &[0; 8]));
    flood(5000, &|frames, index| match index {
        0 => frames.send(HEADERS, END_HEADERS, 1, &fields),
        _ => frames.send(DATA, 0, 1, &[]),
    });
    flood(5000, &|frames, index| frames.send(PRIORITY, 0, index * 2 + 1, &[0, 0, 0, 0, 16]));
    // A field that is added to the table once, and then named over and over.
    let mut bomb = vec![0x40, 1, b'x', 127, 0x81, 0x1e];
    bomb.extend(vec![b'y'; 4000]);
    bomb.extend(vec![0xbe; 12_000]);
    let mut frames = Frames::to(gateway.address);
    frames.send(HEADERS, END_HEADERS, 1, &[block(&PSEUDO), bomb].concat());
    let end = frames.end(1);
    assert!(!end.has_status(200), "row 57: {end:?}");
    is_served(&gateway);
}

#[test]
fn a_caller_that_says_nothing_is_left() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.settings.h2c = true;
        setup.settings.head_time = Duration::from_millis(100);
        setup.settings.idle_time = Duration::from_millis(200);
    });
    assert_eq!(Frames::to(gateway.address).end(1), End::Closed, "nothing came");
    let mut half = gateway.caller();
    assert_eq!(half.ask("PRI * HTT").code(), "head-too-slow", "half a preface came");
    let mut frames = Frames::to(gateway.address);
    frames.send(HEADERS, END_HEADERS, 1, &block(&with(&[])));
    frames.send(DATA, END_STREAM, 1, NOTES.as_bytes());
    assert!(frames.end(1).has_status(200));
    assert_eq!(frames.end(3), End::Closed, "nothing followed");
}

#[test]
fn an_answer_that_breaks_off_is_reset_and_never_ended() {
    // Row 145, for a caller that is told by frames what is whole.
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (bytes, body, is_whole) in [
        (length.to_owned(), "", false),
        (format!("{length}abc"), "abc", false),
        (format!("{length}abcde"), "abcde", true),
        (chunked.to_owned(), "", false),
        (format!("{chunked}3\r\nabc\r\n"), "abc", false),
        (format!("{chunked}3\r\nabc\r\n0\r\n\r\n"), "abc", true),
    ] {
        let upstream = Upstream::start([Act::AnswerAndClose(bytes.clone().into_bytes())]);
        let gateway = gateway(&upstream);
        let mut frames = Frames::to(gateway.address);
        frames.send(HEADERS, END_HEADERS, 1, &block(&with(&[])));
        frames.send(DATA, END_STREAM, 1, NOTES.as_bytes());
        assert!(frames.end(1).has_status(200), "{bytes}");
        assert_eq!(frames.body(1), (body.as_bytes().to_vec(), is_whole), "{bytes}");
        assert_eq!(upstream.requests().len(), 1);
        is_served(&gateway);
    }
}

#[test]
fn a_stream_that_is_reset_before_its_end_was_no_request() {
    // Rows 18 and 25: whatever the reason is, and although what came would read as a whole patch.
    let upstream = Upstream::start([]);
    let gateway = gateway(&upstream);
    // With a connection at hand it would be sent on at once.
    is_served(&gateway);
    for (reason, together) in (0..=13).flat_map(|reason| [(reason, true), (reason, false)]) {
        let mut frames = Frames::to(gateway.address);
        let fields = block(&with(&[]));
        frames.send(HEADERS, END_HEADERS, 1, &fields);
        let length = u8::try_from(NOTES.len()).unwrap();
        let data = [&[0, 0, length, DATA, 0, 0, 0, 0, 1], NOTES.as_bytes()].concat();
        let reset = [0, 0, 4, RESET, 0, 0, 0, 0, 1, 0, 0, 0, reason];
        if together {
            frames.write(&[&data[..], &reset].concat());
        } else {
            frames.write(&data);
            eventually("it is under way", || gateway.running().in_flight() == 1);
            frames.write(&reset);
        }
        eventually("it has ended", || gateway.running().in_flight() == 0);
        // What comes behind it on the same connection is served, so that it has been looked at.
        frames.send(HEADERS, END_HEADERS, 3, &fields);
        frames.send(DATA, END_STREAM, 3, REMOVE.as_bytes());
        assert!(matches!(frames.end(3), End::Answered(_)), "{reason}");
        assert_eq!(upstream.requests().len(), 1, "{reason} {together}");
    }
}

#[test]
fn a_caller_that_resets_its_stream_frees_its_room_and_its_patch_is_sent_once() {
    // Row 156.
    let (release, held) = Act::held();
    let upstream = Upstream::start([held]);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.settings.h2c = true;
        setup.settings.proxy.in_flight = 1;
        setup.upstream().connections = 1;
    });
    let mut frames = Frames::to(gateway.address);
    frames.send(HEADERS, END_HEADERS, 1, &block(&with(&[])));
    frames.send(DATA, END_STREAM, 1, NOTES.as_bytes());
    upstream.wait_for(1);
    frames.send(RESET, 0, 1, &[0, 0, 0, 8]);
    eventually("the room is free", || gateway.running().in_flight() == 0);
    assert_eq!(gateway.running().memory(), 0);
    frames.send(HEADERS, END_HEADERS, 3, &block(&with(&[])));
    frames.send(DATA, END_STREAM, 3, NOTES.as_bytes());
    assert!(frames.end(3).has_status(200), "its connection goes on");
    drop(release);
    assert_eq!(upstream.requests().len(), 2);
}

#[test]
fn a_caller_that_opens_no_window_does_not_keep_its_room() {
    let large = || Act::Answer(answer("200 OK", "", &"x".repeat(1 << 20)));
    for window in [&[0, 4, 0, 0, 0, 0][..], &[]] {
        let upstream = Upstream::start([large()]);
        let gateway = Gateway::with(&upstream, |setup| {
            let short = Duration::from_millis(300);
            setup.settings.h2c = true;
            setup.settings.proxy.in_flight = 1;
            setup.settings.proxy.deadline = short;
            setup.upstream().total_time = short;
        });
        let mut frames = Frames::to(gateway.address);
        frames.send(SETTINGS, 0, 0, window);
        frames.send(HEADERS, END_HEADERS, 1, &block(&with(&[])));
        frames.send(DATA, END_STREAM, 1, NOTES.as_bytes());
        assert!(frames.end(1).has_status(200));
        // It answers every ping, and takes nothing.
        eventually("the room is free", || gateway.running().in_flight() == 0);
        let (body, is_whole) = frames.body(1);
        assert!(body.len() < 1 << 20 && !is_whole, "{}", body.len());
        is_served(&gateway);
    }
}

#[test]
fn a_caller_that_does_not_take_its_rejection_keeps_no_room() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.settings.h2c = true;
        setup.settings.proxy.in_flight = 1;
    });
    let mut frames = Frames::to(gateway.address);
    // No window: nothing of a body can be sent to it.
    frames.send(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    for stream in [1, 3, 5] {
        let fields: Vec<_> = with(&[])
            .into_iter()
            .map(|(name, value)| (name, if name == ":path" { "/nowhere" } else { value }))
            .collect();
        frames.send(HEADERS, END_HEADERS | END_STREAM, stream, &block(&fields));
        assert!(frames.end(stream).has_status(404));
        assert_eq!(gateway.running().in_flight(), 0);
    }
}

#[test]
fn no_tunnel_is_opened_and_no_method_of_a_proxy_is_served() {
    // Rows 31 and 42.
    let upstream = Upstream::start([]);
    let gateway = gateway(&upstream);
    let connect = [(":method", "CONNECT"), (":authority", "g:443")];
    let extended = [&[(":method", "CONNECT"), (":protocol", "websocket")], &PSEUDO[1..]].concat();
    let trace = [&[(":method", "TRACE")], &PSEUDO[1..]].concat();
    let asterisk =
        [(":method", "OPTIONS"), (":scheme", "http"), (":path", "*"), (":authority", "g")];
    for fields in [&connect[..], &extended, &trace, &asterisk] {
        let end = send(&gateway, fields, "GET / HTTP/1.1\r\n\r\n");
        assert!(!end.has_status(200), "{fields:?}: {end:?}");
        assert_eq!(upstream.connections(), 0, "{fields:?}");
    }
    is_served(&gateway);
}

#[test]
fn twins_with_an_underscore_and_fields_of_the_proxys_own_are_dropped() {
    // Rows 9, 65, 161, 165 and 167.
    let upstream = Upstream::start([]);
    let gateway = gateway(&upstream);
    let lines = [
        ("transfer_encoding", "evil"),
        ("content_length", "evil"),
        ("if_match", "evil"),
        ("proxy-authorization", "evil"),
        ("x-http-method-override", "evil"),
        ("x-forwarded-for", "evil"),
        ("forwarded", "for=evil"),
        ("trailer", "evil"),
        ("http2-settings", "evil"),
    ];
    let end = send(&gateway, &with(&lines), NOTES);
    if end.has_status(200) {
        let sent = upstream.only_request();
        assert!(!sent.head.contains("evil"), "{}", sent.head);
    } else {
        assert!(end.has_status(400), "{end:?}");
        assert_eq!(upstream.connections(), 0);
    }
}

#[test]
fn a_partners_limits_hold_over_all_streams_of_one_connection() {
    let (release, held) = Act::held();
    for (quotas, script, admitted) in [
        (Quotas { requests: vec![quota(5, 600)], ..Quotas::default() }, None, 5),
        (Quotas { concurrent: Some(1), ..Quotas::default() }, Some(held), 1),
    ] {
        let waits = script.is_some();
        let upstream = Upstream::start(script);
        let gateway = Gateway::with(&upstream, |setup| {
            setup.settings.h2c = true;
            setup.partners.unknown = Some(partner_with("unknown", quotas));
        });
        let mut frames = Frames::to(gateway.address);
        let fields = block(&with(&[]));
        for stream in (1..40).step_by(2) {
            frames.send(HEADERS, END_HEADERS, stream, &fields);
            frames.send(DATA, END_STREAM, stream, NOTES.as_bytes());
        }
        upstream.wait_for(admitted);
        // By the time that the last one is answered, all have been looked at.
        frames.send(HEADERS, END_HEADERS, 41, &block(&with(&[("x-last", "1")])));
        frames.send(DATA, END_STREAM, 41, NOTES.as_bytes());
        assert!(matches!(frames.end(41), End::Answered(_)));
        if waits {
            release.send(answer("200 OK", "", "")).unwrap();
        }
        eventually("all have ended", || gateway.running().in_flight() == 0);
        assert_eq!(upstream.requests().len(), admitted);
        drop(frames);
        let log = gateway.log();
        let refused = log.iter().filter(|line| line["status"] == 429).count();
        assert_eq!((log.len(), refused), (21, 21 - admitted));
    }
}

#[test]
fn a_body_that_is_too_slow_or_too_large_is_not_waited_for() {
    // Rows 46 and 73.
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.settings.h2c = true;
        setup.settings.proxy.pace.time = Duration::from_millis(100);
    });
    let large = [b' '; 4097];
    for (field, data) in [
        (("x", "y"), &NOTES.as_bytes()[..9]),
        (("content-length", "4097"), b""),
        (("x", "y"), &large),
    ] {
        let mut frames = Frames::to(gateway.address);
        frames.send(HEADERS, END_HEADERS, 1, &block(&with(&[field])));
        if !data.is_empty() {
            frames.send(DATA, 0, 1, data);
        }
        assert!(matches!(frames.end(1), End::Answered(_)));
        eventually("the room is free", || gateway.running().in_flight() == 0);
    }
    assert_eq!((upstream.connections(), gateway.running().memory()), (0, 0));
    let statuses: Vec<_> = gateway.log().iter().map(|line| line["status"].clone()).collect();
    assert_eq!(statuses, [408, 413, 413]);
}
