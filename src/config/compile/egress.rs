//! The company's proxy of the gateway file, and the names that are reached without it.

use super::Reading;
use super::upstream::SANDBOX;
use crate::config::File;
use crate::config::gateway::GatewayFile;
use crate::outbound::Egress;
use crate::tls::{self, Client};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};
use rustls::ClientConfig;
use zeroize::Zeroizing;

use std::net::IpAddr;
use std::sync::Arc;

impl Reading {
    /// The proxy, if there is one; the outer `None` is a fault.
    pub(super) fn egress(&mut self, file: &File<GatewayFile>) -> Option<Option<Egress>> {
        let value = &file.value.upstream.proxy;
        let fault =
            |key: &str, message: &str| file.error(&format!("/upstream/proxy/{key}"), message);
        let before = self.errors.len();
        if value.url.is_empty() {
            for (key, is_there) in [
                ("username", !value.username.is_empty()),
                ("password", !value.password.is_empty()),
                ("ca_file", !value.ca_file.is_empty()),
                ("no_proxy", !value.no_proxy.is_empty()),
            ] {
                if is_there {
                    self.errors
                        .push(fault(key, &format!("`{key}` is there, and `url` is missing")));
                }
            }
            return (self.errors.len() == before).then_some(None);
        }
        let place = self.keep(place(&value.url).map_err(|message| fault("url", message)));
        let authorization = self.authorization(file);
        let is_https = place.as_ref().is_none_or(|(_, _, is_https)| *is_https);
        let tls = if is_https { self.proxy_tls(file) } else { None };
        if !is_https && !value.ca_file.is_empty() {
            let message = "`ca_file` is for TLS, and `url` is not `https://`";
            self.errors.push(fault("ca_file", message));
        }
        if file.value.upstream.url == SANDBOX {
            self.errors.push(fault("url", "the sandbox is not behind a proxy"));
        }
        for (index, entry) in value.no_proxy.iter().enumerate() {
            if exempts(entry, "x", 1).is_none() {
                let message = "this is neither `*`, nor a name, an address or a network, with or without a port";
                self.errors.push(fault(&format!("no_proxy/{index}"), message));
            }
        }
        if self.errors.len() > before {
            return None;
        }
        let (host, port, _) = place?;
        Some(Some(Egress { host, port, tls, authorization }))
    }

    fn proxy_tls(&mut self, file: &File<GatewayFile>) -> Option<Arc<ClientConfig>> {
        let text = &file.value.upstream.proxy.ca_file;
        let authorities = (!text.is_empty()).then(|| file.beside(text));
        self.files.extend(authorities.clone());
        let made = tls::client(Client { authorities: authorities.as_deref(), ..Client::default() });
        let made = made.map(|side| side.config);
        self.keep(made.map_err(|error| {
            let at = if authorities.is_some() { "ca_file" } else { "url" };
            file.error(&format!("/upstream/proxy/{at}"), format!("`ca_file` {error}"))
        }))
    }

    fn authorization(&mut self, file: &File<GatewayFile>) -> Option<HeaderValue> {
        let value = &file.value.upstream.proxy;
        let fault =
            |key: &str, message: String| file.error(&format!("/upstream/proxy/{key}"), message);
        let password = value.password.reveal();
        match (value.username.is_empty(), password.is_empty()) {
            (true, true) => return None,
            (false, true) => {
                let message = "`password` is missing, and `username` is there".to_owned();
                self.errors.push(fault("username", message));
                return None;
            }
            (true, false) => {
                let message = "`username` is missing, and `password` is there".to_owned();
                self.errors.push(fault("password", message));
                return None;
            }
            (false, false) => {}
        }
        if value.username.contains(':') {
            self.errors.push(fault("username", "`username` may not have a `:`".to_owned()));
        }
        if password.contains(char::is_control) {
            self.errors.push(fault("password", "`password` has to be one line".to_owned()));
        }
        if !file.is_referred("/upstream/proxy/password") {
            let message =
                "`password` stands in the open; keep it in a file, and write `${file:PATH}`";
            self.warnings.push(fault("password", message.to_owned()));
        }
        let pair = Zeroizing::new(format!("{}:{password}", value.username));
        let basic = Zeroizing::new(STANDARD.encode(&*pair));
        let mut authorization = HeaderValue::try_from(format!("Basic {}", *basic)).ok()?;
        authorization.set_sensitive(true);
        Some(authorization)
    }
}

