//! What a body is: its media type, its charset, its coding. The tests name the rows of the catalogue
//! of threats that they are about.

use crate::harness::*;

use flate2::Compression;
use flate2::write::GzEncoder;

use std::io::Write;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// A patch with `lines` and the bytes of `body`.
fn raw(lines: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let typed = "Content-Type: application/json-patch+json\r\n";
    let typed = if lines.contains("Content-Type") { "" } else { typed };
    let head = format!(
        "PATCH {PATH} HTTP/1.1\r\nHost: g\r\n{typed}{lines}Content-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn coded(body: &[u8]) -> Vec<u8> {
    raw("Content-Encoding: gzip\r\n", body)
}

fn decoding(upstream: &Upstream) -> Gateway {
    Gateway::with(upstream, |setup| setup.gzip = true)
}

/// Both kinds of gateway: one that takes gzip and one that does not.
fn both(upstream: &Upstream) -> [Gateway; 2] {
    [Gateway::before(upstream), decoding(upstream)]
}

#[test]
fn row_66_the_media_types_of_the_route_are_served_in_any_spelling() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    for given in [
        "application/json-patch+json",
        "application/json",
        "APPLICATION/Json",
        "application/json; charset=utf-8",
        "application/json;charset=UTF8",
        "application/json ; CHARSET=\"Utf-8\"",
    ] {
        let lines = format!("Content-Type: {given}\r\n");
        assert_eq!(gateway.ask(raw(&lines, NOTES.as_bytes())).status, 200, "{given}");
        assert_eq!(gateway.ask(raw(&lines, REMOVE.as_bytes())).status, 422, "{given}");
    }
}

