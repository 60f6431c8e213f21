//! Every way in which an upstream can answer badly, on real sockets. The number beside a case is its
//! row in the catalogue of threats that these were drawn from; rows 139 to 143 are in `faults`, too.

use crate::harness::*;

use patchgate::tls::Credentials;

use socket2::{Domain, Socket, Type};

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(300);

fn short(setup: &mut Setup) {
    setup.upstream().head_time = SHORT;
    setup.upstream().connect_time = SHORT;
    setup.upstream().silence_time = SHORT;
}

/// Asks once of an upstream that gives `bytes` and closes.
fn ask(bytes: &[u8]) -> Option<Reply> {
    let upstream = Upstream::start([Act::AnswerAndClose(bytes.to_vec())]);
    let gateway = Gateway::before(&upstream);
    let reply = gateway.caller().send(patch(NOTES)).try_reply();
    assert_eq!(upstream.requests().len(), 1, "sent once");
    assert_eq!(gateway.ask(patch(NOTES)).status, 200, "the next one is served");
    reply
}

/// A 502 of the gateway's own.
#[track_caller]
fn assert_broken(row: u32, bytes: &[u8]) {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
    let reply = ask(bytes).unwrap_or_else(|| panic!("row {row}: no answer: {shown}"));
    assert_eq!(reply.status, 502, "row {row}: {shown}");
    assert_eq!(reply.code(), "upstream-broken", "row {row}: {shown}");
    assert_eq!(reply.json()["outcome"], "unknown", "row {row}: {shown}");
}

#[test]
fn an_upstream_that_is_not_there_is_told_at_once_and_gets_nothing() {
    let upstream = Upstream::start([]);
    // Row 139: no such name; nobody listens.
    let (_held, closed) = nobody();
    for base in ["http://nowhere.invalid:80".to_owned(), format!("http://{closed}")] {
        let gateway = Gateway::with(&upstream, |setup| {
            short(setup);
            setup.upstream().base = base.parse().unwrap();
        });
        let began = Instant::now();
        let reply = gateway.ask(patch(NOTES));
        assert!(matches!(reply.status, 502 | 504), "{}", reply.status);
        assert_eq!(reply.json()["outcome"], "not-applied");
        assert!(began.elapsed() < SHORT * 4);
    }
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn an_upstream_that_resets_every_connection_at_once_is_told_soon() {
    // Row 139.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let over = std::sync::Arc::new((AtomicBool::new(false), AtomicUsize::new(0)));
    let shared = std::sync::Arc::clone(&over);
    let thread = std::thread::spawn(move || {
        for tcp in listener.incoming() {
            if shared.0.load(Ordering::SeqCst) {
                return;
            }
            shared.1.fetch_add(1, Ordering::SeqCst);
            let _ = socket2::SockRef::from(&tcp.unwrap()).set_linger(Some(Duration::ZERO));
        }
    });
    let (_unused, gateway) = before(address);
    let began = Instant::now();
    let reply = gateway.ask(patch(NOTES));
    assert_eq!(reply.status, 502, "{reply:?}");
    assert!(began.elapsed() < Duration::from_secs(2));
    assert!((1..=3).contains(&over.1.load(Ordering::SeqCst)));
    over.0.store(true, Ordering::SeqCst);
    let _ = TcpStream::connect(address);
    thread.join().unwrap();
}

#[test]
fn a_patch_that_was_read_and_reset_was_sent_once() {
    // Row 141, on a new connection and on one that was used before (row 143).
    let upstream = Upstream::start([Act::Reset, Act::Answer(answer("200 OK", "", "")), Act::Reset]);
    let gateway = Gateway::before(&upstream);
    for (count, status) in [(1, 502), (2, 200), (3, 502), (4, 200)] {
        let reply = gateway.ask(patch(NOTES));
        assert_eq!((reply.status, upstream.requests().len()), (status, count));
        if status == 502 {
            assert_eq!(reply.json()["outcome"], "unknown");
        }
    }
}

#[test]
fn an_answer_that_ends_after_any_byte_never_looks_complete() {
    // Row 145: the last piece of each is what has to be there.
    let length = "HTTP/1.1 200 OK\r\nX: 1\r\nContent-Length: 5\r\n\r\nabcde";
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n";
    let early = "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    for whole in [length, chunks, early] {
        let upstream = Upstream::start(
            (0..=whole.len()).map(|end| Act::AnswerAndClose(whole.as_bytes()[..end].to_vec())),
        );
        let gateway = Gateway::before(&upstream);
        for end in 0..=whole.len() {
            let reply = gateway.caller().send(patch(NOTES)).try_last();
            let is_whole = reply.as_ref().is_some_and(|reply| reply.whole && reply.status == 200);
            assert_eq!(is_whole, end == whole.len(), "cut after {end}: {whole}: {reply:?}");
            let is_own = reply.is_some_and(|reply| reply.status == 502);
            let head = whole.rfind("\r\n\r\n").filter(|_| whole != chunks);
            let head = head.or(whole.find("\r\n\r\n")).unwrap() + 4;
            assert_eq!(is_own, end < head, "cut after {end}: {whole}");
            assert_eq!(upstream.requests().len(), end + 1);
        }
    }
}

