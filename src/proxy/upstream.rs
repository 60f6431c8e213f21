//! The only door out: a permitted request goes to the API, and its answer comes back as it is.
//!
//! A request is sent again only when not a byte of it was written, or the upstream itself says that it
//! did nothing about it. Whatever else goes wrong is told to the caller, with what is known of the
//! outcome.

mod answer;
mod ask;
mod circuit;
mod exchange;
mod fault;
mod fetch;
mod lease;
mod links;
mod memory;
mod message;
mod one;
mod pool;
mod receive;
mod shared;
mod throttle;
mod two;

pub use answer::Streamed;
pub use ask::Ask;
pub use circuit::Circuit;
pub use fault::Fault;
pub use fetch::{Fetched, Representation};
pub use links::Led;
pub use memory::Remembered;
pub use shared::Since;

use super::answer::Answer;
use super::body::Content;
use super::budget::Budget;
use super::fields::{FieldValue, Fields};
use super::headers::Via;
use super::rejection::Rejection;
use super::request::{Permitted, Routed};
use super::span::{OpenSpan, Stage};
use super::target::Target;
use super::trail::{Sent, Trail};
use crate::outbound::{Connector, Dial, Egress, Tcp, Way};
use crate::policy::links::Addresses;
use crate::policy::{EntityTag, NormalPath};
use crate::proxy::{self, Shared};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{Asked, Histogram, Recent};
use crate::tls::Credentials;

use ask::Asks;
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, StatusCode, Uri, Version};
use memory::{Forgetting, Memory};
use message::{Message, Progress};
use pool::Pool;
use rustls::ClientConfig;
use shared::UnderWay;
use tokio::time::Instant;

use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// The API behind the gateway, and how it is reached. Counts are for each worker.
#[derive(Clone)]
pub struct Settings {
    /// Scheme, authority and base path, as `https://api.partner.microsoft.com`.
    pub base: Uri,
    /// Whom to trust and what to show; needed where the scheme is `https`.
    pub tls: Option<Credentials<ClientConfig>>,
    /// The name that the upstream has to prove, if not that of `base`.
    pub server_name: Option<String>,
    /// The company's proxy that every connection goes through.
    pub egress: Option<Egress>,
    /// What we are called in `Via`, as `patchgate`, if we name ourselves.
    pub pseudonym: Option<String>,
    /// The longest time to open a connection, before TLS.
    pub connect_time: Duration,
    /// The longest time to agree upon TLS.
    pub handshake_time: Duration,
    /// The longest time from a request to the head of its answer.
    pub head_time: Duration,
    /// The longest silence within the body of an answer.
    pub silence_time: Duration,
    /// The longest time from a request to the end of its answer's body.
    pub total_time: Duration,
    /// The longest time to read the current state, and the most bytes it may have.
    pub fetch_time: Duration,
    /// See `fetch_time`.
    pub fetch_max: usize,
    /// How long after the loss of its answer a change may still be applied, if that is known.
    pub settled_after: Option<Duration>,
    /// Where callers reach the gateway, without a slash at the end, for links in answers.
    pub public: Option<String>,
    /// Whether it is asked at all. The workers share it.
    pub circuit: Circuit,
    /// What is remembered of current states.
    pub remember: Remember,
    /// The most connections at once.
    pub connections: usize,
    /// The most connections that are kept while they are idle.
    pub idle: usize,
    /// How long an idle connection is kept; less than the upstream keeps it.
    pub idle_time: Duration,
    /// How long a connection is used at all, so that a change of address is noticed.
    pub age: Duration,
}

/// What is remembered of current states, so that a caller who names the version that was seen is
/// judged without another read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remember {
    /// The most of them; 0 remembers none.
    pub entries: usize,
    /// The most bytes of all together.
    pub bytes: usize,
    /// How long each is remembered.
    pub time: Duration,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("base", &self.base).finish_non_exhaustive()
    }
}

/// The door, with the connections of one worker.
#[derive(Clone, Debug)]
pub struct Upstream(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    request_id: HeaderName,
    /// The normal form of the base path; nothing where there is none.
    base_path: String,
    host: HeaderValue,
    via: Option<Via>,
    /// Where links lead, and where they are to lead; nothing where nobody knows.
    addresses: Option<Arc<Addresses>>,
    pool: Pool,
    budget: Budget,
    metrics: Arc<Metrics>,
    /// How long it took, for what was asked last.
    recent: Recent<Asked, Histogram>,
    asks: Asks,
    under_way: UnderWay,
    memory: Memory,
}

