//! Strings: most are slices of the text, some have to be unescaped.

use super::{Failed, Reader};
use crate::json::Fault;

use std::borrow::Cow;

const ENDS: &str = "the text ends within a string";

impl<'a> Reader<'a> {
    /// Reads a string; the cursor stands at its opening quote.
    #[inline(always)] // Called out of line, it costs as much again as what it does.
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, Failed> {
        let text: &'a str = self.text;
        let start = self.at + 1;
        if let Some(rest) = text.get(start..) {
            let length = plain_bytes(rest.as_bytes());
            if rest.as_bytes().get(length) == Some(&b'"')
                && length <= self.bounds.string
                && let Some(plain) = rest.get(..length)
            {
                self.at = start + length + 1;
                return Ok(Cow::Borrowed(plain));
            }
        }
        self.at = start;
        self.unescaped(start).map(Cow::Owned)
    }

    /// Reads a string that began at `start` and is more than a slice of the text.
    #[cold]
    fn unescaped(&mut self, start: usize) -> Result<String, Failed> {
        self.plain(start)?;
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

    /// Moves on to the next quote or backslash of a string that began at `start`.
    fn plain(&mut self, start: usize) -> Result<(), Failed> {
        self.at += plain_bytes(self.text.as_bytes().get(self.at..).unwrap_or_default());
        match self.peek() {
            Some(b'"' | b'\\') if self.at - start <= self.bounds.string => Ok(()),
            Some(b'"' | b'\\') => Err(self.fail(Fault::TooMuch)),
            Some(_) => Err(self.fail(Fault::Syntax("a control character in a string"))),
            None => Err(self.fail(Fault::Syntax(ENDS))),
        }
    }

    fn escape(&mut self) -> Result<char, Failed> {
        let character = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.code_point();
            }
            Some(_) => return Err(self.fail(Fault::Syntax("an unknown escape in a string"))),
            None => return Err(self.fail(Fault::Syntax(ENDS))),
        };
        self.at += 1;
        Ok(character)
    }

    fn code_point(&mut self) -> Result<char, Failed> {
        const LONE: Fault = Fault::Syntax("a lone surrogate in a string");
        let first = self.hex()?;
        let code = match first {
            0xD800..=0xDBFF => {
                if !(self.take(b'\\') && self.take(b'u')) {
                    return Err(self.fail(LONE));
                }
                let second = self.hex()?;
                if !(0xDC00..=0xDFFF).contains(&second) {
                    return Err(self.fail(LONE));
                }
                0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)
            }
            other => other,
        };
        char::from_u32(code).ok_or_else(|| self.fail(LONE))
    }

    fn hex(&mut self) -> Result<u32, Failed> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.fail(Fault::Syntax("`\\u` needs four hexadecimal digits")));
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }
}

fn is_plain(byte: u8) -> bool {
    !matches!(byte, ..b' ' | b'"' | b'\\')
}

/// How many bytes come before the first quote, backslash or control character.
fn plain_bytes(bytes: &[u8]) -> usize {
    let (words, tail) = bytes.as_chunks::<8>();
    let mut seen = 0;
    for word in words {
        let found = odd_bytes(u64::from_le_bytes(*word));
        if found != 0 {
            return seen + found.trailing_zeros() as usize / 8;
        }
        seen += 8;
    }
    seen + tail.iter().take_while(|byte| is_plain(**byte)).count()
}

/// Marks those of eight bytes that are a quote, a backslash or a control character by their highest
/// bit. The lowest mark is exact; what is marked above it may be an error.
fn odd_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    // Those below the bound, and those from 0x80 on that are not meant.
    let below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound);
    // With that bit turned, a quote is a blank, a blank is not, and what is below stays below.
    let quote_or_control = below(word ^ (ONES * 0x02), 0x21);
    let backslash = below(word ^ (ONES * u64::from(b'\\')), 1);
    (quote_or_control | backslash) & !word & (ONES << 7)
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
                    assert_eq!(plain_bytes(&bytes), first.unwrap_or(8), "{bytes:?}");
                }
            }
        }
    }
}
