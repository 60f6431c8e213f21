//! The kind of document a route changes.

use super::graph::Graph;
use super::schema::Schema;
use crate::patch::Pointer;

use std::sync::Arc;

/// The kind of document a route changes: its schema and its state graph.
#[derive(Debug)]
pub struct Resource {
    /// The name in the policy.
    pub name: Arc<str>,
    /// What its documents look like.
    pub schema: Arc<Schema>,
    /// The states and the steps between them, if it has any.
    pub graph: Option<Arc<Graph>>,
    /// Whether the API takes names that differ only in case for the same: then an op on `/Status`
    /// is judged as one on `/status`.
    pub folds_case: bool,
    /// Where a document carries its entity tag, if it does.
    pub tag: Option<Pointer<'static>>,
}