#[test]
fn a_caller_that_is_told_the_end_by_the_connection_is_told_by_a_reset_that_it_is_none() {
    // Row 145: HTTP/1.0 has nothing else to tell by.
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (body, is_whole) in [
        ("5\r\nabcde\r\n0\r\n\r\n", true),
        ("5\r\nabcde\r\n", false),
        ("5\r\nab", false),
        ("", false),
    ] {
        let act = Act::AnswerAndClose(format!("{chunked}{body}").into_bytes());
        let upstream = Upstream::start([act]);
        let gateway = Gateway::before(&upstream);
        let mut tcp = TcpStream::connect(gateway.address).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        tcp.write_all(patch(NOTES).replace("HTTP/1.1", "HTTP/1.0").as_bytes()).unwrap();
        let mut read = Vec::new();
        let ended = tcp.read_to_end(&mut read).map_err(|error| error.kind());
        let expected = if is_whole { None } else { Some(io::ErrorKind::ConnectionReset) };
        assert_eq!(ended.err(), expected, "{body:?}: {}", String::from_utf8_lossy(&read));
        assert_eq!(read.ends_with(b"\r\n\r\nabcde"), body.starts_with("5\r\nabcde"));
    }
}

#[test]
fn a_chunk_that_is_none_cuts_the_answer() {
    for body in [
        "5\r\nabcdef\r\n0\r\n\r\n",
        "5\r\nabcde0\r\n\r\n",
        "5\nabcde\n0\n\n",
        "5\r\nabcde\n0\r\n\r\n",
        "-5\r\nabcde\r\n0\r\n\r\n",
        "0x5\r\nabcde\r\n0\r\n\r\n",
        "g\r\nabcde\r\n0\r\n\r\n",
        "\r\nabcde\r\n0\r\n\r\n",
        "10000000000000005\r\nabcde\r\n0\r\n\r\n",
        "5\r\nabcde\r\n0\r\nno colon\r\n\r\n",
        "5\r\nabcde\r\n0\n\n",
    ] {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let reply = ask(format!("{head}{body}").as_bytes());
        assert!(reply.is_none_or(|reply| !reply.whole || reply.status == 502), "row 145: {body:?}");
    }
}

#[test]
fn an_answer_that_ends_with_its_tls_connection_says_so_or_is_cut() {
    // Row 145: without `close_notify`, the end may be somebody else's.
    let authority = Authority::new();
    let bytes = b"HTTP/1.1 200 OK\r\n\r\nabcde".to_vec();
    let upstream =
        Upstream::start_tls_with([Act::AnswerAndClose(bytes)], authority.server("localhost"));
    let gateway = Gateway::with(&upstream, |setup| {
        let base = format!("https://localhost:{}", upstream.address.port());
        setup.upstream().base = base.parse().unwrap();
        setup.upstream().tls = Some(Credentials::new(authority.client()));
    });
    assert!(!gateway.ask(patch(NOTES)).whole);
}

