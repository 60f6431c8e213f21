//! From the section `trace.export` to where spans go, and which.

use super::Reading;
use super::way::{Remote, trusted_url};
use crate::config::File;
use crate::config::gateway::{self, GatewayFile, Sampler};
use crate::otlp::Settings;
use crate::outbound::Egress;

use http::Uri;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use http::header::{HeaderMap, HeaderName, HeaderValue};

/// Where spans go, and which.
#[derive(Clone, Debug)]
pub struct Export {
    /// Where they go.
    pub settings: Settings,
    /// Whether traces that go on are recorded if, and only if, their caller records them.
    pub follows_callers: bool,
    /// The share of all others.
    pub ratio: f64,
}

impl Reading {
    /// Where spans go, if they go anywhere; the outer `None` is a fault.
    pub(super) fn export(
        &mut self,
        file: &File<GatewayFile>,
        egress: Option<&Egress>,
    ) -> Option<Option<Export>> {
        const AT: &str = "/trace/export";
        let value = &file.value.trace.export;
        if value.endpoint.is_empty() {
            return Some(None);
        }
        let before = self.errors.len();
        let mut fault = |key: &str, message: String| {
            self.errors.push(file.error(&format!("{AT}/{key}"), message));
        };
        if !(0.0..=1.0).contains(&value.ratio) {
            fault("ratio", "`ratio` is a share of all, from 0 to 1".to_owned());
        }
        if value.service_name.is_empty() {
            fault("service_name", "`service_name` says nothing; write `patchgate`".to_owned());
        }
        let url = endpoint(value).map_err(|message| fault("endpoint", message)).ok();
        let headers: HeaderMap = value
            .headers
            .iter()
            .filter_map(|(name, secret)| {
                let read = field(name, secret.reveal());
                read.map_err(|message| fault(&format!("headers/{name}"), message)).ok()
            })
            .collect();
        let ca_file = &value.ca_file;
        let remote = Remote { file, at: AT, url_key: "endpoint", ca_file, pair: None };
        let way = url.and_then(|url| self.way(&remote, &url, egress));
        if self.errors.len() > before {
            return None;
        }
        let (service, queue) = (value.service_name.clone(), value.queue.max(1));
        Some(Some(Export {
            settings: Settings { way: way?, headers, service, queue },
            follows_callers: value.sampler == Sampler::ParentbasedTraceidratio,
            ratio: value.ratio,
        }))
    }
}

/// The URL of the collector. Within a cluster it is often `http://`, and spans are no secrets; what
/// stands in `headers` is one.
fn endpoint(value: &gateway::Export) -> Result<Uri, String> {
    const KEY: &str = "endpoint";
    let text = &value.endpoint;
    match text.strip_prefix("http://").filter(|_| value.headers.is_empty()) {
        // Whatever it would say of `http://` does not hold for this one.
        Some(rest) => {
            trusted_url(KEY, &format!("https://{rest}"))?;
            text.parse().map_err(|_| format!("`{KEY}` is no URL"))
        }
        None => trusted_url(KEY, text),
    }
}

fn field(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    const OURS: [HeaderName; 4] = [CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING];
    let name = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| "this is not a header name; write it as `api-key`".to_owned())?;
    if OURS.contains(&name) {
        return Err(format!("`{name}` is for the gateway to say"));
    }
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| format!("the value of `{name}` cannot be sent in a header"))?;
    value.set_sensitive(true);
    Ok((name, value))
}
