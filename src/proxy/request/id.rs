//! The id of a request: the one that it came with, or one that is made.

use crate::policy::route::Param;
use crate::proxy::fields::FieldValue;
use crate::proxy::random::random;

use uuid::fmt::Hyphenated;
use uuid::{Builder, Uuid};

use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

/// What the id of a request has to be, so that it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdForm {
    /// A GUID in its usual form, in any case.
    Guid,
    /// `[0-9A-Za-z._-]{1,128}`.
    Token,
}

/// The id of a request: `[0-9A-Za-z._-]{1,128}`. Whoever tells of the request has it; they share one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Rc<str>);

impl RequestId {
    /// A new one, for a request that came `at` this time: a UUID of version 7, by which requests are in the
    /// order in which they came, to the millisecond.
    pub fn make(at: SystemTime) -> Self {
        let millis = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let bits = u128::from(random()) << 64 | u128::from(random());
        let random = bits.to_be_bytes();
        let random = random.first_chunk().copied().unwrap_or_default();
        let millis = u64::try_from(millis).unwrap_or_default();
        let uuid = Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        let mut text = [0; Hyphenated::LENGTH];
        Self((&*uuid.hyphenated().encode_lower(&mut text)).into())
    }

    /// The id that `value` is, if it has the right form.
    pub fn parse(value: FieldValue<'_>, form: IdForm) -> Option<Self> {
        let text = value.as_str()?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let fits = match form {
            IdForm::Guid => Param::Guid.fits(text),
            IdForm::Token => (1..=128).contains(&text.len()) && text.bytes().all(plain),
        };
        fits.then(|| Self(text.into()))
    }

    /// A new one, for a request that comes now.
    pub fn make_now() -> Self {
        Self::make(SystemTime::now())
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As a URN, in two parts: `urn:uuid:…` where it is a UUID.
    pub fn urn(&self) -> [&str; 2] {
        let text = self.as_str();
        let uuid = text.len() == 36 && Uuid::try_parse(text).is_ok();
        [if uuid { "urn:uuid:" } else { "urn:request:" }, text]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::time::Duration;

    #[test]
    fn only_plain_and_short_ids_are_kept() {
        for (text, kept) in [
            ("a", true),
            ("0A-z._", true),
            (&*"x".repeat(128), true),
            (&*"x".repeat(129), false),
            ("", false),
            ("a b", false),
            ("a%0d", false),
            ("<a>", false),
        ] {
            let value = FieldValue::of(text).unwrap();
            assert_eq!(RequestId::parse(value, IdForm::Token).is_some(), kept, "{text}");
            assert!(RequestId::parse(value, IdForm::Guid).is_none(), "{text}");
        }
        for text in [&*Uuid::now_v7().to_string(), "01A2030C-fc67-70b1-8fef-0a0ad6421b6a"] {
            let value = FieldValue::of(text).unwrap();
            assert_eq!(RequestId::parse(value, IdForm::Guid).unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_made_id_is_a_uuid_urn() {
        let at = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        let make = |millis| RequestId::make(at(millis));
        let (id, later) = (make(0x0123_4567_89ab), make(0x0123_4567_89ac));
        assert!(id.urn().concat().starts_with("urn:uuid:01234567-89ab-7"), "{id:?}");
        assert!(id.as_str() < later.as_str());
        assert_eq!(Uuid::try_parse(id.as_str()).unwrap().get_version_num(), 7);
        let alike: std::collections::BTreeSet<_> =
            (0..1000).map(|_| make(7).as_str().to_owned()).collect();
        assert_eq!(alike.len(), 1000);
        let own = RequestId::parse(FieldValue::of("retry-7").unwrap(), IdForm::Token).unwrap();
        assert_eq!(own.urn().concat(), "urn:request:retry-7");
    }
}
