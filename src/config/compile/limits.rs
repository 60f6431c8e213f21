//! What each partner may send, and what all together may.

use super::Reading;
use super::partners::UNKNOWN;
use crate::config::File;
use crate::config::gateway::{self as file, GatewayFile, Scope};
use crate::config::units::Rate;
use crate::limits::{Away, Limits, Quota, Quotas, Terms, Throttle, Wanted};

use std::num::NonZeroU32;

/// The tier of `partner`.
pub(super) fn tier<'f>(limits: &'f file::Limits, partner: &'f file::Partner) -> &'f str {
    if partner.tier.is_empty() { &limits.tier } else { &partner.tier }
}

impl Reading {
    /// The limits that `file` asks for; what is spent of `old` is kept.
    pub(super) fn limits(&mut self, file: &File<GatewayFile>, old: Option<&Limits>) -> Limits {
        let value = &file.value;
        let limits = &value.limits;
        for (name, quotas) in &limits.tiers {
            self.check(file, &format!("/limits/tiers/{name}"), quotas);
        }
        self.check(file, "/limits/total", &limits.total);
        if value.limits.total.concurrent.is_some() {
            let message = "all requests under way are bounded by `bounds.in_flight`";
            self.errors.push(file.error("/limits/total/concurrent", message));
        }
        let store = self.store(file);
        let away = limits.store.away;
        let mut accounts = Vec::with_capacity(value.partners.len() + 1);
        for (index, partner) in value.partners.iter().enumerate() {
            let at = format!("/partners/{index}");
            self.check(file, &format!("{at}/limits"), &partner.limits);
            let key = if partner.tier.is_empty() { "/limits/tier".into() } else { at + "/tier" };
            let tier = self.tier(file, &key, tier(limits, partner));
            accounts.push((partner.id.clone(), quotas(&partner.limits, &tier, away)));
        }
        let unknown = self.tier(file, "/limits/unknown_tier", &limits.unknown_tier);
        accounts.push((UNKNOWN.to_owned(), quotas(&file::Quotas::default(), &unknown, away)));
        let total = quotas(&limits.total, &file::Quotas::default(), away);
        // The same for every gateway in a row, were it not for the name that tells them apart.
        let prefix = if value.via == "off" { "patchgate" } else { &value.via }.to_owned();
        let terms = terms(limits);
        Limits::carry_over(
            old.unwrap_or(&Limits::default()),
            Wanted { prefix, terms, accounts, total, store },
        )
    }

    fn tier(&mut self, file: &File<GatewayFile>, at: &str, name: &str) -> file::Quotas {
        let found = file.value.limits.tiers.get(name).cloned();
        let known = || {
            let names: Vec<_> = file.value.limits.tiers.keys().map(String::as_str).collect();
            file.error(at, format!("no tier is called `{name}`; there are: {}", names.join(", ")))
        };
        let error = found.is_none().then(known);
        // One fault, however many partners have it.
        self.errors.extend(error.filter(|error| !self.errors.contains(error)));
        found.unwrap_or_default()
    }

    fn check(&mut self, file: &File<GatewayFile>, at: &str, quotas: &file::Quotas) {
        for (name, rates) in [
            ("requests", &quotas.requests),
            ("reads", &quotas.reads),
            ("writes", &quotas.writes),
            ("prefetches", &quotas.prefetches),
        ] {
            let mut times = Vec::new();
            for (index, rate) in rates.iter().flatten().enumerate() {
                let quota = quota(rate);
                let twice = times.contains(&quota.per);
                times.push(quota.per);
                let twice = twice.then_some("there is another rate for this time; keep one");
                if let Some(fault) = quota.fault().or(twice) {
                    self.errors.push(file.error(&format!("{at}/{name}/{index}"), fault));
                }
            }
        }
    }
}

fn quota(rate: &Rate) -> Quota {
    let (most, per, burst) = rate.parts();
    Quota { most, per, burst }
}

/// What `own` says, and where it says nothing, `tier`; and at last, `away`.
fn quotas(own: &file::Quotas, tier: &file::Quotas, away: file::Away) -> Quotas {
    let list = |own: &Option<Vec<Rate>>, tier: &Option<Vec<Rate>>| -> Vec<Quota> {
        own.as_ref().or(tier.as_ref()).into_iter().flatten().map(quota).collect()
    };
    Quotas {
        requests: list(&own.requests, &tier.requests),
        reads: list(&own.reads, &tier.reads),
        writes: list(&own.writes, &tier.writes),
        prefetches: list(&own.prefetches, &tier.prefetches),
        concurrent: own.concurrent.or(tier.concurrent).filter(|most| *most > 0),
        away: match own.away.or(tier.away).unwrap_or(away) {
            file::Away::Closed => Away::Closed,
            file::Away::Local => Away::Local,
            file::Away::Open => Away::Open,
        },
    }
}

fn terms(limits: &file::Limits) -> Terms {
    let throttle = &limits.throttle;
    Terms {
        request_cost: NonZeroU32::new(limits.cost.request).unwrap_or(NonZeroU32::MIN),
        op_cost: limits.cost.op,
        counts_malformed: limits.counts.malformed,
        counts_refused: limits.counts.refused,
        older_fields: limits.older_fields,
        throttle: Throttle {
            scope: match throttle.scope {
                Scope::All => crate::limits::Scope::All,
                Scope::Off => crate::limits::Scope::Nobody,
                Scope::Partner => crate::limits::Scope::Partner,
            },
            longest: throttle.longest.duration(),
            queue: throttle.queue,
            patience: throttle.wait.duration(),
        },
    }
}
