//! Partners, and how they are told apart.

use super::Reading;
use super::credentials::{lent, lent_to_unknown};
use crate::config::gateway::{CertificatePart, ClientAuth, GatewayFile, Identity, UnknownPartners};
use crate::config::{File, Secret};
use crate::credential::Credentials;
use crate::limits::Limits;
use crate::outbound::Egress;
use crate::partner::{
    CertificateName, IdentitySource, KeyDigest, NameKind, Partner, Partners, Unverified, Verified,
};
use crate::snapshot::Snapshot;

use http::HeaderName;
use http::header::AUTHORIZATION;

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

const NO_NAME: &str = "this is no name of a certificate; write a SPIFFE id as `spiffe://example/acme`, a DNS name, or `sha256:` and 64 hexadecimal digits";

/// What callers that are no known partner are called.
pub(super) const UNKNOWN: &str = "unknown";

/// What partners are made with.
#[derive(Clone, Copy)]
pub(super) struct With<'a> {
    pub(super) limits: &'a Limits,
    pub(super) credentials: &'a Credentials,
    /// The company's proxy.
    pub(super) egress: Option<&'a Egress>,
    /// What is in force.
    pub(super) old: Option<&'a Snapshot>,
}

impl Reading {
    pub(super) fn partners(
        &mut self,
        file: &File<GatewayFile>,
        with: &With<'_>,
    ) -> Option<Partners> {
        let With { limits, credentials, .. } = *with;
        let value = &file.value;
        let mut identity: Vec<IdentitySource> = Vec::new();
        for (index, source) in value.identity.iter().enumerate() {
            let at = format!("/identity/{index}");
            let Some(source) = self.source(file, &at, source, with) else { continue };
            let is_same = |other: &IdentitySource| other.field() == source.field();
            if source.field().is_some() && identity.iter().any(is_same) {
                let message = "this header is read already, and the first source decides";
                self.errors.push(file.error(&at, message));
            }
            if matches!(source, IdentitySource::Verified(Verified::Token(_)))
                && identity.contains(&source)
            {
                let message =
                    "the tokens of this issuer are read already, and the first source decides";
                self.errors.push(file.error(&format!("{at}/jwt/issuer"), message));
            }
            identity.push(source);
        }
        let takes_keys = value.identity.iter().any(|source| !source.api_key.is_empty());
        let takes =
            |kind| identity.contains(&IdentitySource::Verified(Verified::Certificate(kind)));
        let (mut keys, mut certificates) = (HashMap::new(), HashMap::new());
        let (mut tokens, mut called) = (HashMap::new(), HashMap::new());
        let mut ids: Vec<&str> = vec![UNKNOWN];
        for (index, partner) in value.partners.iter().enumerate() {
            let at = format!("/partners/{index}");
            if ids.contains(&partner.id.as_str()) {
                let message = format!(
                    "the partner `{}` is named twice, or called as no partner may be",
                    partner.id
                );
                self.errors.push(file.error(&format!("{at}/id"), message));
            }
            ids.push(&partner.id);
            let Some(account) = limits.get(&partner.id) else { continue };
            let (id, roles) = (partner.id.clone(), partner.roles.clone());
            let tier = super::limits::tier(&value.limits, partner).into();
            let credential = lent(value, partner).and_then(|name| credentials.get(name)).cloned();
            let account = Arc::clone(account);
            let partner_value = Arc::new(Partner { id, roles, tier, account, credential });
            for (position, name) in partner.identities.iter().enumerate() {
                let at = format!("{at}/identities/{position}");
                self.belongs(file, &at, &mut called, Ok(name.clone()), &partner_value);
            }
            for (position, text) in partner.api_keys.iter().enumerate() {
                let at = format!("{at}/api_keys/{position}");
                self.belongs(file, &at, &mut keys, key_digest(text), &partner_value);
            }
            for (position, text) in partner.certificates.iter().enumerate() {
                let at = format!("{at}/certificates/{position}");
                let name = CertificateName::parse(text).ok_or(NO_NAME);
                if let Ok(name) = &name
                    && !takes(name.kind)
                {
                    let part = part(name.kind);
                    let message =
                        format!("`identity` does not look at this; add `certificate: {part}`");
                    self.errors.push(file.error(&at, message));
                }
                self.belongs(file, &at, &mut certificates, name, &partner_value);
            }
            for (position, name) in partner.tokens.iter().enumerate() {
                let at = format!("{at}/tokens/{position}");
                let issuers = value.identity.iter().filter_map(|source| source.jwt.as_ref());
                if !issuers.clone().any(|jwt| jwt.issuer == name.issuer) {
                    let known: Vec<&str> = issuers.map(|jwt| &*jwt.issuer).collect();
                    let message = format!(
                        "no `jwt` under `identity` is of this issuer; those that are known: {known:?}"
                    );
                    self.errors.push(file.error(&format!("{at}/issuer"), message));
                }
                let named = tokens.entry(name.issuer.clone()).or_default();
                self.belongs(file, &at, named, Ok(name.subject.clone()), &partner_value);
            }
            let (names, shown) = (&partner.identities, &partner.certificates);
            let is_proven = !partner.api_keys.is_empty() || !partner.tokens.is_empty();
            if names.is_empty() && shown.is_empty() && !is_proven {
                let message = "nothing tells that it is this partner; give `identities`, `api_keys`, `certificates` or `tokens`";
                self.errors.push(file.error(&at, message));
            }
            if !partner.api_keys.is_empty() && !takes_keys {
                let message =
                    "`identity` does not say which header holds a key; add `api_key: X-Api-Key`";
                self.errors.push(file.error(&format!("{at}/api_keys"), message));
            }
        }
        if !value.partners.is_empty() && value.identity.is_empty() {
            let message =
                "`partners` are named, but `identity` does not say how to tell them apart";
            self.errors.push(file.error("/partners", message));
        }
        let unknown = match value.unknown_partners {
            UnknownPartners::Refuse => None,
            UnknownPartners::Share => {
                let account = Arc::clone(limits.get(UNKNOWN)?);
                let (id, tier) = (UNKNOWN.to_owned(), value.limits.unknown_tier.as_str().into());
                let name = lent_to_unknown(value);
                let credential = name.and_then(|name| credentials.get(name)).cloned();
                Some(Arc::new(Partner { id, roles: Vec::new(), tier, account, credential }))
            }
        };
        Some(Partners { identity, keys, certificates, tokens, called, unknown })
    }

