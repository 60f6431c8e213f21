//! What kind of world a seed makes: how many there are in it, and what goes wrong.

use super::dice::Dice;

use patchgate::proxy::upstream::Circuit;

use turmoil::Sim;

use std::time::Duration;

/// What kind of world a seed makes.
#[derive(Debug)]
pub struct Plan {
    pub seed: u64,
    pub callers: u64,
    pub documents: usize,
    /// How many connections the gateway may have to the API.
    pub connections: usize,
    /// The longest way of a message.
    pub latency: Duration,
    pub tags: Tags,
    /// How many milliseconds it takes until somebody else changes a document, at most.
    pub rest: u64,
    pub trouble: Trouble,
    /// What the gateway is told of how long a change is under way at most, once its answer is lost.
    pub settled_after: Option<Duration>,
    /// When the API is given a pause.
    pub circuit: Circuit,
}

/// Longer than a change is under way at most once its answer is lost: what is held arrives 155 ms
/// later when nobody has waited longer than 60 ms, and what the API defers is done within 40 ms.
const SETTLED: Duration = Duration::from_millis(130);
const SETTLED_BY_API: Duration = Duration::from_millis(50);

/// Where a document carries its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tags {
    Head,
    Body,
    Both,
    /// In the head, and no patch can be pinned to it.
    Weak,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    Nothing,
    /// The API fails, is slow, loses answers and connections.
    Api,
    /// Nothing passes between gateway and API for a while, and what is sent is lost.
    Parted(Period),
    /// The same, but all of it arrives late.
    Held(Period),
    /// The API dies, and comes back with all that it has stored.
    Crash(Period),
}

/// From one millisecond to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    from: u64,
    to: u64,
}

impl Plan {
    pub fn of(seed: u64) -> Self {
        let dice = Dice::of(seed, 0);
        let from = 5 + dice.below(100);
        let period = Period { from, to: from + 5 + dice.below(150) };
        let trouble = match dice.below(10) {
            0..4 => Trouble::Nothing,
            4..7 => Trouble::Api,
            7 => Trouble::Parted(period),
            8 => Trouble::Held(period),
            _ => Trouble::Crash(period),
        };
        let settled = if trouble == Trouble::Api { SETTLED_BY_API } else { SETTLED };
        Self {
            seed,
            callers: 3 + dice.below(5),
            documents: dice.pick(&[1, 2, 3, 9]),
            connections: dice.pick(&[2, 4, 20, 20, 20]),
            latency: dice.millis(1, 8),
            tags: dice.pick(&[Tags::Head, Tags::Head, Tags::Body, Tags::Both, Tags::Weak]),
            rest: dice.pick(&[4, 10, 60, 500]),
            trouble,
            settled_after: dice.pick(&[None, Some(settled), Some(settled)]),
            circuit: match dice.below(3) {
                0 => Circuit::new(2, dice.millis(10, 60)),
                _ => Circuit::default(),
            },
        }
    }

    /// How many milliseconds it takes for all that is on its way to arrive, once nobody waits.
    pub fn after(&self) -> u64 {
        match self.trouble {
            Trouble::Nothing => 40,
            Trouble::Api => 150,
            Trouble::Parted(period) | Trouble::Held(period) | Trouble::Crash(period) => {
                100 + period.to
            }
        }
    }

    /// Brings about what the plan has for the time from `now` until `next`.
    pub fn act(&self, now: u64, next: u64, sim: &mut Sim<'_>) {
        let comes = |moment| (now..next).contains(&moment);
        match self.trouble {
            Trouble::Nothing | Trouble::Api => {}
            Trouble::Parted(period) if comes(period.from) => sim.partition("gateway", "api"),
            Trouble::Parted(period) if comes(period.to) => sim.repair("gateway", "api"),
            Trouble::Held(period) if comes(period.from) => sim.hold("gateway", "api"),
            Trouble::Held(period) if comes(period.to) => sim.release("gateway", "api"),
            Trouble::Crash(period) if comes(period.from) => sim.crash("api"),
            Trouble::Crash(period) if comes(period.to) => sim.bounce("api"),
            Trouble::Parted(_) | Trouble::Held(_) | Trouble::Crash(_) => {}
        }
    }
}
