//! Numbers: by the grammar, and none that 64 bits cannot hold.

use super::{Failed, Reader};
use crate::json::{Fault, Number, Value};

impl<'a> Reader<'a> {
    /// Reads a number; the cursor stands at its sign or its first digit.
    pub(super) fn number(&mut self) -> Result<Value<'a>, Failed> {
        let start = self.at;
        self.take(b'-');
        if self.take(b'0') {
            if self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                return Err(self.fail(Fault::Syntax("a number has a leading zero")));
            }
        } else {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        let number = Number::new(self.slice(start, self.at)?);
        if number.survives() {
            Ok(Value::Number(number))
        } else {
            self.at = start;
            Err(self.fail(Fault::ImpreciseNumber))
        }
    }

    fn digits(&mut self) -> Result<(), Failed> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start {
            Err(self.fail(Fault::Syntax("a number lacks a digit")))
        } else {
            Ok(())
        }
    }
}
