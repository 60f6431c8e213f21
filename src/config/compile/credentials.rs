//! What the gateway shows the upstream in the place of what callers show, and who is lent it.

use super::Reading;
use crate::config::File;
use crate::config::gateway::{GatewayFile, PASS, Partner, UnknownPartners};
use crate::credential::{Credential, Credentials};
use crate::outbound::Egress;

use http::Uri;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

impl Reading {
    /// What is lent to somebody. What has not changed since `old` is the same.
    pub(super) fn credentials(
        &mut self,
        file: &File<GatewayFile>,
        egress: Option<&Egress>,
        old: Option<&Credentials>,
    ) -> Credentials {
        let value = &file.value;
        let mut made = Credentials::new();
        for (name, credential) in &value.credentials {
            let at = format!("/credentials/{name}");
            if name == PASS {
                let message = "`pass` stands for what the caller shows; choose another name";
                self.errors.push(file.error(&at, message));
            }
            let one = match (&credential.fixed, &credential.oauth) {
                (Some(fixed), None) => {
                    let token = Credential::bearer(name, fixed.token.reveal()).ok_or_else(|| {
                        let message = "this is no bearer token: letters, digits and `-._~+/`, and `=` at the end";
                        file.error(&format!("{at}/static/token"), message)
                    });
                    self.keep(token)
                }
                (None, Some(oauth)) => {
                    self.oauth(file, &format!("{at}/oauth"), name, oauth, egress)
                }
                (None, None) | (Some(_), Some(_)) => {
                    let message =
                        "a credential is either `static` or `oauth`; write one of the two";
                    self.errors.push(file.error(&at, message));
                    None
                }
            };
            made.extend(one.map(|one| {
                let same = old.and_then(|old| old.get(name)).filter(|old| old.is_same(&one));
                (name.clone(), same.map_or_else(|| Arc::new(one), Arc::clone))
            }));
        }
        self.check_state_files(file);
        let named = value.partners.iter().enumerate().map(|(index, partner)| {
            (format!("/partners/{index}/credentials"), &*partner.credentials)
        });
        let of_all = ("/upstream/credentials".to_owned(), &*value.upstream.credentials);
        for (at, name) in named.chain([of_all]).filter(|(_, name)| !name.is_empty()) {
            if name != PASS && !value.credentials.contains_key(name) {
                let known: Vec<&str> = value.credentials.keys().map(String::as_str).collect();
                let message =
                    format!("`credentials` has no `{name}`; write `pass`, or one of {known:?}");
                self.errors.push(file.error(&at, message));
            }
        }
        for name in value.credentials.keys() {
            let is_lent = value.partners.iter().any(|partner| lent(value, partner) == Some(name));
            if !is_lent && lent_to_unknown(value) != Some(name) {
                let message =
                    "nobody is lent this; name it in `upstream.credentials`, or a partner's";
                self.warnings.push(file.error(&format!("/credentials/{name}"), message));
                made.remove(name);
            }
        }
        self.check_way(file);
        self.check_borrowers(file);
        made
    }

    /// A refresh token that two would use is soon good for neither.
    fn check_state_files(&mut self, file: &File<GatewayFile>) {
        let mut seen = Vec::new();
        for (name, credential) in &file.value.credentials {
            let path = credential.oauth.as_ref().map(|oauth| file.beside(&oauth.state_file));
            let Some(path) = path.filter(|path| path.is_file()) else { continue };
            if seen.contains(&path) {
                let message = "another credential has this file; each needs one of its own";
                let at = format!("/credentials/{name}/oauth/state_file");
                self.errors.push(file.error(&at, message));
            }
            seen.push(path);
        }
    }

    /// What is lent leaves in TLS, or not this machine.
    fn check_way(&mut self, file: &File<GatewayFile>) {
        let value = &file.value;
        let Ok(url) = value.upstream.url.parse::<Uri>() else { return };
        let is_away = url.scheme_str() == Some("http") && !url.host().is_some_and(is_loopback);
        if is_away && (lent_to_unknown(value).is_some() || borrowers(value).next().is_some()) {
            let message =
                "what `credentials` lends would leave in the clear; use an `https://` URL";
            self.errors.push(file.error("/upstream/url", message));
        }
    }

    /// Who is lent something has to prove who it is; on a machine of one's own that is a warning.
    fn check_borrowers(&mut self, file: &File<GatewayFile>) {
        let value = &file.value;
        let mut found = Vec::new();
        if value.unknown_partners == UnknownPartners::Share && lent_to_unknown(value).is_some() {
            let message = "whoever can connect is lent this; set `unknown_partners: refuse`, or name it for single partners instead";
            found.push(file.error("/upstream/credentials", message));
        }
        let believes_all = value.identity.iter().any(|source| {
            !source.token_claims.is_empty() || !source.header.is_empty() && source.from.is_empty()
        });
        for index in borrowers(value).filter(|_| believes_all) {
            let Some(partner) = value.partners.get(index) else { continue };
            if !partner.identities.is_empty() {
                let message = "whoever writes this name into a request is lent the partner's credential; give the partner a proof (`api_keys`, `certificates`, `tokens`) instead, or believe the header `from` some peers alone";
                found.push(file.error(&format!("/partners/{index}/identities"), message));
            }
        }
        let listens = value.listen.parse::<SocketAddr>();
        match listens.is_ok_and(|address| address.ip().is_loopback()) {
            true => self.warnings.append(&mut found),
            false => self.errors.append(&mut found),
        }
    }
}

/// What `partner` is lent by name.
pub(super) fn lent<'f>(file: &'f GatewayFile, partner: &'f Partner) -> Option<&'f String> {
    let own = Some(&partner.credentials).filter(|name| !name.is_empty());
    own.or(Some(&file.upstream.credentials)).filter(|name| *name != PASS)
}

/// What everybody else is lent by name.
pub(super) fn lent_to_unknown(file: &GatewayFile) -> Option<&String> {
    let is_shared = file.unknown_partners == UnknownPartners::Share;
    Some(&file.upstream.credentials).filter(|name| is_shared && *name != PASS)
}

/// The places of the partners that are lent something.
fn borrowers(file: &GatewayFile) -> impl Iterator<Item = usize> {
    let partners = file.partners.iter().enumerate();
    partners.filter(|(_, partner)| lent(file, partner).is_some()).map(|(index, _)| index)
}

pub(super) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or(host.eq_ignore_ascii_case("localhost"), |address| address.is_loopback())
}
