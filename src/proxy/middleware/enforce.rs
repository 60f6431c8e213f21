//! Asks the judge, and reads the current state if, and only if, the judge asks for it.

mod resolve;

use super::Local;

use crate::audit::Room;
use crate::limits;
use crate::policy::{Caller, Current, Facts, IfMatch, Need, Permit, Verdict};
use crate::proxy::answer::Answer;
use crate::proxy::body::Content;
use crate::proxy::change::Recorder;
use crate::proxy::rejection::Rejection;
use crate::proxy::request::{Permitted, Routed};
use crate::proxy::shadow::{Beside, Shadow};
use crate::proxy::span::Stage;
use crate::proxy::trail::{Decision, Outcome, Source};
use crate::proxy::upstream::{Fault, Fetched, Representation, Since, Upstream};
use crate::violation::Class;

use bytes::Bytes;
use http::{StatusCode, header};
use tokio::time::Instant;
use tower::layer::layer_fn;
use tower::{Layer, Service};

use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU32;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// How often a request is judged again because the document moved under our own pin.
const REJUDGED_MAX: usize = 2;

/// Lets through what the policy permits.
///
/// It is a service only right above the upstream: nothing can be put between what is judged and
/// what is sent.
#[derive(Clone, Debug)]
pub struct Enforce<S> {
    upstream: S,
    aside: Rc<Aside>,
}

/// Who hears of it beside the caller.
#[derive(Debug)]
struct Aside {
    recorder: Option<Recorder>,
    shadow: Option<Shadow>,
}

impl<S> Enforce<S> {
    /// The policy comes with the request; `recorder` writes down what changes are judged, and `shadow` is
    /// asked beside it.
    pub fn layer(
        recorder: Option<Recorder>,
        shadow: Option<Shadow>,
    ) -> impl Layer<S, Service = Self> + Clone {
        let aside = Rc::new(Aside { recorder, shadow });
        layer_fn(move |upstream| Self { upstream, aside: Rc::clone(&aside) })
    }
}

impl Service<Routed<Bytes>> for Enforce<Upstream> {
    type Response = Answer<Content>;
    type Error = Rejection;
    type Future = Local<Result<Answer<Content>, Rejection>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, routed: Routed<Bytes>) -> Self::Future {
        Box::pin(self.clone().enforce(routed))
    }
}

impl Enforce<Upstream> {
    /// No `async fn`: its future would keep room for what it is given beside what it makes of that. And what
    /// is waited for is in a box of its own, made only then: many requests come no further than the judge.
    fn enforce(
        self,
        routed: Routed<Bytes>,
    ) -> impl Future<Output = Result<Answer<Content>, Rejection>> {
        let Self { upstream, aside } = self;
        async move {
            let beside = Beside::of(aside.shadow.as_ref(), &routed);
            let lines = routed.fields.get_all(&header::IF_MATCH);
            let if_match = IfMatch::parse(lines.map(|line| line.as_bytes()));
            // Before it is judged: nothing is done that nobody could write down.
            let recorder = aside.recorder.as_ref().filter(|_| !routed.method.is_safe());
            let recorder = match recorder {
                Some(recorder) => Some((recorder, recorder.admit()?)),
                None => None,
            };
            let (ruling, cost) = judge_first(&routed, &if_match, recorder, &beside);
            if let Some(cost) = cost {
                spend(&routed, cost).await?;
            }
            match ruling? {
                Ruling::Permit(permit) => {
                    let (routed, _) = routed.replace_body(());
                    Box::pin(upstream.send(Permitted { routed, permit })).await
                }
                Ruling::NeedsCurrent((need, facts)) => {
                    Box::pin(by_state(&upstream, &routed, &facts, need, &beside)).await
                }
            }
        }
    }
}

