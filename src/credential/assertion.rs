//! A token by which a client proves who it is: one that only its private key can sign (RFC 7523).

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use uuid::Uuid;
use zeroize::Zeroizing;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long one is good.
const LIFETIME: Duration = Duration::from_secs(300);

/// How a client signs.
pub struct Assertion {
    key: Key,
    header: String,
}

/// A way to sign, as RFC 7518 §3.1 names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

enum Key {
    Ecdsa(EcdsaKeyPair),
    Rsa(rsa::KeyPair, &'static dyn RsaEncoding),
}

impl fmt::Debug for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Assertion")
    }
}

impl Assertion {
    /// What `client_assertion_type` says of it.
    pub(super) const TYPE: &'static str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

    /// One that the private key in the PEM file at `key` signs. `key_id` and the certificate at
    /// `certificate` tell the endpoint which key that is.
    ///
    /// # Errors
    ///
    /// Which of the two files is at fault, and why.
    pub fn new(
        scheme: Scheme,
        key: &Path,
        key_id: Option<&str>,
        certificate: Option<&Path>,
    ) -> Result<Self, (&'static str, String)> {
        let unreadable = |name| move |error| (name, format!("cannot be read: {error}"));
        let pem = PrivateKeyDer::from_pem_file(key).map_err(unreadable("key"))?;
        let der = pem.secret_der();
        let unfit = |_| ("key", format!("is no private key for {}", scheme.name()));
        let key = match scheme {
            Scheme::Es256 => Key::Ecdsa(
                EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
                    .map_err(unfit)?,
            ),
            Scheme::Ps256 => Key::Rsa(rsa_key(der).map_err(unfit)?, &RSA_PSS_SHA256),
            Scheme::Rs256 => Key::Rsa(rsa_key(der).map_err(unfit)?, &RSA_PKCS1_SHA256),
        };
        let mut header = BTreeMap::from([("alg", scheme.name().to_owned()), ("typ", "JWT".into())]);
        if let Some(id) = key_id {
            header.insert("kid", id.to_owned());
        }
        if let Some(path) = certificate {
            let der = CertificateDer::from_pem_file(path).map_err(unreadable("certificate"))?;
            header.insert("x5t#S256", URL_SAFE_NO_PAD.encode(digest(&SHA256, &der)));
        }
        let header = serde_json::json!(header);
        Ok(Self { key, header: URL_SAFE_NO_PAD.encode(header.to_string()) })
    }

    /// One for `audience`, by the client `id`, that is good from now on.
    pub(super) fn sign(&self, id: &str, audience: &str) -> Result<Zeroizing<String>, &'static str> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let claims = serde_json::json!({
            "iss": id,
            "sub": id,
            "aud": audience,
            "jti": Uuid::now_v7().to_string(),
            "iat": now.as_secs(),
            "nbf": now.as_secs(),
            "exp": (now + LIFETIME).as_secs(),
        });
        let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
        let signed = format!("{}.{payload}", self.header);
        let signature = self.key.sign(signed.as_bytes()).ok_or("its key does not sign")?;
        Ok(Zeroizing::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
        }
    }
}

impl Key {
    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::Ecdsa(pair) => Some(pair.sign(&random, message).ok()?.as_ref().to_vec()),
            Self::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).ok()?;
                Some(signature)
            }
        }
    }
}

/// PKCS #8, or PKCS #1.
fn rsa_key(der: &[u8]) -> Result<rsa::KeyPair, aws_lc_rs::error::KeyRejected> {
    rsa::KeyPair::from_pkcs8(der).or_else(|_| rsa::KeyPair::from_der(der))
}
