//! What is learned of a request inside and told of it outside, whatever becomes of the request:
//! the trail survives a future that is dropped.

use super::alarm::Alarm;
use super::change::Change;
use super::origin::Origin;
use super::problem::Kind;
use super::request::{Interim, RequestId};
use super::span::{OpenSpan, Span, Stage};
use crate::limits::{Class, Decision as Limited, Slot};
use crate::partner::Partner;
use crate::policy::{EntityTag, Route, Step};
use crate::snapshot::Snapshot;
use crate::violation::{Code, Violations};

use http::{Method, StatusCode};
use tokio::time::Instant;

use std::cell::{Cell, OnceCell, Ref, RefCell};
use std::fmt;
use std::rc::Weak;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// What stands for a rule where a body is not what it has to be, before any rule is asked.
pub const READING: &str = "reading";

/// What is learned of one request.
pub struct Trail {
    /// Its id.
    pub id: RequestId,
    /// When it came, by the clock on the wall.
    pub at: SystemTime,
    /// When it came.
    pub began: Instant,
    /// Its method.
    pub method: Method,
    /// Where it comes from.
    pub origin: OnceCell<Origin>,
    /// The load that is used for it.
    pub snapshot: OnceCell<Arc<Snapshot>>,
    /// Who sent it.
    pub partner: OnceCell<Arc<Partner>>,
    /// Where it leads.
    pub route: OnceCell<Arc<Route>>,
    /// What the partner's limits said of it.
    limits: RefCell<Option<Limited>>,
    /// Whether they had room for it when they were only asked for that.
    pub had_room: Cell<bool>,
    /// How it was decided.
    pub decision: Cell<Option<Decision>>,
    /// The codes of the violations that it was refused for, with the rules that found them.
    pub codes: RefCell<Vec<(Code, &'static str)>>,
    /// The step between two states that it makes, if it makes one.
    pub step: Cell<Option<Step>>,
    /// What is to be written down of it.
    pub change: Cell<Option<Box<Change>>>,
    /// Whether it was sent with the version that was judged.
    pub pinned: Cell<bool>,
    /// What the policy warns of.
    pub warnings: RefCell<Violations>,
    /// The rejection that ended it, as its caller is told.
    pub rejection: Cell<Option<Kind>>,
    /// How often the upstream was asked for what it asks, because it was judged again.
    pub attempts: Cell<u32>,
    /// How far it came on its way upstream.
    pub sent: Cell<Sent>,
    /// The upstream's last status, of a fetch or of the request itself.
    pub upstream_status: Cell<Option<StatusCode>>,
    /// The id that the upstream gave it, where that is another one and well-formed.
    pub upstream_id: OnceCell<String>,
    /// How long the upstream took in all.
    pub upstream_time: Cell<Duration>,
    /// What took its time, where its trace is recorded.
    pub spans: RefCell<Vec<Span>>,
    /// Where the current state that it was judged by last came from.
    pub source: Cell<Option<Source>>,
    /// How often the current state was fetched for it.
    pub fetches: Cell<u32>,
    /// What a second look at the document told of the change, where its answer was lost.
    pub resolved: Cell<Option<Outcome>>,
    /// When it has to be answered.
    pub until: OnceCell<Instant>,
    /// The bytes of its body that were read.
    pub bytes_in: Cell<u64>,
    /// How many bytes the body of its answer had, so far as it was passed on.
    pub bytes_out: Cell<u64>,
    /// The room that it takes up among all requests, and among those of its partner: until it is told of, or
    /// ends in a rejection.
    pub rooms: [Cell<Option<Slot>>; 2],
    /// Who is told what the API says before its answer, if anybody is.
    pub interim: OnceCell<Weak<dyn Interim>>,
    /// What rings for all that its task waits for.
    pub alarm: OnceCell<Alarm>,
}

impl fmt::Debug for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Trail");
        debug.field("route", &self.route.get().map(|route| &route.id));
        debug.field("decision", &self.decision.get()).field("sent", &self.sent.get());
        debug.finish_non_exhaustive()
    }
}

impl Trail {
    /// The trail of a request that came just now, with the id that it has, or a new one.
    pub fn begin(method: Method, id: Option<RequestId>) -> Self {
        let at = SystemTime::now();
        Self {
            at,
            id: id.unwrap_or_else(|| RequestId::make(at)),
            began: Instant::now(),
            method,
            origin: OnceCell::new(),
            snapshot: OnceCell::new(),
            partner: OnceCell::new(),
            route: OnceCell::new(),
            limits: RefCell::default(),
            had_room: Cell::new(false),
            decision: Cell::new(None),
            codes: RefCell::default(),
            step: Cell::new(None),
            change: Cell::new(None),
            pinned: Cell::new(false),
            warnings: RefCell::default(),
            rejection: Cell::new(None),
            attempts: Cell::new(0),
            sent: Cell::new(Sent::Nothing),
            upstream_status: Cell::new(None),
            upstream_id: OnceCell::new(),
            upstream_time: Cell::default(),
            spans: RefCell::default(),
            source: Cell::new(None),
            fetches: Cell::new(0),
            resolved: Cell::new(None),
            until: OnceCell::new(),
            bytes_in: Cell::new(0),
            bytes_out: Cell::new(0),
            rooms: Default::default(),
            interim: OnceCell::new(),
            alarm: OnceCell::new(),
        }
    }