#[test]
fn slow_heads_and_bodies_end_within_the_total_time() {
    // Row 144: a byte now and then is no silence.
    let piece = |text: &str| text.as_bytes().to_vec();
    let pause = Duration::from_millis(50);
    let head: Vec<_> = "HTTP/1.1 200 OK\r\n".chars().map(|c| piece(&c.to_string())).collect();
    let upstream = Upstream::start([Act::Slow(head, pause)]);
    let gateway = Gateway::with(&upstream, short);
    let began = Instant::now();
    let reply = gateway.ask(patch(NOTES));
    assert_eq!((reply.status, reply.code()), (504, "upstream-too-slow".to_owned()));
    assert!(began.elapsed() < SHORT * 3);

    let body = std::iter::once(piece("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"));
    let body = body.chain((0..200).map(|_| piece("x"))).collect();
    let upstream = Upstream::start([Act::Slow(body, pause)]);
    let gateway = Gateway::with(&upstream, |setup| {
        short(setup);
        setup.upstream().total_time = SHORT * 2;
    });
    let began = Instant::now();
    let reply = gateway.ask(patch(NOTES));
    assert!((reply.status, reply.whole) == (200, false) && reply.body.len() < 30);
    assert!(began.elapsed() < SHORT * 4);
}

#[test]
fn an_answer_without_end_ends_and_takes_no_memory() {
    // Row 146: an endless body, one head, endless fields, and heads before the head.
    let chunk = format!("{:x}\r\n{}\r\n", 64 << 10, "x".repeat(64 << 10)).into_bytes();
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let fields = b"X-More: 1\r\n".repeat(1000);
    let informational = b"HTTP/1.1 103 Early Hints\r\nX: 1\r\n\r\n".repeat(100);
    for (first, again, answered) in [
        (chunked, chunk, true),
        (b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; 64 << 10], false),
        (b"HTTP/1.1 200 OK\r\n".to_vec(), fields, false),
        (Vec::new(), informational, false),
        (Vec::new(), vec![b'x'; 64 << 10], false),
    ] {
        let upstream = Upstream::start([Act::Endless(first, again)]);
        let gateway = Gateway::with(&upstream, |setup| {
            short(setup);
            setup.upstream().total_time = SHORT;
        });
        let mut caller = gateway.caller();
        caller.send(patch(NOTES));
        // Nobody reads, and so nothing is taken in but what the sockets hold.
        std::thread::sleep(SHORT);
        assert!(upstream.endless() < 32 << 20, "{} bytes were taken in", upstream.endless());
        let reply = caller.try_last().expect("an answer");
        match reply.status {
            200 => assert!(answered && !reply.whole),
            status => assert!(!answered && matches!(status, 502 | 504), "{status}"),
        }
        assert_eq!(gateway.ask(patch(NOTES)).status, 200);
    }
}

#[test]
fn what_is_no_head_is_broken() {
    let upstream = |row, line: &str| {
        assert_broken(row, format!("{line}\r\nContent-Length: 0\r\n\r\n").as_bytes());
    };
    for line in [
        "garbage",
        "",
        "HTTP/1.1",
        "HTTP/1.1 ",
        "HTTP/1.1 20 OK",
        "HTTP/1.1 2000 OK",
        "HTTP/1.1 099 OK",
        "HTTP/1.1 +20 OK",
        "HTTP/1.1 2x0 OK",
        "HTTP/1.1  200 OK",
        "HTTP/1.1\t200\tOK",
        "HTTP/2.0 200 OK",
        "HTTP/0.9 200 OK",
        "http/1.1 200 OK",
        "ICY 200 OK",
        " HTTP/1.1 200 OK",
        "HTTP/1.1 200 O\0K",
        "HTTP/1.1 200 O\rK",
    ] {
        upstream(147, line);
    }
    for field in [
        "Content-Length: 0\r\nContent-Length: 1",
        "Content-Length: 5, 6",
        "Content-Length: +5",
        "Content-Length: -1",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length: ",
        "Content-Length: 18446744073709551616",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:\r\n chunked",
    ] {
        let bytes = format!("HTTP/1.1 200 OK\r\n{field}\r\n\r\n5\r\nabcde\r\n0\r\n\r\n");
        assert_broken(147, bytes.as_bytes());
    }
    for field in [
        &b"X: a\0b"[..],
        b"X: a\rSet-Cookie: b",
        b"X: a\r\n folded",
        b"X: a\r\n\tSet-Cookie: b",
        b" X: a",
        b"X : a",
        b"a b: c",
        b"no colon",
        b": no name",
        b"X: \x7f",
        b"X: \x01",
        b"X\xff: a",
    ] {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n";
        assert_broken(148, &[head, field, b"\r\n\r\n"].concat());
    }
    let many = "X-Many: 1\r\n".repeat(110);
    let large = format!("X-Large: {}\r\n", "x".repeat(70 << 10));
    for lines in [many, large] {
        assert_broken(146, &answer("200 OK", &lines, ""));
    }
    for lone in [
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\r\nX: a\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\nX: 1\r\n\r\n",
    ] {
        assert_broken(148, lone.as_bytes());
    }
}

