//! A store that several gateways share: what is spent there is spent for all of them.
//!
//! It is asked once for each decision, about all quotas that hold. Where it does not answer in time it
//! is away, and nobody asks it until it is back.

mod link;
mod script;
mod sentinel;

pub(super) use script::{Answer, Ask, Claim};

use link::{Link, Up};

use redis::{ErrorKind, RedisError, ServerErrorKind, Value};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::time::timeout;
use zeroize::Zeroizing;

use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// What becomes of requests while the store is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Away {
    /// They are refused.
    Closed,
    /// Each gateway lets through its share.
    #[default]
    Local,
    /// They are let through.
    Open,
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// A name, or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Address {
    /// What it has to prove to be in TLS.
    fn name(&self) -> Result<ServerName<'static>, String> {
        let name = ServerName::try_from(self.host.clone());
        name.map_err(|_| format!("`{}` is no name for TLS", self.host))
    }
}

/// Where the store is.
#[derive(Clone)]
pub struct Server {
    /// Where it is; where there are sentinels, the host is the name that they know it by.
    pub at: Address,
    /// Who knows where it is at the moment.
    pub sentinels: Vec<Address>,
    /// Whom to trust, if TLS is spoken with it and with the sentinels.
    pub tls: Option<Arc<ClientConfig>>,
    /// Who we are; the default user, if this is empty.
    pub username: String,
    /// The password, if there is one.
    pub password: Zeroizing<String>,
    /// The number of the database.
    pub database: i64,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at: Address { host, port }, tls, database, .. } = self;
        write!(f, "Server({host}:{port}/{database}, tls: {})", tls.is_some())
    }
}

/// The store, and how it is used.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it is.
    pub server: Server,
    /// What its keys begin with.
    pub prefix: String,
    /// How long a decision waits for it.
    pub timeout: Duration,
    /// How many gateways there are, so that each knows its share while the store is away.
    pub replicas: NonZeroU32,
}

impl Settings {
    /// The key of `what`. All of them have one hash tag, as one decision may be about any of them.
    fn key(&self, what: &str) -> String {
        format!("{{{}}}:{what}", self.prefix)
    }
}

/// A store that several gateways share.
#[derive(Debug)]
pub(super) struct Store {
    settings: Arc<Settings>,
    link: OnceLock<Option<Link>>,
}

impl Store {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings), link: OnceLock::new() }
    }

    /// Connects, unless it has; waits a moment for what comes of it. Until then it is away.
    pub(super) fn open(&self) {
        self.link.get_or_init(|| {
            let opened = Link::open(Arc::clone(&self.settings));
            opened.map_err(|error| tracing::error!(%error, "the store has no thread")).ok()
        });
    }

    pub(super) fn replicas(&self) -> NonZeroU32 {
        self.settings.replicas
    }

    /// How long a decision waits for it.
    pub(super) fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    /// The key of a list of an account.
    pub(super) fn key(&self, account: &str, list: &str) -> String {
        self.settings.key(&format!("{account}:{list}"))
    }

    fn link(&self) -> Option<&Link> {
        self.link.get().and_then(Option::as_ref)
    }

    pub(super) fn is_away(&self) -> bool {
        !self.link().is_some_and(Link::is_up)
    }

    /// What it says to `ask`; nothing, where it is away.
    pub(super) async fn ask(&self, ask: &Ask) -> Option<Vec<Answer>> {
        let link = self.link()?;
        let up = link.up()?;
        let why = match timeout(self.settings.timeout, run(&up, ask)).await {
            Err(_) => "it did not answer in time".to_owned(),
            Ok(Err(error)) => format!("it failed: {error}"),
            Ok(Ok(value)) => match ask.answers(value) {
                Some(answers) => return Some(answers),
                None => "its answer is none".to_owned(),
            },
        };
        link.lose(&up, why);
        None
    }
}

async fn run(up: &Up, ask: &Ask) -> Result<Value, RedisError> {
    let mut connection = up.connection.clone();
    let answered = connection.send_packed_command(&ask.command("EVALSHA", &up.script)).await;
    match answered.and_then(Value::extract_error) {
        // It has forgotten the script, as after a restart behind a load balancer.
        Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
            let answered = connection.send_packed_command(&ask.command("EVAL", script::TEXT)).await;
            answered.and_then(Value::extract_error)
        }
        answered => answered,
    }
}

/// `id` as a part of a key: no two are the same, and none ends its part.
pub(super) fn encoded(id: &str) -> String {
    let mut text = String::with_capacity(id.len());
    for byte in id.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => text.push(byte.into()),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_id_of_a_partner_reaches_beyond_its_part_of_the_key() {
        let ids = ["a", "A", "a:b", "a%3Ab", "{a}", "a}b", "a b", "a\r\nb", "é", "", "total", "*"];
        let keys: Vec<_> = ids.iter().map(|id| encoded(id)).collect();
        for (at, key) in keys.iter().enumerate() {
            assert!(!key.contains([':', '{', '}', '*', ' ', '\n']), "{key}");
            assert_eq!(keys.iter().position(|other| other == key), Some(at), "{key}");
        }
    }

    #[test]
    fn a_password_is_shown_to_nobody() {
        let server = Server {
            at: Address { host: "store.example".into(), port: 6379 },
            sentinels: Vec::new(),
            tls: None,
            username: "gate".into(),
            password: Zeroizing::new("hunter2".into()),
            database: 0,
        };
        assert!(!format!("{server:?}").contains("hunter2"));
    }
}
