//! What the time is, as `Date` tells it. It is put into words once a second.

use http::HeaderValue;

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

thread_local! {
    /// The second that was put into words last, and the words.
    static LAST: RefCell<(u64, HeaderValue)> = RefCell::new((0, words(UNIX_EPOCH)));
}

/// The value of `Date`.
pub(super) fn value() -> HeaderValue {
    with(HeaderValue::clone)
}

/// What `then` makes of the value of `Date`.
pub(super) fn with<T>(then: impl FnOnce(&HeaderValue) -> T) -> T {
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    LAST.with_borrow_mut(|(last, value)| {
        if *last != second {
            (*last, *value) = (second, words(now));
        }
        then(value)
    })
}

fn words(time: SystemTime) -> HeaderValue {
    // INVARIANT: a date is ASCII.
    HeaderValue::try_from(httpdate::fmt_http_date(time))
        .unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_is_the_time_of_day() {
        let before = SystemTime::now();
        let value = value();
        let told = httpdate::parse_http_date(value.to_str().unwrap()).unwrap();
        let since = told.duration_since(UNIX_EPOCH).unwrap().as_secs();
        let second = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert!((second(before)..=second(SystemTime::now())).contains(&since));
    }
}
