//! What is kept of a request that was refused, for whoever looks.

use super::Ended;

use crate::telemetry::Refusal;

impl Ended {
    /// Keeps what may be told of it, if the gateway ended it.
    pub(super) fn keep_refusal(&self) {
        let trail = &*self.trail;
        let Some(kind) = trail.rejection.get() else { return };
        let codes = trail.codes.borrow();
        self.told.telemetry.refusals.push(Refusal {
            at: trail.at,
            request_id: self.trail.id.as_str().to_owned(),
            partner: trail.partner.get().map(|partner| partner.id.clone()),
            route: trail.route.get().map(|route| route.id.to_string()),
            status: self.status.map(|status| status.as_u16()),
            rejection: kind.slug,
            title: kind.title,
            found: codes.iter().map(|(code, rule)| (*rule, code.slug())).collect(),
        });
    }
}
