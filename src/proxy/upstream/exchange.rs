//! One exchange with the upstream, where its circuit lets it through.

use super::circuit::{Entry, Pass};
use super::lease::Lease;
use super::message::{Message, Progress};
use super::{Fault, Inner, Upstream};
use crate::proxy::alarm::Alarm;
use crate::proxy::answer::Answer;
use crate::proxy::fields::Fields;
use crate::proxy::request::RequestId;
use crate::proxy::target::Target;
use crate::proxy::trail::known_method;
use crate::telemetry::metrics::{Asked, OTHER};

use bytes::Bytes;
use http::{Method, header};
use tokio::time::Instant;

type Answered = Result<Answer<Lease>, Fault>;

impl Upstream {
    /// Sends `message`, which was taken up at the moment `began`, and for whose answer somebody waits
    /// `until`; see [`Pool::exchange`].
    ///
    /// [`Pool::exchange`]: super::pool::Pool::exchange
    pub(super) async fn exchange(
        &self,
        message: &Message,
        began: Instant,
        until: Option<Instant>,
        told: impl Fn(Progress),
    ) -> Answered {
        let (pass, began) = match self.0.settings.circuit.enter(until)? {
            Entry::Pass(pass) => (pass, began),
            Entry::Try(pass) => (Box::pin(self.try_out(pass, until)).await?, Instant::now()),
        };
        let timing = self.begin_timing(&message.method, began);
        let answered = self.0.pool.exchange(message, began, told).await;
        timing.end(&answered);
        learn(pass, &answered);
        answered
    }

    /// Finds out whether the upstream is back, and enters again if it is.
    async fn try_out(&self, pass: Pass, until: Option<Instant>) -> Result<Pass, Fault> {
        let question = self.question();
        let began = Instant::now();
        let timing = self.begin_timing(&question.method, began);
        let tried = self.0.pool.exchange(&question, began, |_| {}).await;
        timing.end(&tried);
        learn(pass, &tried);
        let fault = tried.err();
        match self.0.settings.circuit.enter(until)? {
            Entry::Pass(pass) => Ok(pass),
            Entry::Try(_) => Err(fault.unwrap_or(Fault::Saturated)),
        }
    }

    fn begin_timing(&self, method: &Method, began: Instant) -> Timing<'_> {
        let method = known_method(method).unwrap_or(OTHER);
        Timing { upstream: &self.0, method, began, ended: None, status: None, fault: "cancelled" }
    }

    /// What is asked to find out whether the upstream is back: nothing of a caller's, and nothing
    /// that changes anything.
    fn question(&self) -> Message {
        let base_path = &*self.0.base_path;
        let mut fields = Fields::default();
        fields.add(&header::HOST, &self.0.host);
        fields.add(&self.0.request_id, &RequestId::make_now());
        Message {
            method: Method::HEAD,
            target: Target::of(if base_path.is_empty() { "/" } else { base_path }),
            fields,
            body: Bytes::new(),
            alarm: Alarm::default(),
        }
    }
}

/// One request that is sent, whose time counts however it ends.
struct Timing<'u> {
    upstream: &'u Inner,
    method: &'static str,
    began: Instant,
    ended: Option<Instant>,
    status: Option<u16>,
    /// Stays so where nobody waits for the answer any longer.
    fault: &'static str,
}

impl Timing<'_> {
    fn end(mut self, answered: &Answered) {
        let answer = answered.as_ref().ok();
        self.ended = answer.map(|answer| answer.body.answered());
        self.status = answer.map(|answer| answer.status.as_u16());
        self.fault = answered.as_ref().err().map_or("", |fault| fault.slug());
    }
}

impl Drop for Timing<'_> {
    fn drop(&mut self) {
        let asked = Asked {
            http_request_method: self.method,
            http_response_status_code: self.status,
            error_type: self.fault,
        };
        let ended = self.ended.unwrap_or_else(Instant::now);
        let time = ended.duration_since(self.began).as_secs_f64();
        let Inner { metrics, recent, .. } = self.upstream;
        recent.with(&metrics.upstream, asked, |times| times.observe(time));
    }
}

/// Tells the circuit how an exchange ended.
fn learn(pass: Pass, answered: &Answered) {
    match answered {
        Ok(response) => pass.end(!matches!(response.status.as_u16(), 502..=504)),
        Err(
            Fault::Broken
            | Fault::Proxy(_)
            | Fault::TooSlow
            | Fault::Unreachable(_)
            | Fault::Untrusted(_),
        ) => pass.end(false),
        // Our own want of connections tells nothing.
        Err(Fault::Paused(_) | Fault::Saturated | Fault::Unusable(_)) => pass.forget(),
    }
}
