//! Lets callers in: as many as there is room for, and none twice.

use super::connection::Ended;
use super::crowd::{Crowd, Member};
use crate::limits::{Capacity, Slot};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{self, Receiver, Sender};

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

/// How long to wait before a failed accept is tried again: what failed, such as a lack of file
/// descriptors, does not go away at once.
const PAUSE: Duration = Duration::from_millis(50);

/// Where callers come in, and those who are inside.
pub(super) struct Reception<S> {
    room: Capacity,
    crowd: Crowd,
    serve: S,
    /// Everybody inside has a clone of this, and `left` ends when nobody has.
    inside: Sender<Infallible>,
    left: Receiver<Infallible>,
    /// Whether the last attempt to let anybody in failed.
    fails: bool,
}

impl<S, F> Reception<S>
where
    S: Fn(TcpStream, IpAddr) -> F,
    F: Future<Output = Result<(), Ended>> + 'static,
{
    /// Callers are served by `serve`.
    pub(super) fn new(room: Capacity, crowd: Crowd, serve: S) -> Self {
        let (inside, left) = mpsc::channel(1);
        Self { room, crowd, serve, inside, left, fails: false }
    }

    /// Lets in whoever comes, for ever.
    pub(super) async fn receive(&mut self, listener: &TcpListener) {
        loop {
            let (tcp, address) = self.accept(listener).await;
            let Some(member) = self.admit(address) else { continue };
            // With no room, this one waits here and the next ones in the backlog.
            let slot = loop {
                match self.room.take() {
                    Some(slot) => break slot,
                    None => tokio::time::sleep(PAUSE).await,
                }
            };
            self.begin(tcp, address, member, slot);
        }
    }

    /// Lets in those who had connected before it closed: they do not know that nobody was there.
    pub(super) fn receive_last(&mut self, listener: TcpListener) {
        let Ok(listener) = listener.into_std() else { return };
        while let Ok((tcp, peer)) = listener.accept() {
            let tcp = tcp.set_nonblocking(true).and_then(|()| TcpStream::from_std(tcp));
            let (Ok(tcp), Some(member)) = (tcp, self.admit(peer.ip())) else { continue };
            let Some(slot) = self.room.take() else { return };
            self.begin(tcp, peer.ip(), member, slot);
        }
    }

    /// Waits until nobody is inside.
    pub(super) async fn finish(self) {
        let Self { inside, mut left, .. } = self;
        drop(inside);
        left.recv().await;
    }

    /// Nothing is said to those who are too many: to say it would take the room they may not have.
    fn admit(&self, address: IpAddr) -> Option<Member> {
        let member = self.crowd.admit(address);
        if member.is_none() {
            tracing::debug!(%address, "an address has too many connections");
        }
        member
    }

    fn begin(&mut self, tcp: TcpStream, address: IpAddr, member: Member, slot: Slot) {
        let connection = (self.serve)(tcp, address);
        let inside = self.inside.clone();
        tokio::task::spawn_local(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a caller's connection ended");
            }
            drop((slot, member, inside));
        });
    }

    async fn accept(&mut self, listener: &TcpListener) -> (TcpStream, IpAddr) {
        loop {
            match listener.accept().await {
                Ok((tcp, peer)) => {
                    if std::mem::take(&mut self.fails) {
                        tracing::info!("connections are accepted again");
                    }
                    return (tcp, peer.ip());
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    if !std::mem::replace(&mut self.fails, true) {
                        tracing::warn!(%error, "no connection can be accepted");
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}
