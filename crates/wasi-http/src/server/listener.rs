//! The listener of the server.

use std::net::SocketAddr;

use tempo_settings::{Error, ErrorKind};
use tokio::net::{TcpListener, TcpSocket};

/// Length of the listen queue, in connections.
const LISTEN_BACKLOG: u32 = 1024;

/// Listens on `address`.
///
/// # Errors
///
/// The address is in use or does not exist.
pub(super) fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    let bound = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // Connections in TIME_WAIT of a server that has just stopped would block the port.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(LISTEN_BACKLOG)
    };
    bound().map_err(|error| {
        let failed = Error::new(ErrorKind::Unavailable, format!("cannot listen on {address}")).with_source(error);
        failed.with_advice("choose another address with --addr")
    })
}
