//! Issuers of tokens that prove who is calling.

use super::Reading;
use crate::config::File;
use crate::config::gateway::{GatewayFile, Jwt, JwtAlgorithm};
use crate::partner::Issuer;
use crate::partner::token::{Algorithm, Keys};

use std::time::Duration;

const MOST_LEEWAY: Duration = Duration::from_secs(300);

impl Reading {
    /// The issuer that `jwt`, written at `at`, tells of.
    pub(super) fn issuer(
        &mut self,
        file: &File<GatewayFile>,
        at: &str,
        jwt: &Jwt,
    ) -> Option<Issuer> {
        let before = self.errors.len();
        let is_empty = |texts: &[String]| texts.is_empty() || texts.iter().any(String::is_empty);
        for (key, is_missing, example) in [
            ("issuer", jwt.issuer.is_empty(), "https://login.example/"),
            ("audiences", is_empty(&jwt.audiences), "[api://gateway]"),
            ("algorithms", jwt.algorithms.is_empty(), "[ES256]"),
            ("typ", is_empty(&jwt.typ), "[at+jwt]"),
            ("claims", is_empty(&jwt.claims), "[sub]"),
        ] {
            if is_missing {
                let message = format!("`{key}` says nothing; write it as `{key}: {example}`");
                self.errors.push(file.error(&format!("{at}/{key}"), message));
            }
        }
        if jwt.leeway.duration() > MOST_LEEWAY {
            let message =
                "clocks that differ by more than five minutes have to be set; write at most `5m`";
            self.errors.push(file.error(&format!("{at}/leeway"), message));
        }
        let path = file.beside(&jwt.jwks_file);
        let text = self.note(&path);
        let text = text.map_err(|error| file.error(&format!("{at}/jwks_file"), error.to_string()));
        let keys = self.keep(text).map(|text| Keys::read(text.as_bytes()));
        let keys = self.keep(keys?.map_err(|what| {
            file.error(&format!("{at}/jwks_file"), format!("`{}` {what}", path.display()))
        }))?;
        if self.errors.len() > before {
            return None;
        }
        Some(Issuer {
            name: jwt.issuer.clone(),
            audiences: jwt.audiences.clone(),
            types: jwt.typ.clone(),
            algorithms: jwt.algorithms.iter().copied().map(algorithm).collect(),
            leeway: jwt.leeway.duration(),
            claims: jwt.claims.clone(),
            keys,
        })
    }
}

fn algorithm(named: JwtAlgorithm) -> Algorithm {
    match named {
        JwtAlgorithm::Es256 => Algorithm::Es256,
        JwtAlgorithm::Es384 => Algorithm::Es384,
        JwtAlgorithm::EdDsa => Algorithm::EdDsa,
        JwtAlgorithm::Ps256 => Algorithm::Ps256,
        JwtAlgorithm::Ps384 => Algorithm::Ps384,
        JwtAlgorithm::Ps512 => Algorithm::Ps512,
        JwtAlgorithm::Rs256 => Algorithm::Rs256,
        JwtAlgorithm::Rs384 => Algorithm::Rs384,
        JwtAlgorithm::Rs512 => Algorithm::Rs512,
    }
}
