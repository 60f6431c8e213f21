//! The referrals, in memory: eight to begin with, in every state there is.

use super::clock::Moment;
use super::envelope::{Refusal, member};
use super::referral;
use crate::json::{self, Bounds, Value};

/// The referrals and the source of their tags.
#[derive(Debug)]
pub(super) struct Store {
    referrals: Vec<Value<'static>>,
    tags: u32,
}

impl Store {
    /// The sample referrals, with links to `origin`.
    pub(super) fn seeded(origin: &str) -> Self {
        let mut referrals = match json::read(SEEDS.as_bytes(), Bounds::default()) {
            Ok(Value::Array(referrals)) => referrals.into_iter().collect(),
            // INVARIANT: the seeds are an array, as a test shows.
            _ => Vec::new(),
        };
        for referral in &mut referrals {
            let links = referral::links(origin, id(referral), text(referral, "engagementId"));
            if let Value::Object(members) = referral {
                members.insert("links".into(), links);
            }
        }
        Self { referrals, tags: 0 }
    }

    pub(super) fn find(&self, wanted: &str) -> Option<&Value<'static>> {
        self.referrals.iter().find(|referral| id(referral) == wanted)
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Value<'static>> {
        self.referrals.iter()
    }

    /// Keeps a referral that is new.
    pub(super) fn insert(&mut self, referral: Value<'static>) -> Result<(), Refusal> {
        if self.referrals.len() >= CAPACITY {
            return Err(Refusal::full());
        }
        self.referrals.push(referral);
        Ok(())
    }

    /// Keeps `referral` in the place of the one with the same id.
    pub(super) fn replace(&mut self, referral: Value<'static>) {
        if let Some(slot) = self.referrals.iter_mut().find(|known| id(known) == id(&referral)) {
            *slot = referral;
        }
    }

    /// A tag that no referral has had, quotes included, in the form that has been seen in public.
    pub(super) fn fresh_tag(&mut self, now: Moment) -> String {
        self.tags = self.tags.wrapping_add(1);
        format!("\"{:08x}-0000-0000-0000-{:08x}0000\"", self.tags, now.seconds)
    }
}

pub(super) fn id<'v>(referral: &'v Value<'_>) -> &'v str {
    text(referral, "id")
}

pub(super) fn tag<'v>(referral: &'v Value<'_>) -> &'v str {
    text(referral, "eTag")
}

fn text<'v>(referral: &'v Value<'_>, name: &str) -> &'v str {
    member(referral, name).and_then(Value::as_str).unwrap_or_default()
}

const SEEDS: &str = include_str!("seeds.json");

/// So that a load test of POSTs does not grow for ever.
const CAPACITY: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::super::binding::Binding;
    use super::super::model::{self, REFERRAL};
    use super::super::options::Options;
    use super::super::state::State;
    use super::*;

    #[test]
    fn there_is_a_seed_in_every_documented_state() {
        let store = Store::seeded("http://sandbox.example");
        let states: Vec<String> = store.iter().map(|r| State::of(r).to_string()).collect();
        for state in [
            "New/Pending",
            "New/Received",
            "Active/Accepted",
            "Closed/Won",
            "Closed/Lost",
            "Closed/Declined",
            "Closed/Expired",
        ] {
            assert!(states.iter().any(|known| known == state), "{state}");
        }
        let first = store.iter().next().expect("a seed");
        let link = member(first, "links").and_then(|links| member(links, "self"));
        let uri = link.and_then(|link| member(link, "uri")).and_then(Value::as_str);
        assert!(uri.is_some_and(|uri| uri.starts_with("http://sandbox.example/v1.0/")), "{uri:?}");
    }

    #[test]
    fn the_seeds_fit_the_model() {
        let options = Options::default();
        for seed in Store::seeded("").iter() {
            let Value::Object(mut members) = seed.clone() else { panic!("an object") };
            for name in model::GENERATED.into_iter().chain(["registrations"]) {
                members.remove(name);
            }
            let bound = Binding::of_patch(&options).bind(Value::Object(members), &REFERRAL, "");
            assert!(bound.is_ok(), "{bound:?}");
            assert!(tag(seed).starts_with('"') && tag(seed).ends_with('"'));
            assert_eq!(model::lacking(seed), None);
        }
    }

    #[test]
    fn no_tag_comes_twice_and_the_store_is_bounded() {
        let mut store = Store::seeded("");
        let now = Moment::now();
        assert_ne!(store.fresh_tag(now), store.fresh_tag(now));
        let one = store.iter().next().expect("a seed").clone();
        let taken = std::iter::repeat_with(|| store.insert(one.clone())).take_while(Result::is_ok);
        assert_eq!(taken.count() + 8, CAPACITY);
    }
}
