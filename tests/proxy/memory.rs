//! Reads of the current state: shared while they are under way, and remembered after.

use crate::harness::*;

use std::time::Duration;

const BODY: &str = r#"{"id":"1","status":"New"}"#;
/// A patch that does not apply to that document.
const MISFIT: &str = r#"[{"op":"replace","path":"/status","value":"Active"},{"op":"replace","path":"/x","value":1}]"#;

fn version(tag: &str) -> Act {
    Act::Answer(answer("200 OK", &format!("ETag: {tag}\r\n"), BODY))
}

fn status(line: &str) -> Act {
    Act::Answer(answer(line, "", ""))
}

fn methods(upstream: &Upstream) -> Vec<String> {
    upstream.requests().iter().map(|sent| sent.line().split(' ').next().unwrap().into()).collect()
}

/// Sends `body` with `If-Match: "a"` and the token `who`.
fn ask(gateway: &Gateway, who: &str, body: &str) -> u16 {
    let fields = format!("Authorization: Bearer {who}\r\nIf-Match: \"a\"\r\n");
    gateway.ask(patch_with(&fields, body)).status
}

#[test]
fn what_was_read_is_remembered_even_where_it_came_to_a_refusal() {
    let upstream = Upstream::start([version("\"a\""), status("204 No Content")]);
    let gateway = Gateway::before(&upstream);
    assert_eq!(ask(&gateway, "one", MISFIT), 409);
    assert_eq!(ask(&gateway, "one", MISFIT), 409);
    assert_eq!(methods(&upstream), ["GET"]);
    assert_eq!(ask(&gateway, "one", STATUS), 204);
    assert_eq!(methods(&upstream), ["GET", "PATCH"]);
    assert_eq!(upstream.requests()[1].header("if-match"), Some("\"a\""));
    let log = gateway.log();
    let sources: Vec<_> = log.iter().map(|line| line["current"].as_str().unwrap()).collect();
    assert_eq!(sources, ["fetched", "remembered", "remembered"]);
}

#[test]
fn what_is_read_for_a_change_is_remembered_where_that_was_not_made() {
    for (answer, remembers) in [
        ("409 Conflict", true),
        ("403 Forbidden", true),
        ("204 No Content", false),
        ("500 Internal Server Error", false),
        ("412 Precondition Failed", false),
    ] {
        let upstream = Upstream::start([version("\"a\""), status(answer), version("\"a\"")]);
        let gateway = Gateway::before(&upstream);
        let told = ask(&gateway, "one", STATUS).to_string();
        assert!(answer.starts_with(&told), "{answer}: {told}");
        assert_eq!(methods(&upstream), ["GET", "PATCH"], "{answer}");
        assert_eq!(ask(&gateway, "one", MISFIT), 409);
        let reads = if remembers { 2 } else { 3 };
        assert_eq!(methods(&upstream).len(), reads, "{answer}");
    }
}

#[test]
fn what_a_change_may_have_changed_is_forgotten_for_every_caller() {
    let post = format!(
        "POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    for (what, change, act, forgets) in [
        ("a 2xx", patch(NOTES), status("204 No Content"), true),
        ("a 2xx to a POST", post, status("201 Created"), true),
        ("a 412", patch(NOTES), status("412 Precondition Failed"), true),
        ("a failure", patch(NOTES), status("500 Internal Server Error"), true),
        ("no answer", patch(NOTES), Act::Close, true),
        ("no answer in time", patch(NOTES), Act::Silence, true),
        ("no change", patch(NOTES), status("400 Bad Request"), false),
        ("a refusal", patch(REMOVE), status("204 No Content"), false),
    ] {
        let upstream = Upstream::start([version("\"a\""), version("\"a\""), act]);
        let gateway = Gateway::with(&upstream, |setup| {
            setup.upstream().head_time = Duration::from_millis(300);
        });
        assert_eq!(ask(&gateway, "one", MISFIT), 409);
        assert_eq!(ask(&gateway, "two", MISFIT), 409);
        assert_eq!(methods(&upstream), ["GET", "GET"], "{what}");
        gateway.ask(change);
        let before = upstream.requests().len();
        for who in ["one", "two"] {
            ask(&gateway, who, MISFIT);
        }
        let reads = upstream.requests().len() - before;
        // What is not used up of the script is one read less.
        assert_eq!(reads, if forgets { 2 } else { 0 }, "{what}");
    }
}

#[test]
fn a_caller_who_leaves_before_the_answer_leaves_nothing_remembered() {
    let upstream = Upstream::start([version("\"a\""), Act::Silence]);
    let gateway = Gateway::before(&upstream);
    assert_eq!(ask(&gateway, "one", MISFIT), 409);
    let mut leaver = gateway.caller();
    leaver.send(patch(NOTES));
    upstream.wait_for(2);
    drop(leaver);
    eventually("it has left", || gateway.running().in_flight() == 0);
    assert_eq!(ask(&gateway, "one", STATUS), 412, "the document is another one by now");
    assert_eq!(methods(&upstream), ["GET", "PATCH", "GET"]);
}

