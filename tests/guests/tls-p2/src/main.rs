//! TLS connections over WASI 0.2:
//!
//! - `connect=HOST:PORT` sends a line and prints the response, `connect=HOST:PORT,NAME` with another server name;
//! - `hold=COUNT,HOST:PORT` prepares that many handshakes, drops their sockets, and prints how many handshakes succeed;
//! - `large=HOST:PORT` writes more than the stream permits.

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, reason = "generated code")]
    wit_bindgen::generate!({
        path: "../../../wit/tls-0.2",
        world: "imports",
        features: ["tls"],
        with: {
            "wasi:io/error@0.2.2": wasip2::io::error,
            "wasi:io/poll@0.2.2": wasip2::io::poll,
            "wasi:io/streams@0.2.2": wasip2::io::streams,
        },
    });
}

use std::env;
use std::fmt::Debug;
use std::process::ExitCode;

use bindings::wasi::tls::types::{ClientConnection, ClientHandshake};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::resolve_addresses;
use wasip2::sockets::network::{ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress};
use wasip2::sockets::tcp::TcpSocket;
use wasip2::sockets::tcp_create_socket::create_tcp_socket;

/// Dropped in this order: the streams are children of the connection.
type Streams = (InputStream, OutputStream, ClientConnection);

fn main() -> ExitCode {
    for argument in env::args().skip(1) {
        let (instruction, value) = argument.split_once('=').unwrap_or(("", &argument));
        let (first, second) = value.split_once(',').unwrap_or((value, "localhost"));
        let result = match instruction {
            "connect" => connect(first, second),
            "hold" => hold(first, second),
            "large" => large(first),
            _ => Err("unknown instruction".to_owned()),
        };
        match result {
            Ok(text) => print!("{text}"),
            Err(error) => {
                eprintln!("cannot {argument}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// Sends a line to `peer`, and returns the response.
fn connect(peer: &str, name: &str) -> Result<String, String> {
    let streams = finish(handshake(peer, name)?)?;
    let (input, output, connection) = &streams;
    output.blocking_write_and_flush(b"hello\n").map_err(name_of)?;
    connection.close_output();
    let mut response = Vec::new();
    loop {
        match input.blocking_read(4096) {
            Ok(bytes) => response.extend(bytes),
            Err(StreamError::Closed) => return Ok(String::from_utf8_lossy(&response).into_owned()),
            Err(error) => return Err(name_of(error)),
        }
    }
}

/// Returns how many handshakes succeed of `count` that are prepared before the first begins.
fn hold(count: &str, peer: &str) -> Result<String, String> {
    let count: usize = count.parse().map_err(name_of)?;
    let prepared: Vec<_> = (0..count).map(|_| handshake(peer, "localhost")).collect::<Result<_, _>>()?;
    let connections: Vec<_> = prepared.into_iter().map(finish).filter_map(Result::ok).collect();
    Ok(format!("{}\n", connections.len()))
}

/// Writes one byte more than `check-write` permits at most.
fn large(peer: &str) -> Result<String, String> {
    let streams = finish(handshake(peer, "localhost")?)?;
    let (_, output, _) = &streams;
    let permitted = usize::try_from(output.check_write().map_err(name_of)?).map_err(name_of)?;
    output.write(&vec![b'x'; permitted + 1]).map_err(name_of)?;
    Ok("written\n".to_owned())
}

/// Connects to `peer` and prepares a handshake. The socket is dropped, as the handshake takes its streams.
fn handshake(peer: &str, name: &str) -> Result<ClientHandshake, String> {
    let socket = create_tcp_socket(IpAddressFamily::Ipv4).map_err(name_of)?;
    socket.start_connect(&instance_network(), address_of(peer)?).map_err(name_of)?;
    let (input, output) = connected(&socket).map_err(name_of)?;
    Ok(ClientHandshake::new(name, input, output))
}

fn connected(socket: &TcpSocket) -> Result<(InputStream, OutputStream), ErrorCode> {
    loop {
        match socket.finish_connect() {
            Err(ErrorCode::WouldBlock) => socket.subscribe().block(),
            result => return result,
        }
    }
}

fn finish(handshake: ClientHandshake) -> Result<Streams, String> {
    let future = ClientHandshake::finish(handshake);
    future.subscribe().block();
    let result = future.get().ok_or("the handshake is not ready")?.map_err(|()| "the streams were taken")?;
    let (connection, input, output) = result.map_err(|error| error.to_debug_string())?;
    Ok((input, output, connection))
}

/// Returns the first IPv4 address of `HOST:PORT`.
fn address_of(text: &str) -> Result<IpSocketAddress, String> {
    let (host, port) = text.rsplit_once(':').ok_or("no port")?;
    let port = port.parse().map_err(name_of)?;
    let lookup = resolve_addresses(&instance_network(), host).map_err(name_of)?;
    loop {
        match lookup.resolve_next_address() {
            Ok(Some(IpAddress::Ipv4(address))) => {
                return Ok(IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address }));
            }
            Ok(Some(IpAddress::Ipv6(_))) => {}
            Ok(None) => return Err("no IPv4 address".to_owned()),
            Err(ErrorCode::WouldBlock) => lookup.subscribe().block(),
            Err(error) => return Err(name_of(error)),
        }
    }
}

fn name_of(error: impl Debug) -> String {
    format!("{error:?}")
}