#[test]
fn row_67_and_70_any_other_type_or_charset_is_415_whatever_the_body() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    for given in [
        "text/plain",
        "application/merge-patch+json",
        "application/x-www-form-urlencoded",
        "application/xjson",
        "application/json+xml",
        "application/json, application/json-patch+json",
        "application/json;",
        "application",
        "/",
        "\"application/json\"",
        "application/json charset=utf-8",
        "application/json; charset=utf-16",
        "application/json; charset=utf-7",
        "application/json; charset=Shift_JIS",
        "application/json; charset=utf-8; charset=utf-16",
    ] {
        let reply = gateway.ask(raw(&format!("Content-Type: {given}\r\n"), REMOVE.as_bytes()));
        assert_eq!((reply.status, reply.code()), (415, "media-type-unsupported".into()), "{given}");
        assert!(reply.header("accept-patch").is_some(), "{given}");
    }
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn row_68_two_media_types_are_none() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let lines = "Content-Type: application/json\r\nContent-Type: text/plain\r\n";
    assert_eq!(gateway.ask(raw(lines, NOTES.as_bytes())).status, 400);
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn row_69_and_70_what_is_no_patch_in_utf_8_is_refused_under_the_right_type() {
    let upstream = Upstream::start([]);
    let [plain, decoding] = both(&upstream);
    let utf_16: Vec<u8> = NOTES.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for body in [
        &br#"{"notes":"x"}"#[..],
        b"notes=x",
        b"--b\r\nContent-Type: application/json\r\n\r\n[]\r\n--b--\r\n",
        &[b"\xef\xbb\xbf", NOTES.as_bytes()].concat(),
        &utf_16,
    ] {
        assert_eq!(plain.ask(raw("", body)).status, 400);
        assert_eq!(decoding.ask(coded(&gzip(body))).status, 400);
    }
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn row_71_a_coding_is_415_unless_the_route_takes_it() {
    let upstream = Upstream::start([]);
    let [plain, decoding] = both(&upstream);
    let accepted = [(&plain, "identity"), (&decoding, "gzip, identity")];
    for coding in [
        "gzip",
        "br",
        "deflate",
        "zstd",
        "x",
        "gzip, gzip",
        "identity, gzip",
        "gzip\r\nContent-Encoding: gzip",
        "identity\r\nContent-Encoding: gzip",
        "",
        "\"gzip\"",
        "gzip;q=1",
    ] {
        for (gateway, accepted) in accepted {
            if coding == "gzip" && accepted.starts_with(coding) {
                continue;
            }
            let lines = format!("Content-Encoding: {coding}\r\n");
            let reply = gateway.ask(raw(&lines, &gzip(NOTES.as_bytes())));
            assert_eq!(
                (reply.status, reply.code()),
                (415, "coding-unsupported".into()),
                "{coding}"
            );
            assert_eq!(reply.header("accept-encoding"), Some(accepted), "{coding}");
        }
    }
    // Announced wrong, either way.
    assert_eq!(decoding.ask(coded(NOTES.as_bytes())).code(), "coding-malformed");
    for gateway in [&plain, &decoding] {
        assert_eq!(gateway.ask(raw("", &gzip(NOTES.as_bytes()))).status, 400);
        let lines = "Content_Encoding: gzip\r\n";
        assert_eq!(gateway.ask(raw(lines, &gzip(NOTES.as_bytes()))).status, 400);
    }
    assert_eq!(upstream.connections(), 0);
    let identity = raw("Content-Encoding: Identity\r\n", NOTES.as_bytes());
    assert_eq!(plain.ask(identity).status, 200);
}

#[test]
fn row_71_what_is_decoded_is_judged_and_sent_on_as_it_was_judged() {
    let upstream = Upstream::start([]);
    let gateway = decoding(&upstream);
    let refused = gateway.ask(coded(&gzip(REMOVE.as_bytes())));
    assert_eq!((refused.status, refused.code()), (422, "refused".into()));
    assert_eq!(upstream.connections(), 0);
    for coding in ["gzip", "GZip", "x-gzip"] {
        let before = upstream.requests().len();
        let lines = format!(
            "Content-Encoding: {coding}\r\nContent-Digest: sha-256=:AA==:\r\nDigest: x\r\n\
             Repr-Digest: sha-256=:AA==:\r\nContent-MD5: x\r\nWant-Repr-Digest: sha-256=1\r\n"
        );
        let whole = gzip(NOTES.as_bytes());
        assert_eq!(gateway.ask(raw(&lines, &whole)).status, 200, "{coding}");
        let sent = &upstream.requests()[before];
        assert_eq!(sent.body, NOTES.as_bytes());
        assert_eq!(sent.header("content-length"), Some(&*NOTES.len().to_string()));
        for name in ["content-encoding", "content-digest", "digest", "repr-digest", "content-md5"] {
            assert_eq!(sent.header(name), None, "{name}");
        }
        assert_eq!(sent.header("want-repr-digest"), Some("sha-256=1"));
    }
    let log = gateway.log();
    assert_eq!(log[1]["bytes_in"], gzip(NOTES.as_bytes()).len(), "as they came");
}

#[test]
fn what_tells_of_a_body_that_stays_as_it_is_goes_on_with_it() {
    let upstream = Upstream::start([]);
    let fields = [
        ("content-digest", "sha-256=:AA==:"),
        ("repr-digest", "sha-512=:AAAA:"),
        ("digest", "sha-256=AA=="),
        ("content-md5", "AAAA"),
        ("want-content-digest", "sha-256=1"),
        ("idempotency-key", "\"8e03978e\""),
    ];
    let lines: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let chunks = format!("{:x}\r\n{STATUS}\r\n0\r\n\r\n", STATUS.len());
    let head = format!(
        "PATCH {PATH} HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\n{lines}\
         Transfer-Encoding: chunked\r\n\r\n"
    );
    for gateway in both(&upstream) {
        for request in [raw(&lines, STATUS.as_bytes()), (head.clone() + &chunks).into_bytes()] {
            let before = upstream.requests().len();
            assert_eq!(gateway.ask(request).status, 200);
            let [read, sent] = &upstream.requests()[before..] else { panic!("a read and a patch") };
            assert_eq!(sent.body, STATUS.as_bytes());
            for (name, value) in fields {
                assert_eq!(sent.header(name), Some(value));
                assert_eq!(read.header(name), None, "what is read has no such body");
            }
        }
    }
}

#[test]
fn row_71_one_member_is_taken_and_nothing_behind_it() {
    let upstream = Upstream::start([]);
    let gateway = decoding(&upstream);
    let whole = gzip(NOTES.as_bytes());
    let mut wrong_sum = whole.clone();
    wrong_sum[whole.len() - 6] ^= 1;
    for body in [
        Vec::new(),
        whole[..whole.len() - 1].to_vec(),
        [&*whole, b"\n"].concat(),
        [&*whole, &gzip(b"")].concat(),
        [&gzip(b""), &*whole].concat(),
        wrong_sum,
    ] {
        let reply = gateway.ask(coded(&body));
        assert_eq!((reply.status, reply.code()), (400, "coding-malformed".into()), "{body:?}");
    }
    assert_eq!(upstream.connections(), 0);
    assert_eq!(gateway.running().memory(), 0);
}

#[test]
fn row_71_a_signed_body_stays_as_it_is() {
    let upstream = Upstream::start([]);
    let gateway = decoding(&upstream);
    for signed in ["Signature: s=:AA==:\r\n", "Signature-Input: s=(\"content-digest\")\r\n"] {
        let lines = format!("Content-Encoding: gzip\r\n{signed}");
        let reply = gateway.ask(raw(&lines, &gzip(NOTES.as_bytes())));
        assert_eq!((reply.status, reply.code()), (400, "head-malformed".into()), "{signed}");
    }
    assert_eq!(upstream.connections(), 0);
    let lines = "Signature: s=:AA==:\r\nContent-Digest: sha-256=:AA==:\r\n";
    assert_eq!(gateway.ask(raw(lines, NOTES.as_bytes())).status, 200);
    let sent = upstream.only_request();
    assert_eq!(sent.header("content-digest"), Some("sha-256=:AA==:"));
    assert_eq!(sent.header("signature"), Some("s=:AA==:"));
}

#[test]
fn row_72_a_bomb_is_413_and_takes_no_more_room_than_any_body() {
    let upstream = Upstream::start([]);
    let bomb = gzip(&vec![b' '; 3 << 20]);
    assert!(bomb.len() < 4096);
    let plain = Gateway::before(&upstream);
    assert_eq!(plain.ask(coded(&bomb)).status, 415);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.gzip = true;
        // What is announced, and twice what may come of it.
        setup.settings.proxy.memory = bomb.len() + 3 * 4096;
    });
    for _ in 0..20 {
        let reply = gateway.ask(coded(&bomb));
        assert_eq!((reply.status, reply.code()), (413, "body-too-large".to_owned()));
        assert_eq!(reply.json()["detail"], "the most is 4096 bytes");
    }
    eventually("the room is given back", || gateway.running().memory() == 0);
    // Small enough, but out of all proportion.
    let dense = gzip(&[b' '; 4096]);
    let reply = gateway.ask(coded(&dense));
    assert_eq!(reply.json()["detail"], format!("the most is {} bytes", 100 * dense.len()));
    let spaced = format!("{NOTES}{}", " ".repeat(4096 - NOTES.len()));
    assert_eq!(gateway.ask(coded(&gzip(spaced.as_bytes()))).status, 200);
    assert_eq!(gateway.ask(coded(&gzip(format!("{spaced} ").as_bytes()))).status, 413);
    assert_eq!(upstream.only_request().body, spaced.as_bytes());
}

#[test]
fn row_73_a_coded_body_over_the_limit_is_not_read() {
    let upstream = Upstream::start([]);
    let gateway = decoding(&upstream);
    let head = format!(
        "PATCH {PATH} HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\n\
         Content-Encoding: gzip\r\n"
    );
    let announced = format!("{head}Content-Length: 4097\r\n\r\n");
    assert_eq!(gateway.ask(announced).status, 413);
    let noise = vec![0x8b; 4097];
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n1001\r\n");
    assert_eq!(gateway.ask([chunked.as_bytes(), &noise].concat()).status, 413);
    assert_eq!(upstream.connections(), 0);
}