#[test]
fn a_connection_that_a_broken_answer_came_over_is_not_used_again() {
    // Row 147: it is the gateway that closes it.
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n";
    for bytes in [
        "garbage\r\n\r\n".to_owned(),
        format!("{chunked}Content-Length: 5\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"),
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 101 Switch\r\nUpgrade: x\r\n\r\n".to_owned(),
        format!("{chunked}\r\n5\r\nabcdef\r\n0\r\n\r\n"),
    ] {
        let upstream = Upstream::start([Act::Answer(bytes.clone().into_bytes())]);
        let gateway = Gateway::before(&upstream);
        let reply = gateway.caller().send(patch(NOTES)).try_reply();
        let is_cut = reply.is_none_or(|reply| reply.status == 502 || !reply.whole);
        assert!(is_cut, "{bytes}");
        assert_eq!(gateway.ask(patch(NOTES)).status, 200, "{bytes}");
        assert_eq!((upstream.requests().len(), upstream.connections()), (2, 2), "{bytes}");
    }
}

#[test]
fn what_is_said_before_an_answer_is_passed_on_when_it_is_said() {
    let ours = "Connection: x-hop\r\nX-Hop: 1\r\nAlt-Svc: h2=\":1\"\r\nRequest-ID: theirs\r\n";
    for code in ["102 Processing", "103 Early Hints", "199 Odd"] {
        let early = format!("HTTP/1.1 {code}\r\nLink: </a>\r\nLink: </b>\r\n{ours}\r\n");
        let pieces =
            vec![early.clone().into_bytes(), early.into_bytes(), answer("200 OK", "", "ok")];
        let upstream = Upstream::start([Act::Slow(pieces, SHORT)]);
        let gateway = Gateway::before(&upstream);
        let mut caller = gateway.caller();
        let first = caller.ask(patch(NOTES));
        let came = Instant::now();
        for early in [first, caller.reply()] {
            assert_eq!(early.status.to_string(), code[..3]);
            let links = [("link".to_owned(), "</a>".to_owned()), ("link".into(), "</b>".into())];
            assert_eq!(early.headers, links, "what is of the upstream's hop ends there");
        }
        let last = caller.reply();
        assert_eq!((last.status, &*last.body), (200, &b"ok"[..]), "{code}");
        assert_eq!(last.header("link"), None);
        assert!(came.elapsed() > SHORT, "it came {:?} before the answer", came.elapsed());
        assert_eq!(caller.ask(patch(NOTES)).status, 200, "the connection goes on");
        assert_eq!(gateway.log()[0]["status"], 200);
    }
}

#[test]
fn what_is_said_before_an_answer_is_skipped_where_it_would_not_be_understood() {
    // Row 150. That the caller may go on, it has been told by the gateway.
    let last = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
    for (code, version) in [("100 Continue", "1.1"), ("100 Continue", "1.0"), ("103 Hints", "1.0")]
    {
        let early = format!("HTTP/1.1 {code}\r\nX-Early: 1\r\n\r\n").repeat(3);
        let upstream = Upstream::start([Act::AnswerAndClose(format!("{early}{last}").into())]);
        let gateway = Gateway::before(&upstream);
        let request = patch(NOTES).replacen("HTTP/1.1", &format!("HTTP/{version}"), 1);
        let reply = gateway.ask(request);
        assert_eq!((reply.status, &*reply.body), (200, &b"ok"[..]), "{code}");
        assert_eq!(reply.header("x-early"), None);
    }
}

