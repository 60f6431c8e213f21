//! Ways to whom the gateway asks for something on its own behalf.

use super::Reading;
use super::credentials::is_loopback;
use super::egress::is_exempt;
use crate::config::File;
use crate::config::gateway::GatewayFile;
use crate::outbound::{Egress, Way};
use crate::tls::{self, Client, Credentials, Part};

use aws_lc_rs::digest::{Context, SHA256};
use http::Uri;
use zeroize::Zeroizing;

use std::path::PathBuf;

/// A place that is written in the section at `at`, under these keys.
pub(super) struct Remote<'f> {
    pub(super) file: &'f File<GatewayFile>,
    pub(super) at: &'f str,
    pub(super) url_key: &'static str,
    /// The authorities to trust there, if not the system's.
    pub(super) ca_file: &'f str,
    /// The certificate to show there, and its key.
    pub(super) pair: Option<(&'f str, &'f str)>,
}

impl Reading {
    /// The way to `url`, where `egress` is the company's proxy.
    pub(super) fn way(
        &mut self,
        remote: &Remote<'_>,
        url: &Uri,
        egress: Option<&Egress>,
    ) -> Option<Way> {
        let Remote { file, at, url_key, ca_file, pair } = *remote;
        let fault = |key: &str, message: String| file.error(&format!("{at}/{key}"), message);
        let path = |text: &str| (!text.is_empty()).then(|| file.beside(text));
        let is_https = url.scheme_str() == Some("https");
        for (key, is_there) in [("ca_file", !ca_file.is_empty()), ("certificate", pair.is_some())] {
            if is_there && !is_https {
                let message = format!("`{key}` is for TLS, and `{url_key}` is not `https://`");
                self.errors.push(fault(key, message));
                return None;
            }
        }
        let tls = if is_https {
            let authorities = path(ca_file);
            let pair = pair.and_then(|(certificate, key)| path(certificate).zip(path(key)));
            self.files.extend(authorities.clone());
            self.files.extend(pair.clone().map(<[PathBuf; 2]>::from).into_iter().flatten());
            if let Some((_, key)) = &pair {
                self.guard(file, &format!("{at}/key"), key);
            }
            let made = tls::client(Client {
                authorities: authorities.as_deref(),
                pair: pair.as_ref().map(|(certificate, key)| (&**certificate, &**key)),
                ..Client::default()
            });
            let made = made.map_err(|error| {
                let key = match error.part {
                    Part::Authorities if authorities.is_none() => url_key,
                    Part::Authorities => "ca_file",
                    Part::Certificate => "certificate",
                    Part::Key => "key",
                };
                fault(key, format!("`{key}` {error}"))
            });
            Some(self.keep(made)?)
        } else {
            None
        };
        let upstream = &file.value.upstream;
        Some(Way {
            url: url.clone(),
            tls: tls.map(Credentials::new),
            server_name: None,
            egress: egress.filter(|_| !is_exempt(&upstream.proxy.no_proxy, url)).cloned(),
            connect_time: upstream.connect_timeout.duration(),
            handshake_time: upstream.handshake_timeout.duration(),
        })
    }
}

/// The URL `text` of a place that is trusted: in TLS, or on this machine.
pub(super) fn trusted_url(key: &str, text: &str) -> Result<Uri, String> {
    let url = text.parse::<Uri>().ok().filter(|url| {
        let is_whole = url.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        is_whole && matches!(url.scheme_str(), Some("http" | "https"))
    });
    let url =
        url.ok_or_else(|| format!("`{key}` is no `https://` URL without user and password"))?;
    match url.scheme_str() == Some("https") || url.host().is_some_and(is_loopback) {
        true => Ok(url),
        false => Err(format!("`{key}` would be read and written in the clear; use `https://`")),
    }
}

/// What no other configuration has: one that stays as it is keeps what it came to over a reload.
pub(super) fn fingerprint(
    written: &str,
    secrets: &[&[u8]],
    files: &[Option<PathBuf>],
    way: &Way,
) -> [u8; 32] {
    let mut content = Context::new(&SHA256);
    let mut add = |bytes: &[u8]| {
        content.update(&bytes.len().to_be_bytes());
        content.update(bytes);
    };
    let egress = way.egress.as_ref();
    add(written.as_bytes());
    add(format!("{:?}", egress.map(|egress| (&egress.host, egress.port))).as_bytes());
    let authorization = egress.and_then(|egress| egress.authorization.as_ref());
    add(authorization.map_or(b"", |authorization| authorization.as_bytes()));
    secrets.iter().for_each(|secret| add(secret));
    for path in files.iter().flatten() {
        add(path.as_os_str().as_encoded_bytes());
        add(&std::fs::read(path).map(Zeroizing::new).unwrap_or_default());
    }
    let mut digest = [0; 32];
    digest.iter_mut().zip(content.finish().as_ref()).for_each(|(to, from)| *to = *from);
    digest
}
