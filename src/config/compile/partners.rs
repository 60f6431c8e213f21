//! Partners, and how they are told apart.

use super::Reading;
use crate::config::File;
use crate::config::gateway::{GatewayFile, UnknownPartners};
use crate::limits::Limits;
use crate::partner::{IdentitySource, Partner, Partners};

use http::HeaderName;

use std::collections::HashMap;
use std::sync::Arc;

/// What callers that are no known partner are called.
pub(super) const UNKNOWN: &str = "unknown";

impl Reading {
    pub(super) fn partners(
        &mut self,
        file: &File<GatewayFile>,
        limits: &Limits,
    ) -> Option<Partners> {
        let value = &file.value;
        let mut identity = Vec::new();
        for (index, source) in value.identity.iter().enumerate() {
            let at = format!("/identity/{index}");
            let from = self.networks(file, &format!("{at}/from"), &source.from);
            if source.header.is_empty() && !source.from.is_empty() {
                let message = "`from` says whose `header` is believed, and there is no `header`";
                self.errors.push(file.error(&format!("{at}/from"), message));
            }
            let source = match (source.header.as_str(), source.token_claims.as_slice()) {
                ("", claims @ [_, ..]) => Ok(IdentitySource::TokenClaims(claims.to_vec())),
                ("", []) | (_, [_, ..]) => {
                    Err(file.error(&at, "give one of `header` and `token_claims`"))
                }
                (header, []) => HeaderName::from_bytes(header.as_bytes())
                    .map(|name| IdentitySource::Header { name, from })
                    .map_err(|_| {
                        file.error(&format!("{at}/header"), "`header` is not a header name")
                    }),
            };
            identity.extend(self.keep(source));
        }
        let mut known: HashMap<String, Arc<Partner>> = HashMap::new();
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
            let tier = super::limits::tier(&value.limits, partner).to_owned();
            let partner_value = Arc::new(Partner { id, roles, tier, account: Arc::clone(account) });
            for (position, identity) in partner.identities.iter().enumerate() {
                if let Some(other) = known.insert(identity.clone(), Arc::clone(&partner_value)) {
                    let message =
                        format!("this identity is also one of the partner `{}`", other.id);
                    self.errors.push(file.error(&format!("{at}/identities/{position}"), message));
                }
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
                let (id, tier) = (UNKNOWN.to_owned(), value.limits.unknown_tier.clone());
                Some(Arc::new(Partner { id, roles: Vec::new(), tier, account }))
            }
        };
        Some(Partners { identity, known, unknown })
    }
}
