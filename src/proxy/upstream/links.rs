//! Answers whose links are led to the gateway, as they stream through.
//!
//! An answer of one version is rewritten in the same way whenever it comes, so its entity tag stands
//! for what callers see as it stands for what the API stores. What tells of its bytes goes: its
//! length, its digests, and ranges of it.

use super::answer::Streamed;
use crate::policy::Route;
use crate::policy::links::{Addresses, Rewriter};
use crate::proxy::answer::Answer;
use crate::proxy::body::Broken;
use crate::proxy::fields::{FieldValue, Fields};

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, StatusCode, Uri};
use http_body::{Body, Frame};

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// What tells of the bytes that the API sent, and not of those that the caller gets.
const ABOUT_BYTES: [&[u8]; 8] = [
    b"accept-ranges",
    b"content-digest",
    b"content-length",
    b"content-md5",
    b"digest",
    b"repr-digest",
    b"signature",
    b"signature-input",
];
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// Takes out what asks for a part of a document: a part cannot be rewritten.
pub(super) fn ask_for_all(fields: &mut Fields) {
    fields.remove(&header::RANGE);
    fields.remove(&header::IF_RANGE);
    fields.set(&header::ACCEPT_ENCODING, &IDENTITY);
}

/// The addresses of the API at `base`, whose links are to lead to `own`.
pub(super) fn addresses(base: &Uri, base_path: &str, own: &str) -> Addresses {
    let authority = base.authority().map(|authority| authority.as_str().to_ascii_lowercase());
    let authority = authority.unwrap_or_default();
    let default = if base.scheme_str() == Some("https") { 443 } else { 80 };
    let is_default = base.port_u16().is_none_or(|port| port == default);
    let host = base.host().unwrap_or_default().to_ascii_lowercase();
    let theirs = match is_default {
        true => vec![
            format!("https://{host}:443"),
            format!("http://{host}:80"),
            format!("https://{host}"),
            format!("http://{host}"),
        ],
        false => vec![format!("https://{authority}"), format!("http://{authority}")],
    };
    Addresses { theirs, base: base_path.to_owned(), own: own.to_owned() }
}

/// Leads the links of `answer`, which is one of `route`, to us.
pub(super) fn lead(
    mut answer: Answer<Streamed>,
    method: &Method,
    route: &Arc<Route>,
    addresses: &Arc<Addresses>,
) -> Answer<Led> {
    let fields = &mut answer.fields;
    for name in [header::LOCATION, header::CONTENT_LOCATION] {
        let link = fields.get(&name).and_then(FieldValue::as_str);
        let link = link.and_then(|link| addresses.replace(link));
        if let Some(link) = link.as_deref().and_then(FieldValue::of) {
            fields.set(&name, link);
        }
    }
    let whole = answer.status.is_success() && answer.status != StatusCode::PARTIAL_CONTENT;
    let has_body = answer.status != StatusCode::NO_CONTENT && is_json(fields);
    let rewriter = (whole && has_body).then(|| {
        fields.retain(|name| !ABOUT_BYTES.contains(&name));
        Rewriter::new(Arc::clone(route), Arc::clone(addresses))
    });
    let rewriter = rewriter.filter(|_| *method != Method::HEAD);
    answer.map(|streamed| Led { streamed, rewriter })
}

/// Whether the body is JSON in no content coding.
fn is_json(fields: &Fields) -> bool {
    let text = |name: HeaderName| fields.get(&name).and_then(FieldValue::as_str);
    let media_type = text(header::CONTENT_TYPE).and_then(|text| text.split(';').next());
    let media_type = media_type.unwrap_or_default().trim().to_ascii_lowercase();
    let coding = text(header::CONTENT_ENCODING).unwrap_or("identity");
    (media_type == "application/json" || media_type.ends_with("+json"))
        && coding.eq_ignore_ascii_case("identity")
        && fields.get_all(&header::CONTENT_ENCODING).count() < 2
}

/// A body whose links are led to us, if it is one that has them.
#[derive(Debug)]
pub struct Led {
    streamed: Streamed,
    rewriter: Option<Rewriter>,
}

impl Body for Led {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        loop {
            let frame = ready!(Pin::new(&mut this.streamed).poll_frame(cx));
            let Some(rewriter) = &mut this.rewriter else { return Poll::Ready(frame) };
            let mut out = Vec::new();
            match frame {
                Some(Ok(frame)) => match frame.data_ref() {
                    Some(data) => {
                        out.reserve(data.len());
                        rewriter.read(data, &mut out);
                    }
                    None => return Poll::Ready(Some(Ok(frame))),
                },
                Some(Err(broken)) => return Poll::Ready(Some(Err(broken))),
                None => {
                    rewriter.end(&mut out);
                    this.rewriter = None;
                    let rest = (!out.is_empty()).then(|| Ok(Frame::data(out.into())));
                    return Poll::Ready(rest);
                }
            }
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(out.into()))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rewriter.is_none() && self.streamed.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match self.rewriter {
            Some(_) => http_body::SizeHint::default(),
            None => self.streamed.size_hint(),
        }
    }
}
