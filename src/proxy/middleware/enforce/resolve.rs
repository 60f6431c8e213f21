//! Finds out what became of a pinned change whose answer was lost, by reading the document again.
//!
//! Nothing is sent again. A document that has left the pinned version tells for good, for the
//! upstream will not apply the change to another one. A document that is at that version tells only
//! that nothing has happened yet: the request may still be on its way. So that the change was not
//! applied is said only where somebody knows how long that can be, and has said so.

use super::read;

use crate::policy::{Aftermath, LostAnswer};
use crate::proxy::request::Routed;
use crate::proxy::trail::Outcome;
use crate::proxy::upstream::{Ask, Fetched, Representation, Upstream};

use bytes::Bytes;
use tokio::time::{Instant, sleep_until};

use std::time::Duration;

/// How long the upstream is given to apply a change, where nobody knows how long it may take.
const PAUSE: Duration = Duration::from_secs(1);

/// Notes on the trail what became of the change `routed`, which was judged by `seen` and lost.
pub(super) async fn resolve(
    upstream: &Upstream,
    ask: &Ask,
    routed: &Routed<Bytes>,
    seen: &Representation,
) {
    let trail = &routed.trail;
    let is_lost = trail.outcome() == Some(Outcome::Unknown);
    if routed.route.lost_answer != LostAnswer::Resolve || !is_lost {
        return;
    }
    let settled = upstream.settled_after();
    let then = Instant::now() + settled.unwrap_or(PAUSE);
    let judged_by = trail.source.get();
    let mut found = look(upstream, ask, routed, seen).await;
    let may_change = matches!(found, None | Some(Aftermath::Untouched));
    if may_change && trail.until.get().is_none_or(|until| then < *until) {
        sleep_until(then).await;
        found = look(upstream, ask, routed, seen).await;
    } else if may_change {
        found = None;
    }
    trail.source.set(judged_by);
    trail.resolved.set(Some(match found {
        Some(Aftermath::InEffect) => Outcome::Applied,
        Some(Aftermath::Untouched) if settled.is_some() => Outcome::NotApplied,
        Some(Aftermath::Untouched | Aftermath::Unclear) | None => Outcome::Unknown,
    }));
}

/// What the document tells that is stored now; nothing where it cannot be had.
async fn look(
    upstream: &Upstream,
    ask: &Ask,
    routed: &Routed<Bytes>,
    seen: &Representation,
) -> Option<Aftermath> {
    // A read that began before may have seen the document too early.
    let read_now = upstream.current(ask, routed, upstream.now()).await;
    let Ok(Fetched::Found(found)) = read_now else { return None };
    let (before, now) = (read(routed, seen).ok()?, read(routed, &found).ok()?);
    Some(Aftermath::of(&routed.route, &routed.body, &before, &now))
}
