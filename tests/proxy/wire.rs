//! Every way to write HTTP/1 that some reader takes for something else, on real sockets. The first
//! number of a case is its row in the catalogue of threats that these were drawn from.

use crate::harness::*;

use std::sync::LazyLock;

/// A patch without the field that frames its body.
static HEAD: LazyLock<String> = LazyLock::new(|| {
    format!("PATCH {PATH} HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\n")
});
/// What must never run.
static HIDDEN: LazyLock<String> =
    LazyLock::new(|| format!("GET {PATH}?smuggled HTTP/1.1\r\nHost: g\r\n\r\n"));

/// A case: its row, and what is sent.
type Case = (u32, Vec<u8>);

fn case(row: u32, bytes: impl Into<Vec<u8>>) -> Case {
    (row, bytes.into())
}

/// A patch of notes with `lines` for its framing, followed by `body`.
fn framed(lines: impl AsRef<[u8]>, body: &str) -> Vec<u8> {
    [HEAD.as_bytes(), lines.as_ref(), b"\r\n", body.as_bytes()].concat()
}

/// The notes as chunks.
fn chunked() -> String {
    format!("{:x}\r\n{NOTES}\r\n0\r\n\r\n", NOTES.len())
}

/// Sends every case with another request behind it. Each is answered once, with `status` and
/// `code`, and ends the connection; the upstream sees nothing.
#[track_caller]
fn refused(cases: Vec<Case>, status: u16, code: &str) {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    for (row, bytes) in cases {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(400)]).into_owned();
        let mut caller = gateway.caller();
        caller.send([&*bytes, HIDDEN.as_bytes()].concat());
        let reply = caller.try_reply().unwrap_or_else(|| panic!("row {row}: no answer: {shown}"));
        assert_eq!((reply.status, &*reply.code()), (status, code), "row {row}: {shown}");
        assert!(reply.header("request-id").is_some_and(|id| !id.is_empty()), "row {row}");
        assert_eq!(reply.header("connection"), Some("close"), "row {row}: {shown}");
        assert!(caller.is_closed(), "row {row}: another answer: {shown}");
        assert_eq!(upstream.connections(), 0, "row {row}: {shown}");
    }
    let lines = gateway.log();
    assert!(lines.iter().all(|line| line["status"] == status && line["decision"] == "reject"));
}

#[test]
fn two_framings_or_an_odd_one_are_none() {
    let length = NOTES.len();
    let mut cases = Vec::new();
    for length in [length.to_string(), (length + 40).to_string(), "x".to_owned()] {
        for (first, second) in [
            (format!("Content-Length: {length}"), "Transfer-Encoding: chunked".to_owned()),
            ("Transfer-Encoding: chunked".to_owned(), format!("Content-Length: {length}")),
        ] {
            let lines = format!("{first}\r\n{second}\r\n");
            cases.push(case(1, framed(&lines, &chunked())));
            cases.push(case(2, framed(&lines, "0\r\n\r\n")));
            cases.push(case(3, framed(&lines, NOTES)));
        }
    }
    for coding in [
        "chunked, chunked",
        "chunked\r\nTransfer-Encoding: chunked",
        "chunked\r\nTransfer-Encoding: identity",
        "identity\r\nTransfer-Encoding: chunked",
    ] {
        cases.push(case(4, framed(format!("Transfer-Encoding: {coding}\r\n"), &chunked())));
    }
    for coding in ["identity", "gzip, chunked", "chunked, identity", "identity, chunked"] {
        cases.push(case(5, framed(format!("Transfer-Encoding: {coding}\r\n"), &chunked())));
    }
    for coding in [
        "xchunked",
        "\"chunked\"",
        "chunked;q=1",
        ",chunked",
        "chunked,",
        "chunke",
        "",
        "chunked x",
    ] {
        cases.push(case(6, framed(format!("Transfer-Encoding: {coding}\r\n"), &chunked())));
    }
    for name in ["Transfer-Encoding ", "Transfer-Encoding\t", " Transfer-Encoding", "\tX"] {
        cases.push(case(7, framed(format!("{name}: chunked\r\n"), &chunked())));
    }
    cases.push(case(7, framed(format!("Content-Length : {length}\r\n"), NOTES)));
    for odd in [&b"\x0b"[..], b"\x0c", b"\0", b"\xa0", b"\xc2\xa0"] {
        for value in [[odd, b"chunked"].concat(), [b"chunked", odd].concat()] {
            let line = [b"Transfer-Encoding: ", &*value, b"\r\n"].concat();
            cases.push(case(8, framed(line, &chunked())));
        }
    }
    cases.push(case(9, framed("Transfer_Encoding: chunked\r\n", &chunked())));
    cases.push(case(9, framed(format!("Content_Length: {length}\r\n"), NOTES)));
    cases.push(case(10, framed("Transfer-Encoding:\r\n chunked\r\n", &chunked())));
    cases.push(case(10, framed("X: a\r\n Transfer-Encoding: chunked\r\n", &chunked())));
    cases.push(case(11, framed("X: a\rTransfer-Encoding: chunked\r\n", &chunked())));
    cases.push(case(11, framed("X: a\nTransfer-Encoding: chunked\r\n", &chunked())));
    let old = HEAD.replace("HTTP/1.1", "HTTP/1.0");
    let old = format!("{old}Transfer-Encoding: chunked\r\n\r\n{}", chunked());
    cases.push(case(12, old));
    for lengths in [
        format!("{length}\r\nContent-Length: {}", length + 1),
        format!("{length}\r\nContent-Length: {length}"),
        format!("{length}, {length}"),
    ] {
        cases.push(case(13, framed(format!("Content-Length: {lengths}\r\n"), NOTES)));
    }
    for value in ["+5", "-5", "0x5", "5_0", "5 0", "5.0", "\"5\"", "٥", "5,", "5;"] {
        cases.push(case(15, framed(format!("Content-Length: {value}\r\n"), NOTES)));
    }
    for lines in ["", &format!("\r\nContent-Length: {length}")] {
        cases.push(case(16, framed(format!("Content-Length:{lines}\r\n"), NOTES)));
    }
    for value in ["9223372036854775808", "18446744073709551616", &"9".repeat(400)] {
        cases.push(case(17, framed(format!("Content-Length: {value}\r\n"), "")));
    }
    refused(cases, 400, "head-malformed");
}

