//! The operations of the API, one function each, over a store that is locked meanwhile.

use super::change;
use super::clock::Moment;
use super::envelope::{Refusal, json_response};
use super::list;
use super::options::{Options, Switch, status};
use super::precondition;
use super::referral::{self, BASE};
use super::store::{self, Store};
use super::whole;
use crate::json::Value;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::Full;

pub(super) type Answer = Result<Response<Full<Bytes>>, Refusal>;

/// Answers an authenticated request.
pub(super) fn answer(store: &mut Store, request: &Request<Bytes>, options: &Options) -> Answer {
    let path = request.uri().path();
    let within = path.strip_prefix(BASE).ok_or_else(Refusal::not_found)?;
    if within.is_empty() {
        return match *request.method() {
            Method::GET => list(store, request, options),
            Method::POST => whole::post(store, request, options),
            _ => Err(Refusal::method("GET, POST")),
        };
    }
    let item = within.strip_prefix('/').ok_or_else(Refusal::not_found)?;
    // Microsoft's connector tells its operations on this one address apart by trailing slashes.
    let slashes = if request.method() == Method::PATCH { 2 } else { 0 };
    let id = item.trim_end_matches('/');
    if id.is_empty() || id.contains('/') || item.len() - id.len() > slashes {
        return Err(Refusal::not_found());
    }
    match *request.method() {
        Method::GET => get(store, id, options),
        Method::PATCH => patch(store, id, request, options),
        Method::PUT => whole::put(store, id, request, options),
        _ => Err(Refusal::method("GET, PATCH, PUT")),
    }
}

/// Whether the request carries a bearer token; any will do.
pub(super) fn authenticated(headers: &HeaderMap) -> bool {
    let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    value.and_then(|value| value.split_once(' ')).is_some_and(|(scheme, token)| {
        scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()
    })
}

fn list(store: &Store, request: &Request<Bytes>, options: &Options) -> Answer {
    let query = request.uri().query().unwrap_or_default();
    let page = list::page(store.iter(), query, &options.public_url)?;
    Ok(json_response(StatusCode::OK, &page))
}

fn get(store: &Store, id: &str, options: &Options) -> Answer {
    let referral = store.find(id).ok_or_else(Refusal::not_found)?;
    Ok(shown(StatusCode::OK, referral, options))
}

fn patch(store: &mut Store, id: &str, request: &Request<Bytes>, options: &Options) -> Answer {
    let current = store.find(id).ok_or_else(Refusal::not_found)?.clone();
    let taken = match media_type(request).as_deref() {
        Some("application/json") => true,
        Some("application/json-patch+json") => !options.json_patch_media_type.refuses(),
        _ => false,
    };
    if !taken {
        return Err(Refusal::media_type());
    }
    precondition::hold(request.headers(), store::tag(&current), options)?;
    let now = Moment::now();
    let mut after = change::patched(&current, request.body(), now, options)?;
    referral::stamp(&current, &mut after, now, store.fresh_tag(now));
    store.replace(after.clone());
    if !prefers_representation(request.headers()) {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        tagged(&mut response, &after, options);
        return Ok(response);
    }
    let mut response = shown(status(options.representation_status), &after, options);
    if options.preference_applied.is_on() {
        set(&mut response, PREFERENCE_APPLIED, "return=representation");
    }
    Ok(response)
}

pub(super) fn shown(
    status: StatusCode,
    referral: &Value<'_>,
    options: &Options,
) -> Response<Full<Bytes>> {
    let mut response = json_response(status, referral);
    tagged(&mut response, referral, options);
    response
}

fn tagged(response: &mut Response<Full<Bytes>>, referral: &Value<'_>, options: &Options) {
    if options.etag_header == Switch::On {
        set(response, ETAG, store::tag(referral));
    }
}

pub(super) fn set(response: &mut Response<Full<Bytes>>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

pub(super) fn media_type(request: &Request<Bytes>) -> Option<String> {
    let value = request.headers().get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = value.split(';').next()?;
    Some(essence.trim().to_ascii_lowercase())
}

fn prefers_representation(headers: &HeaderMap) -> bool {
    let lines = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|preference| {
        let preference = preference.split(';').next().unwrap_or_default();
        preference.split_once('=').is_some_and(|(name, value)| {
            name.trim().eq_ignore_ascii_case("return")
                && value.trim().trim_matches('"') == "representation"
        })
    })
}

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

#[cfg(test)]
mod tests {
    use super::super::Sandbox;
    use super::super::options::Stance;
    use super::super::testing::ACTIVE;
    use super::*;

    use serde_json::Value;

    const NOTE: &str = r#"[{"op":"replace","path":"/details/notes","value":"x"}]"#;

    fn item(id: &str) -> String {
        format!("/{id}")
    }

    #[test]
    fn one_referral_is_shown_with_its_tag_in_its_body() {
        let answered = Sandbox::new(Options::default()).get(&item(ACTIVE));
        assert_eq!(answered.status, StatusCode::OK);
        assert_eq!(answered.header("content-type"), Some("application/json"));
        assert_eq!(answered.header("etag"), None);
        assert_eq!(answered.at("/eTag"), "\"0303a1b2-0000-0000-0000-6a1ef9950000\"");
        let shown = Sandbox::with(|options| options.etag_header = Switch::On).get(&item(ACTIVE));
        assert_eq!(shown.header("etag"), Some("\"0303a1b2-0000-0000-0000-6a1ef9950000\""));
    }

