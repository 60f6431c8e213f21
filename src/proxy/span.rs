//! The parts of a request that take their time, while they do and afterwards.

use super::trace::SpanId;
use super::trail::{Decision, Source, Trail};

use http::StatusCode;
use tokio::time::Instant;

use std::cell::Cell;

/// A part of a request that is over, of a trace that is recorded.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Which one.
    pub id: SpanId,
    /// When it began.
    pub began: Instant,
    /// When it was over.
    pub ended: Instant,
    /// What was done.
    pub work: Work,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// The policy was asked: how it decided, or nothing where it needs the current state.
    Judge(Option<Decision>),
    /// The current state was read: by this request, or by another one for it.
    Prefetch(Option<Source>, Ended),
    /// It was sent to the upstream, for the first time or another.
    Upstream(u32, Ended),
}

/// How a request upstream ended; with neither where nobody waited for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// The status of the answer.
    pub status: Option<StatusCode>,
    /// What went wrong.
    pub fault: Option<&'static str>,
}

/// Which part it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// See [`Work::Judge`].
    Judge,
    /// See [`Work::Prefetch`].
    Prefetch,
    /// See [`Work::Upstream`].
    Upstream,
}

/// A part that is under way. It counts even where nobody waits to the end.
#[derive(Debug)]
pub struct OpenSpan<'t> {
    trail: &'t Trail,
    /// Where the trace is recorded.
    id: Option<SpanId>,
    stage: Stage,
    /// Where anybody is told how long it took.
    began: Option<Instant>,
    ended: Cell<Ended>,
    /// When it was over, where somebody has said so.
    over: Cell<Option<Instant>>,
}

impl<'t> OpenSpan<'t> {
    pub(super) fn begin(trail: &'t Trail, stage: Stage, now: impl FnOnce() -> Instant) -> Self {
        let id = trail.origin.get().and_then(|origin| origin.trace.begin_span());
        // How long the judge took is told by traces alone.
        let is_told = stage != Stage::Judge || id.is_some();
        let (began, ended, over) = (is_told.then(now), Cell::default(), Cell::default());
        Self { trail, id, stage, began, ended, over }
    }

    /// Its id, where the trace is recorded.
    pub fn id(&self) -> Option<SpanId> {
        self.id
    }

    /// Notes what was answered.
    pub fn answered(&self, status: StatusCode) {
        self.ended.set(Ended { status: Some(status), ..self.ended.get() });
    }

    /// Notes that it was over at `moment`, and not when this is dropped.
    pub fn over(&self, moment: Instant) {
        self.over.set(Some(moment));
    }

    /// Notes what went wrong.
    pub fn failed(&self, fault: &'static str) {
        self.ended.set(Ended { fault: Some(fault), ..self.ended.get() });
    }
}

impl Drop for OpenSpan<'_> {
    fn drop(&mut self) {
        let Self { trail, id, stage, began, .. } = *self;
        let Some(began) = began else { return };
        let ended = self.over.get().unwrap_or_else(Instant::now);
        let work = match stage {
            Stage::Judge => Work::Judge(trail.decision.get()),
            Stage::Prefetch => Work::Prefetch(trail.source.get(), self.ended.get()),
            Stage::Upstream => Work::Upstream(trail.attempts.get(), self.ended.get()),
        };
        if stage != Stage::Judge {
            trail.upstream_time.set(trail.upstream_time.get() + ended.duration_since(began));
        }
        if let Some(id) = id {
            trail.spans.borrow_mut().push(Span { id, began, ended, work });
        }
    }
}
