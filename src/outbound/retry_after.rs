//! `Retry-After` (RFC 9110 §10.2.3): how long to wait before the next request.

use http::header::{self, HeaderMap};

use std::time::{Duration, SystemTime};

/// How long `Retry-After` asks to wait: the longest, where it is there several times. `None` where
/// it is not there, lies in the past, or is nothing that RFC 9110 knows.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let date = headers.get(header::DATE).and_then(|date| date.to_str().ok());
    let lines = headers.get_all(header::RETRY_AFTER).iter();
    wait_asked(date, lines.filter_map(|line| line.to_str().ok()), now)
}

/// The same of the lines of `Retry-After`; `date` is what `Date` says.
pub fn wait_asked<'l>(
    date: Option<&str>,
    lines: impl Iterator<Item = &'l str>,
    now: SystemTime,
) -> Option<Duration> {
    // A date is meant by the clock of whoever wrote it.
    let now = date.and_then(|date| httpdate::parse_http_date(date).ok()).unwrap_or(now);
    let waits = lines.filter_map(|line| {
        let text = line.trim();
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            // More than fits is as long as can be.
            return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
        }
        httpdate::parse_http_date(text).ok()?.duration_since(now).ok()
    });
    waits.max().filter(|wait| !wait.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    use http::HeaderValue;
    use proptest::prelude::*;

    fn wait(lines: &[(&'static str, &str)]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        retry_after(&headers, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn seconds_and_every_form_of_a_date_are_understood() {
        for (text, seconds) in [
            ("7", 7),
            (" 7 ", 7),
            ("99999999999999999999999999", u64::MAX),
            ("Sun, 06 Nov 1994 08:49:47 GMT", 10),
            ("Sunday, 06-Nov-94 08:49:47 GMT", 10),
            ("Sun Nov  6 08:49:47 1994", 10),
        ] {
            assert_eq!(wait(&[("retry-after", text)]), Some(seconds), "{text}");
        }
        let both = [("retry-after", "3"), ("retry-after", "5"), ("retry-after", "x")];
        assert_eq!(wait(&both), Some(5));
    }

    #[test]
    fn what_is_past_negative_or_nothing_holds_nobody_back() {
        for text in ["0", "-1", "+1", "1.5", "", "x", "1, 2", "Sun, 06 Nov 1994 08:49:36 GMT"] {
            assert_eq!(wait(&[("retry-after", text)]), None, "{text}");
        }
        assert_eq!(wait(&[]), None);
    }

    #[test]
    fn a_date_is_read_by_the_clock_of_the_api() {
        let date = ("date", "Sun, 06 Nov 1994 09:00:00 GMT");
        assert_eq!(wait(&[date, ("retry-after", "Sun, 06 Nov 1994 09:00:09 GMT")]), Some(9));
    }

    proptest! {
        #[test]
        fn no_value_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let mut headers = HeaderMap::new();
                headers.insert(header::RETRY_AFTER, value);
                let _ = retry_after(&headers, SystemTime::UNIX_EPOCH);
            }
        }
    }
}
