//! How the gateway proves to callers who it is, and whose certificates it takes from them.

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};

use std::fmt;
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

/// The part of a server that is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The certificate.
    Certificate,
    /// The authorities of callers.
    ClientCa,
    /// The key.
    Key,
}

/// Why there is no server.
#[derive(Debug)]
pub struct ServerFault {
    /// What is at fault.
    pub part: Part,
    why: String,
}

impl fmt::Display for ServerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for ServerFault {}

/// What the gateway shows to callers from now on; a connection keeps what it was made with.
#[derive(Clone, Debug)]
pub struct Credentials(Arc<ArcSwap<ServerConfig>>);

impl Credentials {
    /// These, until they are replaced.
    pub fn new(config: Arc<ServerConfig>) -> Self {
        Self(Arc::new(ArcSwap::new(config)))
    }

    /// Those of a connection that is made now.
    pub fn load(&self) -> Arc<ServerConfig> {
        self.0.load_full()
    }

    /// Replaces them for connections that are made from now on.
    pub fn replace(&self, config: Arc<ServerConfig>) {
        self.0.store(config);
    }
}

/// TLS 1.2 and 1.3 with what is in `files`; HTTP/2 where the caller knows it, else HTTP/1.1.
///
/// # Errors
///
/// When a file cannot be read or used, or the key is not that of the certificate.
pub fn server(files: Files<'_>) -> Result<Arc<ServerConfig>, ServerFault> {
    let certificates = certificates(files.certificate, Part::Certificate)?;
    let key = PrivateKeyDer::from_pem_file(files.key).map_err(|error| ServerFault {
        part: Part::Key,
        why: if matches!(error, pem::Error::NoItemsFound) {
            "holds no private key".to_owned()
        } else {
            format!("cannot be read: {error}")
        },
    })?;
    // The provider is named: a default can change when some crate turns on another.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let unusable = |part| {
        move |error: rustls::Error| ServerFault { part, why: format!("cannot be used: {error}") }
    };
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(unusable(Part::Certificate))?;
    let config = match files.client_ca {
        None => config.with_no_client_auth(),
        Some(path) => {
            config.with_client_cert_verifier(verifier(path, files.is_client_required, provider)?)
        }
    };
    let mut config = config.with_single_cert(certificates, key).map_err(|error| {
        if matches!(error, rustls::Error::InconsistentKeys(_)) {
            ServerFault { part: Part::Key, why: "is not the key of `certificate`".to_owned() }
        } else {
            unusable(Part::Certificate)(error)
        }
    })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn certificates(path: &Path, part: Part) -> Result<Vec<CertificateDer<'static>>, ServerFault> {
    let unreadable = |error| ServerFault { part, why: format!("cannot be read: {error}") };
    let read = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
    let read = read.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    if read.is_empty() {
        return Err(ServerFault { part, why: "holds no certificate".to_owned() });
    }
    Ok(read)
}

fn verifier(
    path: &Path,
    is_required: bool,
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, ServerFault> {
    let part = Part::ClientCa;
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, part)? {
        let added = roots.add(certificate);
        added.map_err(|error| ServerFault { part, why: format!("cannot be used: {error}") })?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let verifier = if is_required { verifier } else { verifier.allow_unauthenticated() };
    let built = verifier.build();
    built.map_err(|error| ServerFault { part, why: format!("cannot be used: {error}") })
}
