//! Whom the gateway trusts when it speaks TLS to the upstream, and what it shows to either side.

mod client;
mod expiry;
mod pin;
mod server;

pub use client::{Client, client};
pub use pin::Pin;
pub use server::{Files, server};

use arc_swap::ArcSwap;
use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

/// What HTTP/2 and HTTP/1.1 are called where the protocol is agreed upon (ALPN).
pub const TWO: &[u8] = b"h2";
pub(crate) const ONE: &[u8] = b"http/1.1";

/// One side of TLS.
#[derive(Debug)]
pub struct Side<C> {
    /// What it shows and whom it trusts.
    pub config: Arc<C>,
    /// When the certificate ends that it shows, if it shows one.
    pub expires: Option<SystemTime>,
}

impl<C> Clone for Side<C> {
    fn clone(&self) -> Self {
        Self { config: Arc::clone(&self.config), expires: self.expires }
    }
}

/// One that shows no certificate, or one that ends nobody knows when.
impl<C> From<Arc<C>> for Side<C> {
    fn from(config: Arc<C>) -> Self {
        Self { config, expires: None }
    }
}

/// What the gateway shows and whom it trusts from now on; a connection keeps what it was made with.
#[derive(Debug)]
pub struct Credentials<C>(Arc<ArcSwap<Side<C>>>);

impl<C> Clone for Credentials<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C> Credentials<C> {
    /// These, until they are replaced.
    pub fn new(side: impl Into<Side<C>>) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(side.into())))
    }

    /// Those of a connection that is made now.
    pub fn load(&self) -> Arc<C> {
        Arc::clone(&self.0.load().config)
    }

    /// When the certificate ends that is shown now, if one is.
    pub fn expires(&self) -> Option<SystemTime> {
        self.0.load().expires
    }

    /// Replaces them for connections that are made from now on.
    pub fn replace(&self, side: impl Into<Side<C>>) {
        self.0.store(Arc::new(side.into()));
    }
}

/// The part that is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The authorities of the other side.
    Authorities,
    /// Our own certificate.
    Certificate,
    /// Its key.
    Key,
}

/// Why there is no TLS.
#[derive(Debug)]
pub struct TlsFault {
    /// What is at fault.
    pub part: Part,
    why: String,
}

impl TlsFault {
    fn new(part: Part, why: impl Into<String>) -> Self {
        Self { part, why: why.into() }
    }

    fn unusable(part: Part) -> impl Fn(rustls::Error) -> Self {
        move |error| {
            if matches!(error, rustls::Error::InconsistentKeys(_)) {
                return Self::new(Part::Key, "is not the key of `certificate`");
            }
            Self::new(part, format!("cannot be used: {error}"))
        }
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for TlsFault {}

/// The certificates in a PEM file, at least one.
fn certificates(path: &Path, part: Part) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let unreadable = |error| TlsFault::new(part, format!("cannot be read: {error}"));
    let read = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
    let read = read.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    if read.is_empty() {
        return Err(TlsFault::new(part, "holds no certificate"));
    }
    Ok(read)
}

/// The authorities in a PEM file, at least one.
fn authorities(path: &Path) -> Result<RootCertStore, TlsFault> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, Part::Authorities)? {
        roots.add(certificate).map_err(TlsFault::unusable(Part::Authorities))?;
    }
    Ok(roots)
}

/// The private key in a PEM file.
fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsFault> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| {
        let why = if matches!(error, pem::Error::NoItemsFound) {
            "holds no private key".to_owned()
        } else {
            format!("cannot be read: {error}")
        };
        TlsFault::new(Part::Key, why)
    })
}
