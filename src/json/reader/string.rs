//! Strings: most are slices of the text, some have to be unescaped.

use super::Reader;
use crate::json::Fault;

use std::borrow::Cow;

impl<'a> Reader<'a> {
    /// Reads a string; the cursor stands at its opening quote.
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        self.at += 1;
        let start = self.at;
        if self.plain(start)? == b'"' {
            let text = self.slice(start, self.at)?;
            self.at += 1;
            return Ok(Cow::Borrowed(text));
        }
        self.unescaped(start).map(Cow::Owned)
    }

    /// Reads the rest of a string that began at `start`; the cursor stands at its first backslash.
    #[cold]
    fn unescaped(&mut self, start: usize) -> Result<String, Fault> {
        let mut text = String::with_capacity(self.at - start + 16);
        let mut piece = start;
        loop {
            text.push_str(self.slice(piece, self.at)?);
            if self.take(b'"') {
                return Ok(text);
            }
            self.at += 1;
            text.push(self.escape()?);
            piece = self.at;
            self.plain(start)?;
        }
    }

    /// Moves on to the next quote or backslash, and says which it is.
    fn plain(&mut self, start: usize) -> Result<u8, Fault> {
        let mut rest = self.bytes.get(self.at..).unwrap_or_default();
        while let Some((word, beyond)) = rest.split_first_chunk::<8>() {
            let plain = plain_bytes(u64::from_le_bytes(*word));
            self.at += plain;
            if plain < 8 {
                return self.ended(start, word.get(plain).copied());
            }
            rest = beyond;
        }
        let plain = rest.iter().take_while(|byte| is_plain(**byte)).count();
        self.at += plain;
        self.ended(start, rest.get(plain).copied())
    }

    /// What a byte that is not plain amounts to.
    fn ended(&self, start: usize, byte: Option<u8>) -> Result<u8, Fault> {
        match byte {
            Some(byte @ (b'"' | b'\\')) if self.at - start <= self.bounds.string => Ok(byte),
            Some(b'"' | b'\\') => Err(Fault::TooMuch),
            Some(_) => Err(Fault::Syntax("a control character in a string")),
            None => Err(Fault::Syntax("the text ends within a string")),
        }
    }

    fn escape(&mut self) -> Result<char, Fault> {
        let escape = self.peek();
        self.at += 1;
        Ok(match escape {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.code_point(),
            _ => return Err(Fault::Syntax("an unknown escape in a string")),
        })
    }

    fn code_point(&mut self) -> Result<char, Fault> {
        const LONE: Fault = Fault::Syntax("a lone surrogate in a string");
        let first = self.hex()?;
        let code = match first {
            0xD800..=0xDBFF => {
                if !(self.take(b'\\') && self.take(b'u')) {
                    return Err(LONE);
                }
                let second = self.hex()?;
                if !(0xDC00..=0xDFFF).contains(&second) {
                    return Err(LONE);
                }
                0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)
            }
            other => other,
        };
        char::from_u32(code).ok_or(LONE)
    }

    fn hex(&mut self) -> Result<u32, Fault> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let digit = digit.ok_or(Fault::Syntax("`\\u` needs four hexadecimal digits"))?;
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }
}

fn is_plain(byte: u8) -> bool {
    !matches!(byte, ..b' ' | b'"' | b'\\')
}

/// How many of eight bytes come before a quote, a backslash or a control character.
fn plain_bytes(word: u64) -> usize {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH: u64 = ONES << 7;
    // The lowest high bit of each is exact: what borrows is above what was found.
    let below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word & HIGH;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let found = below(word, 0x20) | is(b'"') | is(b'\\');
    // Where none was found there are 64 zeros.
    found.trailing_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bytes_are_seen_as_they_are_one_by_one() {
        for odd in 0..=255u8 {
            for at in 0..8 {
                for other in [b'a', 0xff, 0x80, b' '] {
                    let mut bytes = [other; 8];
                    bytes[at] = odd;
                    let first = bytes.iter().position(|byte| !is_plain(*byte));
                    let found = plain_bytes(u64::from_le_bytes(bytes));
                    assert_eq!(found, first.unwrap_or(8), "{bytes:?}");
                }
            }
        }
    }
}
