//! Opens files, directories and sockets, and keeps them open in every way of WASI 0.3.

use std::fmt::Debug;
use std::future::poll_fn;
use std::mem::forget;
use std::pin::Pin;
use std::task::Poll;

use wasip3::filesystem::preopens::get_directories;
use wasip3::filesystem::types::{Descriptor, DescriptorFlags, DirectoryEntry, ErrorCode, OpenFlags, PathFlags};
use wasip3::sockets::types::{
    ErrorCode as SocketError, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, TcpSocket, UdpSocket,
};
use wasip3::wit_stream;
use wit_bindgen::{FutureReader, StreamReader, StreamWriter};

use crate::target::Target;

/// `?what=W&files=N&again=M`: opens up to N of them and returns the number that were open when one was refused, or N.
/// Then it closes one and opens another, M times, and returns the number of successes. With `keep` they stay open
/// during the response.
pub(crate) async fn open(target: &Target) -> String {
    let port = target.number("port").and_then(|port| u16::try_from(port).ok()).unwrap_or(0);
    match target.text("what").unwrap_or_default() {
        "directory" => held(target, || at(".", OpenFlags::DIRECTORY)).await,
        "stream" => held(target, async || Ok::<_, ErrorCode>(file().await?.read_via_stream(0))).await,
        "write" => held(target, async || written(&file().await?, Some(0))).await,
        "append" => held(target, async || written(&file().await?, None)).await,
        "listing" => held(target, listing).await,
        "granted" => held(target, async || Ok::<_, ()>(get_directories())).await,
        "tcp" => held(target, async || TcpSocket::create(IpAddressFamily::Ipv4)).await,
        "udp" => held(target, async || UdpSocket::create(IpAddressFamily::Ipv4)).await,
        "receive" => held(target, async || Ok::<_, SocketError>(connected(port).await?.receive())).await,
        "send" => held(target, async || Ok::<_, SocketError>(sent(&connected(port).await?))).await,
        // One socket with several references.
        "both" => held(target, || both(port)).await,
        "at-once" => at_once(target.number("files").unwrap_or(1)).await,
        _ => held(target, file).await,
    }
}

async fn held<T, E: Debug>(target: &Target, mut make: impl AsyncFnMut() -> Result<T, E>) -> String {
    let mut held = Vec::new();
    let mut text = String::new();
    while held.len() < target.number("files").unwrap_or(1) {
        match make().await {
            Ok(made) => held.push(made),
            Err(error) => {
                text = format!(", then {error:?}");
                break;
            }
        }
    }
    text.insert_str(0, &format!("{} open", held.len()));
    let mut again = 0;
    for _ in 0..target.number("again").unwrap_or(0) {
        held.pop();
        // Tasks on the host's threads take a moment to end.
        for _ in 0..1000 {
            if let Ok(made) = make().await {
                held.push(made);
                again += 1;
                break;
            }
            wasip3::clocks::monotonic_clock::wait_for(1_000_000).await;
        }
    }
    if target.text("keep").is_some() {
        forget(held);
    }
    format!("{text}; {again} again\n")
}

async fn file() -> Result<Descriptor, ErrorCode> {
    at("file", OpenFlags::empty()).await
}

async fn at(path: &str, open: OpenFlags) -> Result<Descriptor, ErrorCode> {
    let (directory, _) = get_directories().pop().ok_or(ErrorCode::Access)?;
    let write = if open.contains(OpenFlags::DIRECTORY) { DescriptorFlags::empty() } else { DescriptorFlags::WRITE };
    directory.open_at(PathFlags::empty(), path.to_owned(), open, DescriptorFlags::READ | write).await
}

type Written = (StreamWriter<u8>, FutureReader<Result<(), ErrorCode>>);

/// Creates a stream into the file, at that offset or at its end.
fn written(file: &Descriptor, offset: Option<u64>) -> Result<Written, ErrorCode> {
    let (writer, data) = wit_stream::new();
    let result = match offset {
        Some(offset) => file.write_via_stream(data, offset),
        None => file.append_via_stream(data),
    };
    Ok((writer, result))
}

type Listing = (StreamReader<DirectoryEntry>, FutureReader<Result<(), ErrorCode>>);

/// Creates a listing of which one entry was read.
async fn listing() -> Result<Listing, ErrorCode> {
    let (directory, _) = get_directories().pop().ok_or(ErrorCode::Access)?;
    let (mut entries, result) = directory.read_directory();
    match entries.next().await {
        Some(_) => Ok((entries, result)),
        None => Err(result.await.err().unwrap_or(ErrorCode::NoEntry)),
    }
}

async fn connected(port: u16) -> Result<TcpSocket, SocketError> {
    let socket = TcpSocket::create(IpAddressFamily::Ipv4)?;
    let address = IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: (127, 0, 0, 1) });
    socket.connect(address).await?;
    Ok(socket)
}

type Sent = (StreamWriter<u8>, FutureReader<Result<(), SocketError>>);

fn sent(socket: &TcpSocket) -> Sent {
    let (writer, data) = wit_stream::new();
    (writer, socket.send(data))
}

type Both = (TcpSocket, (StreamReader<u8>, FutureReader<Result<(), SocketError>>), Sent);

async fn both(port: u16) -> Result<Both, SocketError> {
    let socket = connected(port).await?;
    let (received, sent) = (socket.receive(), sent(&socket));
    Ok((socket, received, sent))
}

/// Opens that many files concurrently, and returns the number of successes.
async fn at_once(files: usize) -> String {
    type Opening = Pin<Box<dyn Future<Output = Result<Descriptor, ErrorCode>>>>;
    let mut opening: Vec<Opening> = (0..files).map(|_| Box::pin(file()) as Opening).collect();
    let mut opened = Vec::new();
    let mut refused = 0;
    poll_fn(|cx| {
        opening.retain_mut(|call| match call.as_mut().poll(cx) {
            Poll::Ready(Ok(file)) => {
                opened.push(file);
                false
            }
            Poll::Ready(Err(_)) => {
                refused += 1;
                false
            }
            Poll::Pending => true,
        });
        if opening.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    format!("{} open, {refused} refused\n", opened.len())
}
