//! The shadow: a policy that is asked beside the one in force, about the same facts, and decides nothing.
//!
//! It is asked on one thread of the lowest priority. Where that falls behind, requests go unasked:
//! nobody who is served waits for it.

use super::request::Routed;
use super::upstream::Representation;
use crate::partner::Partner;
use crate::policy::route::BodyForm;
use crate::policy::{Caller, Current, Facts, IfMatch, NormalPath, Policy, Resolution, Verdict};
use crate::snapshot::Snapshot;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::Shadowed;
use crate::violation::{Code, Violations};

use bytes::Bytes;
use http::Method;

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// How many requests wait to be asked about, and the most bytes that they hold.
const QUEUE: usize = 1000;
const BYTES_MAX: usize = 16 << 20;
/// The lowest priority that a thread may have.
const NICE: i32 = 19;

/// Who is asked beside the policy in force.
#[derive(Clone, Debug)]
pub struct Shadow {
    sender: SyncSender<Question>,
    waiting: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
}

/// A request that was decided, and what was known of it.
#[derive(Debug)]
struct Question {
    snapshot: Arc<Snapshot>,
    request_id: String,
    method: Method,
    path: String,
    partner: Arc<Partner>,
    if_match: IfMatch,
    body: Bytes,
    /// The form that the body was read in.
    form: BodyForm,
    /// The current state, if that was read.
    seen: Option<Representation>,
    /// What the policy in force said: the codes by which it refused, or nothing.
    refused: Option<Vec<Code>>,
}

/// What the shadow says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    Permit,
    Refuse(Vec<&'static str>),
    /// It would read the current state, and nobody has.
    Unknown,
}

impl Shadow {
    /// Begins to listen.
    ///
    /// # Errors
    ///
    /// When there is no thread.
    pub fn start(metrics: Arc<Metrics>) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(QUEUE);
        let waiting = Arc::new(AtomicUsize::new(0));
        let (room, counted) = (Arc::clone(&waiting), Arc::clone(&metrics));
        let thread = std::thread::Builder::new().name("shadow".into());
        thread.spawn(move || run(&receiver, &room, &counted))?;
        Ok(Self { sender, waiting, metrics })
    }

    fn ask(&self, question: Question) {
        let size = question.size();
        let is_full = self.waiting.fetch_add(size, Ordering::Relaxed) > BYTES_MAX;
        if is_full || self.sender.try_send(question).is_err() {
            self.waiting.fetch_sub(size, Ordering::Relaxed);
            self.metrics.shadow.get_or_create(&Shadowed::SKIPPED).inc();
        }
    }
}

/// What is to be asked of one request, once it is decided for good: a later verdict replaces an
/// earlier one.
#[derive(Debug)]
pub(super) struct Beside<'r> {
    shadow: Option<&'r Shadow>,
    question: RefCell<Option<Box<Question>>>,
}

impl<'r> Beside<'r> {
    /// `shadow` is asked if the configuration names a policy for it.
    pub(super) fn of(shadow: Option<&'r Shadow>, routed: &Routed<Bytes>) -> Self {
        let shadow = shadow.filter(|_| routed.snapshot.shadow.is_some());
        Self { shadow, question: RefCell::default() }
    }

    /// Notes a verdict: `refused` by these violations, or not.
    pub(super) fn note(
        &self,
        routed: &Routed<Bytes>,
        if_match: &IfMatch,
        seen: Option<&Representation>,
        refused: Option<&Violations>,
    ) {
        if self.shadow.is_none() {
            return;
        }
        let codes = |violations: &Violations| violations.iter().map(|found| found.code).collect();
        self.question.replace(Some(Box::new(Question {
            snapshot: Arc::clone(&routed.snapshot),
            request_id: routed.trail.id.as_str().to_owned(),
            method: routed.method.clone(),
            path: routed.target.path().to_owned(),
            partner: Arc::clone(&routed.partner),
            if_match: if_match.clone(),
            body: routed.body.clone(),
            form: routed.route.body,
            seen: seen.cloned(),
            refused: refused.map(codes),
        })));
    }
}

impl Drop for Beside<'_> {
    fn drop(&mut self) {
        if let (Some(shadow), Some(question)) = (self.shadow, self.question.take()) {
            shadow.ask(*question);
        }
    }
}

fn run(receiver: &Receiver<Question>, waiting: &AtomicUsize, metrics: &Metrics) {
    // On Linux each thread has its own.
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "the shadow has the same priority as everybody");
    }
    while let Ok(question) = receiver.recv() {
        waiting.fetch_sub(question.size(), Ordering::Relaxed);
        if let Some(policy) = &question.snapshot.shadow {
            let said = question.said(policy);
            metrics.shadow.get_or_create(&question.compare(&said)).inc();
        }
    }
}

