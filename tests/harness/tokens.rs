//! An issuer of tokens, with keys of its own.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use patchgate::partner::Issuer;
use patchgate::partner::token::{Algorithm, KeySet, Keys};
use serde_json::{Value, json};

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A key pair, called something.
pub struct Signer {
    pub id: &'static str,
    pair: Pair,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Signer {
    pub fn p256(id: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { id, pair: Pair::P256(pair) }
    }

    pub fn p384(id: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        Self { id, pair: Pair::P384(pair) }
    }

    pub fn ed25519(id: &'static str) -> Self {
        Self { id, pair: Pair::Ed25519(Ed25519KeyPair::generate().unwrap()) }
    }

    pub fn rsa(id: &'static str) -> Self {
        Self { id, pair: Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()) }
    }

    /// The private key (PKCS #8), if it is one for RSA.
    pub fn private(&self) -> Option<Vec<u8>> {
        let Pair::Rsa(pair) = &self.pair else { return None };
        Some(AsDer::<Pkcs8V1Der<'_>>::as_der(pair).unwrap().as_ref().to_vec())
    }

    /// The public key, as the issuer publishes it.
    pub fn jwk(&self) -> Value {
        let id = self.id;
        match &self.pair {
            Pair::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": base64(pair.public_key())})
            }
            Pair::P256(pair) | Pair::P384(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(self.curve().1);
                json!({"kty": "EC", "crv": self.curve().0, "kid": id, "x": base64(x), "y": base64(y)})
            }
            Pair::Rsa(_) => {
                // PKCS #1: the two integers of a sequence, of a key of 2048 bits.
                let der = self.public();
                assert_eq!((der.len(), &der[4..9]), (270, &[2, 0x82, 1, 1, 0][..]));
                json!({"kty": "RSA", "kid": id, "n": base64(&der[9..265]), "e": base64(&der[267..])})
            }
        }
    }

    /// The public key in the form of its algorithm.
    pub fn public(&self) -> &[u8] {
        match &self.pair {
            Pair::Ed25519(pair) => pair.public_key().as_ref(),
            Pair::P256(pair) | Pair::P384(pair) => pair.public_key().as_ref(),
            Pair::Rsa(pair) => pair.public_key().as_ref(),
        }
    }

    fn curve(&self) -> (&'static str, usize) {
        match self.pair {
            Pair::P384(_) => ("P-384", 48),
            Pair::Ed25519(_) | Pair::P256(_) | Pair::Rsa(_) => ("P-256", 32),
        }
    }

    /// Signs `message`; an RSA key does it by `algorithm`.
    pub fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::P256(pair) | Pair::P384(pair) => {
                pair.sign(&random, message).unwrap().as_ref().to_vec()
            }
            Pair::Rsa(pair) => {
                let encoding: &dyn RsaEncoding = match algorithm {
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    "PS512" => &RSA_PSS_SHA512,
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// A token with these `header` and `claims`, signed as the header says.
    pub fn token(&self, header: &str, claims: &str) -> String {
        let algorithm: Value = serde_json::from_str(header).unwrap_or_default();
        let algorithm = algorithm["alg"].as_str().unwrap_or_default().to_owned();
        token(header, claims, |signed| self.sign(&algorithm, signed))
    }
}

/// A token with these `header` and `claims`, signed by `sign`.
pub fn token(header: &str, claims: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", base64(header), base64(claims));
    let signature = base64(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// An issuer called `name` with these keys, whose tokens are for `gate`.
pub fn issuer(name: &str, keys: &[Value]) -> Issuer {
    let set = json!({ "keys": keys }).to_string();
    Issuer {
        name: name.to_owned(),
        audiences: vec!["gate".to_owned(), "api://gate".to_owned()],
        types: vec!["at+jwt".to_owned()],
        algorithms: [
            "ES256", "ES384", "EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512",
        ]
        .map(|name| Algorithm::from_name(name).unwrap())
        .into(),
        leeway: Duration::from_secs(60),
        claims: vec!["sub".to_owned()],
        keys: Arc::new(KeySet::fixed(Keys::read(set.as_bytes()).unwrap())),
    }
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
