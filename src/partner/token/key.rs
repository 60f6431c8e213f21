//! The public keys of an issuer: a JWK Set (RFC 7517), and which algorithm each may verify.

use crate::json::{self, Bounds, Object, Value};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The most keys of one issuer.
const KEYS_MAX: usize = 100;

/// A way to sign, as RFC 7518 §3.1 and RFC 8037 name it. Those that share a secret are none: whoever
/// can verify a token could make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// ECDSA over P-384 with SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
}

impl Algorithm {
    /// The algorithm that is spelt exactly `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "EdDSA" => Self::EdDsa,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            _ => return None,
        })
    }
}

/// The keys of an issuer that verify signatures.
#[derive(Debug)]
pub struct Keys(Vec<Key>);

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    /// The one algorithm that it is for, if it says so.
    only: Option<Algorithm>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Ed25519(ParsedPublicKey),
    P256(ParsedPublicKey),
    P384(ParsedPublicKey),
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
}

impl Keys {
    /// Reads a JWK Set. Keys that verify no signature, or are of another kind, are left out.
    ///
    /// # Errors
    ///
    /// What is wrong with it. Nothing that it holds is repeated.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        const NONE: &str =
            "is no set of keys; it has to be `{\"keys\": […]}`, as an issuer publishes it";
        let bounds = Bounds { depth: 8, items: 1_000, values: 10_000, string: 64 << 10 };
        let set = json::read(bytes, bounds).map_err(|_| NONE)?;
        let Value::Object(set) = set else { return Err(NONE.into()) };
        let Some(Value::Array(listed)) = set.get("keys") else { return Err(NONE.into()) };
        if listed.len() > KEYS_MAX {
            return Err(format!("has more than {KEYS_MAX} keys"));
        }
        let mut keys: Vec<Key> = Vec::new();
        for (index, key) in listed.iter().enumerate() {
            let key =
                Key::read(key).map_err(|what| format!("has a key that {what}: /keys/{index}"))?;
            let Some(key) = key else { continue };
            if key.id.is_some() && keys.iter().any(|other| other.id == key.id) {
                return Err(format!("has two keys with the `kid` of one: /keys/{index}"));
            }
            keys.push(key);
        }
        match keys.is_empty() {
            true => Err("has no key that verifies a signature".into()),
            false => Ok(Self(keys)),
        }
    }

    /// The key called `id` that `algorithm` can use; where a token names none, the only one.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let mut fitting = self
            .0
            .iter()
            .filter(|key| key.fits(algorithm) && (id.is_none() || key.id.as_deref() == id));
        let first = fitting.next()?;
        fitting.next().is_none().then_some(first)
    }
}

impl Key {
    fn read(key: &Value<'_>) -> Result<Option<Self>, &'static str> {
        let Value::Object(key) = key else { return Err("is no object") };
        let text = |name: &str| match key.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(&**text)),
            Some(_) => Err("has a member that should be a string"),
        };
        if ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|name| key.get(name).is_some())
        {
            return Err("is secret, and has no place here; give the public keys alone");
        }
        let material = match (text("kty")?, text("crv")?) {
            (Some("oct"), _) => {
                return Err("is secret, and has no place here; give the public keys alone");
            }
            (Some("RSA"), _) => rsa(key)?,
            (Some("EC"), Some("P-256")) => {
                let point = point(key, 32)?;
                let parsed = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
                Material::P256(parsed.map_err(|_| "is not on its curve")?)
            }
            (Some("EC"), Some("P-384")) => {
                let point = point(key, 48)?;
                let parsed = ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point);
                Material::P384(parsed.map_err(|_| "is not on its curve")?)
            }
            (Some("OKP"), Some("Ed25519")) => {
                let parsed = ParsedPublicKey::new(&ED25519, bytes(key, "x")?);
                Material::Ed25519(parsed.map_err(|_| "is not on its curve")?)
            }
            (Some(_), _) => return Ok(None),
            (None, _) => return Err("has no `kty`"),
        };
        let verifies = |ops: &Value<'_>| matches!(ops, Value::Array(ops) if ops.iter().any(|op| op.as_str() == Some("verify")));
        if text("use")?.is_some_and(|word| word != "sig")
            || key.get("key_ops").is_some_and(|ops| !verifies(ops))
        {
            return Ok(None);
        }
        let only = match text("alg")? {
            None => None,
            Some(name) => match Algorithm::from_name(name) {
                None => return Ok(None),
                some => some,
            },
        };
        let key = Self { id: text("kid")?.map(str::to_owned), only, material };
        if key.only.is_some_and(|only| !key.fits(only)) {
            return Err("has an `alg` that is for other keys");
        }
        Ok(Some(key))
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        let is_kind = match &self.material {
            Material::Ed25519(_) => matches!(algorithm, Algorithm::EdDsa),
            Material::P256(_) => matches!(algorithm, Algorithm::Es256),
            Material::P384(_) => matches!(algorithm, Algorithm::Es384),
            Material::Rsa { .. } => {
                !matches!(algorithm, Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa)
            }
        };
        is_kind && self.only.is_none_or(|only| only == algorithm)
    }

    /// Whether `signature` is the one that this key's holder made of `message` by `algorithm`.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match (&self.material, algorithm) {
            (Material::Ed25519(key), Algorithm::EdDsa)
            | (Material::P256(key), Algorithm::Es256)
            | (Material::P384(key), Algorithm::Es384) => key.verify_sig(message, signature).is_ok(),
            (Material::Rsa { modulus, exponent }, algorithm) => {
                let parameters = match algorithm {
                    Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
                    Algorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
                    Algorithm::Ps512 => &RSA_PSS_2048_8192_SHA512,
                    Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
                    Algorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
                    Algorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
                    Algorithm::EdDsa | Algorithm::Es256 | Algorithm::Es384 => return false,
                };
                let key = RsaPublicKeyComponents { n: modulus, e: exponent };
                key.verify(parameters, message, signature).is_ok()
            }
            (Material::Ed25519(_) | Material::P256(_) | Material::P384(_), _) => false,
        }
    }
}

fn rsa(key: &Object<'_>) -> Result<Material, &'static str> {
    let (modulus, exponent) = (bytes(key, "n")?, bytes(key, "e")?);
    let bits = match modulus.first() {
        None | Some(0) => 0,
        Some(first) => modulus.len() * 8 - first.leading_zeros() as usize,
    };
    if !(2048..=8192).contains(&bits) {
        return Err("is an RSA key of fewer than 2048 bits, or more than 8192");
    }
    let is_odd = |bytes: &[u8]| bytes.last().is_some_and(|last| last % 2 == 1);
    let is_usual =
        (1..=4).contains(&exponent.len()) && exponent != [1] && exponent.first() != Some(&0);
    if !is_usual || !is_odd(&exponent) || !is_odd(&modulus) {
        return Err("is no RSA key");
    }
    Ok(Material::Rsa { modulus, exponent })
}

/// A point of a curve in the uncompressed form, each half of `length` bytes (RFC 7518 §6.2.1).
fn point(key: &Object<'_>, length: usize) -> Result<Vec<u8>, &'static str> {
    let (x, y) = (bytes(key, "x")?, bytes(key, "y")?);
    match x.len() == length && y.len() == length {
        true => Ok([&[4][..], &x, &y].concat()),
        false => Err("has a coordinate of another length than its curve"),
    }
}

fn bytes(key: &Object<'_>, name: &str) -> Result<Vec<u8>, &'static str> {
    let text = key.get(name).and_then(Value::as_str).ok_or("lacks a part of what it is made of")?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| "has a part that is not base64url")
}