#[test]
fn an_answer_that_was_announced_and_never_comes_is_a_lost_one() {
    let early = b"HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n";
    for (ends, status) in [(true, 502), (false, 504)] {
        let act = match ends {
            true => Act::AnswerAndClose(early.to_vec()),
            false => Act::Slow(vec![early.to_vec(), Vec::new()], SHORT * 3),
        };
        let upstream = Upstream::start([act]);
        let gateway = Gateway::with(&upstream, |setup| setup.upstream().head_time = SHORT * 4);
        let mut caller = gateway.caller();
        assert_eq!(caller.ask(patch(NOTES)).status, 103);
        let reply = caller.reply();
        assert_eq!((reply.status, reply.json()["outcome"].as_str()), (status, Some("unknown")));
        assert_eq!(upstream.requests().len(), 1, "it is not sent again");
    }
}

#[test]
fn an_unasked_switch_opens_no_tunnel() {
    // Row 150.
    for lines in ["Upgrade: x\r\nConnection: upgrade\r\n", "", "Content-Length: 5\r\n"] {
        assert_broken(150, format!("HTTP/1.1 101 Switch\r\n{lines}\r\nhello").as_bytes());
    }
}

#[test]
fn old_answers_are_served() {
    // Row 151.
    for (head, whole) in [
        ("HTTP/1.0 200 OK\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\n\r\n", true),
        ("HTTP/1.1 200\r\nConnection: close\r\n\r\n", true),
        ("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", true),
        ("HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\n", false),
    ] {
        let reply = ask(format!("{head}abcde").as_bytes()).expect("an answer");
        assert_eq!(
            (reply.status, reply.whole, &*reply.body),
            (200, whole, &b"abcde"[..]),
            "{head}"
        );
    }
    assert_broken(
        147,
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
    );
}

#[test]
fn what_follows_an_answer_never_reaches_another_caller() {
    // Row 153: a body where there is none, a second answer, with the first one or just after it.
    let poison = answer("200 OK", "", "poison");
    let none = b"HTTP/1.1 204 No Content\r\n\r\n".to_vec();
    let odd = b"HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\n".to_vec();
    let unchanged = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\n".to_vec();
    for first in [answer("200 OK", "", "mine"), answer("200 OK", "", ""), none, odd, unchanged] {
        let together = || Act::Answer([&*first, &*poison].concat());
        let upstream = Upstream::start((0..400).map(|_| together()));
        let gateway = Gateway::before(&upstream);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut caller = gateway.caller();
                    for _ in 0..50 {
                        let reply = caller.ask(patch(NOTES));
                        assert_ne!(reply.body, b"poison");
                    }
                });
            }
        });
        assert!(upstream.requests().len() <= 200, "none was sent twice");
    }
}

/// An upstream of one connection at a time that takes in little; `serve` is shown each, and how many came before.
fn slow_to_read(
    serve: impl Fn(usize, &mut TcpStream) -> io::Result<()> + Send + 'static,
) -> SocketAddr {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(8).unwrap();
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (index, connection) in listener.incoming().take(2).enumerate() {
            let _ = serve(index, &mut connection.unwrap());
        }
    });
    address
}

/// More than the sockets hold.
fn large() -> String {
    format!("{NOTES}{}", " ".repeat(16 << 20))
}

fn before(address: SocketAddr) -> (Upstream, Gateway) {
    let unused = Upstream::start([]);
    let gateway = Gateway::with(&unused, |setup| {
        setup.upstream().base = format!("http://{address}").parse().unwrap();
        setup.max_body = 32 << 20;
    });
    (unused, gateway)
}

#[test]
fn an_answer_that_comes_before_its_request_is_over_is_passed_on() {
    // The first is refused unread, and its connection takes no other request.
    let address = slow_to_read(|index, connection| {
        let first = index == 0;
        let status = if first { "413 Content Too Large" } else { "200 OK" };
        connection.read_exact(&mut [0; 100])?;
        connection.write_all(&answer(status, "", "early"))?;
        std::thread::sleep(SHORT);
        io::copy(connection, &mut io::sink()).map(drop)
    });
    let (_unused, gateway) = before(address);
    let reply = gateway.ask(patch(&large()));
    assert_eq!((reply.status, &*reply.body), (413, &b"early"[..]));
    assert_eq!(gateway.ask(patch(NOTES)).status, 200);
}