impl Upstream {
    /// The upstream of one worker.
    ///
    /// # Errors
    ///
    /// When the settings name no API that can be reached.
    pub fn new(settings: &proxy::Settings, shared: &Shared) -> io::Result<Self> {
        let (upstream, request_id) = (settings.upstream.clone(), settings.request_id.clone());
        Self::over(Tcp, upstream, request_id, shared)
    }

    /// The same over another network than that of this machine; `request_id` is the field that carries
    /// the id.
    ///
    /// # Errors
    ///
    /// When the settings name no API that can be reached.
    pub fn over(
        network: impl Dial + 'static,
        settings: Settings,
        request_id: HeaderName,
        shared: &Shared,
    ) -> io::Result<Self> {
        let (budget, metrics) = (shared.budget.clone(), Arc::clone(&shared.telemetry.metrics));
        let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why.to_owned());
        let authority = settings
            .base
            .authority()
            .filter(|authority| !authority.as_str().contains('@') && !authority.host().is_empty());
        let authority = authority.ok_or_else(|| invalid("the upstream URL names no host"))?;
        if settings.base.query().is_some() {
            return Err(invalid("the upstream URL has a query"));
        }
        let host = HeaderValue::from_str(authority.as_str());
        let host = host.map_err(|_| invalid("the upstream URL names no host"))?;
        let via = match &settings.pseudonym {
            Some(own) => {
                Some(Via::new(own).ok_or_else(|| invalid("the name in `Via` is not a token"))?)
            }
            None => None,
        };
        let base_path = match settings.base.path() {
            "/" | "" => String::new(),
            path => {
                let path = NormalPath::of(path);
                let path =
                    path.ok_or_else(|| invalid("the path of the upstream URL has no normal form"))?;
                path.as_str().to_owned()
            }
        };
        let own = settings.public.as_deref();
        let addresses = own.map(|own| Arc::new(links::addresses(&settings.base, &base_path, own)));
        let way = Way {
            url: settings.base.clone(),
            tls: settings.tls.clone(),
            server_name: settings.server_name.clone(),
            egress: settings.egress.clone(),
            connect_time: settings.connect_time,
            handshake_time: settings.handshake_time,
        };
        let connector = Connector::new(way, Box::new(network)).map_err(invalid)?;
        let pool = Pool::new(&settings, connector, metrics.upstream_connections.clone());
        let memory = Memory::new(settings.remember);
        let inner = Inner {
            settings,
            request_id,
            base_path,
            host,
            via,
            addresses,
            pool,
            budget,
            metrics,
            recent: Recent::default(),
            asks: Asks::new()?,
            under_way: UnderWay::default(),
            memory,
        };
        Ok(Self(Rc::new(inner)))
    }

    /// Closes connections that were idle for too long and drops what is remembered no longer, for
    /// as long as the upstream is in use.
    pub fn tend(&self) -> impl Future<Output = ()> + 'static {
        let inner = Rc::downgrade(&self.0);
        let pause = self.0.settings.idle_time / 4;
        let pause = pause.clamp(Duration::from_millis(10), Duration::from_secs(5));
        async move {
            loop {
                tokio::time::sleep(pause).await;
                let Some(inner) = inner.upgrade() else { return };
                inner.pool.evict();
                inner.memory.expire();
            }
        }
    }

    /// What `target` is upstream: two parts, each in normal form, one after the other.
    fn target(&self, target: Target) -> Target {
        match &*self.0.base_path {
            "" => target,
            base => Target::of(&format!("{base}{}", target.as_str())),
        }
    }

    /// Adds what every request upstream carries.
    fn sign(&self, fields: &mut Fields, trail: &Trail, span: &OpenSpan<'_>) {
        fields.add(&header::HOST, &self.0.host);
        fields.add(&self.0.request_id, &trail.id);
        let origin = trail.origin.get();
        if let Some(via) = &self.0.via {
            let version = origin.map_or(Version::HTTP_11, |origin| origin.version);
            fields.add(&header::VIA, via.received(version));
        }
        if let Some(origin) = origin {
            origin.sign(fields, span.id());
        }
    }

    /// Sends what is permitted, and waits for the head of its answer.
    ///
    /// # Errors
    ///
    /// When there is none, or the request cannot be sent.
    pub fn send<'u>(
        &'u self,
        permitted: Permitted,
    ) -> impl Future<Output = Result<Answer<Content>, Rejection>> + use<'u> {
        let Permitted { mut routed, permit } = permitted;
        let (body, pin) = permit.into_parts();
        let mut message = Message {
            method: routed.method.clone(),
            target: self.target(routed.target.clone()),
            fields: std::mem::take(&mut routed.head.fields),
            body,
            began: routed.trail.began,
            until: routed.trail.until.get().copied(),
            alarm: routed.trail.alarm(),
        };
        async move {
            let turn = throttle::turn(&routed).await?;
            let lent = routed.lent()?;
            let Routed { partner, route, snapshot, trail, .. } = &routed;
            // To HTTP/1.0 a body without a length could break off and look whole.
            let chunks = trail.origin.get().is_none_or(|origin| origin.version != Version::HTTP_10);
            let leads = chunks && !route.links.is_empty();
            let addresses = self.0.addresses.as_ref().filter(|_| leads);
            trail.attempts.set(trail.attempts.get() + 1);
            message.began = Instant::now();
            let span = trail.begin_span(Stage::Upstream, || message.began);
            self.address(&mut message, &routed, lent.as_ref(), pin.as_ref(), &span)?;
            if addresses.is_some() {
                links::ask_for_all(&mut message.fields);
            }
            let (upstream, target) = (&*self.0, &routed.target);
            let changes = !message.method.is_safe();
            let _forgetting = changes.then(|| Forgetting { upstream, target, trail });
            let told = |progress| match progress {
                Progress::Interim(answer) => self.pass(answer, trail),
                Progress::Sent(sent) => trail.sent.set(sent),
            };
            let result = self.exchange(&mut message, &told).await;
            match &result {
                Ok(answer) => {
                    span.answered(answer.status);
                    span.over(answer.body.answered());
                }
                Err(fault) => span.failed(fault.slug()),
            }
            drop(span);
            let answer = result.map_err(Rejection::UpstreamFailed)?;
            self.heed(&snapshot.limits, &partner.account, &answer);
            drop(turn);
            let status = answer.status;
            partner.doubt(status, lent.as_ref());
            if status == StatusCode::SWITCHING_PROTOCOLS {
                // Nobody asked for it, and what follows is no HTTP.
                return Err(Rejection::UpstreamFailed(Fault::Broken));
            }
            trail.sent.set(Sent::Answered(status));
            trail.upstream_status.set(Some(status));
            let answer = self.receive(answer, trail);
            Ok(match addresses {
                Some(addresses) => {
                    links::lead(answer, &message.method, route, addresses).map(Content::from)
                }
                None => answer.map(Content::from),
            })
        }
    }

    /// Gives `message`, which has the fields of `routed`, those that the upstream is to see.
    fn address(
        &self,
        message: &mut Message,
        routed: &Routed<()>,
        lent: Option<&HeaderValue>,
        pin: Option<&EntityTag>,
        span: &OpenSpan<'_>,
    ) -> Result<(), Rejection> {
        let fields = &mut message.fields;
        fields.pass_on(&routed.snapshot.partners.identity, &self.0.request_id);
        if let Some(shown) = lent {
            fields.remove(&header::COOKIE);
            fields.set(&header::AUTHORIZATION, shown);
        }
        self.sign(fields, &routed.trail, span);
        if let Some(pin) = pin {
            let unusable = Fault::Unusable("the entity tag of the current state cannot be sent");
            let value = FieldValue::of(pin.as_str());
            let value = value.ok_or(Rejection::CurrentUnavailable(unusable))?;
            fields.set(&header::IF_MATCH, value);
            routed.trail.pinned.set(true);
        }
        let has_body = matches!(message.method, Method::PATCH | Method::POST | Method::PUT);
        if has_body || !message.body.is_empty() {
            fields.add_number(&header::CONTENT_LENGTH, message.body.len() as u64);
        }
        Ok(())
    }
}
