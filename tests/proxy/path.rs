//! Paths and methods: one normal form decides the route and is what is sent (rows 58 to 65 of the
//! catalogue of threats).

use crate::harness::*;

use patchgate::policy::route::Param;

/// The status of a GET of `path`, and what the upstream saw of it.
fn get(gateway: &Gateway, upstream: &Upstream, path: &[u8]) -> (u16, Option<String>) {
    let before = upstream.requests().len();
    let request = [b"GET ", path, b" HTTP/1.1\r\nHost: g\r\n\r\n"].concat();
    let status = gateway.ask(request).status;
    (status, upstream.requests().get(before).map(|request| request.line().to_owned()))
}

/// Every one of `paths` is refused with one of `statuses`, and the upstream sees none of them.
fn none_passes(row: u32, statuses: &[u16], paths: &[&[u8]]) {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.params = vec![("id".to_owned(), Param::Token)];
    });
    for path in paths {
        let (status, _) = get(&gateway, &upstream, path);
        let said = String::from_utf8_lossy(path);
        assert!(statuses.contains(&status), "row {row}: {status} for {said}");
    }
    assert_eq!(upstream.connections(), 0, "row {row}");
    assert_eq!(get(&gateway, &upstream, PATH.as_bytes()).0, 200, "row {row}");
}

#[test]
fn row_58_dot_segments_in_any_spelling_lead_nowhere() {
    none_passes(
        58,
        &[404],
        &[
            b"/v1.0/engagements/referrals/./1",
            b"/v1.0/engagements/x/../referrals/1",
            b"/v1.0/engagements/referrals/1/..",
            b"/v1.0/engagements/referrals/..",
            b"/../v1.0/engagements/referrals/1",
            b"/v1.0/engagements/x/%2e%2e/referrals/1",
            b"/v1.0/engagements/x/%2E./referrals/1",
            b"/v1.0/engagements/x/%252e%252e/referrals/1",
            b"/v1.0/engagements/x/..%2freferrals/1",
        ],
    );
}

#[test]
fn row_59_escapes_that_hide_a_separator_or_break_lead_nowhere() {
    none_passes(
        59,
        &[400, 404],
        &[
            b"/v1.0/engagements/referrals%2f1",
            b"/v1.0/engagements/referrals%5c1",
            b"/v1.0/engagements/referrals\\1",
            b"/v1.0/engagements/referrals/1%00",
            b"/v1.0/engagements/referrals/1%0d%0aX-A:b",
            b"/v1.0/engagements/referrals%c0%af1",
            b"/v1.0/engagements/referrals%e0%80%af1",
            "/v1.0/engagements/referrals\u{ff0f}1".as_bytes(),
            b"/v1.0/engagements/referrals/\xff",
            b"/v1.0/engagements/referrals/1%",
            b"/v1.0/engagements/referrals/1%zz",
            b"/v1.0/engagements/referrals/1%u002f",
            b"/v1.0/engagements/referrals%252f1",
        ],
    );
}

#[test]
fn row_60_parameters_other_case_coded_letters_and_doubled_slashes_lead_nowhere() {
    none_passes(
        60,
        &[404],
        &[
            b"/v1.0/engagements/referrals/1;x=1",
            b"/v1.0/engagements/referrals;x/1",
            b"/V1.0/engagements/referrals/1",
            b"/v1.0/engagements/REFERRALS/1",
            b"/v1.0/engagements/%72eferrals/1",
            b"//v1.0/engagements/referrals/1",
            b"/v1.0//engagements/referrals/1",
            // The route allows one slash.
            b"/v1.0/engagements/referrals/1//",
        ],
    );
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let (status, line) = get(&gateway, &upstream, format!("{PATH}/").as_bytes());
    assert_eq!((status, line), (200, Some(format!("GET {PATH} HTTP/1.1"))));
}

#[test]
fn row_61_an_id_is_what_the_route_holds_it_to() {
    let long = format!("/v1.0/engagements/referrals/{}", "1".repeat(9 << 10));
    none_passes(
        61,
        &[404, 414],
        &[
            b"/v1.0/engagements/referrals/",
            b"/v1.0/engagements/referrals/a@b",
            b"/v1.0/engagements/referrals/a:b",
            b"/v1.0/engagements/referrals/*",
            b"/v1.0/engagements/referrals/$batch",
            b"/v1.0/engagements/referrals/('1')",
            b"/v1.0/engagements/referrals/1'",
            long.as_bytes(),
        ],
    );
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.params = vec![("id".to_owned(), Param::Guid)];
    });
    assert_eq!(get(&gateway, &upstream, PATH.as_bytes()), (404, None));
    let guid = "/v1.0/engagements/referrals/01A2030c-fc67-70b1-8fef-0a0ad6421b6a";
    let (status, line) = get(&gateway, &upstream, guid.as_bytes());
    assert_eq!((status, line), (200, Some(format!("GET {guid} HTTP/1.1"))));
}

