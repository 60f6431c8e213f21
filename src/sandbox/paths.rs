//! The paths of a patch: which exist, which are the caller's to write, and what may be written there.

use super::binding::Binding;
use super::envelope::Refusal;
use super::model::{self, REFERRAL};
use super::options::{Foreign, Options, PatchPaths, status};
use crate::patch::{self, Op, Pointer};

use std::borrow::Cow;

/// The op as it will be applied, or none where it is left out without a word.
pub(super) fn prepared<'a>(op: Op<'a>, options: &Options) -> Result<Option<Op<'a>>, Refusal> {
    let case = options.patch_path_case;
    let place = target(op.path());
    let bad_path = |message| {
        Err(Refusal::invalid_as(status(options.bad_path_status), message).at(place.as_str()))
    };
    let tokens: Vec<Cow<'_, str>> = op.path().tokens().collect();
    let generated = |name: &str| model::GENERATED.iter().any(|known| case.same(known, name));
    let read_only = match tokens.as_slice() {
        [] => true,
        [list] => generated(list) || case.same("registrations", list),
        [list, rest @ ..] if case.same("registrations", list) => {
            matches!(rest, [element] if element != "-")
                || rest.get(1).is_some_and(|name| {
                    REGISTRATION_GENERATED.iter().any(|known| case.same(known, name))
                })
        }
        [name, ..] => generated(name),
    };
    if read_only {
        return match options.read_only_paths {
            Foreign::Ignore => Ok(None),
            Foreign::Refuse => bad_path("The member is read-only."),
        };
    }
    let Some((shape, path)) = REFERRAL.at(op.path(), case) else {
        return bad_path("There is no such member.");
    };
    if options.patch_paths == PatchPaths::Connector && !CONNECTOR.contains(&path.text()) {
        return bad_path("The path is not one of those that can be patched.");
    }
    let in_list =
        tokens.last().is_some_and(|last| last == "-" || patch::pointer::index(last).is_some());
    let bound = |value| {
        let binding = Binding::of_patch(options);
        if in_list {
            binding.element(value, shape, &place)
        } else {
            binding.bind(value, shape, &place)
        }
    };
    Ok(match op {
        Op::Add { value, .. } => Some(Op::Add { path, value: bound(value)? }),
        Op::Replace { value, .. } => Some(Op::Replace { path, value: bound(value)? }),
        // INVARIANT: the others were refused before.
        Op::Copy { .. }
        | Op::Move { .. }
        | Op::Open { .. }
        | Op::Remove { .. }
        | Op::Test { .. }
        | Op::Unset { .. } => None,
    })
}

/// Where an error arose, as the envelope has it.
pub(super) fn target(pointer: &Pointer<'_>) -> String {
    dotted(pointer.text())
}

pub(super) fn dotted(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}

const REGISTRATION_GENERATED: [&str; 5] =
    ["id", "registrationDateTime", "status", "statusHistory", "statusReason"];

/// The paths of the connector's contract, those of deal registration at the end.
const CONNECTOR: [&str; 31] = [
    "/campaignId",
    "/consent/consentToShareReferralWithMicrosoftSellers",
    "/customerProfile/team",
    "/customerProfile/team/-",
    "/details/closingDateTime",
    "/details/currency",
    "/details/dealValue",
    "/details/notes",
    "/details/requirements/solutions",
    "/details/requirements/solutions/-",
    "/externalReferenceId",
    "/referralProgram",
    "/salesStage",
    "/status",
    "/substatus",
    "/statusReason",
    "/team",
    "/team/-",
    "/registrations/-",
    "/registrations/0/contract/startDateTime",
    "/registrations/0/contract/endDateTime",
    "/registrations/0/contract/signDateTime",
    "/registrations/0/contract/term",
    "/registrations/0/contract/value",
    "/registrations/0/solutionDetails/0/value",
    "/registrations/0/solutionDetails/0/currency",
    "/registrations/0/solutionDetails/0/isDeployedOnAzure",
    "/registrations/0/solutionDetails/0/primaryDeploymentOn",
    "/registrations/0/solutionDetails/0/pricingModel",
    "/registrations/0/solutionDetails/0/marketplaceTransactionDetails/isMarketplaceTransacted",
    "/registrations/0/solutionDetails/0/marketplaceTransactionDetails/marketplaceTransactionDateTime",
];

