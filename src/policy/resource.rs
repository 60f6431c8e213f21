//! The kind of document a route changes.

use super::graph::Graph;
use super::schema::Schema;
use crate::patch::Pointer;

use std::sync::Arc;

/// The kind of document a route changes: its schema and its state graph.
#[derive(Debug)]
pub struct Resource {
    /// The name in the policy.
    pub name: String,
    /// What its documents look like.
    pub schema: Arc<Schema>,
    /// The states and the steps between them, if it has any.
    pub graph: Option<Arc<Graph>>,
    /// Where a document carries its entity tag, if it does.
    pub tag: Option<Pointer<'static>>,
}