#[test]
fn a_first_line_is_three_words_and_a_known_version() {
    let mut cases = Vec::new();
    for version in [
        "HTTP/0.9",
        "HTTP/2.0",
        "HTTP/9.9",
        "HTTP/01.1",
        "HTTP/1.10",
        "http/1.1",
        "HTTP/1.1 x",
        "HTTP/1.",
        "HTTP/11",
        "HTTPS/1.1",
        "",
        "HTTP/1.1 ",
    ] {
        let first = format!("{version}\r\n");
        cases.push(case(28, HEAD.replacen("HTTP/1.1\r\n", &first, 1) + "\r\n"));
    }
    cases.push(case(28, format!("GET {PATH}\r\n\r\n")));
    for target in [" ", "\t", "\0", "\x7f", "\x01", "a b", "a\tb", "/\u{e9}", "/a#b", "/<a>", "\\"]
    {
        let line = format!("PATCH {target} HTTP/1.1");
        cases.push(case(29, HEAD.replacen(&format!("PATCH {PATH} HTTP/1.1"), &line, 1) + "\r\n"));
    }
    for line in [
        format!("PATCH  {PATH} HTTP/1.1"),
        format!("PATCH {PATH}  HTTP/1.1"),
        format!(" PATCH {PATH} HTTP/1.1"),
        format!("PATCH\t{PATH}\tHTTP/1.1"),
        format!("{PATH} HTTP/1.1"),
    ] {
        cases.push(case(29, format!("{line}\r\nHost: g\r\n\r\n")));
    }
    for base in ["http://", "http:///x", "http://a b"] {
        cases.push(case(30, HEAD.replacen(PATH, base, 1) + "\r\n"));
    }
    for method in ["PA(TCH", "PATCH/", "\"PATCH\"", "P\u{e9}", "PA@TCH", ""] {
        cases.push(case(32, HEAD.replacen("PATCH", method, 1) + "\r\n"));
    }
    for lead in ["\r\n", "\n", "\r\n\r\n", " ", "\0"] {
        cases.push(case(34, format!("{lead}{}\r\n", *HEAD)));
    }
    cases.push(case(43, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    cases.push(case(43, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()));
    cases.push(case(43, vec![0xff; 64]));
    refused(cases, 400, "head-malformed");
}

#[test]
fn a_field_is_a_token_a_colon_and_text() {
    let mut cases = Vec::new();
    for line in ["no colon", ": no name", "", "a\u{e9}: x", "a b: x", "a(: x", "\"a\": x", "a/b: x"]
        .into_iter()
        .filter(|line| !line.is_empty())
    {
        cases.push(case(36, framed(format!("{line}\r\n"), "")));
    }
    for value in [&b"\0"[..], b"\x01", b"\x7f", b"a\rb", b"\r", b"a\x0bb", b"a\x1bb"] {
        cases.push(case(35, framed([b"X: ", value, b"\r\n"].concat(), "")));
    }
    // The notes behind a blank that a lenient reader would join to the line above.
    cases.push(case(10, framed("X: a\r\n\tb\r\n", "")));
    cases.push(case(38, patch(NOTES).replace("\r\n", "\n")));
    cases.push(case(38, patch(NOTES).replace("\r\n", "\r")));
    cases.push(case(38, patch(NOTES).replacen("\r\n", "\n", 1)));
    cases.push(case(38, patch(NOTES).replace("\r\n\r\n", "\r\n\n")));
    cases.push(case(38, patch(NOTES).replace("\r\n\r\n", "\n\r\n")));
    refused(cases, 400, "head-malformed");
}

#[test]
fn a_head_has_bounds() {
    let long = "x".repeat(16 << 10);
    let cases = vec![
        case(32, HEAD.replacen("PATCH", &long, 1) + "\r\n"),
        case(61, HEAD.replacen(PATH, &format!("/{long}"), 1) + "\r\n"),
        case(29, long.clone()),
    ];
    refused(cases, 414, "target-too-long");
    let cases = vec![
        case(37, framed(format!("X: {}\r\n", "x".repeat(128 << 10)), "")),
        case(37, framed("X: 1\r\n".repeat(10_000), "")),
        case(37, framed("X: 1\r\n".repeat(101), "")),
        case(37, framed(format!("X: {long}\r\n").repeat(128), "")),
        case(37, framed("x".repeat(128 << 10), "")),
    ];
    refused(cases, 431, "head-too-large");
}

#[test]
fn a_chunk_is_a_size_a_line_end_so_many_bytes_and_a_line_end() {
    let good = format!("{:x}\r\n{NOTES}\r\n", NOTES.len());
    let chunks = |row, body: &str| case(row, framed("Transfer-Encoding: chunked\r\n", body));
    let mut cases = Vec::new();
    for size in ["0x5", "+5", "-5", " 5", "5 ", "5_0", "", "g", "\t5", "5\t"] {
        cases.push(chunks(20, &format!("{size}\r\nabcde\r\n0\r\n\r\n")));
        cases.push(chunks(20, &format!("{good}{size}\r\n\r\n")));
    }
    cases.push(chunks(21, "10000000000000000\r\n"));
    cases.push(chunks(21, &format!("{}5\r\nabcde\r\n0\r\n\r\n", "0".repeat(5000))));
    for odd in
        ["5\nabcde\r\n", "5\r\r\nabcde\r\n", "5\r\nabcde\n", "5\r\nabcde\r\r\n", "5\r\nabcdef\r\n"]
    {
        cases.push(chunks(22, &format!("{odd}0\r\n\r\n")));
    }
    for end in ["0\n\n", "0\r\n\n", "0\n\r\n", "0\r\r\n\r\n"] {
        cases.push(chunks(22, &format!("{good}{end}")));
    }
    for extension in [";a=b", ";", ";a=\"\r\n\"", ";a=\n", ";a=\0", ";a\rb", &";a=b".repeat(16_000)]
    {
        cases.push(chunks(23, &format!("5{extension}\r\nabcde\r\n0\r\n\r\n")));
    }
    for trailer in [
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Host: a\r\n",
        "host: a\r\n",
        "Content_Length: 5\r\n",
    ] {
        cases.push(chunks(26, &format!("{good}0\r\n{trailer}\r\n")));
    }
    for trailer in
        ["x\r\n", ": x\r\n", "a b: x\r\n", "a: \0\r\n", "a: x\n", " a: x\r\n", "a: x\r\n b\r\n"]
    {
        cases.push(chunks(27, &format!("{good}0\r\n{trailer}\r\n")));
    }
    cases.push(chunks(27, &format!("{good}0\r\nX: {}\r\n\r\n", "x".repeat(1 << 20))));
    refused(cases, 400, "body-unreadable");
}

#[test]
fn what_breaks_off_is_never_sent() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let whole = patch(NOTES);
    let good = format!("{:x}\r\n{NOTES}\r\n", NOTES.len());
    let chunks = |body: &str| framed("Transfer-Encoding: chunked\r\n", body);
    for (row, bytes) in [
        case(18, &whole[..whole.len() - 1]),
        case(18, &whole[..whole.len() - NOTES.len()]),
        case(18, &whole[..whole.len() - NOTES.len() - 2]),
        case(25, chunks(&good)),
        case(25, chunks(&format!("{good}0\r\n"))),
        case(25, chunks(&format!("{good}0\r\n\r"))),
        case(25, chunks(&format!("{good}0"))),
    ] {
        let mut caller = gateway.caller();
        caller.send(&bytes).finish();
        let reply = caller.try_reply();
        assert!(reply.is_none_or(|reply| reply.status == 400), "row {row}");
        assert!(caller.is_closed(), "row {row}");
        drop(caller);
        let caller = gateway.caller().send(&bytes).reset();
        assert!(caller.is_ok(), "row {row}");
    }
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn trailers_are_dropped() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let trailers = "If-Match: \"t\"\r\nAuthorization: Bearer x\r\nX-Sum: 1\r\n";
    let body = chunked().replace("0\r\n\r\n", &format!("0\r\n{trailers}\r\n"));
    let mut caller = gateway.caller();
    let reply = caller.ask(framed("Transfer-Encoding: chunked\r\nTrailer: If-Match\r\n", &body));
    assert_eq!(reply.status, 200);
    assert_eq!(caller.ask(patch(NOTES)).status, 200, "the connection goes on");
    let sent = &upstream.requests()[0];
    for name in ["if-match", "authorization", "x-sum", "trailer"] {
        assert!(sent.all(name).is_empty(), "row 26: {}", sent.head);
    }
}

#[test]
fn a_body_that_nothing_frames_is_the_next_request() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let mut caller = gateway.caller();
    caller.send(framed("", &format!("{NOTES}\r\n\r\n{}", *HIDDEN)));
    assert_eq!(caller.reply().status, 400, "row 19: an empty patch");
    assert_eq!(caller.reply().code(), "head-malformed");
    assert!(caller.is_closed());
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn methods_and_targets_that_are_not_served_are_told_so() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    for (row, line, status) in [
        (31, "OPTIONS * HTTP/1.1".to_owned(), 404),
        (31, "PATCH * HTTP/1.1".to_owned(), 404),
        (31, "CONNECT evil:443 HTTP/1.1".to_owned(), 400),
        (31, "CONNECT g:443 HTTP/1.1".to_owned(), 400),
        (31, format!("TRACE {PATH} HTTP/1.1"), 501),
        (32, format!("patch {PATH} HTTP/1.1"), 405),
        (32, format!("PATCH! {PATH} HTTP/1.1"), 405),
    ] {
        let reply = gateway.ask(format!("{line}\r\nHost: g\r\n\r\n"));
        let fits = reply.status == status || reply.status == 501;
        assert!(fits, "row {row}: {line}: {}", reply.status);
        assert!(reply.header("request-id").is_some());
    }
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn no_upgrade_is_made_and_what_follows_is_http() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    for protocol in ["websocket", "h2c", "foo"] {
        let lines = format!(
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {protocol}\r\nHTTP2-Settings: AAMAAABk\r\n"
        );
        let mut caller = gateway.caller();
        caller.send(patch_with(&lines, NOTES) + "\x00\x00raw bytes");
        assert_eq!(caller.reply().status, 200, "row 42: {protocol}");
        assert_eq!(caller.reply().code(), "head-malformed", "row 42: {protocol}");
        assert!(caller.is_closed());
    }
    assert_eq!(upstream.requests().len(), 3);
    for sent in upstream.requests() {
        for name in ["upgrade", "connection", "http2-settings"] {
            assert!(sent.all(name).is_empty(), "row 42: {}", sent.head);
        }
    }
}

