//! Colours, where somebody can see them.

use std::io::{IsTerminal as _, stdout};

/// Colours what is printed, or leaves it as it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint(bool);

impl Paint {
    /// For standard output: coloured on a terminal, unless `NO_COLOR` says not to.
    pub(super) fn of_stdout() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self(stdout().is_terminal() && !unwanted)
    }

    /// For what is as it should be.
    pub(super) fn good(self, text: &str) -> String {
        self.coloured("32", text)
    }

    /// For what is not.
    pub(super) fn bad(self, text: &str) -> String {
        self.coloured("31", text)
    }

    fn coloured(self, colour: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
