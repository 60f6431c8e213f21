//! Moments as the API writes them: `2020-10-30T21:03:00.0000000Z`, in UTC to a ten-millionth of a second.

use std::time::{SystemTime, UNIX_EPOCH};

/// A moment after 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// Whole seconds since 1970.
    pub(super) seconds: u64,
    nanos: u32,
}

impl Moment {
    pub(super) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { seconds: since.as_secs(), nanos: since.subsec_nanos() }
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (year, month, day) = civil(self.seconds / 86_400);
        let (hour, minute) = (self.seconds / 3600 % 24, self.seconds / 60 % 60);
        let (second, ticks) = (self.seconds % 60, self.nanos / 100);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ticks:07}Z")
    }
}

/// Whether `text` looks like a moment, of any precision and offset.
pub(super) fn is_moment(text: &str) -> bool {
    let Some((day, time)) = text.split_once('T') else { return false };
    let time = time.strip_suffix('Z').or_else(|| {
        let (time, offset) = time.split_at_checked(time.rfind(['+', '-'])?)?;
        let (hours, minutes) = offset.get(1..)?.split_once(':')?;
        (number(hours, 2)? < 24 && number(minutes, 2)? < 60).then_some(time)
    });
    let Some(time) = time else { return false };
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    is_day(day).is_some()
        && is_time(time).is_some()
        && !fraction.is_empty()
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_day(text: &str) -> Option<()> {
    let mut parts = text.split('-');
    let (_, month, day) =
        (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    (parts.next().is_none() && (1..=12).contains(&month) && (1..=31).contains(&day)).then_some(())
}

fn is_time(text: &str) -> Option<()> {
    let mut parts = text.split(':');
    let (hour, minute, second) =
        (number(parts.next()?, 2)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    (parts.next().is_none() && hour < 24 && minute < 60 && second < 60).then_some(())
}

fn number(text: &str, digits: usize) -> Option<u32> {
    let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

/// Year, month and day of the day that is `days` after 1 January 1970.
fn civil(days: u64) -> (u64, u64, u64) {
    // Years are counted from 1 March of the year 0, so that a leap day is the last of its year.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_the_api_writes_them() {
        for (seconds, nanos, text) in [
            (0, 0, "1970-01-01T00:00:00.0000000Z"),
            (951_782_399, 999_999_999, "2000-02-28T23:59:59.9999999Z"),
            (951_868_799, 0, "2000-02-29T23:59:59.0000000Z"),
            (1_604_091_780, 0, "2020-10-30T21:03:00.0000000Z"),
            (1_735_689_599, 100, "2024-12-31T23:59:59.0000001Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00.0000000Z"),
        ] {
            assert_eq!(Moment { seconds, nanos }.to_string(), text);
        }
        assert!(is_moment(&Moment::now().to_string()));
    }

    #[test]
    fn a_moment_has_a_date_a_time_and_an_offset() {
        for text in
            ["2021-03-01T00:00:00Z", "2021-03-01T00:00:00.123Z", "2021-03-01T23:59:59+01:00"]
        {
            assert!(is_moment(text), "{text}");
        }
        for text in [
            "",
            "T",
            "2021-03-01",
            "2021-03-01T00:00:00",
            "2021-13-01T00:00:00Z",
            "2021-03-01T24:00:00Z",
            "2021-03-01T00:00:00.Z",
            "2021-03-01T00:00:00+1:00",
            "21-03-01T00:00:00Z",
            "2021-03-01T00:00:00é",
        ] {
            assert!(!is_moment(text), "{text}");
        }
    }
}
