//! How much each partner may send, how much all together, and when the API wants nothing.

mod account;
mod capacity;
mod clock;
mod decision;
mod fields;
mod hold;
mod meter;
mod quota;
mod store;
mod tally;
mod together;

pub use account::Account;
pub use capacity::{Capacity, Slot};
pub use clock::Clock;
pub use decision::Decision;
pub use fields::{structured_string, whole_seconds};
pub use hold::{HeldBack, Hold, Scope, Throttle, Turn};
pub use meter::Standing;
pub use quota::{Class, QUOTAS_MAX, Quota, Quotas};
pub use store::{Address, Away, Server, Settings};
pub use tally::Tally;

use clock::nanoseconds;
use hold::Waited;
use store::Store;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// What holds for every partner alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What a request costs.
    pub request_cost: NonZeroU32,
    /// What each op of its patch costs beside that.
    pub op_cost: u32,
    /// Whether a request is counted that is malformed, so that it never comes before the policy.
    pub counts_malformed: bool,
    /// Whether one is counted that the policy refuses.
    pub counts_refused: bool,
    /// Whether the older `X-RateLimit-*` fields are sent as well.
    pub older_fields: bool,
    /// What becomes of requests that the API wants none of.
    pub throttle: Throttle,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            request_cost: NonZeroU32::MIN,
            op_cost: 0,
            counts_malformed: false,
            counts_refused: true,
            older_fields: false,
            throttle: Throttle::default(),
        }
    }
}

/// The limits of one load: one account for each partner, and one for all of them. There are as many
/// accounts as the configuration names, however many strangers call.
#[derive(Debug)]
pub struct Limits {
    /// What holds for every partner alike.
    pub terms: Terms,
    accounts: HashMap<String, Arc<Account>>,
    total: Arc<Account>,
    clock: Clock,
    /// Where it is decided, if not here alone.
    store: Option<Arc<Store>>,
}

/// The limits that a configuration asks for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// What the names of quotas begin with.
    pub prefix: String,
    /// What holds for every partner alike.
    pub terms: Terms,
    /// What each partner may send, by its key.
    pub accounts: Vec<(String, Quotas)>,
    /// What all together may send.
    pub total: Quotas,
    /// Where several gateways count together.
    pub store: Option<Settings>,
}

impl Default for Limits {
    fn default() -> Self {
        Self::by(Clock::default())
    }
}

impl Limits {
    /// No limits yet, by this clock.
    pub fn by(clock: Clock) -> Self {
        let total = Arc::new(Account::new("", Quotas::default()).kept_as("total"));
        Self { terms: Terms::default(), accounts: HashMap::new(), total, clock, store: None }
    }

    /// The limits `wanted`. What is spent of `old` stays spent, also where a quota has changed, so
    /// that a reload is no refill.
    pub fn carry_over(old: &Self, wanted: Wanted) -> Self {
        let now = old.clock.now();
        let keep = |account: &Arc<Account>, prefix: &str, quotas: Quotas| {
            if *account.quotas() == quotas && account.prefix() == prefix {
                Arc::clone(account)
            } else {
                Arc::new(account.changed(prefix, quotas, now))
            }
        };
        let mut accounts = HashMap::with_capacity(wanted.accounts.len());
        for (key, quotas) in wanted.accounts {
            let account = match old.accounts.get(&key) {
                Some(account) => keep(account, &wanted.prefix, quotas),
                None => {
                    let shelf = format!("own:{}", store::encoded(&key));
                    Arc::new(Account::new(&wanted.prefix, quotas).kept_as(shelf))
                }
            };
            accounts.insert(key, account);
        }
        let total = keep(&old.total, &format!("{}-total", wanted.prefix), wanted.total);
        let store = wanted.store.map(|settings| Arc::new(Store::new(settings)));
        Self { terms: wanted.terms, accounts, total, clock: old.clock.clone(), store }
    }

