//! The operations that carry a whole referral: the POST that makes one, and the obsolete PUT.

use super::answer::{Answer, media_type, set, shown};
use super::binding::Binding;
use super::clock::Moment;
use super::envelope::Refusal;
use super::model::{self, REFERRAL};
use super::options::{Options, status};
use super::precondition;
use super::referral::{self, BASE};
use super::store::{self, Store};
use crate::json::{self, Bounds, Object, Value};

use bytes::Bytes;
use http::header::{IF_MATCH, LOCATION};
use http::{Request, StatusCode};

pub(super) fn post(store: &mut Store, request: &Request<Bytes>, options: &Options) -> Answer {
    let made_only_here = |name: &str| matches!(name, "engagementId" | "mpnId");
    let mut body = body(request)?;
    for name in model::GENERATED.into_iter().filter(|name| !made_only_here(name)) {
        remove(&mut body, name);
    }
    remove(&mut body, "registrations");
    let body = whole(body, options)?;
    let now = Moment::now();
    let made = referral::created(body, now, store.fresh_tag(now), &options.public_url);
    store.insert(made.clone())?;
    let mut response = shown(status(options.created_status), &made, options);
    if options.location.is_on() {
        let address = format!("{}{BASE}/{}", options.public_url, store::id(&made));
        set(&mut response, LOCATION, &address);
    }
    Ok(response)
}

/// The obsolete full update.
pub(super) fn put(
    store: &mut Store,
    id: &str,
    request: &Request<Bytes>,
    options: &Options,
) -> Answer {
    let current = store.find(id).ok_or_else(Refusal::not_found)?.clone();
    if !request.headers().contains_key(IF_MATCH) {
        let message = "If-Match must be set.";
        let refusal = Refusal::invalid_as(status(options.unconditional_put_status), message);
        return Err(refusal.at("If-Match"));
    }
    let mut body = body(request)?;
    precondition::hold(request.headers(), store::tag(&current), options)?;
    if remove(&mut body, "links").is_some() {
        return Err(Refusal::invalid("The links must be removed from the body.").at("links"));
    }
    for name in model::GENERATED.into_iter().chain(["registrations"]) {
        let sent = remove(&mut body, name);
        if name == "id" && sent.is_some_and(|sent| sent.as_str() != Some(id)) {
            return Err(Refusal::invalid("The id is not that of the address.").at("id"));
        }
    }
    let mut after = referral::replaced(&current, whole(body, options)?);
    referral::consistent(&current, &after, options)?;
    let now = Moment::now();
    referral::stamp(&current, &mut after, now, store.fresh_tag(now));
    store.replace(after.clone());
    Ok(shown(StatusCode::OK, &after, options))
}

/// The object that the body of a POST or PUT is.
fn body(request: &Request<Bytes>) -> Result<Object<'_>, Refusal> {
    if media_type(request).as_deref() != Some("application/json") {
        return Err(Refusal::media_type());
    }
    match json::read(request.body(), Bounds::default()) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Refusal::invalid("The body is not an object.")),
        Err(unreadable) => Err(Refusal::invalid(format!("The body is not JSON: {unreadable}."))),
    }
}

/// The members of a whole body, fitted to the model.
fn whole<'a>(body: Object<'a>, options: &Options) -> Result<Object<'a>, Refusal> {
    let bound = Binding::of_body(options).bind(Value::Object(body), &REFERRAL, "")?;
    if let Some(name) = model::lacking(&bound) {
        return Err(Refusal::invalid("The property is required.").at(name));
    }
    let Value::Object(members) = bound else {
        return Err(Refusal::invalid("The body is not an object."));
    };
    Ok(members)
}

/// Takes out the member called `name`, in any case.
fn remove<'a>(body: &mut Object<'a>, name: &str) -> Option<Value<'a>> {
    let spelt = body.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?.0.clone();
    body.remove(&spelt)
}

#[cfg(test)]
mod tests {
    use super::super::Sandbox;
    use super::super::options::Switch;
    use super::super::testing::{ACTIVE, Answered, WON};
    use super::*;

    use http::Method;
    use serde_json::{Value, json};

    fn item(id: &str) -> String {
        format!("/{id}")
    }

    fn draft() -> Value {
        json!({"type": "Independent", "customerProfile": {"name": "Example Garage"},
            "consent": {"ConsentToContact": true}, "details": {"dealValue": 900}})
    }

    fn post(sandbox: &Sandbox, body: &Value) -> Answered {
        sandbox.call(Method::POST, "").body(&body.to_string()).send()
    }

