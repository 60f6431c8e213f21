//! Listening sockets, several on one address.

use socket2::{Domain, Protocol, Socket, Type};

use std::io;
use std::net::{SocketAddr, TcpListener};

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// So many sockets that listen on `address`; where its port is 0, all on the same one.
pub(crate) fn bind_all(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    // Sockets that share a port would share it with another process as well, which then took part
    // of the callers. One that shares nothing finds out whether somebody is there.
    let mut address = address;
    if address.port() != 0 {
        drop(bind(address)?);
    }
    let mut listeners = Vec::with_capacity(count);
    for _ in 0..count {
        let listener = listen(address, true)?;
        address = listener.local_addr()?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// The one socket that listens on `address`.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    listen(address, false)
}

fn listen(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
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
