//! How long requests took, for whoever looks: as numbers that can be subtracted, so that a look and a
//! later one tell what was between. (The library of the metrics does not let its histograms be read.)

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Four buckets for each power of two, up to a minute.
const BUCKETS: usize = 100;

/// How often requests took how long.
#[derive(Debug)]
pub struct Latency([AtomicU64; BUCKETS]);

impl Default for Latency {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Latency {
    /// Counts a request that took `time`.
    pub fn observe(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        if let Some(bucket) = self.0.get(bucket(micros).min(BUCKETS - 1)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many requests are in each bucket.
    pub fn counts(&self) -> Vec<u64> {
        self.0.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect()
    }

    /// For each bucket how long its requests took at most, in microseconds.
    pub fn bounds() -> Vec<u64> {
        (0..BUCKETS as u64).map(bound).collect()
    }
}

fn bucket(micros: u64) -> usize {
    match micros.checked_ilog2() {
        Some(octave @ 2..) => {
            let quarter = (micros >> (octave - 2)) & 3;
            4 * (octave as usize - 1) + quarter as usize
        }
        Some(_) | None => micros as usize,
    }
}

fn bound(bucket: u64) -> u64 {
    match bucket.checked_sub(4) {
        Some(beyond) => (beyond % 4 + 5) << (beyond / 4),
        None => bucket + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_in_the_bucket_that_ends_right_behind_it() {
        let bounds = Latency::bounds();
        assert!(bounds.is_sorted());
        for micros in (0..5000).chain([1_000_000, 59_999_999]) {
            let bucket = bucket(micros);
            assert!(micros < bounds[bucket], "{micros}: {bucket}");
            assert!(bucket == 0 || micros >= bounds[bucket - 1], "{micros}: {bucket}");
            assert!(
                bucket < 4 || bounds[bucket] - bounds[bucket - 1] <= micros / 4 + 1,
                "{micros}"
            );
        }
        let latency = Latency::default();
        latency.observe(Duration::from_micros(7));
        latency.observe(Duration::from_secs(1 << 40));
        assert_eq!((latency.counts()[7], latency.counts()[BUCKETS - 1]), (1, 1));
        assert!(*bounds.last().unwrap() > 60_000_000);
    }
}
