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
    /// Sends `message`; see [`Pool::exchange`].
    ///
    /// [`Pool::exchange`]: super::pool::Pool::exchange
    pub(super) async fn exchange(
        &self,
        message: &mut Message,
        told: &impl Fn(Progress),
    ) -> Answered {
        let pass = match self.0.settings.circuit.enter(message.until)? {
            Entry::Pass(pass) => pass,
            Entry::Try(pass) => {
                let pass = Box::pin(self.try_out(pass, message.until)).await?;
                message.began = Instant::now();
                pass
            }
        };
        let timing = Timing::begin(&self.0, message);
        let answered = self.0.pool.exchange(message, told).await;
        timing.end(&answered);
        learn(pass, &answered);
        answered
    }

    /// Finds out whether the upstream is back, and enters again if it is.
    async fn try_out(&self, pass: Pass, until: Option<Instant>) -> Result<Pass, Fault> {
        let question = self.question();
        let timing = Timing::begin(&self.0, &question);
        let tried = self.0.pool.exchange(&question, &|_| {}).await;
        timing.end(&tried);
        learn(pass, &tried);
        let fault = tried.err();
        match self.0.settings.circuit.enter(until)? {
            Entry::Pass(pass) => Ok(pass),
            Entry::Try(_) => Err(fault.unwrap_or(Fault::Saturated)),
        }
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
            began: Instant::now(),
            until: None,
            alarm: Alarm::default(),
        }
    }
}

/// One request that is sent, whose time counts however it ends.
struct Timing<'u> {
    upstream: &'u Inner,
    message: &'u Message,
    ended: Option<Instant>,
    status: Option<u16>,
    /// Stays so where nobody waits for the answer any longer.
    fault: &'static str,
}

impl<'u> Timing<'u> {
    fn begin(upstream: &'u Inner, message: &'u Message) -> Self {
        Self { upstream, message, ended: None, status: None, fault: "cancelled" }
    }

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
            http_request_method: known_method(&self.message.method).unwrap_or(OTHER),
            http_response_status_code: self.status,
            error_type: self.fault,
        };
        let ended = self.ended.unwrap_or_else(Instant::now);
        let time = ended.duration_since(self.message.began).as_secs_f64();
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
