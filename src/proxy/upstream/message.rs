//! A request as it is sent to the upstream, whichever version of HTTP is spoken there.

use crate::proxy::fields::Fields;

use bytes::Bytes;
use http::Method;
use http::uri::PathAndQuery;

/// What is sent.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) method: Method,
    pub(super) target: PathAndQuery,
    /// `Host` is one of them.
    pub(super) fields: Fields,
    pub(super) body: Bytes,
}