    #[test]
    fn a_post_makes_an_accepted_outgoing_referral() {
        let sandbox = Sandbox::new(Options::default());
        let mut body = draft();
        for (name, value) in
            [("status", "New"), ("substatus", "Pending"), ("id", "mine"), ("ETag", "x")]
        {
            body[name] = value.into();
        }
        let answered = post(&sandbox, &body);
        assert_eq!(answered.status, StatusCode::CREATED);
        assert_eq!(
            (answered.at("/status"), answered.at("/substatus")),
            ("Active".into(), "Accepted".into())
        );
        assert_eq!(answered.at("/direction"), "Outgoing");
        assert_eq!(answered.at("/acceptedDateTime"), answered.at("/createdDateTime"));
        assert_eq!(answered.at("/consent/consentToContact"), true);
        assert!(answered.at("/eTag").as_str().is_some_and(|tag| tag.starts_with('"')));
        assert_eq!(answered.header("location"), None);
        let id = answered.at("/id").as_str().expect("an id").to_owned();
        assert_ne!(id, "mine");
        assert_eq!(sandbox.kept(&id), answered.json());
        assert!(answered.at("/links/self/uri").as_str().is_some_and(|uri| uri.ends_with(&id)));
    }

    #[test]
    fn a_post_can_join_an_engagement() {
        let sandbox = Sandbox::new(Options::default());
        let mut body = draft();
        body["engagementId"] = "20000000-0000-4000-8000-000000000003".into();
        assert_eq!(post(&sandbox, &body).at("/engagementId"), body["engagementId"]);
        let filter = "?$filter=engagementId%20eq%20'20000000-0000-4000-8000-000000000003'";
        assert_eq!(sandbox.get(filter).at("/@odata.count"), 2);
    }

    #[test]
    fn a_post_needs_what_is_documented_as_required() {
        let sandbox = Sandbox::new(Options::default());
        for name in model::REQUIRED {
            let mut body = draft();
            body.as_object_mut().expect("an object").remove(name);
            let found = post(&sandbox, &body).outcome();
            assert_eq!(found, (400, "invalidRequest".into(), name.into()));
        }
        for body in ["[]", "", "{\"type\":", "{\"type\":\"Shared\",\"type\":\"Shared\"}"] {
            assert_eq!(sandbox.call(Method::POST, "").body(body).send().outcome().0, 400, "{body}");
        }
        let call = sandbox.call(Method::POST, "").body("{}").header("content-type", "text/plain");
        assert_eq!(call.send().outcome().0, 415);
        assert_eq!(sandbox.get("").at("/@odata.count"), 8);
    }

    #[test]
    fn how_a_post_is_answered_is_a_switch() {
        let sandbox = Sandbox::with(|options| {
            options.created_status = 200;
            options.location = Switch::On;
            options.public_url = "http://sandbox.example/".into();
        });
        let answered = post(&sandbox, &draft());
        assert_eq!(answered.status, StatusCode::OK);
        let address = answered.header("location").expect("an address");
        assert_eq!(address, answered.at("/links/self/uri"));
        assert!(address.starts_with("http://sandbox.example/v1.0/"), "{address}");
    }

    #[test]
    fn a_put_replaces_all_but_what_is_generated() {
        let sandbox = Sandbox::new(Options::default());
        let before = sandbox.kept(WON);
        let tag = before["eTag"].as_str().expect("a tag");
        let put = |body: &Value| sandbox.call(Method::PUT, &item(WON)).body(&body.to_string());
        let mut body = before.clone();
        assert_eq!(
            put(&body).header("if-match", tag).send().outcome(),
            (400, "invalidRequest".into(), "links".into())
        );
        body.as_object_mut().expect("an object").remove("links");
        body["details"] = json!({"notes": "all there is"});
        body["createdDateTime"] = "2001-01-01T00:00:00Z".into();
        let answered = put(&body).header("if-match", tag).send();
        assert_eq!(answered.status, StatusCode::OK);
        assert_eq!(answered.at("/details"), json!({"notes": "all there is"}));
        for kept in ["createdDateTime", "id", "registrations", "links", "closedDateTime"] {
            assert_eq!(answered.json()[kept], before[kept], "{kept}");
        }
        assert_ne!(answered.at("/eTag"), before["eTag"]);
        assert_eq!(put(&body).header("if-match", tag).send().outcome().0, 412);
        body["status"] = "Active".into();
        body["substatus"] = "Accepted".into();
        assert_eq!(put(&body).header("if-match", "*").send().outcome().0, 400, "a step back");
        body["id"] = ACTIVE.into();
        assert_eq!(put(&body).header("if-match", "*").send().outcome().2, "id");
    }

    #[test]
    fn a_put_without_a_condition_is_refused_by_a_switched_status() {
        let sandbox = Sandbox::new(Options::default());
        let found = sandbox.call(Method::PUT, &item(WON)).body("{}").send().outcome();
        assert_eq!(found, (400, "invalidRequest".into(), "If-Match".into()));
        let sandbox = Sandbox::with(|options| options.unconditional_put_status = 428);
        assert_eq!(sandbox.call(Method::PUT, &item(WON)).body("{}").send().outcome().0, 428);
    }
}
