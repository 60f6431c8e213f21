//! When a certificate ends.

use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage};

use std::time::{Duration, SystemTime};

/// When the first of `chain` ends, which is the one that is shown.
///
/// Whoever verifies a certificate is told when it ended: so it is asked at the end of all time. That it
/// leads to no authority is found out later, and does not matter.
pub(super) fn expires(chain: &[CertificateDer<'_>]) -> Option<SystemTime> {
    let certificate = EndEntityCert::try_from(chain.first()?).ok()?;
    let never = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX));
    let usage = KeyUsage::server_auth();
    match certificate.verify_for_usage(&[], &[], &[], never, usage, None, None) {
        Err(Error::CertExpired { not_after, .. }) => {
            Some(SystemTime::UNIX_EPOCH + Duration::from_secs(not_after.as_secs()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_that_of_the_certificate_itself() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["a.example".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2031, 5, 6);
        let ends = |params: rcgen::CertificateParams| {
            expires(&[params.self_signed(&key).unwrap().der().clone()])
        };
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_935_792_000);
        assert_eq!(ends(params.clone()), Some(then));
        params.not_after = rcgen::date_time_ymd(1999, 1, 1);
        let past = SystemTime::UNIX_EPOCH + Duration::from_secs(915_148_800);
        assert_eq!(ends(params), Some(past), "also where it is over");
        assert_eq!(expires(&[]), None);
        assert_eq!(expires(&[CertificateDer::from_slice(b"no certificate")]), None);
    }
}
