//! The gateway file's own values: addresses, names, bounds, and what is shown to callers.

use super::Reading;
use super::audit::Audit;
use super::export::Export;
use super::upstream::Upstream;
use crate::config::File;
use crate::config::gateway::{ClientAuth, Dialect, GatewayFile, IdForm, Passage, Told};
use crate::outbound::Egress;
use crate::partner::{KeyDigest, Network};
use crate::policy::Policy;
use crate::tls::{self, Files, Part, Side};

use http::HeaderName;
use rustls::ServerConfig;
use tracing_subscriber::EnvFilter;

use std::net::SocketAddr;
use std::time::Duration;

/// No longer target is understood.
const MAX_LINE: usize = 60 << 10;
/// The fewest characters of a token that nobody guesses.
const TOKEN_MIN: usize = 32;

/// What is fixed from start to stop; a change of it needs a restart.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Where callers connect.
    pub listen: SocketAddr,
    /// What is shown to callers.
    pub tls: Option<Side<ServerConfig>>,
    /// Whether callers may speak HTTP/2 in the clear.
    pub h2c: bool,
    /// How long a TLS handshake with a caller may take.
    pub handshake_timeout: Duration,
    /// Where probes and operators connect.
    pub admin: SocketAddr,
    /// The names that it answers to, beside addresses and `localhost`.
    pub admin_hosts: Vec<String>,
    /// What has to be shown there to change anything, if that is asked for.
    pub admin_token: Option<KeyDigest>,
    /// Threads that serve requests; 0 means one for each core.
    pub workers: usize,
    /// Where requests are sent to, and how.
    pub upstream: Upstream,
    /// How long a request's head may take.
    pub header_timeout: Duration,
    /// How long the next request may take to come.
    pub idle_caller_timeout: Duration,
    /// How long a request's body may take.
    pub body_timeout: Duration,
    /// How long it may come more slowly than `body_rate`.
    pub body_grace: Duration,
    /// The bytes of it that have to come each second.
    pub body_rate: usize,
    /// How long a request may take until the answer's head.
    pub request_timeout: Duration,
    /// How long connections are taken once the gateway is to stop.
    pub drain_delay: Duration,
    /// How long requests in flight may take when the gateway stops.
    pub drain: Duration,
    /// Connections from callers.
    pub max_connections: usize,
    /// Connections from one address.
    pub max_connections_per_address: usize,
    /// Bytes of bodies in memory.
    pub max_memory: usize,
    /// Requests in flight.
    pub max_in_flight: usize,
    /// The bytes of a request's first line.
    pub max_request_line: usize,
    /// The bytes of a request's header fields.
    pub max_header: usize,
    /// The number of them.
    pub max_header_fields: usize,
    /// The header that identifies a request.
    pub request_id: HeaderName,
    /// What its value has to be, so that it is kept.
    pub id_form: IdForm,
    /// The hops that are believed.
    pub trusted_hops: Vec<Network>,
    /// The fields that those write.
    pub hops_read: Dialect,
    /// The fields that the upstream is told by.
    pub hops_sent: Told,
    /// Whether the upstream is told of traces.
    pub sends_trace: bool,
    /// Whether `baggage` goes on.
    pub sends_baggage: bool,
    /// What the gateway calls itself, if it does.
    pub pseudonym: Option<String>,
    /// How often the files are looked at, if they are.
    pub watch_every: Option<Duration>,
    /// Where callers reach it, without a slash at the end.
    pub public_url: Option<String>,
    /// Where the access log goes, as it is written in the file.
    pub access_log: String,
    /// Whether it tells of the address that a request came from.
    pub logs_client: bool,
    /// What the gateway says of itself.
    pub log_level: String,
    /// Where spans go, if they go anywhere.
    pub export: Option<Export>,
    /// What is written about changes, if anything is.
    pub audit: Option<Audit>,
}

impl Reading {
    pub(super) fn gateway(
        &mut self,
        file: &File<GatewayFile>,
        policy: Option<&Policy>,
        egress: Option<&Egress>,
    ) -> Option<Gateway> {
        let value = &file.value;
        let listen = self.address(file, "/listen", &value.listen);
        let admin = self.address(file, "/admin/listen", &value.admin.listen);
        let admin_token = self.admin_token(file);
        let upstream = self.upstream(file, egress);
        let tls = self.tls(file);
        let name = HeaderName::from_bytes(value.request_id.header.as_bytes());
        let request_id = self.keep(name.map_err(|_| {
            file.error(
                "/request_id/header",
                "`header` is not a header name; write it as `Request-ID`",
            )
        }));
        let trusted = &value.forwarded.trusted;
        let trusted_hops = self.networks(file, "/forwarded/trusted", trusted);
        let pseudonym = self.pseudonym(file);
        let public_url = self.public_url(file, policy);
        let audit = self.audit(file);
        let export = self.export(file, egress);
        if EnvFilter::try_new(&value.log.level).is_err() {
            let message = "`level` is no filter; write it as `info` or `patchgate=debug,warn`";
            self.errors.push(file.error("/log/level", message));
        }
        let (timeouts, bounds) = (&value.timeouts, &value.bounds);
        Some(Gateway {
            listen: listen?,
            tls: tls?,
            h2c: value.h2c,
            handshake_timeout: timeouts.handshake.duration(),
            admin: admin?,
            admin_hosts: value.admin.hosts.clone(),
            admin_token: admin_token?,
            workers: value.workers,
            upstream: upstream?,
            header_timeout: timeouts.header.duration(),
            idle_caller_timeout: timeouts.idle.duration(),
            body_timeout: timeouts.body.duration(),
            body_grace: timeouts.body_grace.duration(),
            body_rate: bounds.body_rate.bytes(),
            request_timeout: timeouts.request.duration(),
            drain_delay: timeouts.drain_delay.duration(),
            drain: timeouts.drain.duration(),
            max_connections: bounds.connections.max(1),
            max_connections_per_address: bounds.connections_per_address.max(1),
            max_memory: bounds.memory.bytes(),
            max_in_flight: bounds.in_flight.max(1),
            max_request_line: bounds.request_line.bytes().min(MAX_LINE),
            max_header: bounds.header.bytes(),
            max_header_fields: bounds.header_fields,
            request_id: request_id?,
            id_form: value.request_id.form,
            trusted_hops,
            hops_read: value.forwarded.read,
            hops_sent: value.forwarded.send,
            sends_trace: value.trace.context == Passage::Pass,
            sends_baggage: value.trace.baggage == Passage::Pass,
            pseudonym: pseudonym?,
            watch_every: value.reload.watch.then(|| value.reload.every.duration()),
            public_url: public_url?,
            access_log: value.log.access.clone(),
            logs_client: value.log.client,
            log_level: value.log.level.clone(),
            export: export?,
            audit: audit?,
        })
    }

