//! Where a request comes from: over which hops, by which version of HTTP, and in which trace.

use super::fields::{FieldValue, Fields};
use super::forwarded::{self, Hops};
use super::request::Arrived;
use super::trace::{Sampling, SpanId, Trace};

use http::Version;
use http::header::HeaderName;

use std::net::IpAddr;

/// What describes the work that a request is part of, in the words of those who called before.
const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// What is believed of where a request comes from, and what is told of it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The hops.
    pub forwarded: forwarded::Settings,
    /// Whether the upstream is told of the trace.
    pub sends_trace: bool,
    /// Whether `baggage` goes on.
    pub sends_baggage: bool,
    /// Which traces are recorded, if any are.
    pub sampling: Option<Sampling>,
}

/// Where a request comes from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The version of HTTP that it came by.
    pub version: Version,
    /// Whether it came over TLS.
    pub is_tls: bool,
    /// The address that it came from, as far as it is known.
    pub client: Option<IpAddr>,
    /// The trace that it belongs to.
    pub trace: Trace,
    sends_trace: bool,
    hops: Vec<(HeaderName, String)>,
}

impl Origin {
    /// Finds out where a request comes from, and takes out of its head what is not ours to pass on;
    /// `own` is what we are called.
    pub fn find<B>(arrived: &mut Arrived<B>, settings: &Settings, own: Option<&str>) -> Self {
        let Arrived { head, peer, .. } = arrived;
        let fields = &mut head.fields;
        let trace = Trace::take(fields, settings.sampling);
        if !settings.sends_baggage {
            fields.remove(&BAGGAGE);
        }
        let version = head.version;
        let (mut client, mut is_tls, mut hops) = (None, false, Vec::new());
        if let Some(peer) = peer {
            let address = peer.address.to_canonical();
            let (wanted, send) = (&settings.forwarded, settings.forwarded.send);
            client = Some(address);
            is_tls = peer.is_tls;
            if send.is_some() || !wanted.trusted.is_empty() {
                let proto = if peer.is_tls { "https" } else { "http" };
                let found = Hops::of(fields, address, proto, wanted);
                client = found.client();
                hops = send.map(|dialect| found.tell(dialect, own)).unwrap_or_default();
            }
        }
        Self { version, is_tls, client, trace, sends_trace: settings.sends_trace, hops }
    }

    /// Tells `fields` as much of it as the upstream is told; `span` is the one that calls, if that is
    /// recorded.
    pub fn sign(&self, fields: &mut Fields, span: Option<SpanId>) {
        if self.sends_trace {
            self.trace.sign(fields, span);
        }
        for (name, value) in &self.hops {
            fields.set(name, FieldValue::of(value).unwrap_or(FieldValue::EMPTY));
        }
    }
}
