//! Credentials that a token endpoint grants.

use super::Reading;
use super::way::{Remote, fingerprint, trusted_url};
use crate::config::gateway::{AssertionAlgorithm, AuthMethod, GatewayFile, GrantType, Oauth};
use crate::config::{ConfigError, File};
use crate::credential::{Assertion, Client, Credential, Grant, Proof, Scheme, StateFile};
use crate::outbound::Egress;

use zeroize::Zeroizing;

use std::path::PathBuf;

/// What stands in one place of the file.
struct Section<'f> {
    file: &'f File<GatewayFile>,
    at: &'f str,
    oauth: &'f Oauth,
}

impl Section<'_> {
    fn fault(&self, key: &str, message: impl Into<String>) -> ConfigError {
        self.file.error(&format!("{}/{key}", self.at), message.into())
    }

    fn path(&self, text: &str) -> Option<PathBuf> {
        (!text.is_empty()).then(|| self.file.beside(text))
    }
}

impl Reading {
    /// The credential `name` that `oauth`, written at `at`, tells of. `egress` is the company's proxy.
    pub(super) fn oauth(
        &mut self,
        file: &File<GatewayFile>,
        at: &str,
        name: &str,
        oauth: &Oauth,
        egress: Option<&Egress>,
    ) -> Option<Credential> {
        let section = Section { file, at, oauth };
        let before = self.errors.len();
        let url = trusted_url("token_url", &oauth.token_url);
        let url = self.keep(url.map_err(|message| section.fault("token_url", message)));
        if oauth.client_id.is_empty() {
            let message = "`client_id` says nothing; write what the token endpoint knows you as";
            self.errors.push(section.fault("client_id", message));
        }
        if !oauth.scope.bytes().all(|byte| matches!(byte, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~'))
        {
            let message = "`scope` has to be names with a space between one and the next";
            self.errors.push(section.fault("scope", message));
        }
        self.check_keys(&section);
        let refresh = self.state_file(&section);
        if self.errors.len() > before {
            return None;
        }
        let url = url?;
        let proof = self.proof(&section);
        let shows = oauth.auth_method == AuthMethod::TlsClientAuth;
        let remote = Remote {
            file,
            at,
            url_key: "token_url",
            ca_file: &oauth.ca_file,
            pair: shows.then_some((&*oauth.certificate, &*oauth.key)),
        };
        let way = self.way(&remote, &url, egress);
        let (proof, way) = (proof?, way?);
        let files = [&oauth.key, &oauth.certificate, &oauth.ca_file];
        let files = files.map(|text| section.path(text));
        let state = section.path(&oauth.state_file);
        let written = format!("{oauth:?} {state:?}");
        let secret = oauth.client_secret.reveal().as_bytes();
        let digest = fingerprint(&written, &[secret], &files, &way);
        let client = Client { id: oauth.client_id.clone(), proof };
        let grant = Grant { url, way, client, scope: oauth.scope.clone(), refresh };
        Some(Credential::granted(name, grant, digest))
    }

    /// Keys that the way to prove oneself needs, and those that have no meaning with it.
    fn check_keys(&mut self, section: &Section<'_>) {
        let oauth = section.oauth;
        let (secret, signs, shows) = match oauth.auth_method {
            AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost => (true, false, false),
            AuthMethod::None => (false, false, false),
            AuthMethod::PrivateKeyJwt => (false, true, false),
            AuthMethod::TlsClientAuth => (false, false, true),
        };
        let is_unsigned = oauth.algorithm == AssertionAlgorithm::default();
        for (key, is_there, is_needed, is_taken) in [
            ("client_secret", !oauth.client_secret.is_empty(), secret, secret),
            ("key", !oauth.key.is_empty(), signs || shows, signs || shows),
            ("certificate", !oauth.certificate.is_empty(), shows, signs || shows),
            ("key_id", !oauth.key_id.is_empty(), false, signs),
            ("algorithm", !is_unsigned, false, signs),
        ] {
            if is_needed && !is_there {
                let message = format!("`auth_method` needs a `{key}`");
                self.errors.push(section.fault(key, message));
            }
            if is_there && !is_taken {
                let message = format!("`{key}` has no meaning with this `auth_method`");
                self.errors.push(section.fault(key, message));
            }
        }
        if oauth.auth_method == AuthMethod::None && oauth.grant == GrantType::ClientCredentials {
            let message = "whoever knows the `client_id` could get such tokens; prove who asks";
            self.errors.push(section.fault("auth_method", message));
        }
        if oauth.client_secret.reveal().contains(char::is_control) {
            let message = "`client_secret` has to be one line";
            self.errors.push(section.fault("client_secret", message));
        }
    }

    fn state_file(&mut self, section: &Section<'_>) -> Option<StateFile> {
        let path = section.path(&section.oauth.state_file);
        let fault = match (section.oauth.grant, &path) {
            (GrantType::ClientCredentials, None) => return None,
            (GrantType::ClientCredentials, Some(_)) => {
                "`state_file` is for `grant: refresh_token`".to_owned()
            }
            (GrantType::RefreshToken, None) => {
                "`grant: refresh_token` needs a file with the first refresh token".to_owned()
            }
            // It changes by itself, and so is none of the files of this load.
            (GrantType::RefreshToken, Some(path)) => match StateFile::read(path) {
                Ok(_) => {
                    self.guard(section.file, &format!("{}/state_file", section.at), path);
                    return Some(StateFile::new(path.clone()));
                }
                Err(what) => format!("`{}` {what}", path.display()),
            },
        };
        self.errors.push(section.fault("state_file", fault));
        None
    }

    fn proof(&mut self, section: &Section<'_>) -> Option<Proof> {
        let oauth = section.oauth;
        let secret = || Zeroizing::new(oauth.client_secret.reveal().to_owned());
        Some(match oauth.auth_method {
            AuthMethod::ClientSecretBasic => Proof::Basic(secret()),
            AuthMethod::ClientSecretPost => Proof::Post(secret()),
            AuthMethod::None | AuthMethod::TlsClientAuth => Proof::Connection,
            AuthMethod::PrivateKeyJwt => {
                let scheme = match oauth.algorithm {
                    AssertionAlgorithm::Es256 => Scheme::Es256,
                    AssertionAlgorithm::Ps256 => Scheme::Ps256,
                    AssertionAlgorithm::Rs256 => Scheme::Rs256,
                };
                let key_id = Some(&*oauth.key_id).filter(|id| !id.is_empty());
                let key = self.key_file(section)?;
                let certificate = section.path(&oauth.certificate);
                self.files.extend(certificate.clone());
                let made = Assertion::new(scheme, &key, key_id, certificate.as_deref());
                let made =
                    made.map_err(|(key, what)| section.fault(key, format!("`{key}` {what}")));
                Proof::Assertion(self.keep(made)?)
            }
        })
    }

    /// The file with the private key, which others had better not read.
    fn key_file(&mut self, section: &Section<'_>) -> Option<PathBuf> {
        let key = section.path(&section.oauth.key)?;
        self.files.push(key.clone());
        self.guard(section.file, &format!("{}/key", section.at), &key);
        Some(key)
    }
}