#[test]
fn what_is_pipelined_is_answered_in_order_up_to_what_is_broken() {
    let broken = framed("Content-Length: 1\r\nContent-Length: 2\r\n", "");
    let good = patch(NOTES).into_bytes();
    let cut = framed("Transfer-Encoding: chunked\r\n", "zz\r\n");
    for (parts, statuses) in [
        (vec![&good, &good], vec![200, 200]),
        (vec![&good, &broken], vec![200, 400]),
        (vec![&broken, &good], vec![400]),
        (vec![&good, &good, &broken, &good], vec![200, 200, 400]),
        (vec![&good, &cut, &good], vec![200, 400]),
    ] {
        let bytes = parts.into_iter().flatten().copied().collect::<Vec<u8>>();
        let upstream = Upstream::start([]);
        let gateway = Gateway::before(&upstream);
        let mut caller = gateway.caller();
        caller.send(&bytes);
        for status in &statuses {
            assert_eq!(caller.reply().status, *status, "row 44: {statuses:?}");
        }
        if statuses.contains(&400) {
            assert!(caller.is_closed(), "row 44: nothing behind what is broken runs");
        }
        let sent = statuses.iter().filter(|status| **status == 200).count();
        assert_eq!(upstream.requests().len(), sent);
    }
}

#[test]
fn an_answer_under_way_is_not_cut_short_by_what_comes_behind_it() {
    let (release, held) = Act::held();
    let upstream = Upstream::start([held]);
    let gateway = Gateway::before(&upstream);
    let mut caller = gateway.caller();
    caller.send(patch(NOTES));
    upstream.wait_for(1);
    // In two pieces, so that it is no longer looked at where hyper reads.
    caller.send("PATCH /x HTTP/1.1\r\nHo").send("st: a\nb\r\n\r\n");
    release.send(answer("200 OK", "", "first")).unwrap();
    assert_eq!(caller.reply().body, b"first");
    assert_eq!(caller.reply().code(), "head-malformed");
    assert!(caller.is_closed());
}