#[cfg(test)]
mod tests {
    use super::super::Sandbox;
    use super::super::options::NameCase;
    use super::super::testing::{ACTIVE, WON};
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

    #[test]
    fn read_only_and_unknown_paths_are_refused_or_left_out() {
        let sandbox = Sandbox::new(Options::default());
        let silent = Sandbox::with(|options| options.read_only_paths = Foreign::Ignore);
        let coded = Sandbox::with(|options| options.bad_path_status = 422);
        for path in [
            "/id",
            "/eTag",
            "/createdDateTime",
            "/links/self/uri",
            "/direction",
            "/tags/-",
            "/isSpam",
            "/registrationStatus",
            "/registrations",
            "/registrations/0",
            "/registrations/0/status",
            "/mpnId",
            "/organizationId",
            "/engagementId",
            "",
        ] {
            let body = replace(path, "\"x\"");
            let target = path.trim_start_matches('/').replace('/', ".");
            assert_eq!(outcome(&sandbox, WON, &body), (400, target), "{path}");
            assert_eq!(status_of(&coded, WON, &body), 422, "{path}");
            let before = silent.kept(WON);
            assert_eq!(status_of(&silent, WON, &body), 204, "{path}");
            let mut after = silent.kept(WON);
            for stamp in ["eTag", "updatedDateTime"] {
                after[stamp] = before[stamp].clone();
            }
            assert_eq!(after, before, "{path}");
        }
        for path in
            ["/closeDate", "/Name", "/team/0/mail", "/details/notes/x", "/team/9", "/team/x/email"]
        {
            assert_eq!(status_of(&sandbox, ACTIVE, &replace(path, "\"x\"")), 400, "{path}");
            assert_eq!(status_of(&silent, ACTIVE, &replace(path, "\"x\"")), 400, "{path}");
        }
    }

    #[test]
    fn case_of_paths_is_a_switch() {
        let sandbox = Sandbox::with(|options| options.patch_path_case = NameCase::Ignore);
        let body = r#"[{"op":"replace","path":"/Details/DealValue","value":5},
            {"op":"add","path":"/Team/-","value":{"Email":"a@b.example"}}]"#;
        assert_eq!(status_of(&sandbox, ACTIVE, body), 204);
        let after = sandbox.kept(ACTIVE);
        assert_eq!(after["details"]["dealValue"], serde_json::json!(5));
        assert!(after.get("Team").is_none() && after["details"].get("DealValue").is_none());
        assert_eq!(status_of(&sandbox, ACTIVE, &replace("/ETag", "\"x\"")), 400);
        assert_eq!(status_of(&Sandbox::new(Options::default()), ACTIVE, body), 400);
    }

    #[test]
    fn only_the_connectors_paths_are_a_switch() {
        let sandbox = Sandbox::with(|options| options.patch_paths = PatchPaths::Connector);
        let open = Sandbox::new(Options::default());
        for (path, listed) in [("/name", false), ("/details/notes", true), ("/team/0/email", false)]
        {
            let body = replace(path, "\"x\"");
            assert_eq!(
                status_of(&sandbox, ACTIVE, &body),
                if listed { 204 } else { 400 },
                "{path}"
            );
            assert_eq!(status_of(&open, ACTIVE, &body), 204, "{path}");
        }
        for path in CONNECTOR {
            let pointer = Pointer::parse(path).expect("a pointer");
            assert!(REFERRAL.at(&pointer, NameCase::Exact).is_some(), "{path}");
        }
    }
}