/// Reads the current state, judges by it, and sends what is permitted, pinned to it.
async fn by_state(
    upstream: &Upstream,
    routed: &Routed<Bytes>,
    facts: &Facts<'_>,
    need: Need,
    beside: &Beside<'_>,
) -> Result<Answer<Content>, Rejection> {
    let if_match = facts.if_match();
    if *if_match == IfMatch::Absent && routed.fields.has(&header::IF_UNMODIFIED_SINCE) {
        // Beside the `If-Match` of a pin, the upstream would have to ignore it (RFC 9110 §13.1.4).
        return Err(Rejection::HeadMalformed(
            "`If-Unmodified-Since` does not hold where the current state is needed; send `If-Match`",
        ));
    }
    let ask = upstream.ask(need, routed);
    if let Some(tag) = if_match.sole()
        && let Some(remembered) = upstream.recall(&ask, routed, tag)
    {
        // What was seen under a strong tag is what it names for ever. Whether it is still what is
        // stored is for the upstream to say: the caller's own condition goes there.
        let (current, seen) = (&remembered.current, &remembered.seen);
        let permit = judge_by(routed, facts, (current, seen), beside)?;
        let sent = send(upstream, routed, permit).await;
        if sent.is_err() {
            resolve::resolve(upstream, &ask, routed, seen).await;
        }
        return sent;
    }
    // A list is narrowed to the tag that was judged, and that is our doing.
    let is_callers = if_match.sole().is_some();
    let asked = upstream.now();
    let mut rejudged = 0;
    // For a permit a read will do that was under way already: the patch is pinned to it, and should
    // the document move, the upstream does not apply the patch.
    let mut since = Since::EVER;
    loop {
        let seen = match upstream.current(&ask, routed, since).await? {
            Fetched::Found(seen) => seen,
            Fetched::Answered(answer) => {
                routed.trail.decision.set(Some(Decision::Reject));
                return Ok(answer);
            }
        };
        let is_shared = routed.trail.source.get() == Some(Source::Shared);
        let (permit, current) = match read(routed, &seen) {
            Ok(current) => (judge_by(routed, facts, (&current, &seen), beside), Some(current)),
            Err(rejection) => (Err(rejection), None),
        };
        // A refusal needs one that began later: the caller may have changed the document since an
        // older one began, and be right.
        if is_shared && since == Since::EVER && !is_pinned(&permit) {
            since = asked;
            continue;
        }
        // It is remembered by whoever has read it, and only where it stays as it is.
        let current = current.filter(|_| !is_shared);
        let permit = match permit {
            Ok(permit) => permit,
            Err(rejection) => {
                current.into_iter().for_each(|current| upstream.remember(&ask, &seen, current));
                return Err(rejection);
            }
        };
        let is_pinned = permit.pin().is_some();
        let sent = send(upstream, routed, permit).await;
        if sent.is_err() && is_pinned {
            resolve::resolve(upstream, &ask, routed, &seen).await;
        }
        let answer = sent?;
        // Where the condition was ours, so is its failure: the document moved in between.
        let moved = is_pinned && answer.status == StatusCode::PRECONDITION_FAILED;
        if !moved && routed.trail.outcome() == Some(Outcome::NotApplied) {
            current.into_iter().for_each(|current| upstream.remember(&ask, &seen, current));
        }
        if !moved || is_callers || rejudged == REJUDGED_MAX {
            return Ok(answer);
        }
        rejudged += 1;
        since = upstream.now();
        tokio::time::sleep(jitter(routed, rejudged)).await;
    }
}

async fn send(
    upstream: &Upstream,
    routed: &Routed<Bytes>,
    permit: Permit,
) -> Result<Answer<Content>, Rejection> {
    let (routed, _) = routed.clone().replace_body(());
    upstream.send(Permitted { routed, permit }).await
}

fn is_pinned(permit: &Result<Permit, Rejection>) -> bool {
    permit.as_ref().is_ok_and(|permit| permit.pin().is_some())
}

/// What the policy says of what it does not refuse.
enum Ruling<N> {
    NeedsCurrent(N),
    Permit(Permit),
}

fn read<'s>(routed: &Routed<Bytes>, seen: &'s Representation) -> Result<Current<'s>, Rejection> {
    let unusable = Fault::Unusable("the current state is not JSON that can be judged");
    let current = Current::read(&routed.route, seen.tag.as_deref(), &seen.body);
    current.map_err(|_| Rejection::CurrentUnavailable(unusable))
}

/// Spends of the partner's limits what the request costs: here, where its ops are known and nothing was
/// sent yet.
async fn spend(routed: &Routed<Bytes>, cost: NonZeroU32) -> Result<(), Rejection> {
    let (limits, account) = (&routed.snapshot.limits, &routed.partner.account);
    let class = limits::Class::of(&routed.method);
    let decision = match limits.has_to_wait(account, class) {
        false => limits.decide_here(account, class, cost),
        true => Box::pin(limits.decide(account, class, cost)).await,
    };
    routed.admit(decision)
}

