//! Numbers by value: compared as decimals, digit by digit, never rounded.

use std::borrow::Cow;
use std::fmt::Write as _;

/// A number as it was written. Two are equal when their values are: `1`, `1.0` and `10e-1`.
#[derive(Clone, Debug)]
pub struct Number<'a>(Cow<'a, str>);

impl<'a> Number<'a> {
    // INVARIANT: `text` follows the grammar of RFC 8259 §6; only the reader and `From` call this.
    pub(super) fn new(text: impl Into<Cow<'a, str>>) -> Self {
        Self(text.into())
    }

    /// The number as it was written.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The same number, which has the text of this one.
    pub fn borrowed(&self) -> Number<'_> {
        Number(Cow::Borrowed(&self.0))
    }

    /// The same number with a text of its own.
    pub fn into_owned(self) -> Number<'static> {
        Number(Cow::Owned(self.0.into_owned()))
    }

    /// Whether a reader that keeps 64 bits (an integer, or a double) still has this very value.
    pub(super) fn survives(&self) -> bool {
        let text = self.text();
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        if digits <= 15 && !text.contains(['e', 'E']) {
            return true;
        }
        if text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok() {
            return true;
        }
        let Ok(double) = text.parse::<f64>() else { return false };
        let Some(written) = serde_json::Number::from_f64(double) else { return false };
        let mut shortest = String::with_capacity(24);
        let _ = write!(shortest, "{double:e}");
        // Where two decimals are the shortest of one double, writers choose differently.
        let own = Decimal::of(text);
        own == Decimal::of(&shortest) && own == Decimal::of(&written.to_string())
    }
}

impl PartialEq for Number<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || Decimal::of(&self.0) == Decimal::of(&other.0)
    }
}

impl From<&serde_json::Number> for Number<'_> {
    fn from(number: &serde_json::Number) -> Self {
        Self(Cow::Owned(number.to_string()))
    }
}

/// A decimal in one normal form: `0.d₁d₂… × 10^exponent`, without zeros at either end.
#[derive(PartialEq)]
struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    fn of(text: &str) -> Self {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        // An exponent past i64 says nothing about size that a saturated one does not.
        let power = power
            .parse::<i64>()
            .unwrap_or_else(|_| if power.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 });
        let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let leading = digits.iter().take_while(|digit| **digit == b'0').count();
        let trailing = digits.iter().rev().take_while(|digit| **digit == b'0').count();
        let Some(significant) = digits.get(leading..digits.len().saturating_sub(trailing)) else {
            return Self { negative: false, digits: Vec::new(), exponent: 0 };
        };
        if significant.is_empty() {
            return Self { negative: false, digits: Vec::new(), exponent: 0 };
        }
        let exponent = power
            .saturating_add(length(whole))
            .saturating_sub(i64::try_from(leading).unwrap_or(i64::MAX / 4));
        Self { negative, digits: significant.to_vec(), exponent }
    }
}

fn length(digits: &str) -> i64 {
    i64::try_from(digits.len()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_value() {
        for (left, right) in [
            ("1", "1.0"),
            ("1", "10e-1"),
            ("100", "1E2"),
            ("-0", "0"),
            ("0.0e7", "0"),
            ("0.00120", "12e-4"),
            ("12345678901234567890", "1234567890123456789e1"),
        ] {
            assert_eq!(Number::new(left), Number::new(right), "{left} = {right}");
        }
        for (left, right) in
            [("1", "-1"), ("9007199254740993", "9007199254740992"), ("0.1", "0.01"), ("1", "10")]
        {
            assert_ne!(Number::new(left), Number::new(right), "{left} ≠ {right}");
        }
    }

    #[test]
    fn only_numbers_that_64_bits_can_hold_survive() {
        for text in [
            "0",
            "-0",
            "1.0",
            "1e2",
            "12345678901234567890",
            "0.1",
            "-25000.5",
            "1e308",
            "5e-324",
            "0.30000000000000004",
        ] {
            assert!(Number::new(text).survives(), "{text}");
        }
        for text in [
            "1e400",
            "1E999",
            "3.14159265358979323846",
            "123456789012345678901",
            "600000000000000.2",
            "600000000000000.3",
            "1e-999",
        ] {
            assert!(!Number::new(text).survives(), "{text}");
        }
    }
}