    #[test]
    fn what_is_not_there_is_a_404_and_what_is_not_done_a_405() {
        let sandbox = Sandbox::new(Options::default());
        for path in
            ["/nobody", "/", "//", "/a/b", "/v1.0/engagements", "/v1.0/engagements/referralsx"]
        {
            let (status, code, _) = sandbox.get(path).outcome();
            assert_eq!((status, code.as_str()), (404, "itemNotFound"), "{path}");
        }
        for (method, path, allow) in [
            (Method::DELETE, item(ACTIVE), "GET, PATCH, PUT"),
            (Method::POST, item(ACTIVE), "GET, PATCH, PUT"),
            (Method::PATCH, String::new(), "GET, POST"),
        ] {
            let answered = sandbox.call(method, &path).send();
            assert_eq!(answered.status, StatusCode::METHOD_NOT_ALLOWED);
            assert_eq!(answered.header("allow"), Some(allow));
        }
    }

    #[test]
    fn a_patch_is_answered_without_a_body_unless_one_is_preferred() {
        let sandbox = Sandbox::new(Options::default());
        let answered = sandbox.patch(ACTIVE, NOTE);
        assert_eq!(answered.outcome().0, 204);
        assert_eq!((answered.header("content-length"), answered.text.as_str()), (Some("0"), ""));
        let prefer = |sandbox: &Sandbox, preference| {
            let call = sandbox.call(Method::PATCH, &item(ACTIVE)).body(NOTE);
            call.header("prefer", preference).send()
        };
        for preference in ["return=representation", "wait=5, Return=\"representation\"; x=1"] {
            let answered = prefer(&sandbox, preference);
            assert_eq!(answered.status, StatusCode::OK);
            assert_eq!(answered.at("/details/notes"), "x");
            assert_eq!(answered.json(), sandbox.kept(ACTIVE));
            assert_eq!(answered.header("preference-applied"), None);
        }
        assert_eq!(prefer(&sandbox, "return=minimal").status, StatusCode::NO_CONTENT);
        let switched = Sandbox::with(|options| {
            options.preference_applied = Switch::On;
            options.representation_status = 202;
        });
        let answered = prefer(&switched, "return=representation");
        assert_eq!(answered.status, StatusCode::ACCEPTED);
        assert_eq!(answered.header("preference-applied"), Some("return=representation"));
        assert_eq!(switched.patch(ACTIVE, NOTE).header("preference-applied"), None);
    }

    #[test]
    fn a_stale_tag_is_a_412_with_the_documented_body() {
        let sandbox = Sandbox::new(Options::default());
        let tag = sandbox.get(&item(ACTIVE)).at("/eTag");
        let patch = |tag: &Value| {
            let call = sandbox.call(Method::PATCH, &item(ACTIVE)).body(NOTE);
            call.header("if-match", tag.as_str().expect("a tag")).send()
        };
        assert_eq!(patch(&tag).outcome().0, 204);
        let stale = patch(&tag);
        assert_eq!(stale.outcome(), (412, "preconditionFailed".into(), "ETag".into()));
        assert_eq!(stale.at("/error/innerError/code"), "99918");
        assert!(stale.at("/error/innerError/details").is_null());
        assert_eq!(patch(&sandbox.get(&item(ACTIVE)).at("/eTag")).outcome().0, 204);
    }

    #[test]
    fn a_patch_may_come_with_the_connectors_trailing_slashes() {
        let sandbox = Sandbox::new(Options::default());
        for (slashes, status) in [("", 204), ("/", 204), ("//", 204), ("///", 404)] {
            assert_eq!(sandbox.patch(&format!("{ACTIVE}{slashes}"), NOTE).outcome().0, status);
        }
        assert_eq!(sandbox.get(&format!("{}/", item(ACTIVE))).outcome().0, 404);
    }

    #[test]
    fn the_media_type_of_json_patch_is_a_switch() {
        let send = |sandbox: &Sandbox, media: &str| {
            let call = sandbox.call(Method::PATCH, &item(ACTIVE)).body(NOTE);
            call.header("content-type", media).send().outcome().0
        };
        let plain = Sandbox::new(Options::default());
        let both = Sandbox::with(|options| options.json_patch_media_type = Stance::Accept);
        assert_eq!(send(&plain, "application/json-patch+json"), 415);
        assert_eq!(send(&both, "application/json-patch+json"), 204);
        for sandbox in [&plain, &both] {
            assert_eq!(send(sandbox, "Application/JSON; charset=utf-8"), 204);
            assert_eq!(send(sandbox, "application/merge-patch+json"), 415);
            let call =
                sandbox.call(Method::PATCH, &item(ACTIVE)).body(NOTE).without("content-type");
            assert_eq!(call.send().outcome().0, 415);
        }
    }
}