#[test]
fn a_request_whose_answer_has_begun_is_sent_to_its_end() {
    let (tell, told) = std::sync::mpsc::channel();
    let address = slow_to_read(move |_, connection| {
        connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")?;
        let mut reader = BufReader::new(&*connection);
        while reader.read_line(&mut String::new())? > 2 {}
        let mut body = vec![0; large().len()];
        reader.read_exact(&mut body)?;
        let _ = tell.send(body == large().as_bytes());
        connection.write_all(b"cde")
    });
    let (_unused, gateway) = before(address);
    let reply = gateway.ask(patch(&large()));
    assert_eq!((reply.status, reply.whole, &*reply.body), (200, true, &b"abcde"[..]));
    assert_eq!(told.recv_timeout(SHORT), Ok(true));
}

#[test]
fn a_late_answer_is_nobodys() {
    // Row 153: the one who asked has gone.
    let (release, held) = Act::held();
    let upstream = Upstream::start([held]);
    let gateway = Gateway::with(&upstream, short);
    assert_eq!(gateway.ask(patch(NOTES)).code(), "upstream-too-slow");
    release.send(answer("200 OK", "", "late")).unwrap();
    for _ in 0..3 {
        let reply = gateway.ask(patch(NOTES));
        assert_eq!(reply.status, 200);
        assert_ne!(reply.body, b"late");
    }
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn redirects_are_passed_on_and_followed_by_nobody() {
    // Rows 154 and 174: the token goes nowhere else.
    let elsewhere = Upstream::start([]);
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let lines = format!("Location: http://{}/\r\n", elsewhere.address);
        let upstream = Upstream::start([Act::Answer(answer(status, &lines, ""))]);
        let gateway = Gateway::before(&upstream);
        let reply = gateway.ask(patch_with("Authorization: Bearer t\r\n", NOTES));
        assert_eq!(reply.status.to_string(), status[..3]);
        assert!(reply.header("location").is_some());
        assert_eq!(upstream.requests().len(), 1);
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn a_caller_that_leaves_frees_its_room_and_its_patch_is_sent_at_most_once() {
    // Row 156.
    let (release, held) = Act::held();
    let upstream = Upstream::start([held]);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.settings.proxy.in_flight = 1;
        setup.upstream().connections = 1;
    });
    let mut caller = gateway.caller();
    caller.send(patch(NOTES));
    upstream.wait_for(1);
    caller.reset().unwrap();
    drop(caller);
    eventually("the room is free", || gateway.running().in_flight() == 0);
    assert_eq!(gateway.running().memory(), 0);
    assert_eq!(gateway.ask(patch(NOTES)).status, 200);
    drop(release);
    assert_eq!(upstream.requests().len(), 2);
}

#[test]
fn an_upstream_that_is_killed_under_load_is_served_again_at_once() {
    // Row 158: what its callers see, and that no patch came twice.
    let upstream = Upstream::start([]);
    let address = upstream.address;
    let gateway = Gateway::with(&upstream, |setup| setup.settings.workers = 2);
    let (over, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (mut before, mut after) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut caller = gateway.caller();
                while !over.load(Ordering::SeqCst) {
                    let index = sent.fetch_add(1, Ordering::SeqCst);
                    let began = Instant::now();
                    let reply = caller.ask(patch_with(&format!("Request-ID: r{index}\r\n"), NOTES));
                    assert!(matches!(reply.status, 200 | 502..=504), "{}", reply.status);
                    assert!(began.elapsed() < Duration::from_secs(4), "none hangs");
                }
            });
        }
        upstream.wait_for(50);
        upstream.close_all();
        before = upstream.requests();
        drop(upstream);
        std::thread::sleep(Duration::from_millis(500));
        let upstream = Upstream::start_at(address);
        upstream.wait_for(50);
        over.store(true, Ordering::SeqCst);
        assert_eq!(gateway.ask(patch(NOTES)).status, 200);
        after = upstream.requests();
    });
    let ids: Vec<_> = before.iter().chain(&after).map(|sent| sent.header("request-id")).collect();
    let unique: std::collections::HashSet<_> = ids.iter().collect();
    assert_eq!(ids.len(), unique.len(), "none came twice");
}
