//! Spans, as a collector is told of them. It reads them by definitions that are not the gateway's.

use super::process::{Gateway, ask, gateway_file};
use super::{WON, file};
use crate::docs::rows;
use crate::harness::{Act, Authority, Upstream, answer, eventually};

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message;

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const ID: &str = "10000000-0000-4000-8000-000000000003";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const NOTE: &str = r#"[{"op":"replace","path":"/details/notes","value":"n0t3-m4rk"}]"#;

fn patch() -> String {
    format!("PATCH /v1.0/engagements/referrals/{ID}")
}

fn traced(flags: &str) -> String {
    format!("traceparent: 00-{TRACE}-{CALLER}-{flags}")
}

/// A gateway in front of `upstream`, whose spans go to `collector`.
fn gateway(folder: &tempfile::TempDir, upstream: &str, collector: &str, keys: &str) -> Gateway {
    let keys = format!(
        "upstream: {{ url: {upstream} }}\nreload: {{ watch: false }}\n\
         trace: {{ export: {{ endpoint: \"{collector}\", {keys} }} }}"
    );
    Gateway::run(&gateway_file(folder, &keys))
}

fn at(upstream: &Upstream) -> String {
    format!("http://{}", upstream.address)
}

/// The spans that came in all, in the order of their ends.
fn spans(collector: &Upstream) -> Vec<Span> {
    let requests = collector.requests();
    let read = |body: &Vec<u8>| ExportTraceServiceRequest::decode(&**body).expect("spans");
    let resources = requests.iter().flat_map(|request| read(&request.body).resource_spans);
    let mut spans: Vec<_> = resources
        .inspect(|all| {
            let resource = all.resource.as_ref().expect("a resource");
            assert_eq!(text(&resource.attributes, "service.name"), Some("patchgate"));
            assert!(text(&resource.attributes, "service.version").is_some());
        })
        .flat_map(|all| all.scope_spans)
        .inspect(|all| assert_eq!(all.scope.as_ref().expect("a scope").name, "patchgate"))
        .flat_map(|all| all.spans)
        .collect();
    spans.sort_by_key(|span| span.end_time_unix_nano);
    spans
}

/// As many of them, once they have come.
fn await_spans(collector: &Upstream, count: usize) -> Vec<Span> {
    eventually("spans have come", || spans(collector).len() >= count);
    let spans = spans(collector);
    assert_eq!(spans.len(), count, "{:?}", spans.iter().map(|span| &span.name).collect::<Vec<_>>());
    spans
}

fn value<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Value> {
    let mut found = attributes.iter().filter(|attribute| attribute.key == key);
    let first = found.next()?;
    assert!(found.next().is_none(), "{key} is there twice");
    first.value.as_ref()?.value.as_ref()
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let value = value(attributes, key)?;
    let Value::StringValue(text) = value else { panic!("{key} is {value:?}") };
    Some(text)
}

