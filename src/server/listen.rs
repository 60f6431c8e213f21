//! Listening sockets, several on one address.

use socket2::{Domain, Protocol, Socket, Type};

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Where to listen.
#[derive(Clone, Debug)]
pub enum Listen {
    /// On an address; port 0 takes any.
    On(SocketAddr),
    /// On a socket that listens already, as a service manager hands it over.
    Given(Arc<TcpListener>),
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self::On(address)
    }
}

/// So many sockets that listen, all on one address; where its port is 0, all on the same one.
pub(crate) fn bind_all(listen: &Listen, count: usize) -> io::Result<Vec<TcpListener>> {
    let Listen::On(mut address) = *listen else {
        // There is one queue, and whoever has time takes the next.
        return (0..count).map(|_| bind(listen)).collect();
    };
    // Sockets that share a port would share it with another process as well, which then took part
    // of the callers. One that shares nothing finds out whether somebody is there.
    if address.port() != 0 {
        drop(bind(listen)?);
    }
    let mut listeners = Vec::with_capacity(count);
    for _ in 0..count {
        let listener = listen_on(address, true)?;
        address = listener.local_addr()?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// One socket that listens.
pub(crate) fn bind(listen: &Listen) -> io::Result<TcpListener> {
    match listen {
        Listen::On(address) => listen_on(*address, false),
        Listen::Given(socket) => {
            socket.set_nonblocking(true)?;
            socket.try_clone()
        }
    }
}

fn listen_on(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{address}: {error}"));
    socket.bind(&address.into()).map_err(named)?;
    socket.listen(BACKLOG).map_err(named)?;
    Ok(socket.into())
}
