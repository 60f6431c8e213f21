//! A gateway before a given upstream, with a policy made by hand.

use super::{Caller, Reply, Upstream};

use patchgate::admin;
use patchgate::credential::Credential;
use patchgate::json;
use patchgate::limits::{Account, Clock, Limits, Quota, Quotas, Wanted};
use patchgate::live::Live;
use patchgate::partner::{IdentitySource, Partner, Partners, Unverified};
use patchgate::patch::{OpName, Pointer, UnknownMembers};
use patchgate::policy::graph::{Draft, Edge, Graph, Step, Takers};
use patchgate::policy::pattern::Pattern;
use patchgate::policy::route::{BodyForm, Param};
use patchgate::policy::rule::{Operations, Precondition, Transition};
use patchgate::policy::schema::Schema;
use patchgate::policy::{
    Audience, ErrorForm, LostAnswer, Policy, Resource, Route, Routes, Rule, StateSource,
};
use patchgate::proxy::budget::Pace;
use patchgate::proxy::forwarded::{self, Dialect};
use patchgate::proxy::request::IdForm;
use patchgate::proxy::{self, origin, upstream};
use patchgate::server::Bounds;
use patchgate::server::{self, Running, Settings};
use patchgate::snapshot::{Hosts, Snapshot};
use patchgate::telemetry::metrics::Form;
use patchgate::telemetry::{AccessLog, Destination, Metrics, Telemetry};

use http::HeaderName;

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// One referral.
pub const PATH: &str = "/v1.0/engagements/referrals/1";

const TEMPLATE: &str = "/v1.0/engagements/referrals/{id}";

/// What a test may change before the gateway starts.
pub struct Setup {
    pub settings: Settings,
    pub partners: Partners,
    /// The hosts that callers may ask for, if not any.
    pub hosts: Option<Hosts>,
    /// What holds for all partners.
    pub limits: Wanted,
    pub clock: Clock,
    pub errors: ErrorForm,
    pub gzip: bool,
    pub max_body: usize,
    pub state: StateSource,
    pub lost_answer: LostAnswer,
    /// The places with links that are led to the gateway.
    pub links: Vec<&'static str>,
    /// Where documents carry their tag, if they do.
    pub tag: Option<&'static str>,
    pub observe: bool,
    /// Whether a patch needs `If-Match`.
    pub conditional: bool,
    pub params: Vec<(String, Param)>,
    /// Whom every route is open to.
    pub audience: Audience,
}

/// A gateway; dropped, it stops.
pub struct Gateway {
    running: Option<Running>,
    pub live: Live,
    pub address: SocketAddr,
    pub metrics: Arc<Metrics>,
    log: tempfile::NamedTempFile,
}

impl Gateway {
    pub fn before(upstream: &Upstream) -> Self {
        Self::with(upstream, |_| {})
    }

    pub fn with(upstream: &Upstream, change: impl FnOnce(&mut Setup)) -> Self {
        Self::try_with(upstream, change).unwrap()
    }

    pub fn try_with(upstream: &Upstream, change: impl FnOnce(&mut Setup)) -> io::Result<Self> {
        let base = format!("http://{}", upstream.address);
        let mut setup = Setup {
            settings: settings(&base),
            partners: Partners {
                unknown: Some(partner("everybody", 10_000)),
                ..Partners::default()
            },
            hosts: None,
            limits: Wanted { prefix: "gate".to_owned(), ..Wanted::default() },
            clock: Clock::default(),
            errors: ErrorForm::Problem,
            gzip: false,
            max_body: 4096,
            state: StateSource::Fetch { advisory: false },
            lost_answer: LostAnswer::Report,
            links: Vec::new(),
            tag: None,
            observe: false,
            conditional: false,
            params: Vec::new(),
            audience: Audience::default(),
        };
        change(&mut setup);
        let live = Live::new(snapshot(&setup));
        let Setup { settings, .. } = setup;
        let log = tempfile::NamedTempFile::new().unwrap();
        let access_log = AccessLog::open(&Destination::File(log.path().to_owned())).unwrap();
        let telemetry = Telemetry::new(access_log);
        let running = server::start(settings, live.clone(), telemetry.clone())?;
        let address = running.local_addr();
        let metrics = telemetry.metrics;
        Ok(Self { running: Some(running), live, address, metrics, log })
    }

