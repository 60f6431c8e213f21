//! Whom a route is open to.

use super::facts::Caller;
use super::graph::Takers;

/// Whom a route is open to; everybody, unless it says more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audience {
    /// Only these.
    pub takers: Takers,
    /// Only those who are known.
    pub known: bool,
}

/// Why a route is not open to a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// It is open to others.
    ToPartner,
    /// It is not open to somebody who is not known.
    ToUnknown,
}

impl Audience {
    /// Lets in `caller`, of whom it is said whether it is a known one.
    ///
    /// # Errors
    ///
    /// When the route is not open to it.
    pub fn admit(&self, caller: Caller<'_>, is_known: bool) -> Result<(), Closed> {
        let is_open = self.takers.include(caller) && (is_known || !self.known);
        match (is_open, is_known) {
            (true, _) => Ok(()),
            (false, true) => Err(Closed::ToPartner),
            (false, false) => Err(Closed::ToUnknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_named_comes_in_and_who_is_not_known_may_say_who_it_is() {
        let takers = Takers { partners: vec!["a".into()], roles: vec!["r".into()] };
        let audience = |takers: &Takers, known| Audience { takers: takers.clone(), known };
        let admit = |audience: &Audience, partner, role: &str, is_known| {
            audience.admit(Caller { partner, roles: &[role.to_owned()] }, is_known)
        };
        let some = audience(&takers, false);
        assert_eq!(admit(&some, "a", "", true), Ok(()));
        assert_eq!(admit(&some, "b", "r", true), Ok(()));
        assert_eq!(admit(&some, "b", "s", true), Err(Closed::ToPartner));
        assert_eq!(admit(&some, "unknown", "", false), Err(Closed::ToUnknown));
        let known = audience(&Takers::default(), true);
        assert_eq!(admit(&known, "b", "", true), Ok(()));
        assert_eq!(admit(&known, "b", "", false), Err(Closed::ToUnknown));
        assert_eq!(admit(&Audience::default(), "b", "", false), Ok(()));
        // Both have to hold.
        let both = audience(&takers, true);
        assert_eq!(admit(&both, "a", "", false), Err(Closed::ToUnknown));
        assert_eq!(admit(&both, "b", "", true), Err(Closed::ToPartner));
    }
}