#[test]
fn however_it_is_cut_a_request_is_the_same() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let mut caller = gateway.caller();
    let chunked = framed("Transfer-Encoding: chunked\r\n", &chunked());
    let bytes = [patch(NOTES).into_bytes(), chunked].concat();
    for byte in &bytes {
        caller.send([*byte]);
    }
    assert_eq!((caller.reply().status, caller.reply().status), (200, 200), "row 47");
    for size in [2, 3, 7, 50, 150] {
        for piece in bytes.chunks(size) {
            caller.send(piece);
        }
        assert_eq!((caller.reply().status, caller.reply().status), (200, 200), "row 47: {size}");
    }
    assert!(upstream.requests().iter().all(|sent| sent.body == NOTES.as_bytes()));
}

#[test]
fn a_caller_that_has_nothing_more_to_say_is_answered() {
    let (release, held) = Act::held();
    let upstream = Upstream::start([held]);
    let gateway = Gateway::before(&upstream);
    let mut caller = gateway.caller();
    caller.send(patch(NOTES)).finish();
    upstream.wait_for(1);
    release.send(answer("200 OK", "", "yes")).unwrap();
    assert_eq!(caller.reply().body, b"yes", "row 48");
    assert!(caller.is_closed());
}

#[test]
fn an_unread_body_never_runs() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let hidden = HIDDEN.repeat(3);
    for head in [
        format!("Content-Type: text/plain\r\nContent-Length: {}\r\n", hidden.len()),
        "Content-Type: text/plain\r\nContent-Length: 100000\r\n".to_owned(),
    ] {
        let mut caller = gateway.caller();
        caller.send(format!("PATCH {PATH} HTTP/1.1\r\nHost: g\r\n{head}\r\n{hidden}")).finish();
        assert_eq!(caller.reply().status, 415);
        assert!(caller.is_closed(), "row 41");
    }
    // Of which only a part is there, nobody waits for the rest; what is all there is passed over.
    let large = HIDDEN.repeat(1000);
    for (body, more, closes) in [(&hidden, 1, true), (&hidden, 0, false), (&large, 1, true)] {
        let length = body.len() + more;
        let head = format!("Content-Type: text/plain\r\nContent-Length: {length}\r\n");
        let mut caller = gateway.caller();
        caller.send(format!("PATCH {PATH} HTTP/1.1\r\nHost: g\r\n{head}\r\n{body}"));
        let reply = caller.reply();
        assert_eq!((reply.status, reply.header("connection") == Some("close")), (415, closes));
        if closes {
            assert!(caller.is_closed(), "row 41");
        }
    }
    assert_eq!(upstream.connections(), 0);
}
