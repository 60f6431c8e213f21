//! A request as it is sent to the upstream, whichever version of HTTP is spoken there.

use crate::proxy::alarm::Alarm;
use crate::proxy::answer::Answer;
use crate::proxy::fields::Fields;
use crate::proxy::target::Target;
use crate::proxy::trail::Sent;

use bytes::Bytes;
use http::Method;
use tokio::time::Instant;

/// What is sent.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) method: Method,
    pub(super) target: Target,
    /// `Host` is one of them.
    pub(super) fields: Fields,
    pub(super) body: Bytes,
    /// When it was taken up.
    pub(super) began: Instant,
    /// Until when somebody waits for its answer, if that is known.
    pub(super) until: Option<Instant>,
    /// What rings for all that whoever sends it waits for.
    pub(super) alarm: Alarm,
}

/// What becomes of it before it is answered.
#[derive(Debug)]
pub(super) enum Progress {
    /// The upstream says something before its answer.
    Interim(Answer<()>),
    /// So far it came.
    Sent(Sent),
}