fn number(span: &Span, key: &str) -> Option<i64> {
    let value = value(&span.attributes, key)?;
    let Value::IntValue(number) = value else { panic!("{key} is {value:?}") };
    Some(*number)
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn server(spans: &[Span]) -> &Span {
    spans.iter().find(|span| span.kind() == SpanKind::Server).expect("a span of ours")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn failed(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|status| status.code == 2)
}

/// What the gateway counts of `series`.
fn counted(gateway: &Gateway, series: &str) -> u64 {
    let body = ask(gateway.admin, "GET /metrics", &[], "").body;
    let line = body.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.expect("a number").parse().expect("a number")
}

#[test]
fn a_request_and_its_parts_are_told_of_and_nothing_that_is_nobodys_business() {
    let folder = tempfile::tempdir().expect("a folder");
    let (upstream, collector) = (Upstream::start([]), Upstream::start([]));
    upstream.then(Act::Answer(answer("200 OK", "ETag: \"v1\"\r\n", &super::referral("Accepted"))));
    let gateway = gateway(&folder, &at(&upstream), &format!("{}/v1/traces", at(&collector)), "");
    let began = SystemTime::now();
    let fields = [&*traced("01"), "Authorization: Bearer t0k3n-m4rk", "X-Other: f13ld-m4rk"];
    let answered = ask(gateway.address, &patch(), &fields, WON);
    assert_eq!(answered.status, 200, "{}", answered.body);
    let spans = await_spans(&collector, 5);
    let nanos = |time: SystemTime| time.duration_since(UNIX_EPOCH).expect("a time").as_nanos();
    let all = server(&spans);
    assert_eq!(all.name, "PATCH /v1.0/engagements/referrals/{id}");
    assert_eq!((hex(&all.trace_id), hex(&all.parent_span_id)), (TRACE.into(), CALLER.into()));
    assert_eq!(all.flags, 0x301, "sampled, and the parent is another's");
    assert!(u128::from(all.start_time_unix_nano) + 1_000_000 >= nanos(began));
    assert!(u128::from(all.end_time_unix_nano) <= nanos(SystemTime::now()));
    let ids: BTreeSet<_> = spans.iter().map(|span| span.span_id.clone()).collect();
    assert_eq!(ids.len(), 5, "each has an id of its own");
    for part in spans.iter().filter(|span| span.kind() != SpanKind::Server) {
        assert_eq!((&part.trace_id, &part.parent_span_id), (&all.trace_id, &all.span_id));
        assert_eq!(part.flags, 0x101, "{}", part.name);
        let within = all.start_time_unix_nano <= part.start_time_unix_nano
            && part.start_time_unix_nano <= part.end_time_unix_nano
            && part.end_time_unix_nano <= all.end_time_unix_nano;
        assert!(within, "{} is within", part.name);
    }
    let names: Vec<_> = spans.iter().map(|span| &*span.name).collect();
    assert_eq!(names, ["judge", "prefetch", "judge", "upstream", &all.name]);
    let said: Vec<_> = named(&spans, "judge")
        .into_iter()
        .map(|span| {
            assert_eq!(span.kind(), SpanKind::Internal);
            text(&span.attributes, "patchgate.decision")
        })
        .collect();
    assert_eq!(said, [Some("needs-current"), Some("permit")]);
    // What the upstream was told of the trace leads to the span that called it.
    let calls = ["prefetch", "upstream"].map(|name| named(&spans, name)[0].clone());
    for (call, request) in calls.iter().zip(upstream.requests()) {
        assert_eq!(call.kind(), SpanKind::Client);
        let parent = format!("00-{TRACE}-{}-01", hex(&call.span_id));
        assert_eq!(request.header("traceparent"), Some(&*parent));
        assert_eq!(text(&call.attributes, "server.address"), Some("127.0.0.1"));
        assert_eq!(number(call, "server.port"), Some(upstream.address.port().into()));
        assert_eq!(number(call, "http.response.status_code"), Some(200));
        assert!(!failed(call));
    }
    assert_eq!(text(&calls[0].attributes, "patchgate.current"), Some("fetched"));
    assert_eq!(text(&calls[0].attributes, "http.request.method"), Some("GET"));
    assert_eq!(text(&calls[1].attributes, "http.request.method"), Some("PATCH"));
    for (key, wanted) in [
        ("http.request.method", "PATCH"),
        ("http.route", "/v1.0/engagements/referrals/{id}"),
        ("url.path", "/v1.0/engagements/referrals/{id}"),
        ("url.scheme", "http"),
        ("server.address", "127.0.0.1"),
        ("client.address", "127.0.0.1"),
        ("network.protocol.version", "1.1"),
        ("patchgate.partner", "unknown"),
        ("patchgate.decision", "permit"),
        ("patchgate.outcome", "applied"),
    ] {
        assert_eq!(text(&all.attributes, key), Some(wanted), "{key}");
    }
    assert_eq!(number(all, "http.response.status_code"), Some(200));
    assert!(!failed(all) && text(&all.attributes, "error.type").is_none());

    let sent = &collector.requests()[0];
    assert_eq!(sent.line(), "POST /v1/traces HTTP/1.1");
    assert_eq!(sent.header("content-type"), Some("application/x-protobuf"));
    for secret in [ID, "t0k3n-m4rk", "f13ld-m4rk", "Won", "substatus"] {
        let is_there = sent.body.windows(secret.len()).any(|part| part == secret.as_bytes());
        assert!(!is_there, "{secret}");
    }
    eventually("they are counted", || counted(&gateway, "patchgate_spans_exported_total") == 5);
    assert_eq!(counted(&gateway, "patchgate_spans_dropped_total"), 0);
}

#[test]
fn what_failed_is_marked_as_the_conventions_say() {
    let folder = tempfile::tempdir().expect("a folder");
    let (upstream, collector) = (Upstream::start([]), Upstream::start([]));
    let gateway = gateway(&folder, &at(&upstream), &at(&collector), "");
    let mut seen = 0;
    let mut one = |acts: Vec<Act>, request: &str, body: &str, status: u16, count: usize| {
        acts.into_iter().for_each(|act| upstream.then(act));
        assert_eq!(ask(gateway.address, request, &[], body).status, status);
        seen += count;
        let mut all = await_spans(&collector, seen);
        all.drain(..seen - count);
        all
    };
    // A refusal is the caller's fault, and no error of the gateway's.
    let spans = one(vec![], &patch(), r#"[{"op":"remove","path":"/id"}]"#, 422, 2);
    let all = server(&spans);
    assert!(all.parent_span_id.is_empty() && !failed(all));
    assert_eq!(text(&all.attributes, "error.type"), Some("refused"));
    assert_eq!(text(&all.attributes, "patchgate.decision"), Some("refuse"));
    let codes = value(&all.attributes, "patchgate.codes").expect("codes");
    let Value::ArrayValue(codes) = codes else { panic!("{codes:?}") };
    let first = AnyValue { value: Some(Value::StringValue("op-forbidden".into())) };
    assert!(codes.values.contains(&first), "{codes:?}");
    let judged = text(&named(&spans, "judge")[0].attributes, "patchgate.decision");
    assert_eq!(judged, Some("refuse"));

    // The API's refusal is an error to the one who asks it, and none to the one who is asked.
    let spans = one(vec![Act::Answer(answer("409 Conflict", "", ""))], &patch(), NOTE, 409, 3);
    let (call, all) = (named(&spans, "upstream")[0], server(&spans));
    assert_eq!((failed(call), text(&call.attributes, "error.type")), (true, Some("409")));
    assert_eq!((failed(all), text(&all.attributes, "error.type")), (false, None));
    let failure = answer("500 Internal Server Error", "", "");
    let spans = one(vec![Act::Answer(failure)], &patch(), NOTE, 500, 3);
    let (call, all) = (named(&spans, "upstream")[0], server(&spans));
    assert_eq!((failed(call), text(&call.attributes, "error.type")), (true, Some("500")));
    assert_eq!((failed(all), text(&all.attributes, "error.type")), (true, Some("500")));
    let spans = one(vec![Act::Close], &patch(), NOTE, 502, 3);
    let (call, all) = (named(&spans, "upstream")[0], server(&spans));
    assert_eq!(number(call, "http.response.status_code"), None);
    let broken = Some("upstream-broken");
    assert_eq!((failed(call), text(&call.attributes, "error.type")), (true, broken));
    assert!(failed(all) && text(&all.attributes, "error.type").is_some());
    assert_eq!(text(&all.attributes, "patchgate.outcome"), Some("unknown"));

    // A path that leads nowhere and a method that nobody knows are not repeated.
    let spans = one(vec![], "GET /n0wh3r3-m4rk", "", 404, 1);
    assert_eq!((&*spans[0].name, value(&spans[0].attributes, "url.path")), ("GET", None));
    let spans = one(vec![], "BREW /v1.0/engagements/referrals", "", 405, 1);
    let (span, attributes) = (&spans[0], &spans[0].attributes);
    assert_eq!((&*span.name, text(attributes, "http.request.method")), ("HTTP", Some("_OTHER")));
    assert_eq!(text(attributes, "http.request.method_original"), Some("BREW"));
    assert!(!failed(span));
}

#[test]
fn a_document_that_moves_is_seen_in_the_trace() {
    let folder = tempfile::tempdir().expect("a folder");
    let (upstream, collector) = (Upstream::start([]), Upstream::start([]));
    let seen = |tag: &str| {
        let tag = format!("ETag: \"{tag}\"\r\n");
        Act::Answer(answer("200 OK", &tag, &super::referral("Accepted")))
    };
    [seen("v1"), Act::Answer(answer("412 Precondition Failed", "", "")), seen("v2")]
        .into_iter()
        .for_each(|act| upstream.then(act));
    let gateway = gateway(&folder, &at(&upstream), &at(&collector), "");
    assert_eq!(ask(gateway.address, &patch(), &[], WON).status, 200);
    let spans = await_spans(&collector, 8);
    let again = |span: &Span| number(span, "http.request.resend_count");
    let sent: Vec<_> = named(&spans, "upstream").into_iter().map(again).collect();
    assert_eq!(sent, [None, Some(1)]);
    assert_eq!((named(&spans, "prefetch").len(), named(&spans, "judge").len()), (2, 3));
}

#[test]
fn a_trace_is_recorded_where_the_caller_records_it_or_by_its_share() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |keys: &str, wanted: [bool; 3]| {
        let (upstream, collector) = (Upstream::start([]), Upstream::start([]));
        let gateway = gateway(&folder, &at(&upstream), &at(&collector), keys);
        let (yes, no) = (traced("01"), traced("00"));
        let sent = [&[&*yes][..], &[&*no], &[]].map(|fields| {
            assert_eq!(ask(gateway.address, &patch(), fields, NOTE).status, 200);
            let sent = upstream.requests().pop().expect("a request");
            let flags = u8::from_str_radix(&sent.header("traceparent").expect("one")[53..], 16);
            flags.expect("flags") & 1 == 1
        });
        assert_eq!(sent, wanted, "{keys}");
        let count = 3 * wanted.iter().filter(|recorded| **recorded).count();
        // The end sends what waits.
        gateway.process.signal("TERM");
        assert_eq!(gateway.process.end(), 0);
        assert_eq!(spans(&collector).len(), count, "{keys}");
    };
    run("", [true, false, true]);
    run("ratio: 0", [true, false, false]);
    run("sampler: traceidratio, ratio: 0", [false, false, false]);
    run("sampler: traceidratio, ratio: 1", [true, true, true]);
}

#[test]
fn a_collector_that_does_not_take_them_costs_spans_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let partial = ExportTraceServiceResponse {
        partial_success: Some(ExportTracePartialSuccess {
            rejected_spans: 2,
            error_message: String::new(),
        }),
    };
    let partial = [
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", partial.encoded_len())
            .into_bytes(),
        partial.encode_to_vec(),
    ];
    let upstream = Upstream::start([]);
    let collector = Upstream::start([
        Act::Answer(answer("503 Service Unavailable", "Retry-After: 2\r\n", "")),
        Act::Answer(partial.concat()),
        Act::Answer(answer("400 Bad Request", "", "")),
    ]);
    let gateway = gateway(&folder, &at(&upstream), &at(&collector), "");
    let send = || assert_eq!(ask(gateway.address, &patch(), &[], NOTE).status, 200);
    let (taken, dropped) = ("patchgate_spans_exported_total", "patchgate_spans_dropped_total");
    send();
    let told = gateway.process.err.event("spans are not exported");
    assert_eq!(told["why"], "the collector answered 503");
    let asked = Instant::now();
    eventually("they came again", || counted(&gateway, taken) == 1);
    assert!(asked.elapsed() > Duration::from_millis(1500), "it waits as long as it is told");
    gateway.process.err.event("spans are exported again");
    assert_eq!(counted(&gateway, dropped), 2);
    let bodies = || collector.requests().into_iter().map(|request| request.body);
    let both: BTreeSet<_> = bodies().collect();
    assert_eq!((bodies().count(), both.len()), (2, 1), "the same again");
    // It will never take these.
    send();
    eventually("they are dropped", || counted(&gateway, dropped) == 5);
    assert_eq!((counted(&gateway, taken), collector.requests().len()), (1, 3));
}

