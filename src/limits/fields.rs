//! Limits as header fields tell of them: RFC 9651, and the draft on `RateLimit` fields.

use std::time::Duration;

/// The time in seconds, never less than it is and never none.
pub fn whole_seconds(time: Duration) -> u64 {
    let begun = u64::from(time.subsec_nanos() > 0);
    time.as_secs().saturating_add(begun).clamp(1, u32::MAX.into())
}

/// A string of RFC 9651.
pub fn structured_string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            _ => quoted.push('?'),
        }
    }
    quoted.push('"');
    quoted
}

/// A time as it stands in the name of a quota: `60s`, `250ms`.
pub(super) fn plain(time: Duration) -> String {
    match time.subsec_millis() {
        0 => format!("{}s", time.as_secs()),
        _ => format!("{}ms", time.as_millis()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_break_out_of_its_string() {
        assert_eq!(structured_string("a\"b\\c\u{e9}"), r#""a\"b\\c?""#);
    }

    #[test]
    fn a_wait_is_rounded_up_to_whole_seconds() {
        for (millis, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds);
        }
        assert_eq!(whole_seconds(Duration::from_nanos(1_000_000_001)), 2);
        assert_eq!(whole_seconds(Duration::MAX), u64::from(u32::MAX));
    }
}
