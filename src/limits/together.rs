//! Decisions that several gateways make together, by way of a store; and what each of them decides
//! while it is away.
//!
//! What the store says is noted in the meters of this gateway as well. So they know at any moment
//! what was spent, were nobody else to spend since. From there a look at the head is answered, a
//! gateway goes on that has lost the store, and a store learns that has lost its memory.

use super::account::{self, Account};
use super::decision::Decision;
use super::meter::{Meter, Standing};
use super::quota::Class;
use super::store::{Answer, Ask, Away, Store};
use super::{Limits, nanoseconds};

use std::num::NonZeroU32;

impl Limits {
    /// The store, where it has to be asked about requests of `class`.
    pub(super) fn store_of(&self, account: &Account, class: Class) -> Option<&Store> {
        let is_limited = !account.is_empty(class) || !self.total().is_empty(class);
        self.store.as_deref().filter(|_| is_limited)
    }

    pub(super) async fn ask_store(
        &self,
        store: &Store,
        account: &Account,
        class: Class,
        cost: NonZeroU32,
    ) -> Decision {
        if store.is_away() {
            return self.ask_away(store, account, class, cost, true);
        }
        // From before it was sent, so that what is noted is never later than the truth.
        let sent = self.clock.now();
        let mut ask = Ask::default();
        for account in [account, self.total()] {
            self.claim(store, account, class, sent, cost, &mut ask);
        }
        match store.ask(&ask).await {
            Some(answers) => self.heed(account, class, sent, &answers),
            None => self.ask_away(store, account, class, cost, true),
        }
    }

    fn claim(
        &self,
        store: &Store,
        account: &Account,
        class: Class,
        now: u64,
        cost: NonZeroU32,
        ask: &mut Ask,
    ) {
        if account.is_empty(class) {
            return;
        }
        // A gateway tells what it knows less the longest time that it can take to be told. So a store
        // that knows all hears nothing new, however the times differ.
        let slack = nanoseconds(store.timeout());
        let meters = account.lock();
        for (list, meters) in account::lists(&meters, class) {
            ask.list(store.key(account.shelf(), list));
            for meter in meters {
                ask.claim(meter.claim(now, cost, slack));
            }
        }
    }

    fn heed(&self, account: &Account, class: Class, sent: u64, answers: &[Answer]) -> Decision {
        let mut decision = Decision::begin(class);
        let mut answers = answers.iter();
        let own = account.lock();
        for (meter, answer) in account::of(&own, class).zip(&mut answers) {
            decision.note(meter.heed(sent, answer));
        }
        drop(own);
        if answers.len() > 0 {
            let total = self.total().lock();
            for (at, (meter, answer)) in account::of(&total, class).zip(answers).enumerate() {
                decision.note_total(at, meter.heed(sent, answer));
            }
        }
        decision
    }

    /// Decides without the store. Each gateway counts as if all did what it does.
    pub(super) fn ask_away(
        &self,
        store: &Store,
        account: &Account,
        class: Class,
        cost: NonZeroU32,
        spends: bool,
    ) -> Decision {
        let total = self.total();
        let counts = [account, total].map(|account| !account.is_empty(class));
        let away = [account, total].map(|account| account.quotas().away);
        if counts.iter().zip(away).any(|(counts, away)| *counts && away == Away::Closed) {
            return Decision::closed(class);
        }
        let cost = if spends { cost.saturating_mul(store.replicas()) } else { cost };
        let now = self.clock.now();
        let mut decision = Decision::begin(class);
        let own = account.lock();
        let all = total.lock();
        let [own_away, all_away] = away;
        let ask = |meter: &Meter, away| {
            let standing = meter.ask(now, cost);
            Standing { is_short: standing.is_short && away != Away::Open, ..standing }
        };
        account::of(&own, class).for_each(|meter| decision.note(ask(meter, own_away)));
        for (at, meter) in account::of(&all, class).enumerate() {
            decision.note_total(at, ask(meter, all_away));
        }
        if spends && decision.is_admitted() {
            let spend = |meter: &Meter, away| match away {
                // What is let through beyond the quota is not owed.
                Away::Open => meter.spend_at_most(now, cost),
                Away::Closed | Away::Local => meter.spend(),
            };
            account::of(&own, class).for_each(|meter| spend(meter, own_away));
            account::of(&all, class).for_each(|meter| spend(meter, all_away));
            decision.renew(account::of(&own, class).map(|meter| meter.standing(now)));
        }
        decision
    }
}
