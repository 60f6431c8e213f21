//! What the commands say on standard output.

use std::fmt::Display;
use std::io::{ErrorKind, Write as _, stdout};

/// Prints `text` as it is.
///
/// # Panics
///
/// When it cannot be written. A reader that has seen enough (`patchgate … | head`) is no fault: the
/// exit code still says how it went.
pub(super) fn print(text: impl Display) {
    match write!(stdout(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            #[allow(clippy::panic, reason = "what is half printed must not look like all")]
            {
                panic!("standard output cannot be written: {error}")
            }
        }
        Ok(()) | Err(_) => {}
    }
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    Json,
    Text,
}
