//! Where files come from: the disk, or the copies that were built into the program.

use std::io;
use std::path::{Component, Path, PathBuf};

/// Where files come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The disk.
    Disk,
    /// The copies of the shipped files inside the program, by their path in the repository.
    Shipped,
}

/// The shipped gateway configuration.
pub const GATEWAY: &str = "config/patchgate.yaml";
/// The shipped policy for the referrals API.
pub const REFERRALS_POLICY: &str = "config/policies/partner-center-referrals.yaml";

const SHIPPED: [(&str, &str); 4] = [
    (GATEWAY, include_str!("../../config/patchgate.yaml")),
    ("config/issuer-keys.json", include_str!("../../config/issuer-keys.json")),
    (REFERRALS_POLICY, include_str!("../../config/policies/partner-center-referrals.yaml")),
    ("schemas/referral.schema.json", include_str!("../../schemas/referral.schema.json")),
];

impl Source {
    /// The text of the file at `path`.
    ///
    /// # Errors
    ///
    /// When there is none, or it is not UTF-8.
    pub fn read(self, path: &Path) -> io::Result<String> {
        match self {
            Self::Disk => std::fs::read_to_string(path),
            Self::Shipped => {
                let path = without_dots(path);
                let found = SHIPPED.iter().find(|(name, _)| Path::new(name) == path);
                let missing = || io::Error::new(io::ErrorKind::NotFound, "no such shipped file");
                found.map(|(_, text)| (*text).to_owned()).ok_or_else(missing)
            }
        }
    }
}

fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            Component::Normal(_) | Component::RootDir | Component::Prefix(_) => {
                plain.push(component)
            }
        }
    }
    plain
}
