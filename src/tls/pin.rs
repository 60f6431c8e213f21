//! Keys that are expected, beside a chain that is trusted.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use std::fmt;
use std::sync::Arc;

/// The SHA-256 of a certificate's public key, as `sha256/…=` (RFC 7469).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pin([u8; 32]);

impl Pin {
    /// Reads `text`; nothing where it is no pin.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.strip_prefix("sha256/")?).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// That of the key in `certificate`.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        let digest = digest(&SHA256, &parsed.subject_public_key_info());
        let bytes = digest.as_ref().try_into();
        bytes.map(Self).map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256/{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Trusts whom `verifier` does, if the key of the certificate is among `pins` as well.
///
/// Only the server's own certificate counts: the others that it sends need not be part of the chain
/// that was trusted, so anybody could add one with a pinned key.
#[derive(Debug)]
pub(super) struct Pinned {
    pub(super) verifier: Arc<WebPkiServerVerifier>,
    pub(super) pins: Vec<Pin>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.verifier.verify_server_cert(certificate, intermediates, name, ocsp, now)?;
        let pin = Pin::of(certificate)?;
        if self.pins.contains(&pin) {
            return Ok(verified);
        }
        Err(Error::General(format!("the key of its certificate is {pin}, and that is not pinned")))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_read_as_it_is_written() {
        let text = format!("sha256/{}", STANDARD.encode([7; 32]));
        assert_eq!(Pin::parse(&text).unwrap().to_string(), text);
        let short = format!("sha256/{}", STANDARD.encode([7; 31]));
        for bad in ["", "sha256/", "sha1/BwcH", &text[7..], &text[..text.len() - 1], &short] {
            assert_eq!(Pin::parse(bad), None, "{bad}");
        }
    }
}
