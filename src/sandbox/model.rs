//! The members a referral can be given, and of what type they are; the sandbox's own, smaller than a schema.

use super::envelope::member;
use super::options::NameCase;
use super::state;
use crate::json::Value;
use crate::patch::Pointer;

/// The type of a value. Any may be null but a choice and an element of a list.
#[derive(Debug)]
pub(super) enum Shape {
    Any,
    /// One of these strings, and never null.
    Choice(&'static [&'static str]),
    Decimal,
    Flag,
    List(&'static Self),
    Moment,
    /// An amount of money: a decimal that may be sent as a string.
    Money,
    Record(&'static [(&'static str, Self)]),
    Text,
}

use Shape::{Any, Choice, Decimal, Flag, List, Moment, Money, Record, Text};

/// All of a referral but what the API generates.
pub(super) const REFERRAL: Shape = Record(&[
    ("callToAction", Text),
    ("campaignId", Text),
    ("consent", CONSENT),
    ("createdVia", Text),
    ("customerMarketplaceIntent", Any),
    ("customerProfile", CUSTOMER),
    ("dealSensitivity", Text),
    ("details", DETAILS),
    ("engagementId", Text),
    ("expirationDateTime", Moment),
    ("externalReferenceId", Text),
    ("favorite", Flag),
    ("inviteContext", INVITE),
    ("lastModifiedVia", Text),
    ("lastRunId", Any),
    ("mpnId", Text),
    ("name", Text),
    ("partnerRole", Any),
    ("qualification", Choice(&["None", "Direct", "MarketingQualified", "SalesQualified"])),
    ("referralProgram", Text),
    ("referralSource", Text),
    ("registrations", List(&REGISTRATION)),
    ("salesStage", Text),
    ("solutionArea", Any),
    ("solutionPlay", Any),
    ("status", Choice(state::STATUSES)),
    ("statusReason", Text),
    ("substatus", Choice(state::SUBSTATUSES)),
    ("target", List(&TARGET)),
    ("team", List(&MEMBER)),
    ("trackingInfo", Any),
    ("type", Choice(&["Independent", "Shared"])),
]);

const CONSENT: Shape = Record(&[
    ("consentToContact", Flag),
    ("consentToMicrosoftToContactSpecificPartners", Flag),
    ("consentToShareReferralWithMicrosoftSellers", Flag),
    ("consentToToShareInfoWithOthers", Flag),
]);

const CUSTOMER: Shape = Record(&[
    (
        "address",
        Record(&[
            ("addressLine1", Text),
            ("addressLine2", Text),
            ("city", Text),
            ("country", Text),
            ("postalCode", Text),
            ("region", Text),
            ("state", Text),
        ]),
    ),
    ("ids", List(&Record(&[("id", Text), ("profileType", Text)]))),
    ("isMatchingComplete", Flag),
    ("name", Text),
    ("size", Text),
    ("team", List(&MEMBER)),
]);

const DETAILS: Shape = Record(&[
    ("closingDateTime", Moment),
    ("currency", Text),
    ("customerAction", Text),
    ("customerRequestedContact", Flag),
    ("dealValue", Money),
    ("incentiveLevel", Any),
    ("notes", Text),
    (
        "requirements",
        Record(&[
            (
                "additionalRequirements",
                Record(&[
                    ("attributes", List(&Record(&[("id", Text), ("type", Text)]))),
                    ("iot", Any),
                ]),
            ),
            ("industries", List(&TAG)),
            ("offers", List(&Any)),
            ("products", List(&TAG)),
            ("salesPlays", List(&Any)),
            ("services", List(&TAG)),
            ("solutions", List(&SOLUTION)),
        ]),
    ),
]);

const INVITE: Shape = Record(&[
    ("assistanceRequestCode", Text),
    ("invitedBy", Record(&[("organizationId", Text), ("organizationName", Text)])),
    ("invitedMpnId", Text),
    ("notes", Text),
]);

const MEMBER: Shape = Record(&[
    ("contactPreference", Record(&[("disableNotifications", Flag), ("locale", Text)])),
    ("email", Text),
    ("emailValidationStatus", Text),
    ("firstName", Text),
    ("lastName", Text),
    ("phoneNumber", Text),
    ("phoneValidationStatus", Text),
    ("title", Text),
]);

