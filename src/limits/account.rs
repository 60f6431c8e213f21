//! The limits of one partner, or of all callers together, and what is spent of them.

use super::capacity::Capacity;
use super::decision::Decision;
use super::fields::{plain, structured_string, whole_seconds};
use super::hold::Hold;
use super::meter::{Meter, Standing};
use super::quota::{Class, NAMES, Quota, Quotas};
use super::tally::Tally;

use http::HeaderValue;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The limits of one partner, or of all together, and what is spent of them.
#[derive(Debug)]
pub struct Account {
    quotas: Quotas,
    /// What the names of its quotas begin with.
    prefix: String,
    /// What its keys are called in a store.
    shelf: String,
    /// What the bound on requests at once is called.
    crowd: String,
    /// The names of the quotas, as strings of RFC 9651; list by list.
    members: [Vec<String>; 4],
    /// The value of `RateLimit-Policy` for each class.
    policies: [Option<HeaderValue>; 3],
    spent: Mutex<Meters>,
    room: Capacity,
    tally: Arc<Tally>,
    pub(super) hold: Arc<Hold>,
}

/// The quotas, list by list.
pub(super) type Meters = [Vec<Meter>; 4];

impl Account {
    /// One of which nothing is spent. The names of its quotas begin with `prefix`.
    pub fn new(prefix: &str, quotas: Quotas) -> Self {
        let meters = quotas.lists().map(|(_, list)| list.iter().copied().map(Meter::new).collect());
        let room = Capacity::new(quotas.concurrent.unwrap_or(usize::MAX));
        Self::with(prefix, quotas, meters, room, Arc::default(), Arc::default())
    }

    /// The same, called so in a store.
    pub(super) fn kept_as(self, shelf: impl Into<String>) -> Self {
        Self { shelf: shelf.into(), ..self }
    }

    /// One of which as much is spent as of this. A quota takes over from the one that is about the
    /// same time; where there is none, from the one of its list that is spent most.
    pub(super) fn changed(&self, prefix: &str, quotas: Quotas, now: u64) -> Self {
        let old = self.lock();
        let carry = |quota: Quota, old: &[Meter]| {
            let same = old.iter().find(|meter| meter.quota().per == quota.per);
            let from = same.or_else(|| old.iter().max_by_key(|meter| meter.share(now)));
            from.map_or_else(|| Meter::new(quota), |old| Meter::carrying(quota, old, now))
        };
        let mut lists = old.iter();
        let meters = quotas.lists().map(|(_, list)| {
            let old = lists.next().map_or(&[][..], Vec::as_slice);
            list.iter().map(|quota| carry(*quota, old)).collect()
        });
        drop(old);
        let room = self.room.resized(quotas.concurrent.unwrap_or(usize::MAX));
        let (tally, hold) = (Arc::clone(&self.tally), Arc::clone(&self.hold));
        Self::with(prefix, quotas, meters, room, tally, hold).kept_as(&*self.shelf)
    }

    fn with(
        prefix: &str,
        quotas: Quotas,
        meters: Meters,
        room: Capacity,
        tally: Arc<Tally>,
        hold: Arc<Hold>,
    ) -> Self {
        let (prefix, crowd) = (prefix.to_owned(), format!("{prefix}-concurrent"));
        let members = quotas.lists().map(|(name, list)| {
            let named = |quota: &Quota| format!("{prefix}-{name}-{}", plain(quota.per));
            list.iter().map(|quota| structured_string(&named(quota))).collect()
        });
        let policies = [Class::Read, Class::Write, Class::Prefetch]
            .map(|class| policy(class, &quotas, &members, &crowd));
        let (shelf, spent) = (String::new(), Mutex::new(meters));
        Self { quotas, prefix, shelf, crowd, members, policies, spent, room, tally, hold }
    }

    /// What it allows.
    pub fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn shelf(&self) -> &str {
        &self.shelf
    }

    /// Whether it allows whatever comes of `class`.
    pub(super) fn is_empty(&self, class: Class) -> bool {
        lists_of(class).iter().all(|at| self.members.get(*at).is_none_or(Vec::is_empty))
    }

    /// How many requests there were.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Each quota by its name, and how it stands at `now`.
    pub(super) fn standings(&self, now: u64) -> Vec<(String, Quota, Standing)> {
        let meters = self.lock();
        let each = self.members.iter().zip(&*meters);
        let each = each.flat_map(|(names, meters)| names.iter().zip(meters));
        let plain = |name: &str| name.trim_matches('"').to_owned();
        each.map(|(name, meter)| (plain(name), *meter.quota(), meter.standing(now))).collect()
    }

    /// The room for its requests at once.
    pub fn room(&self) -> &Capacity {
        &self.room
    }

