//! How the gateway proves to callers who it is, and whose certificates it takes from them.

use super::expiry::expires;
use super::{ONE, Part, Side, TWO, TlsFault, authorities, certificates, key};

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use std::path::Path;
use std::sync::Arc;

/// The files that a server is made from, all PEM.
#[derive(Clone, Copy, Debug)]
pub struct Files<'f> {
    /// Its certificate, and those that lead from it to an authority.
    pub certificate: &'f Path,
    /// The key of the certificate.
    pub key: &'f Path,
    /// The authorities whose certificates callers may show.
    pub client_ca: Option<&'f Path>,
    /// Whether they must.
    pub is_client_required: bool,
}

/// TLS 1.2 and 1.3 with what is in `files`; HTTP/2 where the caller knows it, else HTTP/1.1.
///
/// # Errors
///
/// When a file cannot be read or used, or the key is not that of the certificate.
pub fn server(files: Files<'_>) -> Result<Side<ServerConfig>, TlsFault> {
    let certificates = certificates(files.certificate, Part::Certificate)?;
    let expires = expires(&certificates);
    let key = key(files.key)?;
    // The provider is named: a default can change when some crate turns on another.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsFault::unusable(Part::Certificate))?;
    let config = match files.client_ca {
        None => config.with_no_client_auth(),
        Some(path) => {
            config.with_client_cert_verifier(verifier(path, files.is_client_required, provider)?)
        }
    };
    let config = config.with_single_cert(certificates, key);
    let mut config = config.map_err(TlsFault::unusable(Part::Certificate))?;
    config.alpn_protocols = [TWO, ONE].map(<[u8]>::to_vec).to_vec();
    Ok(Side { config: Arc::new(config), expires })
}

fn verifier(
    path: &Path,
    is_required: bool,
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsFault> {
    let roots = Arc::new(authorities(path)?);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
    let verifier = if is_required { verifier } else { verifier.allow_unauthenticated() };
    verifier
        .build()
        .map_err(|error| TlsFault::new(Part::Authorities, format!("cannot be used: {error}")))
}