#[test]
fn the_upstreams_own_check_has_the_last_word_on_what_is_remembered() {
    let script = [version("\"a\""), status("412 Precondition Failed"), version("\"b\"")];
    let upstream = Upstream::start(script);
    let gateway = Gateway::before(&upstream);
    assert_eq!(ask(&gateway, "one", MISFIT), 409);
    assert_eq!(ask(&gateway, "one", STATUS), 412, "sent, and found out upstream");
    assert_eq!(ask(&gateway, "one", STATUS), 412, "read anew, and found out here");
    assert_eq!(methods(&upstream), ["GET", "PATCH", "GET"]);
}

#[test]
fn what_one_caller_may_read_is_not_used_for_another() {
    let upstream = Upstream::start((0..9).map(|_| version("\"a\"")));
    let gateway = Gateway::before(&upstream);
    let fields = [
        "Authorization: Bearer one\r\nIf-Match: \"a\"\r\n",
        "Authorization: Bearer two\r\nIf-Match: \"a\"\r\n",
        "Authorization: \r\nIf-Match: \"a\"\r\n",
        "If-Match: \"a\"\r\n",
    ];
    for (index, fields) in fields.iter().enumerate() {
        assert_eq!(gateway.ask(patch_with(fields, MISFIT)).status, 409, "{fields}");
        assert_eq!(methods(&upstream).len(), index + 1, "{fields}");
    }
    for fields in fields {
        assert_eq!(gateway.ask(patch_with(fields, MISFIT)).status, 409, "{fields}");
    }
    assert_eq!(methods(&upstream).len(), 4);
    // A list does not name one version.
    let list = "Authorization: Bearer two\r\nIf-Match: \"a\", \"b\"\r\n";
    assert_eq!(gateway.ask(patch_with(list, MISFIT)).status, 409);
    assert_eq!(methods(&upstream).len(), 5);
}

#[test]
fn those_who_need_the_same_state_at_once_share_one_read() {
    let (release, held) = Act::held();
    let ok = || status("204 No Content");
    let upstream = Upstream::start([held, ok(), ok()]);
    let gateway = Gateway::before(&upstream);
    let mut first = gateway.caller();
    first.send(patch(STATUS));
    upstream.wait_for(1);
    let mut second = gateway.caller();
    second.send(patch(STATUS));
    eventually("both are under way", || gateway.running().in_flight() == 2);
    release.send(answer("200 OK", "ETag: \"a\"\r\n", BODY)).unwrap();
    assert_eq!((first.reply().status, second.reply().status), (204, 204));
    assert_eq!(methods(&upstream), ["GET", "PATCH", "PATCH"]);
}

#[test]
fn those_whom_an_older_read_would_refuse_share_one_that_is_new() {
    let (release, held) = Act::held();
    let upstream = Upstream::start([held, version("\"a\"")]);
    let gateway = Gateway::before(&upstream);
    let mut callers: Vec<_> = (0..6).map(|_| gateway.caller()).collect();
    callers[0].send(patch(MISFIT));
    upstream.wait_for(1);
    for caller in &mut callers[1..] {
        caller.send(patch(MISFIT));
    }
    eventually("all are under way", || gateway.running().in_flight() == 6);
    release.send(answer("200 OK", "ETag: \"a\"\r\n", BODY)).unwrap();
    for caller in &mut callers {
        assert_eq!(caller.reply().status, 409);
    }
    assert_eq!(methods(&upstream), ["GET", "GET"]);
}

#[test]
fn of_those_whose_reader_leaves_one_reads_for_all() {
    let (release, held) = Act::held();
    let mut script = vec![Act::Silence, held];
    script.extend((0..5).map(|_| status("204 No Content")));
    let upstream = Upstream::start(script);
    let gateway = Gateway::before(&upstream);
    let mut first = gateway.caller();
    first.send(patch(STATUS));
    upstream.wait_for(1);
    let mut callers: Vec<_> = (0..5).map(|_| gateway.caller()).collect();
    for caller in &mut callers {
        caller.send(patch(STATUS));
    }
    eventually("all are under way", || gateway.running().in_flight() == 6);
    drop(first);
    upstream.wait_for(2);
    eventually("one has left", || gateway.running().in_flight() == 5);
    release.send(answer("200 OK", "ETag: \"a\"\r\n", BODY)).unwrap();
    for caller in &mut callers {
        assert_eq!(caller.reply().status, 204);
    }
    assert_eq!(methods(&upstream)[..3], ["GET", "GET", "PATCH"]);
    assert_eq!(methods(&upstream).len(), 2 + 5);
}

#[test]
fn a_read_that_takes_too_long_is_not_made_again_for_each_who_waited() {
    let upstream = Upstream::start([Act::Silence, Act::Silence]);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.upstream().fetch_time = Duration::from_millis(400);
    });
    let mut callers: Vec<_> = (0..4).map(|_| gateway.caller()).collect();
    callers[0].send(patch(STATUS));
    upstream.wait_for(1);
    for caller in &mut callers[1..] {
        caller.send(patch(STATUS));
    }
    for caller in &mut callers {
        assert_eq!(caller.reply().status, 504);
    }
    assert_eq!(methods(&upstream), ["GET"]);
}
