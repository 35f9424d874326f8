//! TLS connections over WASI 0.3. `connect=HOST:PORT` sends a line and prints the response, `connect=HOST:PORT,NAME` with
//! another server name, `early=NAME` performs a handshake without streams.

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, reason = "generated code")]
    wit_bindgen::generate!({ path: "../../../wit/tls-0.3", world: "imports", generate_all });
}

use std::fmt::Debug;

use bindings::wasi::tls::client::Connector;
use bindings::wasi::tls::types::Error;
use wasip3::cli::{environment, stdout};
use wasip3::exports::cli::run::Guest;
use wasip3::sockets::ip_name_lookup::resolve_addresses;
use wasip3::sockets::types::{IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, TcpSocket};
use wasip3::wit_stream;

struct Command;

wasip3::cli::command::export!(Command);

impl Guest for Command {
    async fn run() -> Result<(), ()> {
        for argument in environment::get_arguments().iter().skip(1) {
            let result = match argument.split_once('=') {
                Some(("connect", value)) => {
                    let (peer, name) = value.split_once(',').unwrap_or((value, "localhost"));
                    connect(peer, name).await
                }
                Some(("early", name)) => handshake(Connector::new(), name).await.map(|()| String::new()),
                _ => Err("unknown instruction".to_owned()),
            };
            match result {
                Ok(text) => print(text).await?,
                Err(error) => {
                    eprintln!("cannot {argument}: {error}");
                    return Err(());
                }
            }
        }
        Ok(())
    }
}

/// Sends a line to `peer`, and returns the response.
async fn connect(peer: &str, name: &str) -> Result<String, String> {
    let socket = TcpSocket::create(IpAddressFamily::Ipv4).map_err(name_of)?;
    socket.connect(address_of(peer).await?).await.map_err(name_of)?;
    let connector = Connector::new();
    let (mut request, cleartext) = wit_stream::new();
    let (ciphertext, encrypted) = connector.send(cleartext);
    let sent = socket.send(ciphertext);
    let (ciphertext, received) = socket.receive();
    let (response, decrypted) = connector.receive(ciphertext);
    handshake(connector, name).await?;
    request.write_all(b"hello\n".to_vec()).await;
    drop(request);
    encrypted.await.map_err(|error| text_of(&error))?;
    sent.await.map_err(name_of)?;
    let response = response.collect().await;
    decrypted.await.map_err(|error| text_of(&error))?;
    received.await.map_err(name_of)?;
    Ok(String::from_utf8_lossy(&response).into_owned())
}

async fn handshake(connector: Connector, name: &str) -> Result<(), String> {
    Connector::connect(connector, name.to_owned()).await.map_err(|error| text_of(&error))
}

/// Returns the first IPv4 address of `HOST:PORT`.
async fn address_of(text: &str) -> Result<IpSocketAddress, String> {
    let (host, port) = text.rsplit_once(':').ok_or("no port")?;
    let port = port.parse().map_err(name_of)?;
    let addresses = resolve_addresses(host.to_owned()).await.map_err(name_of)?;
    let found = addresses.into_iter().find_map(|address| match address {
        IpAddress::Ipv4(address) => Some(IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address })),
        IpAddress::Ipv6(_) => None,
    });
    found.ok_or_else(|| "no IPv4 address".to_owned())
}

/// Writes a line with the 0.3 interface: `println!` would use that of 0.2.
async fn print(line: String) -> Result<(), ()> {
    let (mut writer, reader) = wit_stream::new();
    let written = stdout::write_via_stream(reader);
    let rest = writer.write_all(line.into_bytes()).await;
    drop(writer);
    written.await.map_err(|_| ())?;
    if rest.is_empty() { Ok(()) } else { Err(()) }
}

fn text_of(error: &Error) -> String {
    error.to_debug_string()
}

fn name_of(error: impl Debug) -> String {
    format!("{error:?}")
}
