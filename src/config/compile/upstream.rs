//! The upstream of the gateway file: where it is, whom to trust there, and how long things may take.

use super::Reading;
use super::egress::is_exempt;
use crate::config::File;
use crate::config::gateway::GatewayFile;
use crate::config::units::Time;
use crate::outbound::Egress;
use crate::policy::NormalPath;
use crate::tls::{self, Client, Part, Pin, Side};

use http::Uri;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use std::time::Duration;

/// Where requests are sent to, and how. A reload replaces `tls` alone.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Where it is.
    pub target: Target,
    /// Whom to trust and what to show, if it is `https`.
    pub tls: Option<Side<ClientConfig>>,
    /// The name that it has to prove, if not that of its URL.
    pub server_name: Option<String>,
    /// The company's proxy that it is reached through.
    pub egress: Option<Egress>,
    /// How long a connection may take to be made, without TLS.
    pub connect_timeout: Duration,
    /// How long TLS may take to be agreed upon.
    pub handshake_timeout: Duration,
    /// How long its answer may take to begin.
    pub response_timeout: Duration,
    /// How long its answer may take in all.
    pub total_timeout: Duration,
    /// How long an unused connection is kept.
    pub idle_timeout: Duration,
    /// How long a connection is used at most.
    pub max_age: Duration,
    /// Connections for each worker.
    pub max_connections: usize,
    /// After how many failures in a row it is given a pause; 0 for never.
    pub circuit_failures: u32,
    /// How long the pause is.
    pub circuit_pause: Duration,
    /// How long after the loss of its answer a change may still be applied, if that is known.
    pub settled_after: Option<Duration>,
    /// How many current states each worker remembers, in how many bytes, and for how long.
    pub remember_entries: usize,
    /// See `remember_entries`.
    pub remember_bytes: usize,
    /// See `remember_entries`.
    pub remember_time: Duration,
}

/// What stands for the built-in stand-in.
pub(super) const SANDBOX: &str = "sandbox";

/// Where requests are sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The built-in stand-in.
    Sandbox,
    /// An upstream of one's own.
    Url(Uri),
}

impl Target {
    fn is_https(&self) -> bool {
        matches!(self, Self::Url(url) if url.scheme_str() == Some("https"))
    }
}

impl Reading {
    /// The upstream, where `egress` is the company's proxy.
    pub(super) fn upstream(
        &mut self,
        file: &File<GatewayFile>,
        egress: Option<&Egress>,
    ) -> Option<Upstream> {
        let value = &file.value.upstream;
        let target = self.target(file);
        let tls = self.client(file, target.as_ref());
        let is_direct = match &target {
            Some(Target::Url(url)) => is_exempt(&value.proxy.no_proxy, url),
            Some(Target::Sandbox) | None => true,
        };
        let server_name = Some(&value.server_name).filter(|name| !name.is_empty()).cloned();
        if server_name.as_deref().is_some_and(|name| ServerName::try_from(name).is_err()) {
            let message = "`server_name` is neither a host name nor an IP address";
            self.errors.push(file.error("/upstream/server_name", message));
        }
        Some(Upstream {
            target: target?,
            tls: tls?,
            server_name,
            egress: egress.filter(|_| !is_direct).cloned(),
            connect_timeout: value.connect_timeout.duration(),
            handshake_timeout: value.handshake_timeout.duration(),
            response_timeout: value.response_timeout.duration(),
            total_timeout: value.total_timeout.duration(),
            idle_timeout: value.idle_timeout.duration(),
            max_age: value.max_age.duration(),
            max_connections: value.max_connections.max(1),
            circuit_failures: value.circuit.failures,
            circuit_pause: value.circuit.pause.duration(),
            settled_after: value.settled_after.as_ref().map(Time::duration),
            remember_entries: value.remember.entries,
            remember_bytes: value.remember.bytes.bytes(),
            remember_time: value.remember.time.duration(),
        })
    }

