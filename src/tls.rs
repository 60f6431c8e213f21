//! Whom the gateway trusts when it speaks TLS to the upstream, and what it shows to callers.

mod server;

pub use server::{Credentials, Files, Part, ServerFault, server};

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Trust in the certificates of `ca_file`, or in those of the system.
///
/// # Errors
///
/// When no certificate is found: a gateway that trusts nobody reaches nobody.
pub fn client(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            let unreadable = |error: rustls::pki_types::pem::Error| TlsError::Unreadable {
                path: path.to_owned(),
                why: error.to_string(),
            };
            for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
                roots.add(certificate.map_err(unreadable)?).map_err(TlsError::Unusable)?;
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            for error in &found.errors {
                tracing::warn!(%error, "a system certificate was not read");
            }
            roots.add_parsable_certificates(found.certs);
        }
    }
    if roots.is_empty() {
        return Err(TlsError::NoAnchors(ca_file.map(Path::to_owned)));
    }
    // The provider is named: a default can change when some crate turns on another.
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Unusable)?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Why there is no trust.
#[derive(Debug)]
pub enum TlsError {
    /// Not one certificate was found, in the file or in the system.
    NoAnchors(Option<PathBuf>),
    /// The file of certificates could not be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the matter is.
        why: String,
    },
    /// rustls cannot use what was found.
    Unusable(rustls::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnchors(Some(path)) => {
                write!(f, "`{}` holds no CA certificate", path.display())
            }
            Self::NoAnchors(None) => f.write_str(
                "no CA certificate was found on this system; install ca-certificates, or set \
                 SSL_CERT_FILE to a file that has some",
            ),
            Self::Unreadable { path, why } => write!(f, "`{}`: {why}", path.display()),
            Self::Unusable(error) => write!(f, "TLS cannot be set up: {error}"),
        }
    }
}

impl std::error::Error for TlsError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_no_trust() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(client(Some(file.path())), Err(TlsError::NoAnchors(Some(_)))));
        let error = TlsError::NoAnchors(None).to_string();
        assert!(error.contains("SSL_CERT_FILE"), "{error}");
    }
}
