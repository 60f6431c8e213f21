//! Times and sizes as people write them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use std::num::NonZeroU32;
use std::time::Duration;

/// A time such as `250ms`, `10s`, `5m` or `1h`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(transparent)]
pub struct Time(#[schemars(regex(pattern = r"^[1-9][0-9]{0,8}(ms|s|m|h)$"))] String);

impl Time {
    /// The time written as `text`.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// How long it is.
    pub fn duration(&self) -> Duration {
        let split = self.0.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.0.len());
        let (count, unit) = self.0.split_at(split);
        let count: u64 = count.parse().unwrap_or_default();
        match unit {
            "ms" => Duration::from_millis(count),
            "m" => Duration::from_secs(count * 60),
            "h" => Duration::from_secs(count * 3600),
            _ => Duration::from_secs(count),
        }
    }
}

/// A time that may be none at all: `0s`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(transparent)]
pub struct Delay(#[schemars(regex(pattern = r"^(0|[1-9][0-9]{0,8})(ms|s|m|h)$"))] String);

impl Delay {
    /// No time.
    pub fn none() -> Self {
        Self::new("0s")
    }

    /// The one that is written as `text`.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// How long it is.
    pub fn duration(&self) -> Duration {
        Time::new(&self.0).duration()
    }
}

/// A size such as `512B`, `64KiB` or `1MiB`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(transparent)]
pub struct Size(#[schemars(regex(pattern = r"^[1-9][0-9]{0,8}(B|KiB|MiB)$"))] String);

impl Size {
    /// The size written as `text`.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// How many bytes it is.
    pub fn bytes(&self) -> usize {
        let split = self.0.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.0.len());
        let (count, unit) = self.0.split_at(split);
        let count: usize = count.parse().unwrap_or_default();
        match unit {
            "KiB" => count * 1024,
            "MiB" => count * 1024 * 1024,
            _ => count,
        }
    }
}

/// A rate such as `100/1s`, or `100/1s burst 200`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(transparent)]
pub struct Rate(
    #[schemars(regex(
        pattern = r"^[1-9][0-9]{0,8}/[1-9][0-9]{0,8}(ms|s|m|h)( burst [1-9][0-9]{0,8})?$"
    ))]
    String,
);

impl Rate {
    /// The rate written as `text`.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// So much, in this time, and so much at once.
    pub fn parts(&self) -> (NonZeroU32, Duration, NonZeroU32) {
        let (rate, burst) = self.0.split_once(" burst ").unwrap_or((&self.0, ""));
        let (most, per) = rate.split_once('/').unwrap_or((rate, "1s"));
        let most = most.parse().unwrap_or(NonZeroU32::MIN);
        (most, Time::new(per).duration(), burst.parse().unwrap_or(most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_read_as_they_are_written() {
        assert_eq!(Time::new("250ms").duration(), Duration::from_millis(250));
        assert_eq!(Time::new("5m").duration(), Duration::from_secs(300));
        assert_eq!(Size::new("64KiB").bytes(), 65_536);
        assert_eq!(Size::new("512B").bytes(), 512);
        let parts = |text| {
            let (most, per, burst) = Rate::new(text).parts();
            (most.get(), per.as_millis(), burst.get())
        };
        assert_eq!(parts("100/250ms"), (100, 250, 100));
        assert_eq!(parts("5/1m burst 200"), (5, 60_000, 200));
    }
}
