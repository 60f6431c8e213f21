//! Which bytes may stand where in a message of HTTP/1.

/// Whether it is a token (RFC 9110 §5.6.2).
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && are(TOKEN, bytes)
}

/// Puts the token that `bytes` begin with in lower case, and tells how many bytes it has.
pub fn lower_token(bytes: &mut [u8]) -> usize {
    let (words, _) = bytes.as_chunks_mut::<8>();
    let mut length = 0;
    for eight in words {
        let word = u64::from_le_bytes(*eight);
        let (lower, plain) = lower_word(word);
        let known = u64::MAX.checked_shr(64 - 8 * plain).unwrap_or_default();
        *eight = (lower & known | word & !known).to_le_bytes();
        length += plain as usize;
        if plain != 8 {
            break;
        }
    }
    // What is left is the end, less than eight bytes, or begins with something that few names have.
    for byte in bytes.get_mut(length..).unwrap_or_default() {
        match LOWER.get(usize::from(*byte)) {
            Some(0) | None => break,
            Some(lower) => *byte = *lower,
        }
        length += 1;
    }
    length
}

/// One in each of eight bytes, and their highest bits.
const ONES: u64 = u64::MAX / 0xff;
const HIGH: u64 = ONES << 7;

/// Eight bytes in lower case, as far as they are letters, digits or hyphens, and how many are, from the lowest on.
fn lower_word(word: u64) -> (u64, u32) {
    // The highest bit of each byte, if that is of ASCII, tells whether it is `bound` or more.
    let from = |word: u64, bound: u8| (word & !HIGH) + ONES * u64::from(0x80 - bound);
    let within = |word, first: u8, last: u8| from(word, first) & !from(word, last + 1);
    // This bit makes a letter small, and every digit and hyphen has it.
    let lower = word | ONES << 5;
    let plain = within(lower, b'a', b'z') | within(word, b'0', b'9') | within(word, b'-', b'-');
    let odd = (!plain | word) & HIGH;
    (lower, odd.trailing_zeros() / 8)
}

/// Whether it has no control character but tabs.
pub fn is_value(bytes: &[u8]) -> bool {
    let (eights, _) = bytes.as_chunks();
    // The last eight are looked at once more, for the ones that are left over.
    match bytes.last_chunk() {
        Some(last) if !eights.iter().chain([last]).any(|eight| controls(eight) != 0) => true,
        _ => value_length(bytes) == bytes.len(),
    }
}

/// How many bytes come before the first control character that is no tab.
pub fn value_length(bytes: &[u8]) -> usize {
    let mut length = 0;
    for eight in bytes.as_chunks().0 {
        let found = controls(eight);
        if found != 0 {
            length += found.trailing_zeros() as usize / 8;
            break;
        }
        length += 8;
    }
    // What is left is the end, less than eight bytes, or begins with what was marked.
    let rest = bytes.get(length..).unwrap_or_default();
    let is_odd = |byte: &u8| !matches!(byte, b' '..=b'~' | 0x80.. | b'\t');
    length + rest.iter().position(is_odd).unwrap_or(rest.len())
}

/// Marks those of eight bytes that are control characters by their highest bit. None is missed; what is
/// marked may be another, above a control character or a byte of 0xff.
fn controls(eight: &[u8; 8]) -> u64 {
    let word = u64::from_le_bytes(*eight);
    (word.wrapping_sub(ONES * 0x20) | word.wrapping_add(ONES)) & !word & HIGH
}

/// Whether it may be a request target: it has nothing but what the parser behind takes in a path and in a
/// query.
pub fn is_target(bytes: &[u8]) -> bool {
    !bytes.is_empty() && are(TARGET, bytes)
}

/// Whether all `bytes` are of the class `wanted`. It looks at all of them, which is quicker than to ask after each.
fn are(wanted: u8, bytes: &[u8]) -> bool {
    bytes.iter().fold(wanted, |all, byte| all & class(*byte)) != 0
}

fn class(byte: u8) -> u8 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or_default()
}

const TOKEN: u8 = 1;
const TARGET: u8 = 2;

/// The bytes of a token in lower case, and 0 for all others.
static LOWER: [u8; 256] = {
    let mut lower = [0; 256];
    let mut byte = 0_u8;
    while byte < 0x7f {
        #[allow(clippy::indexing_slicing, reason = "a fault here would not compile")]
        if CLASSES[byte as usize] & TOKEN != 0 {
            lower[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    lower
};

static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    while byte < 0x7f {
        let token = byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
        let target = byte > b' ' && !matches!(byte, b'"' | b'#' | b'<' | b'>' | b'`');
        #[allow(clippy::indexing_slicing, reason = "a fault here would not compile")]
        {
            classes[byte as usize] = token as u8 * TOKEN + target as u8 * TARGET;
        }
        byte += 1;
    }
    classes
};

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    #[test]
    fn every_byte_is_of_its_class_wherever_it_stands() {
        for byte in 0..=255_u8 {
            let is_plain = byte.is_ascii_alphanumeric() || byte == b'-';
            for at in 0..8 {
                let mut bytes = *b"aB-0zZ9y";
                bytes[at] = byte;
                let (lower, plain) = lower_word(u64::from_le_bytes(bytes));
                let plain = plain as usize;
                assert_eq!(plain, if is_plain { 8 } else { at }, "{byte} at {at}");
                let expected = bytes[..plain].to_ascii_lowercase();
                assert_eq!(lower.to_le_bytes()[..plain], expected, "{byte} at {at}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_value_has_no_control_character_wherever_that_stands(
            bytes in prop::collection::vec(prop_oneof![20 => b' '..=b'~', 1 => any::<u8>()], 0..40),
        ) {
            let is_odd = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
            let first = bytes.iter().position(is_odd);
            prop_assert_eq!(value_length(&bytes), first.unwrap_or(bytes.len()));
            prop_assert_eq!(is_value(&bytes), first.is_none());
        }

        #[test]
        fn a_token_ends_where_it_ends_and_nothing_behind_it_is_touched(
            bytes in prop::collection::vec(prop_oneof![8 => b'A'..=b'z', 1 => any::<u8>()], 0..40),
        ) {
            let mut lower = bytes.clone();
            let length = lower_token(&mut lower);
            let (name, behind) = bytes.split_at(length);
            prop_assert!(name.iter().all(|byte| is_token(&[*byte])));
            prop_assert!(behind.first().is_none_or(|byte| !is_token(&[*byte])));
            prop_assert_eq!(lower, [&*name.to_ascii_lowercase(), behind].concat());
        }
    }
}
