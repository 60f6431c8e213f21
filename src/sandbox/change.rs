//! What a PATCH makes of a referral: the documented ops and no others, all of them or none.

use super::clock::Moment;
use super::envelope::Refusal;
use super::model;
use super::options::{Options, status};
use super::paths;
use super::referral;
use super::state::State;
use crate::json::{Bounds, Value};
use crate::patch::{self, Op, OpName, Patch, UnknownMembers};

/// The referral that the patch in `body` makes of `current`; dates and tag are still the old ones.
pub(super) fn patched(
    current: &Value<'static>,
    body: &[u8],
    now: Moment,
    options: &Options,
) -> Result<Value<'static>, Refusal> {
    let bounds = Bounds { items: options.max_ops, ..Bounds::default() };
    let patch = Patch::read(body, bounds, UnknownMembers::Permit).map_err(|violations| {
        let found = violations.iter().next().map(|violation| violation.message.as_str());
        Refusal::invalid(format!("The patch cannot be read: {}.", found.unwrap_or_default()))
    })?;
    let supported = |op: &Op<'_>| matches!(op.name(), OpName::Add | OpName::Replace);
    if let Some(op) = patch.ops.iter().find(|op| !supported(op)) {
        let message = format!("The operation `{}` is not supported.", op.name());
        let refusal = Refusal::invalid_as(status(options.unsupported_op_status), message);
        return Err(refusal.at(paths::target(op.path())));
    }
    let ops = patch.ops.into_iter().filter_map(|op| paths::prepared(op, options).transpose());
    let patch = Patch { ops: ops.collect::<Result<_, _>>()? };
    refuse_by_state(&patch, State::of(current), options)?;
    let mut after = patch::apply(&patch, current.clone()).map_err(|failed| {
        let message = format!("The operation cannot be applied: {}.", failed.reason);
        let refusal = Refusal::invalid_as(status(options.bad_path_status), message);
        refusal.at(paths::dotted(&failed.pointer))
    })?;
    if let Some(name) = model::lacking(&after) {
        let message = "The member cannot be taken away.";
        return Err(Refusal::invalid_as(status(options.bad_value_status), message).at(name));
    }
    referral::consistent(current, &after, options)?;
    referral::complete_registrations(&mut after, now);
    Ok(after.into_owned())
}