#[test]
fn what_waits_for_a_collector_that_is_away_is_bounded_and_the_end_waits_for_it_not_long() {
    let folder = tempfile::tempdir().expect("a folder");
    let (upstream, away) = (Upstream::start([]), Upstream::start([]));
    let nobody = at(&away);
    drop(away);
    let gateway = gateway(&folder, &at(&upstream), &nobody, "queue: 7");
    for _ in 0..5 {
        assert_eq!(ask(gateway.address, &patch(), &[], NOTE).status, 200);
    }
    // Three spans each: there is room for two requests.
    assert_eq!(counted(&gateway, "patchgate_spans_dropped_total"), 9);
    let ending = Instant::now();
    gateway.process.signal("TERM");
    assert_eq!(gateway.process.end(), 0);
    assert!(ending.elapsed() < Duration::from_secs(10), "{:?}", ending.elapsed());
}

#[test]
fn the_collector_is_trusted_by_its_certificate_and_shown_a_key_that_nobody_sees() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new();
    file(&folder, "key", "k3y-m4rk");
    let upstream = Upstream::start([]);
    let collector = Upstream::start_tls(authority.server("localhost"));
    let endpoint = format!("https://localhost:{}/v1/traces", collector.address.port());
    let ca = authority.path().display();
    let keys = format!("ca_file: \"{ca}\", headers: {{ api-key: \"${{file:key}}\" }}");
    let gateway = gateway(&folder, &at(&upstream), &endpoint, &keys);
    assert_eq!(ask(gateway.address, &patch(), &[], NOTE).status, 200);
    await_spans(&collector, 3);
    assert_eq!(collector.requests()[0].header("api-key"), Some("k3y-m4rk"));
    let config = ask(gateway.admin, "GET /config", &[], "").body;
    assert!(config.contains("api-key") && !config.contains("k3y-m4rk"));
}

