//! How the gateway makes sure of the upstream, and proves to it who it is.

use super::expiry::expires;
use super::pin::Pinned;
use super::{ONE, Part, Pin, Side, TWO, TlsFault, authorities, certificates, key};

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

use std::path::Path;
use std::sync::Arc;

/// What a client is made from; the files are PEM.
#[derive(Clone, Copy, Debug, Default)]
pub struct Client<'f> {
    /// The authorities to trust instead of the system's.
    pub authorities: Option<&'f Path>,
    /// Our certificate, with those that lead from it to an authority; and its key.
    pub pair: Option<(&'f Path, &'f Path)>,
    /// The keys that the other side may have; any, if there are none.
    pub pins: &'f [Pin],
    /// Whether HTTP/2 is offered beside HTTP/1.1.
    pub http2: bool,
}

/// TLS 1.2 and 1.3 by what is in `client`.
///
/// # Errors
///
/// When a file cannot be read or used, the key is not that of the certificate, or there is nobody
/// to trust: a gateway that trusts nobody reaches nobody.
pub fn client(client: Client<'_>) -> Result<Side<ClientConfig>, TlsFault> {
    let roots = match client.authorities {
        Some(path) => authorities(path)?,
        None => system()?,
    };
    // The provider is named: a default can change when some crate turns on another.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let unusable = TlsFault::unusable(Part::Authorities);
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let verifier = verifier.build();
    let verifier = verifier
        .map_err(|error| TlsFault::new(Part::Authorities, format!("cannot be used: {error}")))?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let config = if client.pins.is_empty() {
        config.with_webpki_verifier(verifier)
    } else {
        let pinned = Pinned { verifier, pins: client.pins.to_vec() };
        config.dangerous().with_custom_certificate_verifier(Arc::new(pinned))
    };
    let (mut config, expires) = match client.pair {
        None => (config.with_no_client_auth(), None),
        Some((certificate, private)) => {
            let chain = certificates(certificate, Part::Certificate)?;
            let expires = expires(&chain);
            let config = config.with_client_auth_cert(chain, key(private)?);
            (config.map_err(TlsFault::unusable(Part::Certificate))?, expires)
        }
    };
    let offered: &[&[u8]] = if client.http2 { &[TWO, ONE] } else { &[ONE] };
    config.alpn_protocols = offered.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(Side { config: Arc::new(config), expires })
}

/// The authorities that this machine trusts.
fn system() -> Result<RootCertStore, TlsFault> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a system certificate was not read");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(TlsFault::new(
            Part::Authorities,
            "is empty, and no CA certificate was found on this system: install ca-certificates, or \
             set SSL_CERT_FILE to a file that has some",
        ));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_no_trust() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let fault = client(Client { authorities: Some(file.path()), ..Client::default() });
        assert_eq!(fault.unwrap_err().part, Part::Authorities);
    }
}