/// What the state of the referral forbids whatever the result.
fn refuse_by_state(patch: &Patch<'_>, state: State<'_>, options: &Options) -> Result<(), Refusal> {
    let refused =
        |message| Err(Refusal::invalid_as(status(options.bad_transition_status), message));
    let sets = |path: &str| patch.ops.iter().any(|op| op.path().text() == path);
    if options.single_state_field.refuses() && sets("/status") != sets("/substatus") {
        return refused("Status and substatus are changed together.");
    }
    let registers =
        |op: &Op<'_>| op.path().tokens().next().is_some_and(|name| name == "registrations");
    if state.status == "Closed"
        && options.closed_edits.refuses()
        && !patch.ops.iter().all(registers)
    {
        return refused("A closed referral cannot be changed.");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Sandbox;
    use super::super::options::Stance;
    use super::super::testing::{ACTIVE, PENDING, WON};
    use super::*;

    /// The status, and the target of an error.
    fn outcome(sandbox: &Sandbox, id: &str, body: &str) -> (u16, String) {
        let (status, code, target) = sandbox.patch(id, body).outcome();
        assert!(status == 204 || code == "invalidRequest", "{status} {code}");
        (status, target)
    }

    fn status_of(sandbox: &Sandbox, id: &str, body: &str) -> u16 {
        outcome(sandbox, id, body).0
    }

    fn replace(path: &str, value: &str) -> String {
        format!(r#"[{{"op":"replace","path":"{path}","value":{value}}}]"#)
    }

    fn to(status: &str, substatus: &str) -> String {
        format!(
            r#"[{{"op":"replace","path":"/status","value":"{status}"}},
                {{"op":"replace","path":"/substatus","value":"{substatus}"}}]"#
        )
    }

    #[test]
    fn the_documented_example_closes_the_deal() {
        let sandbox = Sandbox::new(Options::default());
        let body = r#"[
            {"op":"replace","path":"/details/dealValue","value":"10000"},
            {"op":"replace","path":"/details/notes","value":"signed"},
            {"op":"replace","path":"/status","value":"Closed"},
            {"op":"replace","path":"/substatus","value":"Won"},
            {"op":"add","path":"/team/-","value":{"email":"k@partner.example","firstName":"K",
                "lastName":"P","phoneNumber":"1"}}]"#;
        let before = sandbox.kept(ACTIVE);
        assert_eq!(status_of(&sandbox, ACTIVE, body), 204);
        let after = sandbox.kept(ACTIVE);
        assert_eq!(after["details"]["dealValue"], serde_json::json!(10000));
        assert_eq!((&after["status"], &after["substatus"]), (&"Closed".into(), &"Won".into()));
        assert_eq!(after["closedDateTime"], after["updatedDateTime"]);
        assert_eq!(after["acceptedDateTime"], before["acceptedDateTime"]);
        assert_ne!(after["eTag"], before["eTag"]);
        let members = |r: &serde_json::Value| r["team"].as_array().map_or(0, Vec::len);
        assert_eq!(members(&after), members(&before) + 1);
    }

    #[test]
    fn accepting_sets_the_date_and_ends_the_expiry() {
        let sandbox = Sandbox::new(Options::default());
        assert_eq!(status_of(&sandbox, PENDING, &to("Active", "Accepted")), 204);
        let after = sandbox.kept(PENDING);
        assert_eq!(after["acceptedDateTime"], after["updatedDateTime"]);
        assert!(after["expirationDateTime"].is_null() && after["closedDateTime"].is_null());
    }

    #[test]
    fn only_add_and_replace_are_supported() {
        let (plain, other) = (
            Sandbox::new(Options::default()),
            Sandbox::with(|options| options.unsupported_op_status = 422),
        );
        for op in [
            r#""op":"remove","path":"/name""#,
            r#""op":"test","path":"/name","value":"x""#,
            r#""op":"copy","from":"/name","path":"/campaignId""#,
            r#""op":"move","from":"/name","path":"/campaignId""#,
        ] {
            let before = plain.kept(ACTIVE);
            let body = format!(r#"[{{"op":"add","path":"/name","value":"x"}},{{{op}}}]"#);
            assert_eq!(status_of(&plain, ACTIVE, &body), 400, "{op}");
            assert_eq!(status_of(&other, ACTIVE, &body), 422, "{op}");
            assert_eq!(plain.kept(ACTIVE), before, "nothing is applied");
        }
    }

    #[test]
    fn what_is_no_patch_is_a_400() {
        let sandbox = Sandbox::new(Options::default());
        for body in [
            "",
            "{}",
            r#"{"name":"x"}"#,
            "[1]",
            r#"[{"op":"set","path":"/name","value":1}]"#,
            "[[]",
        ] {
            assert_eq!(status_of(&sandbox, ACTIVE, body), 400, "{body}");
        }
    }

    #[test]
    fn values_have_types_and_what_is_required_stays() {
        let sandbox = Sandbox::with(|options| options.bad_value_status = 422);
        for (path, value, target) in [
            ("/details/dealValue", "true", "details.dealValue"),
            ("/team", r#"[{"email":1}]"#, "team[0].email"),
            ("/team", "[null]", "team[0]"),
            ("/status", "\"Open\"", "status"),
            ("/details", "null", "details"),
            ("/type", "null", "type"),
        ] {
            let found = outcome(&sandbox, ACTIVE, &replace(path, value));
            assert_eq!(found, (422, target.to_owned()), "{path}");
        }
        let add = r#"[{"op":"add","path":"/team/-","value":null}]"#;
        assert_eq!(outcome(&sandbox, ACTIVE, add), (422, "team.-".to_owned()));
        assert_eq!(status_of(&sandbox, ACTIVE, &replace("/name", "null")), 204);
    }

    #[test]
    fn pair_and_step_are_judged_once_the_whole_patch_is_applied() {
        let sandbox = Sandbox::with(|options| options.bad_transition_status = 409);
        for (status, substatus) in [("Active", "Won"), ("New", "Pending"), ("None", "None")] {
            let found = outcome(&sandbox, ACTIVE, &to(status, substatus));
            assert_eq!(found, (409, "status".to_owned()), "{status}/{substatus}");
        }
        let there_and_back = format!(
            "{},{}",
            to("New", "Pending").trim_end_matches(']'),
            to("Active", "Accepted").trim_start_matches('[')
        );
        assert_eq!(status_of(&sandbox, ACTIVE, &there_and_back), 204);
        assert_eq!(status_of(&sandbox, WON, &to("Active", "Accepted")), 409);
    }

    #[test]
    fn one_state_field_alone_is_a_switch() {
        let sandbox = Sandbox::with(|options| options.single_state_field = Stance::Refuse);
        let alone = replace("/substatus", "\"Received\"");
        assert_eq!(status_of(&sandbox, PENDING, &alone), 400);
        assert_eq!(status_of(&sandbox, PENDING, &to("New", "Received")), 204);
        let open = Sandbox::new(Options::default());
        assert_eq!(status_of(&open, PENDING, &alone), 204);
        assert_eq!(status_of(&open, PENDING, &replace("/status", "\"Active\"")), 400, "no pair");
    }

    #[test]
    fn what_closed_referrals_take_is_two_switches() {
        let sandbox = Sandbox::with(|options| {
            options.closed_edits = Stance::Refuse;
            options.closed_to_closed = Stance::Refuse;
        });
        let open = Sandbox::new(Options::default());
        let register =
            r#"[{"op":"add","path":"/registrations/-","value":{"type":"AzureIPCoSell"}}]"#;
        for (body, closed) in [
            (replace("/details/notes", "\"x\""), 400),
            (to("Closed", "Lost"), 400),
            (register.to_owned(), 204),
        ] {
            assert_eq!(status_of(&sandbox, WON, &body), closed, "{body}");
            assert_eq!(status_of(&open, WON, &body), 204, "{body}");
        }
        let only = Sandbox::with(|options| options.closed_to_closed = Stance::Refuse);
        assert_eq!(status_of(&only, WON, &to("Closed", "Lost")), 400);
        assert_eq!(status_of(&only, WON, &replace("/details/notes", "\"x\"")), 204);
    }

    #[test]
    fn newer_substatuses_are_a_switch() {
        let body = replace("/substatus", "\"Engaged\"");
        let newer = Sandbox::with(|options| options.newer_substatuses = Stance::Accept);
        assert_eq!(status_of(&newer, ACTIVE, &body), 204);
        assert_eq!(status_of(&Sandbox::new(Options::default()), ACTIVE, &body), 400);
    }

    #[test]
    fn sharing_cannot_be_taken_back_unless_switched() {
        let path = "/consent/consentToShareReferralWithMicrosoftSellers";
        let add = |value| format!(r#"[{{"op":"add","path":"{path}","value":{value}}}]"#);
        let sandbox = Sandbox::new(Options::default());
        assert_eq!(status_of(&sandbox, PENDING, &add(true)), 204);
        assert_eq!(status_of(&sandbox, PENDING, &add(false)), 400);
        let open = Sandbox::with(|options| options.sharing_withdrawal = Stance::Accept);
        assert_eq!(status_of(&open, PENDING, &add(true)), 204);
        assert_eq!(status_of(&open, PENDING, &add(false)), 204);
    }

    #[test]
    fn a_new_registration_gets_what_the_api_generates() {
        let sandbox = Sandbox::new(Options::default());
        let body = r#"[{"op":"add","path":"/registrations/-","value":{"type":"AzureIPCoSell"}}]"#;
        assert_eq!(status_of(&sandbox, ACTIVE, body), 204);
        let after = sandbox.kept(ACTIVE);
        assert_eq!(after["registrationStatus"], "ReviewPending");
        assert_eq!(after["registrations"][0]["status"], "ReviewPending");
        assert!(after["registrations"][0]["id"].is_string());
        let contract = replace("/registrations/0/contract", r#"{"term":"Finite","value":5}"#);
        let add = contract.replace("replace", "add");
        assert_eq!(status_of(&sandbox, ACTIVE, &add), 204);
        let forged = r#"[{"op":"add","path":"/registrations/-","value":{"id":"x"}}]"#;
        assert_eq!(status_of(&sandbox, ACTIVE, forged), 400);
    }

    #[test]
    fn a_patch_of_too_many_ops_is_refused() {
        let sandbox = Sandbox::with(|options| options.max_ops = 1);
        assert_eq!(status_of(&sandbox, ACTIVE, &to("Closed", "Won")), 400);
        assert_eq!(status_of(&sandbox, ACTIVE, &replace("/name", "\"x\"")), 204);
    }
}