#[test]
fn a_collector_that_cannot_be_is_told_of_by_line() {
    let folder = tempfile::tempdir().expect("a folder");
    for (keys, wanted) in [
        ("endpoint: collector", "`endpoint` is no `https://` URL"),
        (
            "endpoint: \"http://c:4318\", headers: { a: b }",
            "`endpoint` would be read and written in",
        ),
        ("endpoint: \"http://c:4318\", ratio: 1.5", "`ratio` is a share of all, from 0 to 1"),
        ("endpoint: \"http://c:4318\", service_name: \"\"", "`service_name` says nothing"),
        ("endpoint: \"http://c:4318\", ca_file: x", "`ca_file` is for TLS"),
        ("endpoint: \"https://c\", headers: { \"a b\": c }", "this is not a header name"),
        ("endpoint: \"https://c\", headers: { host: c }", "`host` is for the gateway to say"),
    ] {
        let keys = format!("upstream: {{ url: sandbox }}\ntrace: {{ export: {{ {keys} }} }}");
        let checked = super::patchgate(&["check", &gateway_file(&folder, &keys)]);
        let told = format!("{}{}", checked.out, checked.err);
        assert!(checked.code != 0 && told.contains(wanted), "{keys}: {told}");
        assert!(told.contains("gateway.yaml:"), "{told}");
    }
}

#[test]
fn every_attribute_is_documented_and_nothing_else_is() {
    let sources = concat!(
        include_str!("../../src/proxy/middleware/observe/spans.rs"),
        include_str!("../../src/otlp/sender.rs")
    );
    let mut known = BTreeSet::new();
    for call in [".text(", ".optional(", ".number(", ".list(", "KeyValue::text("] {
        for rest in sources.split(call).skip(1) {
            let name = rest.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
            known.insert(name.expect("a name").to_owned());
        }
    }
    let documented: BTreeSet<_> = rows("docs/traces.md", "## What they tell").into_keys().collect();
    assert_eq!(documented, known);
}