    fn target(&mut self, file: &File<GatewayFile>) -> Option<Target> {
        let text = &file.value.upstream.url;
        if text == SANDBOX {
            return Some(Target::Sandbox);
        }
        let plain = |uri: &Uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
                && uri.query().is_none()
                && (uri.path() == "/" || NormalPath::of(uri.path()).is_some())
        };
        let uri = text.parse::<Uri>().ok().filter(plain).ok_or_else(|| {
            let message = "`url` is neither `sandbox` nor an `http://` or `https://` URL without user, password, query, escapes and `.` or `..` segments";
            file.error("/upstream/url", message)
        });
        self.keep(uri).map(Target::Url)
    }

    /// Whom to trust, and what to show; the outer `None` is a fault.
    fn client(
        &mut self,
        file: &File<GatewayFile>,
        target: Option<&Target>,
    ) -> Option<Option<Side<ClientConfig>>> {
        let value = &file.value.upstream;
        let before = self.errors.len();
        let is_https = target.is_none_or(Target::is_https);
        for (key, is_there) in [
            ("ca_file", !value.ca_file.is_empty()),
            ("certificate", !value.certificate.is_empty()),
            ("http2", value.http2),
            ("key", !value.key.is_empty()),
            ("pins", !value.pins.is_empty()),
            ("server_name", !value.server_name.is_empty()),
        ] {
            if is_there && !is_https {
                let message = format!("`{key}` is for TLS, and `url` is not `https://`");
                self.errors.push(file.error(&format!("/upstream/{key}"), message));
            }
        }
        for (key, other, is_missing) in [
            ("certificate", "key", value.certificate.is_empty() && !value.key.is_empty()),
            ("key", "certificate", value.key.is_empty() && !value.certificate.is_empty()),
        ] {
            if is_missing {
                let message = format!("`{key}` is missing, and `{other}` is there");
                self.errors.push(file.error(&format!("/upstream/{key}"), message));
            }
        }
        let pins = self.pins(file);
        if self.errors.len() > before {
            return None;
        }
        if !is_https || target.is_none() {
            return Some(None);
        }
        let path = |text: &str| (!text.is_empty()).then(|| file.beside(text));
        let authorities = path(&value.ca_file);
        let pair = path(&value.certificate).zip(path(&value.key));
        // Not in the digest: they are replaced for reasons of their own.
        self.files.extend(authorities.clone());
        self.files.extend(pair.clone().map(<[_; 2]>::from).into_iter().flatten());
        if let Some((_, key)) = &pair {
            self.guard(file, "/upstream/key", key);
        }
        let made = tls::client(Client {
            authorities: authorities.as_deref(),
            pair: pair.as_ref().map(|(certificate, key)| (&**certificate, &**key)),
            pins: &pins,
            http2: value.http2,
        });
        let made = made.map_err(|fault| {
            let name = match fault.part {
                Part::Authorities => "ca_file",
                Part::Certificate => "certificate",
                Part::Key => "key",
            };
            // A key that was left out has no place of its own.
            let at = if authorities.is_none() && name == "ca_file" { "url" } else { name };
            file.error(&format!("/upstream/{at}"), format!("`{name}` {fault}"))
        });
        self.keep(made).map(Some)
    }

    fn pins(&mut self, file: &File<GatewayFile>) -> Vec<Pin> {
        let texts = &file.value.upstream.pins;
        let mut pins = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            let place = format!("/upstream/pins/{index}");
            match Pin::parse(text) {
                Some(pin) if pins.contains(&pin) => {
                    self.errors.push(file.error(&place, "this pin is there twice"));
                }
                Some(pin) => pins.push(pin),
                None => {
                    let message = "this is no pin; write it as `sha256/` and the SHA-256 of the public key in Base64";
                    self.errors.push(file.error(&place, message));
                }
            }
        }
        if texts.len() == 1 {
            let message = "`pins` has one, and a key that is lost or replaced would then lock you out; add that of a backup key";
            self.errors.push(file.error("/upstream/pins", message));
        }
        pins
    }
}
