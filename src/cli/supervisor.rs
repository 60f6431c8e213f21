//! The service manager that started the process: the sockets that it hands over, and what it is
//! told (systemd: `LISTEN_FDS`, `sd_notify`). Without one nothing happens.

use crate::server::Listen;

use listenfd::ListenFd;
use sd_notify::NotifyState;

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

/// The name of the socket for operators (`FileDescriptorName=`); any other is for callers.
const ADMIN: &str = "admin";

/// The sockets that were handed over.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    pub(super) callers: Option<Listen>,
    pub(super) admin: Option<Listen>,
}

impl Sockets {
    /// Takes them. To be called before there are threads: it changes the environment.
    pub(super) fn take() -> io::Result<Self> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut given = ListenFd::from_env();
        let mut sockets = Self::default();
        for index in 0..given.len() {
            let is_admin = names.next() == Some(ADMIN);
            let place = if is_admin { &mut sockets.admin } else { &mut sockets.callers };
            let socket = given.take_tcp_listener(index)?.map(Arc::new).map(Listen::Given);
            if std::mem::replace(place, socket).is_some() {
                let whom = if is_admin { "operators" } else { "callers" };
                let message = format!(
                    "two sockets for {whom} were handed over; name the one for operators `{ADMIN}`, \
                     and give one for callers"
                );
                return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
            }
        }
        Ok(sockets)
    }
}

/// How often the manager wants to hear that all is well, if it does.
pub(super) fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|time| time / 2)
}

/// All is well.
pub(super) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// Callers are served, by the configuration that was wanted last.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is being loaded again.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "the service manager was not told"),
    }
}

/// The gateway is about to stop.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(state: &[NotifyState<'_>]) {
    let Some(place) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let text: String = state.iter().map(|state| format!("{state}\n")).collect();
    if let Err(error) = send(&place, &text) {
        tracing::warn!(%error, "the service manager was not told");
    }
}

/// Sends `text` to the socket at `place`: a path, or a name without a file after an `@`, which the
/// crate does not know.
fn send(place: &OsStr, text: &str) -> io::Result<()> {
    let address = match place.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(place)?,
    };
    UnixDatagram::unbound()?.send_to_addr(text.as_bytes(), &address).map(drop)
}