    /// Connects to the store, where there is one; waits a moment for what comes of it. Until then it
    /// is away.
    pub fn open(&self) {
        if let Some(store) = &self.store {
            store.open();
        }
    }

    /// Whether the store answers; nothing where there is none.
    pub fn is_store_up(&self) -> Option<bool> {
        self.store.as_ref().map(|store| !store.is_away())
    }

    /// The account of `key`.
    pub fn get(&self, key: &str) -> Option<&Arc<Account>> {
        self.accounts.get(key)
    }

    /// Each quota of `account` by its name, and how it stands, where that is known here.
    pub fn standings(&self, account: &Account) -> Vec<(String, Quota, Option<Standing>)> {
        let all = account.standings(self.clock.now()).into_iter();
        let is_here = self.store.is_none();
        all.map(|(name, quota, standing)| (name, quota, is_here.then_some(standing))).collect()
    }

    /// What holds for all callers together.
    pub fn total(&self) -> &Account {
        &self.total
    }

    /// What a request with so many ops costs.
    pub fn cost(&self, ops: usize) -> NonZeroU32 {
        self.terms.request_cost.saturating_add(self.ops_cost(ops))
    }

    /// What so many ops cost.
    pub fn ops_cost(&self, ops: usize) -> u32 {
        self.terms.op_cost.saturating_mul(u32::try_from(ops).unwrap_or(u32::MAX))
    }

    /// Spends `cost` of every quota that holds for a request of `class`; of none, where one of them
    /// has no room.
    ///
    /// This is the one decision. Where there is a store, all gateways that share it make it together.
    pub async fn decide(&self, account: &Account, class: Class, cost: NonZeroU32) -> Decision {
        match self.store_of(account, class) {
            None => self.decide_here(account, class, cost),
            // Whoever does not wait for a store has no room to keep for it.
            Some(store) => Box::pin(self.ask_store(store, account, class, cost)).await,
        }
    }

    /// The decision of this gateway alone.
    pub fn decide_here(&self, account: &Account, class: Class, cost: NonZeroU32) -> Decision {
        self.ask(account, class, cost, true)
    }

    /// The same as far as this gateway knows, but nothing is spent.
    pub fn look(&self, account: &Account, class: Class, cost: NonZeroU32) -> Decision {
        match self.store_of(account, class) {
            Some(store) if store.is_away() => self.ask_away(store, account, class, cost, false),
            Some(_) | None => self.ask(account, class, cost, false),
        }
    }

    /// Whether a decision about requests of `class` has to be waited for.
    pub fn has_to_wait(&self, account: &Account, class: Class) -> bool {
        self.store_of(account, class).is_some()
    }

    fn ask(&self, account: &Account, class: Class, cost: NonZeroU32, spends: bool) -> Decision {
        let now = self.clock.now();
        // INVARIANT: always in this order, so that two who ask never wait for each other.
        let own = account.lock();
        let total = (!self.total.is_empty(class)).then(|| self.total.lock());
        let own = || account::of(&own, class);
        let total = || total.iter().flat_map(|total| account::of(total, class));
        let mut decision = Decision::begin(class);
        if own().chain(total()).all(|meter| meter.has_room(now, cost)) {
            if spends {
                own().chain(total()).for_each(meter::Meter::spend);
            }
            own().for_each(|meter| decision.note(meter.standing(now)));
            return decision;
        }
        own().for_each(|meter| decision.note(meter.ask(now, cost)));
        let each = total().enumerate();
        each.for_each(|(at, meter)| decision.note_total(at, meter.ask(now, cost)));
        decision
    }

    /// Whether there is room for `cost`, as far as this gateway knows. Nothing is spent, and nothing told of
    /// how the quotas stand.
    pub fn has_room(&self, account: &Account, class: Class, cost: NonZeroU32) -> bool {
        if self.store_of(account, class).is_some_and(Store::is_away) {
            return self.look(account, class, cost).is_admitted();
        }
        let now = self.clock.now();
        let has_room = |account: &Account| {
            let meters = account.lock();
            account::of(&meters, class).all(|meter| meter.has_room(now, cost))
        };
        has_room(account) && (self.total.is_empty(class) || has_room(&self.total))
    }

