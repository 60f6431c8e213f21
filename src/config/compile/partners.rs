//! Partners, how they are told apart, and what each may spend.

use super::Reading;
use crate::config::File;
use crate::config::gateway::{GatewayFile, Limit, UnknownPartners};
use crate::limits::{Limits, Quota};
use crate::partner::{IdentitySource, Partner, Partners};

use http::HeaderName;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

/// What callers that are no known partner are called.
pub(super) const UNKNOWN: &str = "unknown";

/// The limits that `file` asks for; what is spent of `old` is kept.
pub(super) fn limits(file: &GatewayFile, old: &Limits) -> Limits {
    let known = file
        .partners
        .iter()
        .map(|partner| (partner.id.clone(), quota(partner.limit.as_ref().unwrap_or(&file.limit))));
    let unknown = (UNKNOWN.to_owned(), quota(&file.unknown_limit));
    Limits::carry_over(old, known.chain([unknown]))
}

fn quota(limit: &Limit) -> Quota {
    let requests = NonZeroU32::new(limit.requests).unwrap_or(NonZeroU32::MIN);
    let burst = limit.burst.and_then(NonZeroU32::new).unwrap_or(requests);
    Quota { requests, per: limit.per.duration(), burst }
}

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
            let source = match (source.header.as_str(), source.token_claims.as_slice()) {
                ("", claims @ [_, ..]) => Ok(IdentitySource::TokenClaims(claims.to_vec())),
                ("", []) | (_, [_, ..]) => {
                    Err(file.error(&at, "give one of `header` and `token_claims`"))
                }
                (header, []) => HeaderName::from_bytes(header.as_bytes())
                    .map(|name| IdentitySource::Header(name.as_str().to_owned()))
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
            let Some(limit) = limits.get(&partner.id) else { continue };
            let limit = Arc::clone(limit);
            let (id, roles) = (partner.id.clone(), partner.roles.clone());
            let partner_value = Arc::new(Partner { id, roles, limit });
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
                let limit = Arc::clone(limits.get(UNKNOWN)?);
                Some(Arc::new(Partner { id: UNKNOWN.to_owned(), roles: Vec::new(), limit }))
            }
        };
        Some(Partners { identity, known, unknown })
    }
}
