//! The instructions that use sockets, over WASI 0.3.

use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};

use wasip3::sockets::ip_name_lookup::resolve_addresses;
use wasip3::sockets::types::{
    IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress, TcpSocket, UdpSocket,
};
use wasip3::wit_stream;

const LINE: &[u8] = b"hello\n";

/// Returns the addresses of the name, separated by blanks.
pub(crate) async fn resolve(name: &str) -> Result<String, String> {
    let addresses = resolve_addresses(name.to_owned()).await.map_err(name_of)?;
    let addresses: Vec<String> = addresses.into_iter().map(|address| ip(address).to_string()).collect();
    Ok(format!("{}\n", addresses.join(" ")))
}

/// Sends a line to `HOST:PORT`, and returns the response.
pub(crate) async fn connect(peer: &str) -> Result<String, String> {
    let peer = address_of(peer).await?;
    let socket = TcpSocket::create(family(peer)).map_err(name_of)?;
    socket.connect(peer).await.map_err(name_of)?;
    exchange(&socket, Some(LINE)).await
}

/// Accepts one connection on `ADDR:PORT`, and sends back what it receives.
pub(crate) async fn listen(address: &str) -> Result<String, String> {
    let address = address_of(address).await?;
    let socket = TcpSocket::create(family(address)).map_err(name_of)?;
    socket.bind(address).map_err(name_of)?;
    let mut connections = socket.listen().map_err(name_of)?;
    eprintln!("bound to {}", socket_address(socket.get_local_address().map_err(name_of)?));
    let connection = connections.next().await.ok_or("no connection")?;
    exchange(&connection, None).await
}

/// Sends a datagram to `HOST:PORT`, and returns the response.
pub(crate) async fn send(peer: &str) -> Result<String, String> {
    let peer = address_of(peer).await?;
    let socket = UdpSocket::create(family(peer)).map_err(name_of)?;
    socket.send(LINE.to_vec(), Some(peer)).await.map_err(name_of)?;
    let (datagram, _) = socket.receive().await.map_err(name_of)?;
    Ok(String::from_utf8_lossy(&datagram).into_owned())
}

/// Receives one datagram on `ADDR:PORT`, and sends it back.
pub(crate) async fn receive(address: &str) -> Result<String, String> {
    let address = address_of(address).await?;
    let socket = UdpSocket::create(family(address)).map_err(name_of)?;
    socket.bind(address).map_err(name_of)?;
    eprintln!("bound to {}", socket_address(socket.get_local_address().map_err(name_of)?));
    let (datagram, peer) = socket.receive().await.map_err(name_of)?;
    socket.send(datagram.clone(), Some(peer)).await.map_err(name_of)?;
    Ok(String::from_utf8_lossy(&datagram).into_owned())
}

/// Sends `line` and returns the response, or sends back what it receives and returns that.
async fn exchange(socket: &TcpSocket, line: Option<&[u8]>) -> Result<String, String> {
    let (mut writer, data) = wit_stream::new();
    let sent = socket.send(data);
    let (reader, received) = socket.receive();
    if let Some(line) = line {
        writer.write_all(line.to_vec()).await;
        drop(writer);
        sent.await.map_err(name_of)?;
        let text = reader.collect().await;
        received.await.map_err(name_of)?;
        return Ok(String::from_utf8_lossy(&text).into_owned());
    }
    let text = reader.collect().await;
    received.await.map_err(name_of)?;
    writer.write_all(text.clone()).await;
    drop(writer);
    sent.await.map_err(name_of)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Returns the first address of `HOST:PORT`.
async fn address_of(text: &str) -> Result<IpSocketAddress, String> {
    let (host, port) = text.rsplit_once(':').ok_or("no port")?;
    let port = port.parse().map_err(name_of)?;
    let mut addresses = resolve_addresses(host.to_owned()).await.map_err(name_of)?.into_iter();
    Ok(match addresses.next().ok_or("no address")? {
        IpAddress::Ipv4(address) => IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address }),
        IpAddress::Ipv6(address) => {
            IpSocketAddress::Ipv6(Ipv6SocketAddress { port, flow_info: 0, address, scope_id: 0 })
        }
    })
}

fn family(address: IpSocketAddress) -> IpAddressFamily {
    match address {
        IpSocketAddress::Ipv4(_) => IpAddressFamily::Ipv4,
        IpSocketAddress::Ipv6(_) => IpAddressFamily::Ipv6,
    }
}

fn ip(address: IpAddress) -> IpAddr {
    match address {
        IpAddress::Ipv4((a, b, c, d)) => IpAddr::from([a, b, c, d]),
        IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => IpAddr::from([a, b, c, d, e, f, g, h]),
    }
}

fn socket_address(address: IpSocketAddress) -> SocketAddr {
    match address {
        IpSocketAddress::Ipv4(v4) => SocketAddr::new(ip(IpAddress::Ipv4(v4.address)), v4.port),
        IpSocketAddress::Ipv6(v6) => SocketAddr::new(ip(IpAddress::Ipv6(v6.address)), v6.port),
    }
}

fn name_of(error: impl Debug) -> String {
    format!("{error:?}")
}