impl Question {
    fn size(&self) -> usize {
        self.body.len() + self.seen.as_ref().map_or(0, |seen| seen.body.len())
    }

    /// What `policy` says.
    fn said(&self, policy: &Policy) -> Said {
        let refused = |slug| Said::Refuse(vec![slug]);
        let Some(normal) = NormalPath::of(&self.path) else { return refused("head-malformed") };
        let route = match policy.routes.resolve(self.method.as_str(), &normal) {
            Resolution::Found(route) => route,
            Resolution::MethodNotAllowed(_) => return refused("method-not-allowed"),
            Resolution::Unknown => return refused("unrouted"),
        };
        let caller = Caller { partner: &self.partner.id, roles: &self.partner.roles };
        let is_known = self.snapshot.partners.is_known(&self.partner);
        if route.audience.admit(caller, is_known).is_err() {
            return refused("not-admitted");
        }
        if route.body != self.form {
            return refused("media-type-unsupported");
        }
        if self.body.len() > route.max_body {
            return refused("body-too-large");
        }
        let facts = Facts::read(route, caller, &self.if_match, &self.body);
        let mut judgement = policy.judge(&facts, None);
        if let (Verdict::NeedsCurrent(_), Some(seen)) = (&judgement.verdict, &self.seen) {
            let current = Current::read(route, seen.tag.as_deref(), &seen.body);
            let Ok(current) = current else { return Said::Unknown };
            judgement = policy.judge(&facts, Some(&current));
        }
        match judgement.verdict {
            Verdict::NeedsCurrent(_) => Said::Unknown,
            Verdict::Permit(_) => Said::Permit,
            Verdict::Refuse(found) => {
                Said::Refuse(found.iter().map(|found| found.code.slug()).collect())
            }
        }
    }

    /// What it comes to beside what the policy in force said; where the two disagree, that is told.
    fn compare(&self, said: &Said) -> Shadowed {
        let (request_id, partner) = (&*self.request_id, &*self.partner.id);
        match (&self.refused, said) {
            (_, Said::Unknown) => Shadowed::UNKNOWN,
            (None, Said::Permit) | (Some(_), Said::Refuse(_)) => Shadowed::AGREES,
            (None, Said::Refuse(codes)) => {
                let codes = codes.join(",");
                tracing::info!(request_id, partner, codes, "the shadow would refuse");
                Shadowed::REFUSES
            }
            (Some(codes), Said::Permit) => {
                let codes = codes.iter().map(|code| code.slug()).collect::<Vec<_>>().join(",");
                tracing::info!(request_id, partner, codes, "the shadow would permit");
                Shadowed::PERMITS
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::Credentials;
    use crate::limits::{Account, Limits, Quotas};
    use crate::partner::Partners;

    fn question(body: usize) -> Question {
        let account = Arc::new(Account::new("", Quotas::default()));
        let (id, roles, tier) = ("p".to_owned(), Vec::new(), "t".into());
        Question {
            snapshot: Arc::new(Snapshot {
                policy: Policy::default(),
                shadow: None,
                partners: Partners::default(),
                credentials: Credentials::new(),
                hosts: None,
                limits: Limits::default(),
                digest: String::new(),
                effective: "".into(),
            }),
            request_id: "r".to_owned(),
            method: Method::PATCH,
            path: "/".to_owned(),
            partner: Arc::new(Partner { id, roles, tier, account, credential: None }),
            if_match: IfMatch::Absent,
            body: Bytes::from(vec![0; body]),
            form: BodyForm::JsonPatch,
            seen: None,
            refused: None,
        }
    }

    #[test]
    fn whoever_asks_never_waits_and_what_waits_is_bounded() {
        // Nobody takes anything out.
        let (sender, receiver) = sync_channel(QUEUE);
        let (waiting, metrics) = (Arc::default(), Arc::<Metrics>::default());
        let shadow = Shadow { sender, waiting, metrics: Arc::clone(&metrics) };
        let skipped = || metrics.shadow.get_or_create(&Shadowed::SKIPPED).get();
        (0..QUEUE + 5).for_each(|_| shadow.ask(question(1)));
        assert_eq!((skipped(), shadow.waiting.load(Ordering::Relaxed)), (5, QUEUE));
        drop(receiver);

        let (sender, _receiver) = sync_channel(QUEUE);
        let shadow = Shadow { sender, waiting: Arc::default(), metrics: Arc::clone(&metrics) };
        (0..20).for_each(|_| shadow.ask(question(1 << 20)));
        assert_eq!(skipped() - 5, 3, "17 MiB are the last that begin within the bound");
    }
}