    /// The listener of its operator, where a reload comes to what `reload` says.
    pub fn operator(&self, reload: admin::Reload) -> admin::Running {
        let access_log = AccessLog::open(&Destination::Off).unwrap();
        let gateway = admin::Gateway {
            live: self.live.clone(),
            draining: self.running().draining(),
            gauges: self.running().gauges(),
            telemetry: Telemetry {
                access_log,
                metrics: Arc::clone(&self.metrics),
                refusals: Arc::default(),
                latency: Arc::default(),
            },
            events: None,
            audit: None,
            exporter: None,
            to_callers: None,
            to_upstream: None,
            leave: self.running().leave(),
            reload,
            pictures: ("", Arc::new(|_| Vec::new())),
            explain: Arc::new(|_| Err("nobody is asked here".to_owned())),
        };
        let listen = SocketAddr::from(([127, 0, 0, 1], 0)).into();
        let settings = admin::Settings { listen, hosts: vec!["admin".to_owned()], token: None };
        admin::start(settings, gateway).unwrap()
    }

    /// What the metrics say of `series`, as it is written there; 0 where they do not know it.
    pub fn number(&self, series: &str) -> f64 {
        let text = self.metrics.text(Form::OpenMetrics);
        let lines = text.lines().filter_map(|line| line.rsplit_once(' '));
        let found = lines.filter(|(name, _)| *name == series);
        found.map(|(_, number)| number.parse::<f64>().unwrap()).sum()
    }

    pub fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    pub fn caller(&self) -> Caller {
        Caller::to(self.address)
    }

    /// One request on a connection of its own.
    pub fn ask(&self, bytes: impl AsRef<[u8]>) -> Reply {
        self.caller().ask(bytes)
    }

    pub fn shutdown(&mut self) {
        self.running.take().unwrap().shutdown();
    }

    /// Stops it; what it has logged.
    pub fn log(mut self) -> Vec<serde_json::Value> {
        self.shutdown();
        self.log_text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What has been logged so far.
    pub fn log_text(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap()
    }
}

/// What a gateway believes of where requests come from, and tells of it, unless it is told more.
pub fn origin() -> origin::Settings {
    origin::Settings {
        forwarded: forwarded::Settings {
            trusted: Vec::new(),
            read: Dialect::XForwarded,
            send: None,
        },
        sends_trace: true,
        sends_baggage: false,
        sampling: None,
    }
}

fn settings(base: &str) -> Settings {
    let long = Duration::from_secs(8);
    Settings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)).into(),
        workers: 1,
        connections: 100,
        connections_per_address: 100,
        head: Bounds { line: 8 << 10, header: 32 << 10, fields: 100 },
        head_time: long,
        idle_time: long,
        handshake_time: long,
        tls: None,
        h2c: false,
        stall_time: long,
        drain_time: long,
        proxy: proxy::Settings {
            request_id: HeaderName::from_static("request-id"),
            id_form: IdForm::Token,
            origin: origin(),
            recorder: None,
            tracer: None,
            shadow: None,
            logs_client: true,
            in_flight: 100,
            deadline: long,
            pace: Pace { time: long, grace: long, rate: 1024 },
            memory: 128 << 20,
            upstream: upstream::Settings {
                base: base.parse().unwrap(),
                tls: None,
                server_name: None,
                egress: None,
                pseudonym: Some("patchgate".to_owned()),
                connect_time: long,
                handshake_time: long,
                head_time: long,
                silence_time: long,
                total_time: Duration::from_secs(60),
                fetch_time: long,
                fetch_max: 4 << 20,
                public: None,
                circuit: upstream::Circuit::default(),
                settled_after: None,
                remember: upstream::Remember { entries: 10, bytes: 1 << 20, time: long },
                connections: 100,
                idle: 10,
                idle_time: long,
                age: Duration::from_secs(60),
            },
        },
    }
}

/// The header `name`, whoever sends it.
pub fn by_header(name: &'static str) -> IdentitySource {
    let name = HeaderName::from_static(name);
    IdentitySource::Unverified(Unverified::Header { name, from: Vec::new() })
}

/// So many in so many seconds, and all of them at once.
pub fn quota(most: u32, seconds: u64) -> Quota {
    let most = NonZeroU32::new(most).unwrap();
    Quota { most, per: Duration::from_secs(seconds), burst: most }
}

/// A partner that may send so many requests a minute.
pub fn partner(id: &str, requests: u32) -> Arc<Partner> {
    partner_with(id, Quotas { requests: vec![quota(requests, 60)], ..Quotas::default() })
}

/// A partner that is lent the bearer token `token`.
pub fn borrower(id: &str, token: &str) -> Arc<Partner> {
    let credential = Credential::bearer("lent", token).map(Arc::new);
    assert!(credential.is_some());
    let Partner { id, roles, tier, account, .. } = Arc::into_inner(partner(id, 1000)).unwrap();
    Arc::new(Partner { id, roles, tier, account, credential })
}

/// A partner with these limits.
pub fn partner_with(id: &str, quotas: Quotas) -> Arc<Partner> {
    Arc::new(Partner {
        id: id.into(),
        // A role for each, called like it.
        roles: vec![id.to_owned()],
        tier: "standard".into(),
        account: Arc::new(Account::new("gate", quotas)),
        credential: None,
    })
}

