//! Opens files, directories and sockets, and keeps them open in every way of WASI 0.2.

use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};
use wasip2::sockets::network::{ErrorCode as SocketError, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress};
use wasip2::sockets::{instance_network, tcp_create_socket, udp, udp_create_socket};

use crate::answer::Target;

/// `?what=W&files=N&again=M`: opens up to N of them and returns the number that were open when one was refused, or N.
/// Then it closes one and opens another, M times, and returns the number of successes.
pub(crate) fn open(target: &Target) -> String {
    match target.text("what").as_str() {
        "directory" => held(target, || at(".", OpenFlags::DIRECTORY)),
        "stream" => held(target, || file()?.read_via_stream(0)),
        "write" => held(target, || file()?.write_via_stream(0)),
        "append" => held(target, || file()?.append_via_stream()),
        // One file with several references.
        "both" => {
            held(target, || file().and_then(|file| Ok((file.read_via_stream(0)?, file.write_via_stream(0)?, file))))
        }
        "missing" => held(target, || match at("missing", OpenFlags::empty()) {
            Err(ErrorCode::NoEntry) => Ok(()),
            opened => opened.map(drop),
        }),
        "granted" => held(target, || Ok::<_, ErrorCode>(get_directories())),
        "tcp" => held(target, || tcp_create_socket::create_tcp_socket(IpAddressFamily::Ipv4)),
        "udp" => held(target, || udp_create_socket::create_udp_socket(IpAddressFamily::Ipv4)),
        "datagrams" => held(target, datagrams),
        _ => held(target, file),
    }
}

/// Resources that are dropped at once take no share of the limit.
fn held<T, E: Named>(target: &Target, mut make: impl FnMut() -> Result<T, E>) -> String {
    let mut held = Vec::new();
    let mut text = String::new();
    while (held.len() as u64) < target.number("files", 1) {
        match make() {
            Ok(made) => held.push(made),
            Err(error) => {
                text = format!(", then {}", error.name());
                break;
            }
        }
    }
    text.insert_str(0, &format!("{} open", held.len()));
    let mut again = 0;
    for _ in 0..target.number("again", 0) {
        held.pop();
        if let Ok(made) = make() {
            held.push(made);
            again += 1;
        }
    }
    format!("{text}; {again} again\n")
}

trait Named {
    fn name(&self) -> &'static str;
}

impl Named for ErrorCode {
    fn name(&self) -> &'static str {
        self.name()
    }
}

impl Named for SocketError {
    fn name(&self) -> &'static str {
        self.name()
    }
}

pub(crate) fn file() -> Result<Descriptor, ErrorCode> {
    at("file", OpenFlags::empty())
}

pub(crate) fn at(path: &str, open: OpenFlags) -> Result<Descriptor, ErrorCode> {
    let mut granted = get_directories();
    let (directory, _) = granted.pop().ok_or(ErrorCode::Access)?;
    let write = if open.contains(OpenFlags::DIRECTORY) { DescriptorFlags::empty() } else { DescriptorFlags::WRITE };
    directory.open_at(PathFlags::empty(), path, open, DescriptorFlags::READ | write)
}

type Datagrams = (udp::IncomingDatagramStream, udp::OutgoingDatagramStream, udp::UdpSocket);

/// Creates a socket with its streams, which are its children.
fn datagrams() -> Result<Datagrams, SocketError> {
    let socket = udp_create_socket::create_udp_socket(IpAddressFamily::Ipv4)?;
    let any = IpSocketAddress::Ipv4(Ipv4SocketAddress { port: 0, address: (0, 0, 0, 0) });
    socket.start_bind(&instance_network::instance_network(), any)?;
    socket.finish_bind()?;
    let (incoming, outgoing) = socket.stream(None)?;
    Ok((incoming, outgoing, socket))
}
