//! The table of the documents: which substatus stands beside which status, and which status follows which.

use super::options::Options;
use crate::json::Value;

use std::fmt;

/// Every status there is.
pub(super) const STATUSES: &[&str] = &["None", "New", "Active", "Closed"];

/// Every substatus there is, the two that only third parties mention included.
pub(super) const SUBSTATUSES: &[&str] = &[
    "None", "Pending", "Received", "Accepted", "Won", "Lost", "Declined", "Expired", "Engaged",
    "Error",
];

/// Where a referral stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State<'a> {
    pub(super) status: &'a str,
    pub(super) substatus: &'a str,
}

impl<'a> State<'a> {
    pub(super) fn of(referral: &'a Value<'_>) -> Self {
        let Value::Object(members) = referral else { return Self { status: "", substatus: "" } };
        let text = |name| members.get(name).and_then(Value::as_str).unwrap_or_default();
        Self { status: text("status"), substatus: text("substatus") }
    }

    /// Whether a referral that stands here may come to stand at `next`, or else why not.
    pub(super) fn may_become(self, next: Self, options: &Options) -> Result<(), &'static str> {
        if !next.is_pair(options) {
            return Err("The substatus does not belong to the status.");
        }
        if !self.steps().contains(&next.status) {
            return Err("The status transition is not allowed.");
        }
        let reclosed = self.status == "Closed" && self.substatus != next.substatus;
        if reclosed && options.closed_to_closed.refuses() {
            return Err("A closed referral keeps its substatus.");
        }
        Ok(())
    }

    fn is_pair(self, options: &Options) -> bool {
        let newer = !options.newer_substatuses.refuses();
        match (self.status, self.substatus) {
            ("New", "Pending" | "Received")
            | ("Active", "Accepted")
            | ("Closed", "Won" | "Lost" | "Declined" | "Expired") => true,
            ("Active", "Engaged") | ("Closed", "Error") => newer,
            _ => false,
        }
    }

    fn steps(self) -> &'static [&'static str] {
        match self.status {
            "New" => &["New", "Active", "Closed"],
            "Active" => &["Active", "Closed"],
            "Closed" => &["Closed"],
            _ => &[],
        }
    }
}

impl fmt::Display for State<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.status, self.substatus)
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::Stance;
    use super::*;

    const PAIRS: [(&str, &str); 7] = [
        ("New", "Pending"),
        ("New", "Received"),
        ("Active", "Accepted"),
        ("Closed", "Won"),
        ("Closed", "Lost"),
        ("Closed", "Declined"),
        ("Closed", "Expired"),
    ];

    fn state((status, substatus): (&'static str, &'static str)) -> State<'static> {
        State { status, substatus }
    }

    #[test]
    fn steps_never_lead_back() {
        for (at, from) in PAIRS.into_iter().enumerate() {
            for (next, to) in PAIRS.into_iter().enumerate() {
                let back = (at >= 2 && next < 2) || (at > 2 && next <= 2);
                let allowed = state(from).may_become(state(to), &Options::default()).is_ok();
                assert_eq!(allowed, !back, "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn only_the_seven_documented_pairs_are_pairs() {
        for &status in STATUSES {
            for &substatus in SUBSTATUSES {
                let is_pair = state((status, substatus)).is_pair(&Options::default());
                assert_eq!(is_pair, PAIRS.contains(&(status, substatus)), "{status}/{substatus}");
            }
        }
    }

    #[test]
    fn the_switch_for_newer_substatuses_adds_two_pairs() {
        let options = Options { newer_substatuses: Stance::Accept, ..Options::default() };
        let active = state(("Active", "Accepted"));
        assert!(active.may_become(state(("Active", "Engaged")), &options).is_ok());
        assert!(active.may_become(state(("Closed", "Error")), &options).is_ok());
        assert!(active.may_become(state(("Active", "Error")), &options).is_err());
        assert!(active.may_become(state(("Active", "Engaged")), &Options::default()).is_err());
    }

    #[test]
    fn the_switch_for_closed_to_closed_makes_every_end_final() {
        let options = Options { closed_to_closed: Stance::Refuse, ..Options::default() };
        let (won, lost) = (state(("Closed", "Won")), state(("Closed", "Lost")));
        assert!(won.may_become(lost, &options).is_err());
        assert!(won.may_become(won, &options).is_ok());
        assert!(state(("Active", "Accepted")).may_become(lost, &options).is_ok());
        assert!(won.may_become(lost, &Options::default()).is_ok());
    }
}
