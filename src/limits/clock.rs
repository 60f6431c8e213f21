//! The clock that limits go by: it never goes back, whatever the clock on the wall does.

use governor::clock::{Clock as _, DefaultClock, FakeRelativeClock, Reference};

use std::time::Duration;

/// Nanoseconds since the clock began. All limits of a process, of every load, go by one clock.
#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Set(FakeRelativeClock),
    Steady { clock: DefaultClock, start: <DefaultClock as governor::clock::Clock>::Instant },
}

impl Clock {
    /// One that goes when it is told to, and not by itself.
    pub fn set_by(hand: FakeRelativeClock) -> Self {
        Self(Kind::Set(hand))
    }

    /// The moment.
    pub(super) fn now(&self) -> u64 {
        match &self.0 {
            Kind::Set(hand) => hand.now().as_u64(),
            Kind::Steady { clock, start } => clock.now().duration_since(*start).as_u64(),
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        let clock = DefaultClock::default();
        let start = clock.now();
        Self(Kind::Steady { clock, start })
    }
}

/// A time as the limits count it.
pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
