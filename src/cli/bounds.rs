//! What the system lets the process do: no image of its memory for others, no more of it than is
//! used, and all the files that it may open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Sets them; what cannot be set stays as it is. The number of files that may be open, if there is
/// a bound.
pub(super) fn set() -> Option<u64> {
    // Tokens and bodies would be in it.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    // In a huge page every buffer of an idle connection is there as a whole, used or not.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let mut files = getrlimit(Resource::Nofile);
    let most = Rlimit { current: files.maximum, maximum: files.maximum };
    if setrlimit(Resource::Nofile, most).is_ok() {
        files = most;
    }
    files.current
}
