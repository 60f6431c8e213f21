//! Looks at the files again and again, and has them loaded when they have changed.

use super::Reload;
use crate::config::Files;

use std::time::Duration;

/// A watch over every file of the last load, whatever came of it.
///
/// It asks no kernel for events: those get lost where a folder is mounted, linked or shared over a
/// network, and a file is not written in one piece. What is read is small, and read rarely.
#[derive(Debug)]
pub struct Watch {
    reload: Reload,
    every: Duration,
    /// What the files held when they were last seen to have changed.
    changed: Option<Files>,
}

impl Watch {
    /// A look at the files of `reload` every so often.
    pub fn new(reload: Reload, every: Duration) -> Self {
        Self { reload, every, changed: None }
    }

    /// Looks once. What has changed is loaded when two looks have seen the same: a file may be
    /// half written at the first. Gives the time until the next look.
    pub fn look(&mut self) -> Duration {
        let loaded = self.reload.files();
        let now = loaded.again();
        if now == loaded {
            self.changed = None;
            return self.every;
        }
        if self.changed.as_ref() != Some(&now) {
            self.changed = Some(now);
            return self.every / 4;
        }
        self.changed = None;
        // Whatever comes of it is logged, and what is in force stays in force.
        drop(self.reload.run());
        self.every
    }
}
