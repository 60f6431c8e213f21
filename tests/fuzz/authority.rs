//! `Host`, and the host of a target: a request is taken only where both are well-formed and the same,
//! and what is sent on names neither.

use super::path::is_one_host;
use crate::promises::route::keeping;

use patchgate::limits::{Account, Limits, Quotas};
use patchgate::live::Live;
use patchgate::partner::{Partner, Partners};
use patchgate::policy::route::Param;
use patchgate::policy::schema::Schema;
use patchgate::policy::{ErrorForm, Policy, Route, Routes};
use patchgate::proxy::answer::Answer;
use patchgate::proxy::body::Content;
use patchgate::proxy::fields::FieldValue;
use patchgate::proxy::middleware::resolve::Resolve;
use patchgate::proxy::rejection::Rejection;
use patchgate::proxy::request::{Arrived, Routed};
use patchgate::snapshot::Snapshot;

use http::header::{HOST, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use regex::bytes::Regex;
use serde_json::json;
use tower::{Layer, Service, service_fn};

use std::future::{Future, ready};
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

const TARGET: HeaderName = HeaderName::from_static("x-target");

/// The first line of the input is a request target, each other one a `Host`.
pub fn run(input: &[u8]) {
    let mut lines = input.split(|byte| *byte == b'\n');
    let target = lines.next().unwrap_or_default();
    let Ok(uri) = Uri::try_from(target) else { return };
    // The guard lets nothing else through.
    let hosts: Result<Vec<_>, _> = lines.map(HeaderValue::from_bytes).collect();
    let Ok(hosts) = hosts else { return };
    if uri.query().is_some_and(|query| !query.is_ascii()) {
        return;
    }
    let fits = match &hosts[..] {
        [host] if is_one_host(host.as_bytes()) => names(target, host.as_bytes()),
        _ => false,
    };
    let mut request = Request::new(());
    *request.method_mut() = Method::PATCH;
    *request.uri_mut() = uri.clone();
    for host in hosts {
        request.headers_mut().append(HOST, host);
    }
    match resolve(request) {
        Ok(sent) => {
            assert!(fits, "taken: {}", input.escape_ascii());
            let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
            assert_eq!(sent, format!("{}{query}", uri.path().trim_end_matches('/')));
            assert!(sent.starts_with("/a/"), "{sent}");
        }
        Err(Rejection::Unrouted) => assert!(fits, "not refused: {}", input.escape_ascii()),
        Err(Rejection::HeadMalformed(_)) => {
            assert!(!fits, "refused: {}", input.escape_ascii());
        }
        Err(other) => panic!("{other:?}: {}", input.escape_ascii()),
    }
}

/// Whether `target` names `host`, or no host at all.
fn names(target: &[u8], host: &[u8]) -> bool {
    static ABSOLUTE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?i-u)\Ahttps?://([^/?#]*)").expect("a pattern"));
    match ABSOLUTE.captures(target) {
        Some(parts) => parts[1].eq_ignore_ascii_case(host),
        None => target.starts_with(b"/") || target == b"*",
    }
}

/// What `request` becomes behind the gate: the target that is sent on.
fn resolve(request: Request<()>) -> Result<String, Rejection> {
    thread_local! {
        static LIVE: Live = live();
    }
    let id = HeaderName::from_static("request-id");
    let inner = service_fn(|routed: Routed<()>| {
        let mut answer = Answer::new(StatusCode::OK, Content::empty());
        answer.fields.add(&TARGET, FieldValue::of(routed.target.as_str()).expect("a target"));
        ready(Ok::<_, Rejection>(answer))
    });
    let mut gate = LIVE.with(|live| Resolve::layer(live.clone(), id, None, "us").layer(inner));
    let arrived = Arrived::new(request.into(), None);
    let answer = pin!(gate.call(arrived)).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(answer) = answer else { panic!("it decides without waiting") };
    answer.map(|answer| {
        let target = answer.fields.get(&TARGET).and_then(FieldValue::as_str);
        target.expect("a target").to_owned()
    })
}

fn live() -> Live {
    let schema = Arc::new(Schema::new(&json!({})).expect("a schema"));
    let route = Route {
        id: "one".into(),
        template: "/a/{id}".into(),
        params: vec![("id".into(), Param::Token)],
        trailing_slashes: 1,
        query: true,
        ..keeping("/other", &schema)
    };
    let unknown = Partner {
        id: "unknown".into(),
        roles: Vec::new(),
        tier: "standard".into(),
        account: Arc::new(Account::new("gate", Quotas::default())),
        credential: None,
    };
    Live::new(Snapshot {
        policy: Policy {
            name: "fuzz".to_owned(),
            routes: Routes::new(vec![Arc::new(route)]).expect("routes"),
            errors: ErrorForm::Problem,
        },
        shadow: None,
        partners: Partners { unknown: Some(Arc::new(unknown)), ..Partners::default() },
        credentials: Default::default(),
        hosts: None,
        limits: Limits::default(),
        digest: String::new(),
        effective: "{}".into(),
    })
}