impl Setup {
    /// Lets in only `known`, told apart by `source`.
    pub fn only(&mut self, source: IdentitySource, known: &[Arc<Partner>]) {
        self.partners.identity = vec![source];
        self.partners.called =
            known.iter().map(|partner| (partner.id.clone(), Arc::clone(partner))).collect();
        self.partners.unknown = None;
    }

    pub fn upstream(&mut self) -> &mut upstream::Settings {
        &mut self.settings.proxy.upstream
    }
}

fn snapshot(setup: &Setup) -> Snapshot {
    let ops = vec![OpName::Add, OpName::Replace, OpName::Test];
    let operations = Rule::Operations(Operations { allowed: ops, empty: false });
    let mut patch = route(setup, "referral-patch", "PATCH", BodyForm::JsonPatch);
    // As in every policy that is read from a file.
    let precondition = Rule::Precondition(Precondition { required: setup.conditional });
    patch.rules = vec![precondition, operations, judged_from_current()];
    let mut get = route(setup, "referral-get", "GET", BodyForm::Nothing);
    get.query = true;
    let post = route(setup, "referral-post", "POST", BodyForm::Document);
    let routes = Routes::new([patch, get, post].map(Arc::new).into()).unwrap();
    Snapshot {
        policy: Policy { name: "test".to_owned(), routes, errors: setup.errors },
        shadow: None,
        partners: Partners {
            identity: setup.partners.identity.clone(),
            keys: setup.partners.keys.clone(),
            certificates: setup.partners.certificates.clone(),
            tokens: setup.partners.tokens.clone(),
            called: setup.partners.called.clone(),
            unknown: setup.partners.unknown.clone(),
        },
        credentials: Default::default(),
        hosts: setup.hosts.clone(),
        limits: Limits::carry_over(&Limits::by(setup.clock.clone()), setup.limits.clone()),
        digest: "0123456789abcdef".to_owned(),
        effective: "{}".into(),
    }
}

/// A rule that needs the current state for a patch of `/status`, and for no other.
fn judged_from_current() -> Rule {
    Rule::Transition(Transition { graph: graph(), edits: Vec::new() })
}

/// Every step is allowed, but only those with the role `signer` may sign.
fn graph() -> Arc<Graph> {
    let names = ["New", "Active", "Closed", "Signed"].map(String::from);
    let every = Step {
        from: vec!["*".to_owned()],
        to: vec!["*".to_owned()],
        edge: Edge { allow: true, ..Edge::default() },
    };
    let takers = Takers { partners: Vec::new(), roles: vec!["signer".to_owned()] };
    let sign = Step {
        from: vec!["*".to_owned()],
        to: vec!["Signed".to_owned()],
        edge: Edge { allow: true, takers, reason: None },
    };
    let field = Pointer::parse("/status").unwrap();
    let draft = Draft { names: &names, steps: &[every, sign], ..Draft::default() };
    Arc::new(Graph::new(vec![field], draft).unwrap())
}

/// Documents of any kind that carry their tag at `tag`.
fn resource(tag: &'static str) -> Arc<Resource> {
    let schema = Arc::new(Schema::new(&serde_json::json!({})).unwrap());
    let tag = Some(Pointer::parse(tag).unwrap());
    let graph = Some(graph());
    Arc::new(Resource { name: "any".into(), schema, graph, folds_case: false, tag })
}

fn route(setup: &Setup, id: &str, method: &str, body: BodyForm) -> Route {
    let types: &[&str] = match body {
        BodyForm::Document | BodyForm::Replacement => &["application/json"],
        BodyForm::MergePatch => &["application/merge-patch+json"],
        BodyForm::JsonPatch => &["application/json-patch+json", "application/json"],
        BodyForm::Nothing => &[],
    };
    Route {
        id: id.into(),
        template: TEMPLATE.into(),
        methods: vec![method.to_owned()],
        audience: setup.audience.clone(),
        params: setup.params.clone(),
        body,
        media_types: types.iter().map(|text| (*text).to_owned()).collect(),
        gzip: setup.gzip,
        max_body: setup.max_body,
        bounds: json::Bounds { items: 100, values: 10_000, depth: 32, string: 1 << 16 },
        unknown_members: UnknownMembers::Refuse,
        query: false,
        trailing_slashes: 1,
        state: setup.state,
        lost_answer: setup.lost_answer,
        links: setup.links.iter().map(|text| Pattern::parse(text).unwrap()).collect(),
        resource: setup.tag.map(resource),
        rules: Vec::new(),
        warn: Vec::new(),
        observe: setup.observe,
    }
}
