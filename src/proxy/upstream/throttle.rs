//! What the API says of its own throttle, and what is made of it.

use super::Upstream;
use crate::limits::{Account, HeldBack, Limits, Turn};
use crate::outbound::wait_asked;
use crate::proxy::answer::Answer;
use crate::proxy::fields::FieldValue;
use crate::proxy::rejection::Rejection;
use crate::proxy::request::Routed;

use http::{StatusCode, header};

use std::time::SystemTime;

/// Waits for leave to send one request for `routed`, where the API wants nothing at the moment.
pub(super) async fn turn<B>(routed: &Routed<B>) -> Result<Turn, Rejection> {
    let turn = routed.snapshot.limits.turn(&routed.partner.account).await;
    turn.map_err(Rejection::UpstreamThrottled)
}

impl Upstream {
    /// Notes whether the API wants no more of this partner after its answer, and what is left of that.
    pub(super) fn heed<B>(
        &self,
        limits: &Limits,
        account: &Account,
        answer: &Answer<B>,
    ) -> Option<HeldBack> {
        let is_unavailable = match answer.status {
            StatusCode::SERVICE_UNAVAILABLE => true,
            StatusCode::TOO_MANY_REQUESTS => false,
            _ => return None,
        };
        let date = answer.fields.get(&header::DATE).and_then(FieldValue::as_str);
        let lines = answer.fields.get_all(&header::RETRY_AFTER).filter_map(FieldValue::as_str);
        let time = wait_asked(date, lines, SystemTime::now())?;
        let held = limits.hold(account, time, is_unavailable);
        self.0.metrics.holds.inc_by(held.is_some().into());
        held
    }
}
