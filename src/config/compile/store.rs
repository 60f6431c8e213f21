//! The store in which several gateways count together.

use super::Reading;
use crate::config::File;
use crate::config::gateway::{self as file, GatewayFile};
use crate::limits::{Address, Server, Settings};
use crate::tls::{self, Client};

use http::Uri;
use http::uri::Authority;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use zeroize::Zeroizing;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// Where sentinels listen, unless they are said to be elsewhere.
const SENTINEL_PORT: u16 = 26379;
/// The longest time that a decision may wait.
const TIMEOUT_MAX: Duration = Duration::from_secs(1);

impl Reading {
    /// The store that `file` names, if it does and there is nothing wrong with it.
    pub(super) fn store(&mut self, file: &File<GatewayFile>) -> Option<Settings> {
        let value = &file.value.limits.store;
        let fault = |key: &str, message: &str| file.error(&format!("/limits/store/{key}"), message);
        if value.url.is_empty() {
            self.store_left_out(file);
            return None;
        }
        let before = self.errors.len();
        let place = self.keep(place(&value.url).map_err(|message| fault("url", message)));
        let is_tls = place.as_ref().is_none_or(|place| place.is_tls);
        if !is_tls && !value.ca_file.is_empty() {
            self.errors
                .push(fault("ca_file", "`ca_file` is for TLS, and `url` is not `rediss://`"));
        }
        let config = if is_tls { self.store_tls(file) } else { None };
        let password = value.password.reveal();
        if !value.username.is_empty() && password.is_empty() {
            self.errors.push(fault("username", "`password` is missing, and `username` is there"));
        }
        if !password.is_empty() && !file.is_referred("/limits/store/password") {
            let message =
                "`password` stands in the open; keep it in a file, and write `${file:PATH}`";
            self.warnings.push(fault("password", message));
        }
        let timeout = value.timeout.duration();
        if timeout > TIMEOUT_MAX {
            self.errors.push(fault("timeout", "every request waits so long; `1s` is the most"));
        }
        if self.errors.len() > before {
            return None;
        }
        let Place { host, port, database, is_tls } = place?;
        let at = Address { host, port };
        let mut sentinels = Vec::new();
        for (index, text) in value.sentinels.iter().enumerate() {
            let address = address(text, SENTINEL_PORT).ok_or_else(|| {
                fault(&format!("sentinels/{index}"), "a sentinel is `HOST:PORT`, or a host")
            });
            sentinels.push(self.keep(address)?);
        }
        // Sentinels tell addresses; what `url` names is then no host.
        if is_tls && sentinels.is_empty() && ServerName::try_from(&*at.host).is_err() {
            self.errors.push(fault("url", "the host of `url` is no name for TLS"));
            return None;
        }
        let tls = if is_tls { Some(config?) } else { None };
        let (username, password) = (value.username.clone(), Zeroizing::new(password.to_owned()));
        Some(Settings {
            server: Server { at, sentinels, tls, username, password, database },
            prefix: value.prefix.clone(),
            timeout,
            replicas: NonZeroU32::new(value.replicas).unwrap_or(NonZeroU32::MIN),
        })
    }

    /// Tells of everything that has no meaning without a store.
    fn store_left_out(&mut self, file: &File<GatewayFile>) {
        let value = &file.value.limits.store;
        for (key, is_there) in [
            ("username", !value.username.is_empty()),
            ("password", !value.password.is_empty()),
            ("ca_file", !value.ca_file.is_empty()),
            ("sentinels", !value.sentinels.is_empty()),
            ("away", value.away != file::Away::default()),
            ("replicas", value.replicas != 1),
        ] {
            let message = format!("`{key}` is there, and `url` is missing");
            let at = format!("/limits/store/{key}");
            self.errors.extend(is_there.then(|| file.error(&at, message)));
        }
    }

    fn store_tls(&mut self, file: &File<GatewayFile>) -> Option<Arc<ClientConfig>> {
        let text = &file.value.limits.store.ca_file;
        let authorities = (!text.is_empty()).then(|| file.beside(text));
        self.files.extend(authorities.clone());
        let made = tls::client(Client { authorities: authorities.as_deref(), ..Client::default() });
        let made = self.keep(made.map_err(|error| {
            let at = if authorities.is_some() { "ca_file" } else { "url" };
            file.error(&format!("/limits/store/{at}"), format!("`ca_file` {error}"))
        }))?;
        let mut config = ClientConfig::clone(&made.config);
        // It is not HTTP that is spoken.
        config.alpn_protocols.clear();
        Some(Arc::new(config))
    }
}

/// Where a store is.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    host: String,
    port: u16,
    database: i64,
    is_tls: bool,
}

fn place(text: &str) -> Result<Place, &'static str> {
    let wrong = "`url` is not `redis://HOST:PORT`, with or without a number of the database; `rediss://` is for TLS";
    let url = text.parse::<Uri>().map_err(|_| wrong)?;
    let authority = url.authority().ok_or(wrong)?;
    if authority.as_str().contains('@') {
        return Err("`url` may not name a user; write `username` and `password`");
    }
    let is_tls = match url.scheme_str() {
        Some("redis") => false,
        Some("rediss") => true,
        _ => return Err(wrong),
    };
    let Address { host, port } = address(authority.as_str(), 6379).ok_or(wrong)?;
    let database = match url.path().trim_start_matches('/') {
        "" => 0,
        number => number.parse::<u16>().map_err(|_| wrong)?.into(),
    };
    if url.query().is_some() {
        return Err(wrong);
    }
    Ok(Place { host, port, database, is_tls })
}

/// The host, with the port if it names one.
fn address(text: &str, usual: u16) -> Option<Address> {
    let authority = text.parse::<Authority>().ok().filter(|_| !text.contains('@'))?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = match authority.as_str().rsplit_once(':') {
        Some((_, port)) if !port.ends_with(']') => port.parse().ok()?,
        _ => usual,
    };
    (!host.is_empty()).then_some(Address { host, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_scheme_a_host_and_no_user() {
        let found = |host: &str, port, database, is_tls| {
            Ok(Place { host: host.to_owned(), port, database, is_tls })
        };
        assert_eq!(place("redis://store"), found("store", 6379, 0, false));
        assert_eq!(place("rediss://store.example:6380/2"), found("store.example", 6380, 2, true));
        assert_eq!(place("redis://[::1]"), found("::1", 6379, 0, false));
        assert_eq!(place("redis://[::1]:7/"), found("::1", 7, 0, false));
        for wrong in [
            "store",
            "store:6379",
            "http://store",
            "redis://",
            "redis://u:p@store",
            "redis://s/a",
            "redis://s:x",
            "redis://s/1?a=b",
            "redis://s/-1",
            "unix:///run/redis.sock",
        ] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_address_is_a_host_with_or_without_a_port() {
        let found = |host: &str, port| Some(Address { host: host.to_owned(), port });
        assert_eq!(address("s.example", SENTINEL_PORT), found("s.example", 26379));
        assert_eq!(address("[::1]:7", SENTINEL_PORT), found("::1", 7));
        for wrong in ["", ":1", "a:b", "u@h", "a/b", "a:1:2", "redis://a"] {
            assert_eq!(address(wrong, 1), None, "{wrong}");
        }
    }
}
