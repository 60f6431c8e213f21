//! One decision, as the script in the store takes and answers it.

use redis::{Cmd, Value};

/// The script. It is one for every decision, so that the store compiles it once.
pub(super) const TEXT: &str = include_str!("decide.lua");

/// What a request asks of one quota, in nanoseconds: the time in which that much comes back. There is
/// no moment in it: what time it is, the store alone knows.
#[derive(Clone, Copy, Debug)]
pub(in crate::limits) struct Claim {
    /// The time that the quota is about: what it is known by.
    pub(in crate::limits) per: u64,
    /// How much it is in all.
    pub(in crate::limits) full: u64,
    /// How much has to be left.
    pub(in crate::limits) room: u64,
    /// How much is spent if it is.
    pub(in crate::limits) cost: u64,
    /// How much is spent already, as far as this gateway knows.
    pub(in crate::limits) spent: u64,
}

/// What the store says of one quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::limits) struct Answer {
    /// How much is spent now.
    pub(in crate::limits) spent: u64,
    /// How long until there is room; 0 where there is.
    pub(in crate::limits) wait: u64,
}

/// What a request asks of the store: all of it, or nothing.
#[derive(Debug, Default)]
pub(in crate::limits) struct Ask {
    keys: Vec<String>,
    claims: Vec<(usize, Claim)>,
}

impl Ask {
    /// Asks about the list at `key`.
    pub(in crate::limits) fn list(&mut self, key: String) {
        self.keys.push(key);
    }

    /// Asks for this of a quota of the last list.
    pub(in crate::limits) fn claim(&mut self, claim: Claim) {
        self.claims.push((self.keys.len(), claim));
    }

    pub(super) fn command(&self, name: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(name);
        command.arg(script).arg(self.keys.len()).arg(&self.keys);
        for (key, claim) in &self.claims {
            let Claim { per, full, room, cost, spent } = *claim;
            command.arg(*key).arg(per).arg(full).arg(room).arg(cost).arg(spent);
        }
        command
    }

    /// What `value` says of each quota that was asked about, in the same order.
    pub(super) fn answers(&self, value: Value) -> Option<Vec<Answer>> {
        let numbers: Vec<u64> = redis::from_redis_value(value).ok()?;
        let pairs = numbers.chunks_exact(2).filter_map(|pair| match pair {
            [spent, wait] => Some(Answer { spent: *spent, wait: *wait }),
            _ => None,
        });
        let answers: Vec<_> = pairs.collect();
        (answers.len() == self.claims.len() && numbers.len() == 2 * answers.len())
            .then_some(answers)
    }
}
