//! What the certificate of a caller says of it. Whether the certificate is good, rustls has found out.

use super::KeyDigest;

use rustls::pki_types::{CertificateDer, DnsName};
use webpki::EndEntityCert;

/// A kind of name that certificates are known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NameKind {
    /// The DNS names among the alternative names.
    Dns,
    /// The SHA-256 of the whole certificate.
    Fingerprint,
    /// The one URI among the alternative names, as SPIFFE has it.
    Spiffe,
}

/// What a certificate is known by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertificateName {
    /// Of which kind it is.
    pub kind: NameKind,
    text: String,
}

impl CertificateName {
    /// The name that `text` is: a SPIFFE id, a DNS name, or `sha256:` and a fingerprint.
    pub fn parse(text: &str) -> Option<Self> {
        if text.starts_with("sha256:") {
            return KeyDigest::parse(text).map(Self::fingerprint);
        }
        if let Some(rest) = text.strip_prefix("spiffe://") {
            let (domain, _) = rest.split_once('/').unwrap_or((rest, ""));
            let plain = |byte: u8| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte)
            };
            let fits = !domain.is_empty() && domain.bytes().all(plain) && !text.ends_with('/');
            return fits.then(|| Self { kind: NameKind::Spiffe, text: text.to_owned() });
        }
        DnsName::try_from(text).ok().map(|_| Self::dns(text))
    }

    fn dns(text: &str) -> Self {
        Self { kind: NameKind::Dns, text: text.to_ascii_lowercase() }
    }

    fn fingerprint(digest: KeyDigest) -> Self {
        Self { kind: NameKind::Fingerprint, text: digest.to_string() }
    }
}

/// What the certificate of a caller is known by, read once for each connection.
#[derive(Debug, PartialEq, Eq)]
pub struct Certificate(Vec<CertificateName>);

impl Certificate {
    /// Reads the names in `der`; one that cannot be read has its fingerprint alone.
    pub fn read(der: &[u8]) -> Self {
        let mut names = vec![CertificateName::fingerprint(KeyDigest::of(der))];
        let whole = CertificateDer::from(der);
        if let Ok(certificate) = EndEntityCert::try_from(&whole) {
            names.extend(certificate.valid_dns_names().map(CertificateName::dns));
            let uri =
                |text: &str| CertificateName { kind: NameKind::Spiffe, text: text.to_owned() };
            names.extend(certificate.valid_uri_names().map(uri));
        }
        Self(names)
    }

    /// The names of one kind.
    pub fn names(&self, kind: NameKind) -> impl Iterator<Item = &CertificateName> {
        self.0.iter().filter(move |name| name.kind == kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use rcgen::{CertificateParams, KeyPair, SanType};

    #[test]
    fn each_kind_of_name_is_told_apart() {
        let mut params = CertificateParams::new(["Client.Example".to_owned()]).unwrap();
        let uri = SanType::URI("spiffe://example/acme".try_into().unwrap());
        params.subject_alt_names.push(uri);
        params.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
        let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
        let read = Certificate::read(&der);
        let print = KeyDigest::of(&der).to_string();
        for (kind, text) in [
            (NameKind::Spiffe, "spiffe://example/acme"),
            (NameKind::Dns, "CLIENT.example"),
            (NameKind::Fingerprint, &print),
        ] {
            let expected = CertificateName::parse(text).unwrap();
            assert_eq!((expected.kind, read.names(kind).collect()), (kind, vec![&expected]));
        }
        assert_eq!(Certificate::read(b"x").0.len(), 1);
    }

    #[test]
    fn what_is_no_name_is_none() {
        for text in [
            "",
            "a b",
            "*.example",
            "10.0.0.1",
            "http://example/a",
            "SPIFFE://example/a",
            "spiffe://",
            "spiffe://Example/a",
            "spiffe://a@example/b",
            "spiffe:///a",
            "spiffe://a/b/",
            "sha256:1",
        ] {
            assert_eq!(CertificateName::parse(text), None, "{text}");
        }
    }
}
