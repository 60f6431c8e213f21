//! Blanks between what means something.

use super::Reader;

/// What comes next where nothing does. It is no byte of JSON but within strings.
const END: u8 = 0;

impl Reader<'_> {
    /// Goes on by one byte, and to the next one that is no blank.
    #[inline(always)]
    pub(super) fn advance(&mut self) -> u8 {
        self.at += 1;
        self.next()
    }

    /// Goes to the next byte that is no blank; [`END`] where there is none.
    #[inline(always)] // It is called more often than anything else; most texts have one blank or none.
    pub(super) fn next(&mut self) -> u8 {
        let bytes = self.text.as_bytes();
        let mut next = bytes.get(self.at).copied().unwrap_or(END);
        if next == b' ' {
            self.at += 1;
            next = bytes.get(self.at).copied().unwrap_or(END);
        }
        if next > b' ' { next } else { self.blanks() }
    }

    /// The same in a text that is laid out to be read, and at its end.
    #[inline(never)]
    fn blanks(&mut self) -> u8 {
        let mut rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        while let [b' ' | b'\t' | b'\n' | b'\r', behind @ ..] = rest {
            rest = behind;
            // What is indented is seen eight bytes at a time.
            while let Some((eight, behind)) = rest.split_first_chunk() {
                let other = u64::from_le_bytes(*eight) ^ u64::from_le_bytes([b' '; 8]);
                if other != 0 {
                    rest = rest.get(other.trailing_zeros() as usize / 8..).unwrap_or_default();
                    break;
                }
                rest = behind;
            }
        }
        self.at = self.text.len() - rest.len();
        rest.first().copied().unwrap_or(END)
    }
}

#[cfg(test)]
mod tests {
    use crate::json::{Bounds, read};

    #[test]
    fn blanks_of_any_length_are_passed_and_a_fault_behind_them_is_found_where_it_is() {
        for kind in [" ", "\n", "\r\n", "\t", "\n ", "\n\t", "\n        ", "         \n"] {
            for count in 0..20 {
                let b = kind.repeat(count);
                let text = format!("{b}[{b}1{b},{b}{{{b}\"a\"{b}:{b}\"\"{b}}}{b},{b}[{b}]{b}]{b}");
                let value = read(text.as_bytes(), Bounds::default()).map(|value| value.to_string());
                assert_eq!(value, Ok(r#"[1,{"a":""},[]]"#.into()), "{text:?}");
                for other in ["x", "\0", "\u{b}", "\u{a0}"] {
                    let text = format!("{b}[{b}1{b}{other}");
                    let fault = read(text.as_bytes(), Bounds::default()).map(drop);
                    let offset = fault.map_err(|fault| fault.offset);
                    assert_eq!(offset, Err(3 * b.len() + 2), "{text:?}");
                }
            }
        }
    }
}