    /// What whoever changes something shows; the outer `None` is a fault.
    fn admin_token(&mut self, file: &File<GatewayFile>) -> Option<Option<KeyDigest>> {
        let text = file.value.admin.token.reveal();
        if text.is_empty() {
            return Some(None);
        }
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        let is_long = text.len() >= TOKEN_MIN;
        let token = (plain && is_long).then(|| Some(KeyDigest::of(text.as_bytes())));
        self.keep(token.ok_or_else(|| {
            let message = format!(
                "`token` has to be {TOKEN_MIN} random letters and digits at least; make one with `patchgate key`, and write it as `${{file:PATH}}`"
            );
            file.error("/admin/token", message)
        }))
    }

    fn address(&mut self, file: &File<GatewayFile>, key: &str, text: &str) -> Option<SocketAddr> {
        let address = text.parse().map_err(|_| {
            file.error(key, "`listen` is not an address with a port; write it as `127.0.0.1:8080`")
        });
        self.keep(address)
    }

    /// The networks in the list `written` at the key `at`.
    pub(super) fn networks(
        &mut self,
        file: &File<GatewayFile>,
        at: &str,
        written: &[String],
    ) -> Vec<Network> {
        let mut found = Vec::new();
        for (index, text) in written.iter().enumerate() {
            let read = Network::parse(text).ok_or_else(|| {
                let message = "this is no network; write it as `10.0.0.0/8`, with no bits beyond the prefix, or as one address";
                file.error(&format!("{at}/{index}"), message)
            });
            found.extend(self.keep(read));
        }
        found
    }

    /// What the gateway calls itself; the outer `None` is a fault.
    fn pseudonym(&mut self, file: &File<GatewayFile>) -> Option<Option<String>> {
        let text = &file.value.via;
        if text == "off" {
            return Some(None);
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let fits = (1..=64).contains(&text.len()) && text.bytes().all(plain);
        let name = fits.then(|| Some(text.clone())).ok_or_else(|| {
            let message = "`via` is `off`, or a name of 1 to 64 letters, digits, `.`, `_` or `-`; a name that is no host's is best";
            file.error("/via", message)
        });
        self.keep(name)
    }

    /// What is shown to callers; the outer `None` is a fault.
    fn tls(&mut self, file: &File<GatewayFile>) -> Option<Option<Side<ServerConfig>>> {
        let tls = &file.value.tls;
        let is_client_asked = tls.client_auth != ClientAuth::None;
        let missing = |key: &str, other: &str| {
            file.error(
                &format!("/tls/{key}"),
                format!("`{key}` is missing, and `{other}` is there"),
            )
        };
        let faults = [
            (tls.certificate.is_empty() && !tls.key.is_empty(), missing("certificate", "key")),
            (tls.key.is_empty() && !tls.certificate.is_empty(), missing("key", "certificate")),
            (tls.client_ca.is_empty() && is_client_asked, missing("client_ca", "client_auth")),
            (!tls.client_ca.is_empty() && !is_client_asked, missing("client_auth", "client_ca")),
            (is_client_asked && tls.key.is_empty(), missing("key", "client_auth")),
        ];
        let faults = faults.into_iter().filter(|(is_there, _)| *is_there);
        let faults: Vec<_> = faults.map(|(_, fault)| fault).collect();
        if !faults.is_empty() {
            self.errors.extend(faults);
            return None;
        }
        if tls.certificate.is_empty() {
            return Some(None);
        }
        let (certificate, key) = (file.beside(&tls.certificate), file.beside(&tls.key));
        let client_ca = is_client_asked.then(|| file.beside(&tls.client_ca));
        // Not in the digest: they are replaced for reasons of their own.
        self.files.extend([certificate.clone(), key.clone()].into_iter().chain(client_ca.clone()));
        self.guard(file, "/tls/key", &key);
        let made = tls::server(Files {
            certificate: &certificate,
            key: &key,
            client_ca: client_ca.as_deref(),
            is_client_required: tls.client_auth == ClientAuth::Required,
        });
        let made = made.map_err(|fault| {
            let name = match fault.part {
                Part::Authorities => "client_ca",
                Part::Certificate => "certificate",
                Part::Key => "key",
            };
            file.error(&format!("/tls/{name}"), format!("`{name}` {fault}"))
        });
        self.keep(made).map(Some)
    }
}
