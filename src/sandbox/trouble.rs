//! Bad weather on demand: errors at an even rate, and throttling by fixed windows.

use super::options::Options;

use std::time::{Duration, Instant};

/// Whether the request of this `number`, counted from 1, is one of the `share` that fail.
pub(super) fn strikes(number: u64, share: f64) -> bool {
    let failed = |requests: u64| (requests as f64 * share).floor();
    number > 0 && failed(number) > failed(number - 1)
}

/// Counts the requests of the current window.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    window: Option<(Instant, u64)>,
}

impl Throttle {
    /// Takes note of a request; if it is one too many, after how many seconds to come again.
    ///
    /// Requests that are turned away count as well, as the throttling guidance says.
    pub(super) fn admit(&mut self, now: Instant, options: &Options) -> Result<(), u64> {
        let Some(limit) = options.throttle_after else { return Ok(()) };
        let length = Duration::from_secs(options.throttle_window);
        let (begun, count) = match self.window {
            Some((begun, count)) if now.saturating_duration_since(begun) < length => (begun, count),
            _ => (now, 0),
        };
        self.window = Some((begun, count.saturating_add(1)));
        if count < limit {
            return Ok(());
        }
        let left = length.saturating_sub(now.saturating_duration_since(begun));
        Err(options.retry_after.unwrap_or(left.as_secs() + u64::from(left.subsec_nanos() > 0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_spread_evenly() {
        let failed = |share| (1..=100).filter(|number| strikes(*number, share)).count();
        assert_eq!((failed(0.0), failed(0.25), failed(1.0)), (0, 25, 100));
        assert!(strikes(4, 0.25) && !strikes(5, 0.25) && strikes(8, 0.25));
    }

    #[test]
    fn a_window_admits_its_number_and_says_when_the_next_one_begins() {
        let options =
            Options { throttle_after: Some(2), throttle_window: 10, ..Options::default() };
        let (mut throttle, start) = (Throttle::default(), Instant::now());
        let mut at = |millis| throttle.admit(start + Duration::from_millis(millis), &options);
        assert_eq!((at(0), at(500)), (Ok(()), Ok(())));
        assert_eq!((at(3500), at(9999)), (Err(7), Err(1)));
        assert_eq!((at(10_000), at(10_001), at(10_002)), (Ok(()), Ok(()), Err(10)));
    }

    #[test]
    fn retry_after_can_be_fixed() {
        let options =
            Options { throttle_after: Some(0), retry_after: Some(57), ..Options::default() };
        assert_eq!(Throttle::default().admit(Instant::now(), &options), Err(57));
        let unlimited = Options { throttle_after: None, ..options };
        assert_eq!(Throttle::default().admit(Instant::now(), &unlimited), Ok(()));
    }
}
