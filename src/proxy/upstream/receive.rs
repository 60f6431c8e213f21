//! What comes from the API becomes the gateway's: its answer, and what it says before.

use super::Upstream;
use super::answer::Streamed;
use super::lease::Lease;
use crate::proxy::answer::Answer;
use crate::proxy::fields::FieldValue;
use crate::proxy::headers::{UPSTREAM_REQUEST_ID, clean_answer};
use crate::proxy::request::{IdForm, RequestId};
use crate::proxy::trail::Trail;

use http::{StatusCode, header};

use std::rc::Weak;

impl Upstream {
    /// Makes the answer one of ours: what belongs to the upstream's connection is taken off.
    pub(super) fn receive(&self, mut answer: Answer<Lease>, trail: &Trail) -> Answer<Streamed> {
        let version = answer.version;
        let fields = &mut answer.fields;
        clean_answer(fields);
        if let Some(via) = &self.0.via {
            fields.add(&header::VIA, via.received(version));
        }
        if let Some(theirs) = fields.get(&self.0.request_id) {
            let is_other = theirs != FieldValue::from(&trail.id);
            let theirs = RequestId::parse(theirs, IdForm::Token).filter(|_| is_other);
            fields.remove(&self.0.request_id);
            if let Some(theirs) = theirs {
                let _ = trail.upstream_id.set(theirs.as_str().to_owned());
                fields.set(&UPSTREAM_REQUEST_ID, &theirs);
            }
        }
        let silence = self.0.settings.silence_time;
        let until = answer.body.began() + self.0.settings.total_time;
        answer.map(|lease| Streamed::new(lease, silence, until))
    }

    /// Passes on what the API says before its answer. To go on the caller was told by the gateway, which
    /// has the whole request before the API gets any of it.
    pub(super) fn pass(&self, mut answer: Answer<()>, trail: &Trail) {
        let Some(interim) = trail.interim.get().and_then(Weak::upgrade) else { return };
        if answer.status == StatusCode::CONTINUE {
            return;
        }
        clean_answer(&mut answer.fields);
        answer.fields.remove(&self.0.request_id);
        interim.pass(answer);
    }
}