const REGISTRATION: Shape = Record(&[
    (
        "contract",
        Record(&[
            ("currency", Text),
            ("endDateTime", Moment),
            ("signDateTime", Moment),
            ("startDateTime", Moment),
            ("term", Choice(&["Finite", "Perpetual"])),
            ("value", Decimal),
        ]),
    ),
    (
        "solutionDetails",
        List(&Record(&[
            ("currency", Text),
            ("id", Text),
            ("isDeployedOnAzure", Flag),
            (
                "marketplaceTransactionDetails",
                Record(&[
                    ("isMarketplaceTransacted", Flag),
                    ("marketplaceTransactionDateTime", Moment),
                ]),
            ),
            ("pricingModel", Choice(&["Other", "PayAsYouGo"])),
            ("primaryDeploymentOn", Choice(&["Customer", "Partner"])),
            ("value", Decimal),
        ])),
    ),
    ("type", Text),
]);

const SOLUTION: Shape = Record(&[
    ("closingDateTime", Moment),
    ("currency", Text),
    ("id", Text),
    ("name", Text),
    ("price", Decimal),
    ("publisherName", Text),
    ("quantity", Decimal),
    ("solutionType", Text),
    ("type", Choice(&["Category", "Name", "None"])),
]);

const TAG: Shape = Record(&[("id", Text)]);

const TARGET: Shape = Record(&[
    ("id", Text),
    ("type", Choice(&["BusinessProfileLocation", "None", "SolutionProfile"])),
]);

/// What only the API writes, at the top of a referral.
pub(super) const GENERATED: [&str; 17] = [
    "@odata.context",
    "acceptedDateTime",
    "closedDateTime",
    "createdDateTime",
    "direction",
    "eTag",
    "id",
    "isSpam",
    "links",
    "organizationId",
    "organizationName",
    "quality",
    "registrationStatus",
    "tags",
    "updatedDateTime",
    // Given when a referral is made, and never again.
    "engagementId",
    "mpnId",
];

/// What may not be missing or null.
pub(super) const REQUIRED: [&str; 4] = ["consent", "customerProfile", "details", "type"];

/// Whether a referral can have a member of that `name` at its top.
pub(super) fn is_member(name: &str) -> bool {
    GENERATED.contains(&name) || REFERRAL.field(name, NameCase::Exact).is_some()
}

/// The first of [`REQUIRED`] that `referral` lacks.
pub(super) fn lacking(referral: &Value<'_>) -> Option<&'static str> {
    let given = |name| !matches!(member(referral, name), None | Some(Value::Null));
    REQUIRED.into_iter().find(|name| !given(name))
}

impl NameCase {
    pub(super) fn same(self, left: &str, right: &str) -> bool {
        match self {
            Self::Exact => left == right,
            Self::Ignore => left.eq_ignore_ascii_case(right),
        }
    }
}

impl Shape {
    /// The member that is called `name`: its true name and its shape.
    pub(super) fn field(
        &self,
        name: &str,
        case: NameCase,
    ) -> Option<(&'static str, &'static Self)> {
        let Record(fields) = self else { return None };
        let (known, shape) = fields.iter().find(|(known, _)| case.same(known, name))?;
        Some((known, shape))
    }

    /// What stands at `pointer` within this: its shape, and the pointer with the true names.
    pub(super) fn at(
        &'static self,
        pointer: &Pointer<'_>,
        case: NameCase,
    ) -> Option<(&'static Self, Pointer<'static>)> {
        pointer.tokens().try_fold((self, Pointer::ROOT), |(shape, above), token| match shape {
            Any => Some((shape, above.join(&token))),
            List(element) => Some((*element, above.join(&token))),
            Record(_) => {
                let (name, shape) = shape.field(&token, case)?;
                Some((shape, above.join(name)))
            }
            Choice(_) | Decimal | Flag | Moment | Money | Text => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_known_by_their_names_and_case_is_a_choice() {
        let at = |text: &'static str, case| {
            let pointer = Pointer::parse(text).expect("a pointer");
            REFERRAL.at(&pointer, case).map(|(_, pointer)| pointer.text().to_owned())
        };
        let exact = |text| at(text, NameCase::Exact);
        for known in
            ["/team/-", "/details/dealValue", "/registrations/0/contract/value", "/team/0/email"]
        {
            assert_eq!(exact(known).as_deref(), Some(known));
        }
        for unknown in
            ["/Team/-", "/details/dealvalue", "/name/x", "/team/0/mail", "/", "/closeDate"]
        {
            assert_eq!(exact(unknown), None, "{unknown}");
        }
        assert_eq!(
            at("/Details/DEALVALUE", NameCase::Ignore).as_deref(),
            Some("/details/dealValue")
        );
    }
}
