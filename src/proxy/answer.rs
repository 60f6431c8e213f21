//! An answer: its head, and the body behind it.

use super::fields::Fields;

use http::{Response, StatusCode, Version};

/// An answer.
#[derive(Debug)]
pub struct Answer<B> {
    /// The status.
    pub status: StatusCode,
    /// The version of HTTP that it came by.
    pub version: Version,
    /// The fields.
    pub fields: Fields,
    /// The body.
    pub body: B,
}

impl<B> Answer<B> {
    /// One without fields.
    pub fn new(status: StatusCode, body: B) -> Self {
        Self { status, version: Version::HTTP_11, fields: Fields::default(), body }
    }

    /// Its head, and its body.
    pub fn split(self) -> (Answer<()>, B) {
        let Self { status, version, fields, body } = self;
        (Answer { status, version, fields, body: () }, body)
    }

    /// The same with the body that `change` makes of its body.
    pub fn map<C>(self, change: impl FnOnce(B) -> C) -> Answer<C> {
        let Self { status, version, fields, body } = self;
        Answer { status, version, fields, body: change(body) }
    }
}

impl<B> From<Response<B>> for Answer<B> {
    fn from(response: Response<B>) -> Self {
        let (head, body) = response.into_parts();
        let fields = Fields::from(&head.headers);
        Self { status: head.status, version: head.version, fields, body }
    }
}

impl<B> From<Answer<B>> for Response<B> {
    fn from(answer: Answer<B>) -> Self {
        let Answer { status, fields, body, .. } = answer;
        let mut response = Self::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = fields.to_map(false);
        response
    }
}
