//! A certificate authority of the test's own.

use patchgate::tls::{self, Client, Pin};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: tempfile::NamedTempFile,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(certificate.pem().as_bytes()).unwrap();
        Self { issuer: Issuer::new(params, key), file }
    }

    /// A server that proves to be `host`.
    pub fn server(&self, host: &str) -> Arc<ServerConfig> {
        self.server_with(host, |_| {})
    }

    /// The same with another certificate than most.
    pub fn server_with(
        &self,
        host: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        Arc::new(self.serve(None, certificate.der().clone(), key))
    }

    /// A server whose certificate is its own authority.
    pub fn self_signed(&self, host: &str) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([host.to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        self.server_of(&(certificate.pem(), key.serialize_pem()))
    }

    /// A server with `pair`.
    pub fn server_of(&self, pair: &(String, String)) -> Arc<ServerConfig> {
        let (certificate, key) = read(pair);
        Arc::new(self.serve(None, certificate, key))
    }

    /// A server with `pair` that lets in callers of this authority alone.
    pub fn demanding_server(&self, pair: &(String, String)) -> Arc<ServerConfig> {
        let (certificate, key) = read(pair);
        Arc::new(self.serve(Some(self.path()), certificate, key))
    }

    fn serve(
        &self,
        callers: Option<&Path>,
        certificate: CertificateDer<'static>,
        key: PrivateKeyDer<'static>,
    ) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = match callers {
            None => config.with_no_client_auth(),
            Some(path) => {
                let mut roots = rustls::RootCertStore::empty();
                roots.add(CertificateDer::from_pem_file(path).unwrap()).unwrap();
                let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
                    Arc::new(roots),
                    provider,
                );
                config.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        config.with_single_cert(vec![certificate], key).unwrap()
    }

    /// The certificate of `host` and its key, as PEM.
    pub fn pair(&self, host: &str) -> (String, String) {
        self.pair_with(host, |_| {})
    }

    /// The same with another certificate than most.
    pub fn pair_with(
        &self,
        host: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// The file with the authority's own certificate.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// A client that trusts this authority, speaks `protocol`, and shows `pair` if it has one.
    pub fn caller(&self, protocol: &str, pair: Option<&(String, String)>) -> rustls::ClientConfig {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.path()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match pair {
            None => config.with_no_client_auth(),
            Some(pair) => {
                let (certificate, key) = read(pair);
                config.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        };
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        config
    }

    /// A client that trusts this authority alone.
    pub fn client(&self) -> Arc<rustls::ClientConfig> {
        self.client_with(None, &[])
    }

    /// The same; it shows `pair`, and trusts only keys among `pins`.
    pub fn client_with(
        &self,
        pair: Option<(&Path, &Path)>,
        pins: &[Pin],
    ) -> Arc<rustls::ClientConfig> {
        let authorities = Some(self.path());
        tls::client(Client { authorities, pair, pins, ..Client::default() }).unwrap().config
    }

    /// A client that trusts this authority alone, and offers HTTP/2.
    pub fn client_of_two(&self) -> Arc<rustls::ClientConfig> {
        let authorities = Some(self.path());
        tls::client(Client { authorities, http2: true, ..Client::default() }).unwrap().config
    }
}

fn read(
    (certificate, key): &(String, String),
) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    (certificate, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap())
}
