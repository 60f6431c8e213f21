//! From the section `audit` to where records go, and what they tell.

use super::Reading;
use crate::audit::Settings;
use crate::config::File;
use crate::config::gateway::{GatewayFile, Shown, Unwritable};
use crate::policy::{self, Disclosure};

use zeroize::Zeroizing;

use std::path::PathBuf;

/// The fewest bytes of a key that nobody guesses.
const KEY_MIN: usize = 32;

/// The audit log that a gateway file asks for.
#[derive(Clone, Debug)]
pub struct Audit {
    /// Where records go.
    pub settings: Settings,
    /// What they tell of values.
    pub disclosure: Disclosure,
    /// What values are hashed with.
    pub key: Zeroizing<Vec<u8>>,
}

impl Reading {
    /// The audit log, if one is asked for; the outer `None` is a fault.
    pub(super) fn audit(&mut self, file: &File<GatewayFile>) -> Option<Option<Audit>> {
        let value = &file.value.audit;
        if value.file.is_empty() {
            return Some(None);
        }
        let values = &value.values;
        let shown = [values.personal, values.commercial, values.public, values.unmarked];
        let key = value.key.reveal();
        if shown.contains(&Shown::Hash) && key.len() < KEY_MIN {
            let message = format!(
                "`key` has to be {KEY_MIN} random bytes at least, where `values` says `hash`; make one with `patchgate key`, and write it as `${{file:PATH}}`"
            );
            self.errors.push(file.error("/audit/key", message));
            return None;
        }
        let shown = |shown| match shown {
            Shown::Clear => policy::Shown::Clear,
            Shown::Hash => policy::Shown::Hash,
            Shown::Redacted => policy::Shown::Redacted,
        };
        Some(Some(Audit {
            settings: Settings {
                path: PathBuf::from(&value.file),
                refuses: value.unwritable == Unwritable::Refuse,
                queue: value.queue.max(1),
                sync: value.sync.duration(),
                size: value.rotate_size.bytes() as u64,
                age: value.rotate_every.duration(),
            },
            disclosure: Disclosure {
                personal: shown(values.personal),
                commercial: shown(values.commercial),
                public: shown(values.public),
                unmarked: shown(values.unmarked),
            },
            key: Zeroizing::new(key.as_bytes().to_vec()),
        }))
    }
}
