//! Issuers of tokens that prove who is calling.

use super::Reading;
use super::partners::With;
use super::way::{Remote, fingerprint, trusted_url};
use crate::config::File;
use crate::config::gateway::{GatewayFile, Jwt, JwtAlgorithm};
use crate::partner::Issuer;
use crate::partner::token::{Algorithm, KeySet, KeySource, Keys};

use std::sync::Arc;
use std::time::Duration;

const MOST_LEEWAY: Duration = Duration::from_secs(300);

impl Reading {
    /// The issuer that `jwt`, written at `at`, tells of.
    pub(super) fn issuer(
        &mut self,
        file: &File<GatewayFile>,
        at: &str,
        jwt: &Jwt,
        with: &With<'_>,
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
        let keys = match (&*jwt.jwks_file, &*jwt.jwks_url) {
            (path, "") if !path.is_empty() => self.keys_in_file(file, at, path),
            ("", url) if !url.is_empty() => self.keys_at_url(file, at, jwt, with),
            _ => {
                let message =
                    "the keys come from `jwks_file` or from `jwks_url`; write one of the two";
                self.errors.push(file.error(at, message));
                None
            }
        };
        if !jwt.ca_file.is_empty() && jwt.jwks_url.is_empty() {
            let message = "`ca_file` is for `jwks_url`";
            self.errors.push(file.error(&format!("{at}/ca_file"), message));
        }
        let keys = keys?;
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

impl Reading {
    fn keys_in_file(
        &mut self,
        file: &File<GatewayFile>,
        at: &str,
        path: &str,
    ) -> Option<Arc<KeySet>> {
        let path = file.beside(path);
        let text = self.note(&path);
        let text = text.map_err(|error| file.error(&format!("{at}/jwks_file"), error.to_string()));
        let keys = self.keep(text).map(|text| Keys::read(text.as_bytes()));
        let keys = self.keep(keys?.map_err(|what| {
            file.error(&format!("{at}/jwks_file"), format!("`{}` {what}", path.display()))
        }));
        keys.map(KeySet::fixed).map(Arc::new)
    }

    /// What has not changed since the last load is the same.
    fn keys_at_url(
        &mut self,
        file: &File<GatewayFile>,
        at: &str,
        jwt: &Jwt,
        with: &With<'_>,
    ) -> Option<Arc<KeySet>> {
        let url = trusted_url("jwks_url", &jwt.jwks_url);
        let url = self.keep(url.map_err(|what| file.error(&format!("{at}/jwks_url"), what)))?;
        let remote = Remote { file, at, url_key: "jwks_url", ca_file: &jwt.ca_file, pair: None };
        let way = self.way(&remote, &url, with.egress)?;
        let authorities = (!jwt.ca_file.is_empty()).then(|| file.beside(&jwt.ca_file));
        let written = format!("{} {}", jwt.issuer, jwt.jwks_url);
        let digest = fingerprint(&written, &[], &[authorities], &way);
        let keys = KeySet::fetched(KeySource { url, way }, digest);
        let old = with.old.into_iter().flat_map(|old| old.partners.key_sets());
        let same = old.into_iter().find(|old| old.is_same(&keys)).map(Arc::clone);
        Some(same.unwrap_or_else(|| Arc::new(keys)))
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