/// What the policy says without the current state; where it needs that, with the facts as they were read.
type First<'r> = Ruling<(Need, Box<Facts<'r>>)>;

/// Judges without the current state, and tells what of the limits is to be spent for it.
///
/// Nothing waits here, and so no future keeps room for what is read.
fn judge_first<'r>(
    routed: &'r Routed<Bytes>,
    if_match: &'r IfMatch,
    recorder: Option<(&Recorder, Room)>,
    beside: &Beside<'_>,
) -> (Result<First<'r>, Rejection>, Option<NonZeroU32>) {
    let span = routed.trail.begin_span(Stage::Judge, Instant::now);
    let caller = Caller { partner: &routed.partner.id, roles: &routed.partner.roles };
    let facts = Facts::read(&routed.route, caller, if_match, &routed.body);
    if let Some((recorder, room)) = recorder {
        let change = recorder.begin(room, routed.target.path(), &facts, if_match);
        routed.trail.change.set(Some(Box::new(change)));
    }
    let ruling = judge(routed, &facts, None, beside);
    drop(span);
    let all = &routed.snapshot.limits;
    let terms = &all.terms;
    let counts = match &ruling {
        Err(Rejection::Refused(violations)) => match violations.class() {
            Class::Malformed | Class::TooLarge => terms.counts_malformed,
            Class::Conflict
            | Class::Forbidden
            | Class::PreconditionFailed
            | Class::PreconditionRequired => terms.counts_refused,
        },
        Ok(_) | Err(_) => true,
    };
    let ops = facts.ops().len();
    // Where malformed requests count, the first gate has spent what a request costs.
    let cost = match terms.counts_malformed {
        true => NonZeroU32::new(all.ops_cost(ops)),
        false => Some(all.cost(ops)),
    };
    let ruling = ruling.map(|ruling| match ruling {
        Ruling::NeedsCurrent(need) => Ruling::NeedsCurrent((need, Box::new(facts))),
        Ruling::Permit(permit) => Ruling::Permit(permit),
    });
    (ruling, cost.filter(|_| counts))
}

/// Judges by the current state, and what it was read from.
fn judge_by(
    routed: &Routed<Bytes>,
    facts: &Facts<'_>,
    current: (&Current<'_>, &Representation),
    beside: &Beside<'_>,
) -> Result<Permit, Rejection> {
    let _span = routed.trail.begin_span(Stage::Judge, Instant::now);
    match judge(routed, facts, Some(current), beside)? {
        Ruling::Permit(permit) => Ok(permit),
        Ruling::NeedsCurrent(_) => {
            let why = "the current state does not decide what the policy asks";
            Err(Rejection::CurrentUnavailable(Fault::Unusable(why)))
        }
    }
}

fn judge(
    routed: &Routed<Bytes>,
    facts: &Facts<'_>,
    current: Option<(&Current<'_>, &Representation)>,
    beside: &Beside<'_>,
) -> Result<Ruling<Need>, Rejection> {
    let (current, seen) = current.unzip();
    let judgement = routed.snapshot.policy.judge(facts, current);
    routed.trail.step.set(judgement.step);
    routed.trail.judged_by(current.and_then(Current::tag));
    routed.trail.warnings.replace(judgement.warnings);
    match judgement.verdict {
        Verdict::NeedsCurrent(need) => Ok(Ruling::NeedsCurrent(need)),
        Verdict::Permit(permit) => {
            let advisory = permit.is_advisory();
            let decision = if advisory { Decision::Advisory } else { Decision::Permit };
            routed.trail.decision.set(Some(decision));
            routed.trail.codes.borrow_mut().clear();
            beside.note(routed, facts.if_match(), seen, None);
            Ok(Ruling::Permit(permit))
        }
        Verdict::Refuse(violations) => {
            routed.trail.refused(&violations);
            beside.note(routed, facts.if_match(), seen, Some(&violations));
            Err(Rejection::Refused(violations))
        }
    }
}

/// A short wait, so that those who collided do not collide again.
fn jitter(routed: &Routed<Bytes>, rejudged: usize) -> Duration {
    let mut hasher = DefaultHasher::new();
    (routed.trail.id.as_str(), rejudged).hash(&mut hasher);
    Duration::from_millis(5 + hasher.finish() % 20)
}