    /// A place in a request that tells who is calling.
    fn source(
        &mut self,
        file: &File<GatewayFile>,
        at: &str,
        source: &Identity,
        with: &With<'_>,
    ) -> Option<IdentitySource> {
        let from = self.networks(file, &format!("{at}/from"), &source.from);
        if source.header.is_empty() && !source.from.is_empty() {
            let message = "`from` says whose `header` is believed, and there is no `header`";
            self.errors.push(file.error(&format!("{at}/from"), message));
        }
        let name = |key: &str, text: &str| {
            HeaderName::from_bytes(text.as_bytes()).map_err(|_| {
                file.error(&format!("{at}/{key}"), format!("`{key}` is not a header name"))
            })
        };
        let (key, header) = (&*source.api_key, &*source.header);
        let (claims, jwt) = (&*source.token_claims, source.jwt.as_ref());
        let made = match (key, source.certificate, header, claims, jwt) {
            (key, None, "", [], None) if !key.is_empty() => name("api_key", key).and_then(|name| {
                if name == AUTHORIZATION {
                    let message = "`Authorization` is sent on, and a key is not; give it a header of its own, as `X-Api-Key`";
                    return Err(file.error(&format!("{at}/api_key"), message));
                }
                Ok(IdentitySource::Verified(Verified::ApiKey(name)))
            }),
            ("", Some(part), "", [], None) => {
                let kind = match part {
                    CertificatePart::Dns => NameKind::Dns,
                    CertificatePart::Fingerprint => NameKind::Fingerprint,
                    CertificatePart::Spiffe => NameKind::Spiffe,
                };
                let is_shown = file.value.tls.client_auth != ClientAuth::None;
                let source = IdentitySource::Verified(Verified::Certificate(kind));
                is_shown.then_some(source).ok_or_else(|| {
                    let message = "callers show no certificate; set `tls.client_auth`";
                    file.error(&format!("{at}/certificate"), message)
                })
            }
            ("", None, header, [], None) if !header.is_empty() => name("header", header)
                .map(|name| IdentitySource::Unverified(Unverified::Header { name, from })),
            ("", None, "", claims @ [_, ..], None) => {
                Ok(IdentitySource::Unverified(Unverified::TokenClaims(claims.to_vec())))
            }
            ("", None, "", [], Some(jwt)) => {
                let issuer = self.issuer(file, &format!("{at}/jwt"), jwt, with)?;
                Ok(IdentitySource::Verified(Verified::Token(Arc::new(issuer))))
            }
            _ => Err(file.error(at, "give one of `api_key`, `certificate`, `header`, `jwt` and `token_claims`")),
        };
        self.keep(made)
    }

    /// Has `name`, which is written at `at`, mean `partner`; the error tells how it is written.
    fn belongs<K: Eq + Hash>(
        &mut self,
        file: &File<GatewayFile>,
        at: &str,
        names: &mut HashMap<K, Arc<Partner>>,
        name: Result<K, &'static str>,
        partner: &Arc<Partner>,
    ) {
        let Some(name) = self.keep(name.map_err(|message| file.error(at, message))) else { return };
        if let Some(other) = names.insert(name, Arc::clone(partner)) {
            let message = format!("this is also one of the partner `{}`", other.id);
            self.errors.push(file.error(at, message));
        }
    }
}

/// How the gateway file has it.
fn part(kind: NameKind) -> &'static str {
    match kind {
        NameKind::Dns => "dns",
        NameKind::Fingerprint => "fingerprint",
        NameKind::Spiffe => "spiffe",
    }
}

/// What is kept of a key. What is written may be the key itself, and is not repeated.
fn key_digest(text: &Secret) -> Result<KeyDigest, &'static str> {
    let digest = KeyDigest::parse(text.reveal()).ok_or(
        "this is no digest of a key; write `sha256:` and 64 hexadecimal digits, as `patchgate key` prints them",
    )?;
    match digest == KeyDigest::of(b"") {
        true => {
            Err("this is the digest of nothing, and so of no key; make one with `patchgate key`")
        }
        false => Ok(digest),
    }
}
