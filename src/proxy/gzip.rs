//! Bodies in the content coding gzip: taken out of it before they are judged, and sent on without.

use super::budget::{Budget, Cut};
use super::fields::Fields;
use super::rejection::Rejection;

use bytes::Bytes;
use flate2::bufread::GzDecoder;
use http::header::{self, HeaderName};

/// How many times its size a body may become.
const RATIO_MAX: usize = 100;

/// What is about the body as it was coded, and holds no longer once it is not.
const ABOUT_CODED: [HeaderName; 5] = [
    header::CONTENT_ENCODING,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("repr-digest"),
];

/// What says that a request is signed (RFC 9421).
const SIGNED: [HeaderName; 2] =
    [HeaderName::from_static("signature"), HeaderName::from_static("signature-input")];

/// What `coded` holds, if that is one member of gzip and nothing more, of at most `max` bytes. It
/// takes up room of `budget` as it comes to light.
///
/// # Errors
///
/// When it is anything else, or too much.
pub fn decode(coded: &[u8], max: usize, budget: &Budget) -> Result<Bytes, Rejection> {
    let max = max.min(coded.len().saturating_mul(RATIO_MAX));
    let mut decoder = GzDecoder::new(coded);
    let decoded = budget.gather(&mut decoder, max).map_err(|cut| match cut {
        Cut::Broken | Cut::TooSlow => Rejection::CodingMalformed,
        Cut::NoRoom => Rejection::Overloaded,
        Cut::TooLarge => Rejection::BodyTooLarge { max },
    })?;
    // Readers differ on what comes of several members, and of what is behind the last one.
    if decoder.into_inner().is_empty() { Ok(decoded) } else { Err(Rejection::CodingMalformed) }
}

/// Takes out of `fields` what is about the body as it was coded.
///
/// # Errors
///
/// When the request is signed: what is taken out may be part of what was.
pub fn uncode(fields: &mut Fields) -> Result<(), Rejection> {
    if SIGNED.iter().any(|name| fields.has(name)) {
        return Err(Rejection::HeadMalformed(
            "the coding of a signed body cannot be taken off; send it without `Content-Encoding`",
        ));
    }
    for name in ABOUT_CODED {
        fields.remove(&name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use std::io::Write;

    fn coded(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn decoded(coded: &[u8], max: usize) -> Result<Bytes, String> {
        let budget = Budget::new(1 << 20);
        let decoded = decode(coded, max, &budget).map_err(|rejection| format!("{rejection:?}"));
        let used = decoded.as_ref().map_or(0, Bytes::len);
        assert!(budget.used() >= used && budget.used() <= 2 * used + 8192);
        decoded
    }

    #[test]
    fn one_whole_member_is_decoded_and_nothing_else() {
        let whole = coded(b"[1, 2, 3]");
        assert_eq!(decoded(&whole, 9).unwrap(), "[1, 2, 3]");
        assert_eq!(decoded(&whole, 8).unwrap_err(), "BodyTooLarge { max: 8 }");
        let mut broken = vec![
            Vec::new(),
            b"[1, 2, 3]".to_vec(),
            [&*whole, b"\0"].concat(),
            [&*whole, &whole].concat(),
        ];
        broken.extend((1..whole.len()).map(|cut| whole[..cut].to_vec()));
        for at in [0, 1, 2, 3, whole.len() - 1, whole.len() - 5] {
            let mut changed = whole.clone();
            changed[at] ^= 0xff;
            broken.push(changed);
        }
        for coded in broken {
            assert_eq!(decoded(&coded, 100).unwrap_err(), "CodingMalformed", "{coded:?}");
        }
    }

    #[test]
    fn what_grows_too_much_is_cut_where_it_does() {
        let bomb = coded(&vec![b' '; 1 << 20]);
        let told = decoded(&bomb, 1 << 20).unwrap_err();
        assert_eq!(told, format!("BodyTooLarge {{ max: {} }}", bomb.len() * RATIO_MAX));
        let budget = Budget::new(100);
        let told = decode(&coded(&[b' '; 500]), 500, &budget);
        assert!(matches!(told, Err(Rejection::Overloaded)), "{told:?}");
        assert_eq!(budget.used(), 0);
    }
}