#[test]
fn row_62_the_operators_paths_are_not_on_this_listener() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let mut bodies = Vec::new();
    for path in [
        "/",
        "/livez",
        "/readyz",
        "/version",
        "/metrics",
        "/reload",
        "/admin",
        "/config",
        "/debug/pprof",
        "/v1.0/users",
        "/x",
    ] {
        let reply = gateway.ask(format!("GET {path} HTTP/1.1\r\nHost: g\r\nRequest-ID: a\r\n\r\n"));
        assert_eq!((reply.status, reply.code()), (404, "unrouted".to_owned()), "{path}");
        bodies.push(reply.body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "no path is told from another");
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn row_63_a_query_is_refused_or_passed_exactly_and_decides_nothing() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    for query in
        ["", "a=%20b&c", "_method=DELETE", "/../../x?y", "%2e%2e%2f", "$filter=a%20eq%20'b'"]
    {
        let (status, line) = get(&gateway, &upstream, format!("{PATH}?{query}").as_bytes());
        assert_eq!((status, line), (200, Some(format!("GET {PATH}?{query} HTTP/1.1"))));
    }
    let before = upstream.requests().len();
    let reply = gateway.ask(patch(NOTES).replace(PATH, &format!("{PATH}?_method=DELETE")));
    assert_eq!((reply.status, reply.code()), (400, "head-malformed".to_owned()));
    for query in ["\u{e9}", "\u{ff0f}"] {
        assert_eq!(get(&gateway, &upstream, format!("{PATH}?{query}").as_bytes()), (400, None));
    }
    let raw = [PATH.as_bytes(), b"?\xff"].concat();
    assert_eq!(get(&gateway, &upstream, &raw), (400, None));
    // A fragment is no part of a request target.
    let (_, line) = get(&gateway, &upstream, format!("{PATH}#x").as_bytes());
    assert!(line.is_none_or(|line| line == format!("GET {PATH} HTTP/1.1")));
    assert!(upstream.requests()[before..].iter().all(|request| !request.head.contains("DELETE")));
}

#[test]
fn row_64_a_method_that_no_route_has_is_told_those_that_are() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    for method in ["PUT", "DELETE", "HEAD", "MKCOL", "PATCHX", "patch", "Patch"] {
        let request = patch(NOTES).replacen("PATCH", method, 1);
        let mut caller = gateway.caller();
        caller.send(request).finish();
        if method == "HEAD" {
            // Its answer has no body, whatever its length says.
            continue;
        }
        let reply = caller.reply();
        assert_eq!(
            (reply.status, reply.header("allow")),
            (405, Some("GET, PATCH, POST")),
            "{method}"
        );
    }
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn row_64_the_methods_of_a_route_that_does_not_take_the_path_are_not_told() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.params = vec![("id".to_owned(), Param::Guid)];
    });
    let reply = gateway.ask(format!("DELETE {PATH} HTTP/1.1\r\nHost: g\r\n\r\n"));
    assert_eq!((reply.status, reply.header("allow")), (404, None));
}

#[test]
fn row_65_fields_that_would_override_method_or_path_are_not_sent_on() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let names = [
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-Method-Override",
        "X_HTTP_Method_Override",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Original-URI",
        "X-Forwarded-Prefix",
        "X-Forwarded-Path",
    ];
    let lines: String = names.iter().map(|name| format!("{name}: DELETE\r\n")).collect();
    assert_eq!(gateway.ask(patch_with(&lines, NOTES)).status, 200);
    let sent = upstream.only_request();
    assert_eq!(sent.line(), format!("PATCH {PATH} HTTP/1.1"));
    assert!(!sent.head.contains("DELETE"), "{}", sent.head);
}

#[test]
fn a_base_path_without_a_normal_form_is_no_upstream() {
    let upstream = Upstream::start([]);
    for base in ["/a/../b", "/a//b", "/a%2fb", "/a;b"] {
        let started = Gateway::try_with(&upstream, |setup| {
            let url = format!("http://{}{base}", upstream.address);
            setup.upstream().base = url.parse().unwrap();
        });
        assert!(started.is_err(), "{base}");
    }
}
