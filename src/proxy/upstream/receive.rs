//! What comes from the API becomes the gateway's: its answer, and what it says before.

use super::Upstream;
use super::answer::Streamed;
use super::lease::Lease;
use crate::proxy::headers::{UPSTREAM_REQUEST_ID, clean_answer};
use crate::proxy::request::{IdForm, RequestId};
use crate::proxy::trail::Trail;

use http::{Response, StatusCode, header};

use std::rc::Weak;

impl Upstream {
    /// Makes the answer one of ours: what belongs to the upstream's connection is taken off.
    pub(super) fn receive(
        &self,
        mut response: Response<Lease>,
        id: &RequestId,
        trail: &Trail,
    ) -> Response<Streamed> {
        let version = response.version();
        let headers = response.headers_mut();
        clean_answer(headers);
        if let Some(via) = &self.0.via {
            headers.append(header::VIA, via.received(version));
        }
        if let Some(theirs) = headers.remove(&self.0.request_id)
            && theirs != id.value()
            && let Some(theirs) = RequestId::parse(&theirs, IdForm::Token)
        {
            let _ = trail.upstream_id.set(theirs.as_str().to_owned());
            headers.insert(UPSTREAM_REQUEST_ID, theirs.value().clone());
        }
        let silence = self.0.settings.silence_time;
        let until = response.body().began() + self.0.settings.total_time;
        response.map(|lease| Streamed::new(lease, silence, until))
    }

    /// Passes on what the API says before its answer. To go on the caller was told by the gateway, which
    /// has the whole request before the API gets any of it.
    pub(super) fn pass(&self, mut answer: Response<()>, trail: &Trail) {
        let Some(interim) = trail.interim.as_ref().and_then(Weak::upgrade) else { return };
        if answer.status() == StatusCode::CONTINUE {
            return;
        }
        let headers = answer.headers_mut();
        clean_answer(headers);
        headers.remove(&self.0.request_id);
        interim.pass(&answer);
    }
}
