//! What is sent, as far as it is used: `opentelemetry/proto/trace/v1/trace.proto` and what that needs.

use prost::{Enumeration, Message, Oneof};

use std::time::{SystemTime, UNIX_EPOCH};

/// One request to a collector.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ExportTraceServiceRequest {
    #[prost(message, repeated, tag = "1")]
    pub(super) resource_spans: Vec<ResourceSpans>,
}

/// Its answer.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ExportTraceServiceResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) partial_success: Option<ExportTracePartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ExportTracePartialSuccess {
    #[prost(int64, tag = "1")]
    pub(super) rejected_spans: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    pub(super) resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    pub(super) scope_spans: Vec<ScopeSpans>,
}

/// Who tells of spans.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Resource {
    #[prost(message, repeated, tag = "1")]
    pub(super) attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    pub(super) scope: Option<InstrumentationScope>,
    #[prost(message, repeated, tag = "2")]
    pub(super) spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct InstrumentationScope {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) version: String,
}

/// A piece of work within a trace.
#[derive(Clone, PartialEq, Message)]
pub struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent_span_id: Vec<u8>,
    #[prost(fixed32, tag = "16")]
    flags: u32,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(enumeration = "SpanKind", tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
}

/// What a span is to those before and behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub enum SpanKind {
    /// Nobody says.
    Unspecified = 0,
    /// Work within the gateway.
    Internal = 1,
    /// A request that the gateway answered.
    Server = 2,
    /// A request that the gateway sent.
    Client = 3,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(enumeration = "StatusCode", tag = "3")]
    code: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
enum StatusCode {
    Unset = 0,
    Error = 2,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 3, 5")]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Value {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(int64, tag = "3")]
    Number(i64),
    #[prost(message, tag = "5")]
    List(ArrayValue),
}

#[derive(Clone, PartialEq, Message)]
struct ArrayValue {
    #[prost(message, repeated, tag = "1")]
    values: Vec<AnyValue>,
}

/// The flag that it is known whether the parent is in another process, and the one that it is.
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

impl Span {
    /// A span of the trace `trace_id`.
    pub fn new(trace_id: [u8; 16], span_id: [u8; 8], kind: SpanKind, name: String) -> Self {
        let (trace_id, span_id) = (trace_id.to_vec(), span_id.to_vec());
        Self { trace_id, span_id, kind: kind.into(), name, ..Self::default() }
    }

    /// Whose part it is; whether that is a span of another process, and the flags of the trace.
    pub fn within(&mut self, parent: Option<[u8; 8]>, is_remote: bool, flags: u8) -> &mut Self {
        self.parent_span_id = parent.map(|parent| parent.to_vec()).unwrap_or_default();
        self.flags = u32::from(flags) | HAS_IS_REMOTE | if is_remote { IS_REMOTE } else { 0 };
        self
    }

    /// When it began and ended.
    pub fn took(&mut self, began: SystemTime, ended: SystemTime) -> &mut Self {
        let nanos = |time: SystemTime| {
            let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
        };
        (self.start_time_unix_nano, self.end_time_unix_nano) = (nanos(began), nanos(ended));
        self
    }

    /// Marks it as one that failed.
    pub fn failed(&mut self) -> &mut Self {
        self.status = Some(Status { code: StatusCode::Error.into() });
        self
    }

    /// Adds a text.
    pub fn text(&mut self, key: &'static str, text: impl Into<String>) -> &mut Self {
        self.add(key, Value::Text(text.into()))
    }

    /// Adds a text, if there is one.
    pub fn optional(&mut self, key: &'static str, text: Option<impl Into<String>>) -> &mut Self {
        match text {
            Some(text) => self.text(key, text),
            None => self,
        }
    }

    /// Adds a number, if there is one.
    pub fn number(&mut self, key: &'static str, number: Option<impl Into<i64>>) -> &mut Self {
        match number {
            Some(number) => self.add(key, Value::Number(number.into())),
            None => self,
        }
    }

    /// Adds a list of texts, if there are some.
    pub fn list(
        &mut self,
        key: &'static str,
        texts: impl IntoIterator<Item = &'static str>,
    ) -> &mut Self {
        let text = |text: &str| AnyValue { value: Some(Value::Text(text.to_owned())) };
        let values: Vec<_> = texts.into_iter().map(text).collect();
        match values.is_empty() {
            true => self,
            false => self.add(key, Value::List(ArrayValue { values })),
        }
    }

    fn add(&mut self, key: &'static str, value: Value) -> &mut Self {
        self.attributes.push(KeyValue::new(key, value));
        self
    }
}

impl KeyValue {
    fn new(key: &str, value: Value) -> Self {
        Self { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }) }
    }

    pub(super) fn text(key: &str, text: &str) -> Self {
        Self::new(key, Value::Text(text.to_owned()))
    }
}
