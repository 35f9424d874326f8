//! The instructions that use sockets, with the standard library.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};

/// Sends a line to `HOST:PORT`, and returns the response.
pub(crate) fn connect(peer: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(peer)?;
    stream.write_all(b"hello\n")?;
    stream.shutdown(Shutdown::Write)?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    Ok(response)
}

/// Accepts one connection on `ADDR:PORT`, and sends back what it receives.
pub(crate) fn listen(address: &str) -> io::Result<String> {
    let listener = TcpListener::bind(address)?;
    eprintln!("bound to {}", listener.local_addr()?);
    let (mut stream, _) = listener.accept()?;
    let mut request = String::new();
    stream.read_to_string(&mut request)?;
    stream.write_all(request.as_bytes())?;
    Ok(request)
}

/// Sends a datagram to `HOST:PORT`, and returns the response.
pub(crate) fn send(peer: &str) -> io::Result<String> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.send_to(b"hello\n", peer)?;
    receive_from(&socket).map(|(text, _)| text)
}

/// Receives one datagram on `ADDR:PORT`, and sends it back.
pub(crate) fn receive(address: &str) -> io::Result<String> {
    let socket = UdpSocket::bind(address)?;
    eprintln!("bound to {}", socket.local_addr()?);
    let (text, peer) = receive_from(&socket)?;
    socket.send_to(text.as_bytes(), peer)?;
    Ok(text)
}

fn receive_from(socket: &UdpSocket) -> io::Result<(String, std::net::SocketAddr)> {
    let mut buffer = [0; 1500];
    let (length, peer) = socket.recv_from(&mut buffer)?;
    let datagram = buffer.get(..length).unwrap_or_default();
    Ok((String::from_utf8_lossy(datagram).into_owned(), peer))
}
