//! Credentials that a token endpoint grants.

use super::Reading;
use super::egress::is_exempt;
use crate::config::gateway::{AssertionAlgorithm, AuthMethod, GatewayFile, GrantType, Oauth};
use crate::config::{ConfigError, File};
use crate::credential::{Assertion, Client, Credential, Grant, Proof, Scheme, StateFile};
use crate::outbound::{Egress, Way};
use crate::tls::{self, Credentials, Part};

use aws_lc_rs::digest::{Context, SHA256};
use http::Uri;
use rustls::ClientConfig;
use zeroize::Zeroizing;

use std::path::{Path, PathBuf};
use std::sync::Arc;

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
        let url = self.keep(token_url(&oauth.token_url).map_err(|m| section.fault("token_url", m)));
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
        let tls = self.token_tls(&section, &url);
        let (proof, tls) = (proof?, tls?);
        let upstream = &file.value.upstream;
        let egress = egress.filter(|_| !is_exempt(&upstream.proxy.no_proxy, &url)).cloned();
        let digest = self.fingerprint(&section, egress.as_ref());
        let way = Way {
            url: url.clone(),
            tls: tls.map(Credentials::new),
            server_name: None,
            egress,
            connect_time: upstream.connect_timeout.duration(),
            handshake_time: upstream.handshake_timeout.duration(),
        };
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

    /// Whom to trust at the token endpoint, and what to show there; the outer `None` is a fault.
    fn token_tls(&mut self, section: &Section<'_>, url: &Uri) -> Option<Option<Arc<ClientConfig>>> {
        let oauth = section.oauth;
        let shows = oauth.auth_method == AuthMethod::TlsClientAuth;
        if url.scheme_str() != Some("https") {
            for (key, is_there) in [("ca_file", !oauth.ca_file.is_empty()), ("certificate", shows)]
            {
                if is_there {
                    let message = format!("`{key}` is for TLS, and `token_url` is not `https://`");
                    self.errors.push(section.fault(key, message));
                    return None;
                }
            }
            return Some(None);
        }
        let authorities = section.path(&oauth.ca_file);
        self.files.extend(authorities.clone());
        let pair = if shows {
            let certificate = section.path(&oauth.certificate);
            self.files.extend(certificate.clone());
            certificate.zip(self.key_file(section))
        } else {
            None
        };
        let made = tls::client(tls::Client {
            authorities: authorities.as_deref(),
            pair: pair.as_ref().map(|(certificate, key)| (&**certificate, &**key)),
            ..tls::Client::default()
        });
        let made = made.map_err(|fault| {
            let key = match fault.part {
                Part::Authorities if authorities.is_none() => "token_url",
                Part::Authorities => "ca_file",
                Part::Certificate => "certificate",
                Part::Key => "key",
            };
            section.fault(key, format!("`{key}` {fault}"))
        });
        self.keep(made).map(Some)
    }

    /// What no other configuration has: one that stays as it is keeps its token over a reload.
    fn fingerprint(&self, section: &Section<'_>, egress: Option<&Egress>) -> [u8; 32] {
        let oauth = section.oauth;
        let mut content = Context::new(&SHA256);
        let mut add = |bytes: &[u8]| {
            content.update(&bytes.len().to_be_bytes());
            content.update(bytes);
        };
        add(format!("{oauth:?} {:?}", egress.map(|egress| (&egress.host, egress.port))).as_bytes());
        add(oauth.client_secret.reveal().as_bytes());
        let authorization = egress.and_then(|egress| egress.authorization.as_ref());
        add(authorization.map_or(b"", |authorization| authorization.as_bytes()));
        let files = [&oauth.key, &oauth.certificate, &oauth.ca_file, &oauth.state_file];
        for (index, path) in files.into_iter().enumerate() {
            let path = section.path(path);
            add(path.as_deref().map_or(b"", |path| path.as_os_str().as_encoded_bytes()));
            // The last of them changes by itself.
            let path = path.filter(|_| index < 3);
            add(&path.and_then(|path| held(&path)).unwrap_or_default());
        }
        let mut digest = [0; 32];
        digest.iter_mut().zip(content.finish().as_ref()).for_each(|(to, from)| *to = *from);
        digest
    }
}

fn held(path: &Path) -> Option<Zeroizing<Vec<u8>>> {
    std::fs::read(path).ok().map(Zeroizing::new)
}

/// Secrets go there: it is in TLS, or on this machine.
fn token_url(text: &str) -> Result<Uri, &'static str> {
    let url = text.parse::<Uri>().ok().filter(|url| {
        let is_whole = url.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        is_whole && matches!(url.scheme_str(), Some("http" | "https"))
    });
    let url = url.ok_or("`token_url` is no `https://` URL without user and password")?;
    let is_here = url.host().is_some_and(super::credentials::is_loopback);
    match url.scheme_str() == Some("https") || is_here {
        true => Ok(url),
        false => Err("secrets would leave in the clear; use an `https://` URL"),
    }
}