    /// How the quotas of `account` stand that hold for a request of `class`.
    pub fn stand(&self, account: &Account, class: Class) -> Decision {
        let (now, mut decision) = (self.clock.now(), Decision::begin(class));
        let meters = account.lock();
        account::of(&meters, class).for_each(|meter| decision.note(meter.standing(now)));
        decision
    }

    /// The names of what stood in the way.
    pub fn violated(&self, account: &Account, decision: &Decision) -> Vec<String> {
        if decision.is_crowded() {
            return vec![account.crowd().to_owned()];
        }
        let own = decision.own().iter().map(|standing| standing.is_short);
        let mut names = account.short(decision.class(), own);
        names.extend(self.total.short(decision.class(), decision.total().iter().copied()));
        names
    }

    /// Waits until the API takes the next request, where it has said that it does not and there is
    /// a queue.
    ///
    /// Partners take turns, whoever of them came first; the requests of one partner go in the order
    /// in which they came. Each goes when the one before it was answered.
    ///
    /// # Errors
    ///
    /// When it takes too long, or there is no place.
    pub async fn turn(&self, account: &Account) -> Result<Turn, HeldBack> {
        let throttle = self.terms.throttle;
        let (hold, other) = match throttle.scope {
            Scope::Nobody => return Ok(Turn::default()),
            Scope::All => (&self.total.hold, Some(&account.hold)),
            Scope::Partner => (&account.hold, None),
        };
        let held = hold.left(self.clock.now());
        match throttle.queue == 0 || (held.is_none() && !hold.has_line()) {
            true => held.map_or_else(|| Ok(Turn::default()), Err),
            // Most requests go at once, and have no room for a wait.
            false => Box::pin(self.queue(account, hold, other, held)).await,
        }
    }

    /// Waits in line.
    async fn queue(
        &self,
        account: &Account,
        hold: &Hold,
        other: Option<&Arc<Hold>>,
        held: Option<HeldBack>,
    ) -> Result<Turn, HeldBack> {
        let throttle = self.terms.throttle;
        // Those in line are waited for as well, and nobody knows for how long.
        let busy = HeldBack { wait: Duration::from_secs(1), is_unavailable: false };
        if let Some(held) = held.filter(|held| held.wait > throttle.patience) {
            return Err(held);
        }
        let late = |_| hold.left(self.clock.now()).unwrap_or(busy);
        let places = account.hold.enter(throttle.queue).zip(self.total.hold.enter(usize::MAX));
        let Some(places) = places else { return Err(held.unwrap_or(busy)) };
        let wait = async {
            // Of each partner one at most stands in the line of all.
            let first = other.map_or(hold, |other| other).turn().await?;
            let second = if other.is_some() { hold.turn().await } else { None };
            while let Some(held) = hold.left(self.clock.now()) {
                tokio::time::sleep(held.wait).await;
            }
            Some((first, second))
        };
        let permits = tokio::time::timeout(throttle.patience, wait).await.map_err(late)?;
        let waited = Waited { _places: places, _permits: permits };
        Ok(Turn { _waited: Some(Box::new(waited)) })
    }

    /// Notes that the API wants no more for `time`; what it may be at most is bounded. Gives what is
    /// left, where anybody is held back.
    pub fn hold(
        &self,
        account: &Account,
        time: Duration,
        is_unavailable: bool,
    ) -> Option<HeldBack> {
        let throttle = self.terms.throttle;
        let now = self.clock.now();
        let time = time.min(throttle.longest);
        let hold = match throttle.scope {
            Scope::All => &self.total.hold,
            Scope::Nobody => return None,
            Scope::Partner => &account.hold,
        };
        hold.extend(now.saturating_add(nanoseconds(time)), is_unavailable);
        hold.left(now)
    }
}
