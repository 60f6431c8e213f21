//! Which bytes may stand where in a message of HTTP/1.

/// Whether it is a token (RFC 9110 §5.6.2).
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && are(TOKEN, bytes)
}

/// Puts the token that `bytes` begin with in lower case, and tells how many bytes it has.
pub fn lower_token(bytes: &mut [u8]) -> usize {
    for (at, byte) in bytes.iter_mut().enumerate() {
        match LOWER.get(usize::from(*byte)) {
            Some(0) | None => return at,
            Some(lower) => *byte = *lower,
        }
    }
    bytes.len()
}

/// Whether it has no control character but tabs.
pub fn is_value(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |all, byte| all & ((*byte >= b' ' && *byte != 0x7f) | (*byte == b'\t')))
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
