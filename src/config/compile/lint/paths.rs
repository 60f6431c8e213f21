//! Patterns and ops that decide nothing.

use super::Policies;
use crate::config::compile::Reading;
use crate::config::policy::{self as file, Choice};
use crate::patch::OpName;
use crate::policy::pattern::Pattern;
use crate::policy::rule::AllowedPath;
use crate::policy::schema::Schema;

impl Reading {
    /// `paths` that others cover, and `ops` that no path admits.
    pub(in crate::config::compile) fn lint_paths(
        &mut self,
        file: &Policies,
        at: &str,
        ops: &[OpName],
        paths: &[(usize, AllowedPath)],
    ) {
        for (position, (index, path)) in paths.iter().enumerate() {
            let twin = |other: &AllowedPath| path.pattern.covers(&other.pattern);
            // Of two alike the later one is moot.
            let covering: Vec<&AllowedPath> = (paths.iter().enumerate())
                .filter(|(at, (_, other))| {
                    *at != position && other.covers(path) && (*at < position || !twin(other))
                })
                .map(|(_, (_, other))| other)
                .collect();
            if path.ops.iter().all(|op| covering.iter().any(|other| other.ops.contains(op)))
                && let Some(first) = covering.first()
            {
                let message = format!(
                    "this entry decides nothing: `{}` already admits all that it does",
                    first.pattern
                );
                self.warn(file, &format!("{at}/paths/{index}"), message);
            }
        }
        for op in ops {
            if !paths.is_empty() && !paths.iter().any(|(_, path)| path.ops.contains(op)) {
                let message = format!("no entry of `paths` admits the op `{op}`");
                self.warn(file, &format!("{at}/ops"), message);
            }
        }
    }

    /// Patterns of fields that the schema does not describe.
    pub(in crate::config::compile) fn lint_fields(
        &mut self,
        file: &Policies,
        at: &str,
        wanted: &file::Resource,
        schema: &Schema,
    ) {
        if wanted.undescribed == Choice::Permit {
            return;
        }
        let immutable = wanted.immutable.iter().enumerate();
        let mut all: Vec<(String, &String)> = immutable
            .map(|(index, pattern)| (format!("{at}/immutable/{index}"), pattern))
            .collect();
        for (index, edits) in wanted.states.iter().flat_map(|s| s.edits.iter().enumerate()) {
            let except = edits.except.iter().enumerate();
            all.extend(except.map(|(position, pattern)| {
                (format!("{at}/states/edits/{index}/except/{position}"), pattern)
            }));
        }
        for (at, text) in all {
            if Pattern::parse(text).is_ok_and(|pattern| !schema.describes(&pattern)) {
                let message = format!("`{text}` matches nothing that the schema describes");
                self.warn(file, &at, message);
            }
        }
    }
}