/// Host, port, and whether TLS is spoken with it.
fn place(text: &str) -> Result<(String, u16, bool), &'static str> {
    let url = text.parse::<Uri>().ok();
    let authority = url.as_ref().and_then(Uri::authority);
    if authority.is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("`url` may not name a user; write `username` and `password`");
    }
    let port = authority.and_then(|authority| authority.port_u16());
    let host = authority.map(|authority| bare(authority.host()).to_owned());
    match (url.as_ref().and_then(Uri::scheme_str), host, port) {
        (Some(scheme @ ("http" | "https")), Some(host), Some(port))
            if !host.is_empty()
                && url.as_ref().and_then(Uri::path_and_query).is_none_or(|path| path == "/") =>
        {
            Ok((host, port, scheme == "https"))
        }
        _ => Err(
            "`url` is not an `http://` or `https://` URL of a name and a port; write it as `http://proxy.example:3128`",
        ),
    }
}

fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Whether one of the entries of `no_proxy` says that `url` is reached without the proxy.
pub(super) fn is_exempt(no_proxy: &[String], url: &Uri) -> bool {
    let port = if url.scheme_str() == Some("https") { 443 } else { 80 };
    let (host, port) = (bare(url.host().unwrap_or_default()), url.port_u16().unwrap_or(port));
    no_proxy.iter().any(|entry| exempts(entry, host, port) == Some(true))
}

/// Whether `entry` of `no_proxy` says that `port` of `host` is reached without the proxy; nothing
/// where it is no entry.
fn exempts(entry: &str, host: &str, port: u16) -> Option<bool> {
    if entry == "*" {
        return Some(true);
    }
    let address = bare(host).parse::<IpAddr>().ok();
    if let Ok(own) = bare(entry).parse::<IpAddr>() {
        return Some(address == Some(own));
    }
    if let Some((network, bits)) = entry.split_once('/') {
        let (network, bits) = (network.parse::<IpAddr>().ok()?, bits.parse::<u32>().ok()?);
        return holds(network, bits, address);
    }
    let (entry, is_port) = match entry.rsplit_once(':') {
        Some((entry, own)) => (entry, own.parse::<u16>().ok()? == port),
        None => (entry, true),
    };
    if let Ok(own) = bare(entry).parse::<IpAddr>() {
        return Some(is_port && address == Some(own));
    }
    let name = entry.trim_start_matches("*.").trim_start_matches('.').to_ascii_lowercase();
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if name.is_empty() || !name.bytes().all(is_name) {
        return None;
    }
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let is_beneath =
        host.strip_suffix(&name).is_some_and(|front| front.is_empty() || front.ends_with('.'));
    Some(is_port && address.is_none() && is_beneath)
}

/// Whether `address` lies in the network; nothing where there is no such network.
fn holds(network: IpAddr, bits: u32, address: Option<IpAddr>) -> Option<bool> {
    let number = |address: IpAddr| match address {
        IpAddr::V4(four) => (u128::from(u32::from(four)) << 96, 32),
        IpAddr::V6(six) => (u128::from(six), 128),
    };
    let (first, width) = number(network);
    if bits > width {
        return None;
    }
    let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
    let inside = |address: IpAddr| {
        let (own, of) = number(address);
        of == width && own & mask == first & mask
    };
    Some(address.is_some_and(inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_addresses_and_networks_are_reached_without_the_proxy() {
        for (entry, host, port, expected) in [
            ("*", "api.example.com", 443, Some(true)),
            ("example.com", "api.example.com", 443, Some(true)),
            ("example.com", "example.com", 443, Some(true)),
            (".example.com", "API.example.com.", 443, Some(true)),
            ("*.example.com", "api.example.com", 443, Some(true)),
            ("example.com", "badexample.com", 443, Some(false)),
            ("example.com", "example.com.evil.test", 443, Some(false)),
            ("example.com:443", "example.com", 443, Some(true)),
            ("example.com:443", "example.com", 8443, Some(false)),
            ("10.1.2.3", "10.1.2.3", 443, Some(true)),
            ("10.1.2.3:80", "10.1.2.3", 443, Some(false)),
            ("10.0.0.0/8", "10.1.2.3", 443, Some(true)),
            ("10.0.0.0/8", "11.1.2.3", 443, Some(false)),
            ("0.0.0.0/0", "::1", 443, Some(false)),
            ("0.0.0.0/0", "1.2.3.4", 443, Some(true)),
            ("10.0.0.0/8", "10.example.com", 443, Some(false)),
            ("2.3", "10.1.2.3", 443, Some(false)),
            ("::1", "::1", 443, Some(true)),
            ("[::1]:443", "::1", 443, Some(true)),
            ("fd00::/8", "fd12::1", 443, Some(true)),
            ("fd00::/8", "fe00::1", 443, Some(false)),
            ("", "x", 1, None),
            (".", "x", 1, None),
            ("a b", "x", 1, None),
            ("http://x", "x", 1, None),
            ("10.0.0.0/33", "x", 1, None),
            ("example.com:port", "x", 1, None),
        ] {
            assert_eq!(exempts(entry, host, port), expected, "{entry} {host}:{port}");
        }
    }
}