    /// What rings for all that its task waits for.
    pub fn alarm(&self) -> Alarm {
        self.alarm.get_or_init(Alarm::default).clone()
    }

    /// Gives back the room that it takes up: nobody may keep it by not taking what is said to it.
    pub fn leave(&self) {
        self.rooms.iter().for_each(|room| drop(room.take()));
    }

    /// Notes what the partner's limits say of it.
    pub fn limited(&self, decision: Limited) {
        self.limits.replace(Some(decision));
    }

    /// What the partner's limits said of it; where they only had room for it, how they stand now.
    pub fn limits(&self) -> Option<Ref<'_, Limited>> {
        if self.limits.borrow().is_none() && self.had_room.get() {
            let (snapshot, partner) = (self.snapshot.get()?, self.partner.get()?);
            let class = Class::of(&self.method);
            self.limited(snapshot.limits.stand(&partner.account, class));
        }
        Ref::filter_map(self.limits.borrow(), Option::as_ref).ok()
    }

    /// Notes why the policy refused it.
    pub fn refused(&self, violations: &Violations) {
        self.decision.set(Some(Decision::Refuse));
        let mut codes = self.codes.borrow_mut();
        codes.clear();
        for violation in violations {
            if !codes.iter().any(|(code, _)| *code == violation.code) {
                codes.push((violation.code, violation.rule.unwrap_or(READING)));
            }
        }
    }

    /// Notes the version that it was judged by last.
    pub fn judged_by(&self, tag: Option<&EntityTag>) {
        if let Some(mut change) = self.change.take() {
            change.tag = tag.map(|tag| tag.as_str().to_owned());
            self.change.set(Some(change));
        }
    }

    /// Notes the time that `stage` takes from `now` on, until what it gives is dropped.
    pub fn begin_span(&self, stage: Stage, now: impl FnOnce() -> Instant) -> OpenSpan<'_> {
        OpenSpan::begin(self, stage, now)
    }

    /// What became of the change that was asked for; `None` where none was.
    pub fn outcome(&self) -> Option<Outcome> {
        if self.method.is_safe() {
            return None;
        }
        if let Some(resolved) = self.resolved.get() {
            return Some(resolved);
        }
        Some(match self.sent.get() {
            Sent::Nothing => Outcome::NotApplied,
            Sent::Begun => Outcome::Unknown,
            Sent::Answered(status) if status.is_success() => Outcome::Applied,
            // A server that failed may have done so after it applied the change.
            Sent::Answered(status) if status.is_server_error() => Outcome::Unknown,
            Sent::Answered(_) => Outcome::NotApplied,
        })
    }
}

/// A method is the caller's text; only the well-known ones are repeated.
pub fn known_method(method: &Method) -> Option<&'static str> {
    Some(match *method {
        Method::GET => "GET",
        Method::PATCH => "PATCH",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => return None,
    })
}

/// How a request was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The policy permitted it without a version that it could be pinned to.
    Advisory,
    /// The policy permitted it.
    Permit,
    /// The policy refused it.
    Refuse,
    /// The gateway ended it before the policy could, or although the policy permitted it.
    Reject,
}

impl Decision {
    /// The word in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Advisory => "advisory",
            Self::Permit => "permit",
            Self::Refuse => "refuse",
            Self::Reject => "reject",
        }
    }
}

/// Where a current state came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It was read for this request.
    Fetched,
    /// It was read for an earlier one, under the tag that this one names.
    Remembered,
    /// It was read for another request that asked for it at the same time.
    Shared,
}

impl Source {
    /// The word in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fetched => "fetched",
            Self::Remembered => "remembered",
            Self::Shared => "shared",
        }
    }
}

/// How far a request came on its way upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The upstream answered it.
    Answered(StatusCode),
    /// A byte of it may have reached the upstream.
    Begun,
    /// Not a byte of it has left.
    Nothing,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in effect.
    Applied,
    /// It is not in effect.
    NotApplied,
    /// Nobody here can tell.
    Unknown,
}

impl Outcome {
    /// The word in answers and in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::NotApplied => "not-applied",
            Self::Unknown => "unknown",
        }
    }
}
