//! Referrals as wholes: how one is made, replaced and stamped, and what holds between two versions of it.

use super::clock::Moment;
use super::envelope::{Refusal, member, object, text};
use super::model;
use super::options::{Options, status};
use super::state::State;
use crate::json::{self, Bounds, Object, Value};

use uuid::Uuid;

/// The path of the collection.
pub(super) const BASE: &str = "/v1.0/engagements/referrals";

/// The referral that a POST of `body` makes: the caller's own deal, which is accepted from the start.
pub(super) fn created(body: Object<'_>, now: Moment, tag: String, origin: &str) -> Value<'static> {
    let mut made = template();
    for (name, value) in body {
        made.insert(name, value);
    }
    let id = Uuid::now_v7().to_string();
    let given = |made: &Object<'_>, name| made.get(name).and_then(Value::as_str).map(str::to_owned);
    let engagement = given(&made, "engagementId").unwrap_or_else(|| Uuid::now_v7().to_string());
    let now = now.to_string();
    for (name, value) in [
        ("links", links(origin, &id, &engagement)),
        ("id", text(id)),
        ("engagementId", text(engagement)),
        ("status", text("Active")),
        ("substatus", text("Accepted")),
        ("createdDateTime", text(&*now)),
        ("updatedDateTime", text(&*now)),
        ("acceptedDateTime", text(now)),
        ("eTag", text(tag)),
    ] {
        made.insert(name.into(), value);
    }
    Value::Object(made).into_owned()
}

/// The referral that a PUT of `body` makes of `current`: only what the API generates outlives it.
pub(super) fn replaced(current: &Value<'static>, body: Object<'_>) -> Value<'static> {
    let mut made = template();
    for (name, value) in body {
        made.insert(name, value);
    }
    for name in model::GENERATED.into_iter().chain(["registrations"]) {
        if let Some(value) = member(current, name) {
            made.insert(name.into(), value.clone());
        }
    }
    Value::Object(made).into_owned()
}

/// Whether `after` may follow `before`.
pub(super) fn consistent(
    before: &Value<'_>,
    after: &Value<'_>,
    options: &Options,
) -> Result<(), Refusal> {
    State::of(before).may_become(State::of(after), options).map_err(|message| {
        Refusal::invalid_as(status(options.bad_transition_status), message).at("status")
    })?;
    let shared = |referral| {
        let consent = member(referral, "consent")?;
        member(consent, "consentToShareReferralWithMicrosoftSellers").cloned()
    };
    let withdrawn =
        shared(before) == Some(Value::Bool(true)) && shared(after) != Some(Value::Bool(true));
    if withdrawn && options.sharing_withdrawal.refuses() {
        let message =
            "The consent to share the referral with Microsoft sellers cannot be withdrawn.";
        let refusal = Refusal::invalid_as(status(options.bad_value_status), message);
        return Err(refusal.at("consent.consentToShareReferralWithMicrosoftSellers"));
    }
    Ok(())
}

/// Gives a changed referral its new tag and dates.
pub(super) fn stamp(before: &Value<'_>, after: &mut Value<'static>, now: Moment, tag: String) {
    let (was, is) = (State::of(before).status, State::of(after).status.to_owned());
    let Value::Object(members) = after else { return };
    members.insert("updatedDateTime".into(), text(now.to_string()));
    members.insert("eTag".into(), text(tag));
    if was != is {
        if is == "Active" {
            members.insert("acceptedDateTime".into(), text(now.to_string()));
            members.insert("expirationDateTime".into(), Value::Null);
        } else if is == "Closed" {
            members.insert("closedDateTime".into(), text(now.to_string()));
        }
    }
}

/// Gives new deal registrations what the API generates of them.
pub(super) fn complete_registrations(referral: &mut Value<'_>, now: Moment) {
    let Value::Object(members) = referral else { return };
    let mut added = false;
    if let Some(Value::Array(registrations)) = members.get_mut("registrations") {
        for registration in registrations.to_mut() {
            let Value::Object(registration) = registration else { continue };
            if registration.get("id").is_some() {
                continue;
            }
            added = true;
            let now = now.to_string();
            for (name, value) in [
                ("id", text(Uuid::now_v7().to_string())),
                ("registrationDateTime", text(&*now)),
                ("status", text("ReviewPending")),
                ("statusReason", Value::Null),
                ("statusHistory", object([("reviewPendingDateTime", text(now))])),
            ] {
                registration.insert(name.into(), value);
            }
        }
    }
    if added {
        members.insert("registrationStatus".into(), text("ReviewPending"));
    }
}

/// The absolute addresses that a referral carries; whoever follows them leaves any gateway aside.
pub(super) fn links(origin: &str, id: &str, engagement: &str) -> Value<'static> {
    let link = |uri: String| object([("uri", text(uri)), ("method", text("GET"))]);
    let related = format!("{origin}{BASE}?$filter=engagementId eq '{engagement}'");
    object([("relatedReferrals", link(related)), ("self", link(format!("{origin}{BASE}/{id}")))])
}

fn template() -> Object<'static> {
    match json::read(TEMPLATE.as_bytes(), Bounds::default()) {
        Ok(Value::Object(members)) => members,
        // INVARIANT: TEMPLATE is an object, as a test shows.
        _ => Object::default(),
    }
}

const TEMPLATE: &str = r#"{
    "id": null, "engagementId": null, "name": null,
    "organizationId": "30000000-0000-4000-8000-000000000001",
    "organizationName": "Noordkade Cloud Partners",
    "externalReferenceId": null, "campaignId": null, "referralProgram": null, "salesStage": null,
    "favorite": false, "mpnId": "0000000",
    "createdDateTime": null, "updatedDateTime": null, "acceptedDateTime": null,
    "closedDateTime": null, "expirationDateTime": null,
    "status": null, "substatus": null, "statusReason": null,
    "type": null, "qualification": "SalesQualified", "direction": "Outgoing",
    "customerProfile": null, "consent": null, "details": null,
    "team": [], "inviteContext": null, "target": [], "trackingInfo": null,
    "registrations": [], "registrationStatus": "None",
    "isSpam": false, "quality": "Unknown", "tags": [], "eTag": null, "links": null
}"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_an_object_of_known_members() {
        let template = template();
        assert!(!template.is_empty());
        for (name, _) in template.iter() {
            assert!(model::is_member(name), "{name}");
        }
    }
}