    /// The value of `RateLimit-Policy`: what it allows of requests of `class`.
    pub fn policy(&self, class: Class) -> Option<&HeaderValue> {
        let [read, write, prefetch] = &self.policies;
        match class {
            Class::Read => read.as_ref(),
            Class::Write => write.as_ref(),
            Class::Prefetch => prefetch.as_ref(),
        }
    }

    /// Writes the value of `RateLimit` into `text`: how it stands after `decision`. Of a refusal only what
    /// was too short is told, so that `Retry-After` is no earlier than anything in it.
    pub fn write_rest(&self, decision: &Decision, text: &mut Vec<u8>) {
        let mut is_first = true;
        let mut tell = |member: &str, left: u32, time: u64| {
            if !std::mem::take(&mut is_first) {
                text.extend_from_slice(b", ");
            }
            text.extend_from_slice(member.as_bytes());
            text.extend_from_slice(b";r=");
            text.extend_from_slice(itoa::Buffer::new().format(left).as_bytes());
            text.extend_from_slice(b";t=");
            text.extend_from_slice(itoa::Buffer::new().format(time).as_bytes());
        };
        if decision.is_crowded() {
            tell(&structured_string(&self.crowd), 0, whole_seconds(decision.wait()));
        }
        for (member, standing) in self.names(decision.class()).zip(decision.own()) {
            if decision.is_admitted() || standing.is_short {
                tell(member, standing.left, whole_seconds(standing.time));
            }
        }
    }

    /// The same in one number each, as older fields have it: of the quota that is nearest to its
    /// end what it allows, what is left, and in how many seconds all of it is.
    pub fn nearest(&self, decision: &Decision) -> Option<(u32, u32, u64)> {
        let lists = self.quotas.lists();
        let quotas = lists_of(decision.class()).iter().filter_map(|at| lists.get(*at));
        let quotas = quotas.flat_map(|(_, list)| list.iter());
        let each = quotas.zip(decision.own());
        let tightest = each.min_by_key(|(_, standing)| (!standing.is_short, standing.left));
        tightest.map(|(quota, standing)| {
            let left = if standing.is_short { 0 } else { standing.left };
            (quota.most.get(), left, whole_seconds(standing.time))
        })
    }

    /// The names of the quotas that were too short.
    pub(super) fn short(&self, class: Class, short: impl Iterator<Item = bool>) -> Vec<String> {
        let each = self.names(class).zip(short).filter(|(_, is_short)| *is_short);
        // Names are plain; nothing in them is escaped.
        each.map(|(member, _)| member.trim_matches('"').to_owned()).collect()
    }

    /// What the bound on requests at once is called.
    pub(super) fn crowd(&self) -> &str {
        &self.crowd
    }

    fn names(&self, class: Class) -> impl Iterator<Item = &str> {
        let lists = lists_of(class).iter().filter_map(|at| self.members.get(*at));
        lists.flatten().map(String::as_str)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Meters> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The quotas that hold for requests of `class`.
pub(super) fn of(meters: &Meters, class: Class) -> impl Iterator<Item = &Meter> {
    lists_of(class).iter().filter_map(|at| meters.get(*at)).flatten()
}

/// The same, list by list.
pub(super) fn lists(
    meters: &Meters,
    class: Class,
) -> impl Iterator<Item = (&'static str, &[Meter])> {
    let named = lists_of(class).iter().filter_map(|at| NAMES.get(*at).zip(meters.get(*at)));
    named.map(|(name, list)| (*name, &**list)).filter(|(_, list)| !list.is_empty())
}

/// Which lists hold for requests of `class`, in the order of [`Quotas::lists`].
fn lists_of(class: Class) -> &'static [usize] {
    match class {
        Class::Read => &[0, 1],
        Class::Write => &[0, 2],
        Class::Prefetch => &[3],
    }
}

/// The value of `RateLimit-Policy` for requests of `class`; nothing where nothing is limited.
fn policy(
    class: Class,
    quotas: &Quotas,
    members: &[Vec<String>; 4],
    crowd: &str,
) -> Option<HeaderValue> {
    let lists = quotas.lists();
    let mut items = Vec::new();
    for at in lists_of(class) {
        let quotas = lists.get(*at).map_or(&[][..], |(_, list)| list);
        for (quota, member) in quotas.iter().zip(members.get(*at).into_iter().flatten()) {
            items.push(format!("{member};q={};w={}", quota.most, whole_seconds(quota.per)));
        }
    }
    if let (Some(most), true) = (quotas.concurrent, class != Class::Prefetch) {
        items.push(format!("{};q={most};qu=\"concurrent-requests\"", structured_string(crowd)));
    }
    HeaderValue::try_from(items.join(", ")).ok().filter(|value| !value.is_empty())
}
