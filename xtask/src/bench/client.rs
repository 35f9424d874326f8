//! One request without a client library, to see the body and the time of the first response.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

/// The timeout of a request: a server under valgrind is slow.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Sends a GET on a new connection and reads it to the end. Returns the status, and the body without its framing.
pub(crate) fn get(addr: SocketAddr) -> Result<(u16, Vec<u8>)> {
    ask(addr, "GET", "/")
}

/// Sends a request without a body on a new connection and reads it to the end.
pub(crate) fn ask(addr: SocketAddr, method: &str, path: &str) -> Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(addr).with_context(|| format!("cannot connect to {addr}"))?;
    stream.set_read_timeout(Some(REQUEST_TIMEOUT))?;
    let framing = if method == "GET" { "" } else { "content-length: 0\r\n" };
    write!(stream, "{method} {path} HTTP/1.1\r\nhost: {addr}\r\n{framing}connection: close\r\n\r\n")?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).context("the server did not answer")?;
    parse(&bytes).with_context(|| format!("not an HTTP response: {:?}", String::from_utf8_lossy(&bytes)))
}

/// Like [`get`], but returns after the head.
pub(crate) fn status(addr: SocketAddr) -> Result<u16> {
    let mut stream = TcpStream::connect(addr).with_context(|| format!("cannot connect to {addr}"))?;
    stream.set_read_timeout(Some(REQUEST_TIMEOUT))?;
    write!(stream, "GET / HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n")?;
    let mut start = [0; 12];
    stream.read_exact(&mut start).context("the server did not answer")?;
    let status = start.get(9..).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    status.with_context(|| format!("not an HTTP response: {:?}", String::from_utf8_lossy(&start)))
}

fn parse(bytes: &[u8]) -> Option<(u16, Vec<u8>)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(bytes.get(..end)?).ok()?.to_ascii_lowercase();
    let body = bytes.get(end + 4..)?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    if head.contains("\r\ntransfer-encoding: chunked") {
        Some((status, unchunk(body)?))
    } else {
        Some((status, body.into()))
    }
}

fn unchunk(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = bytes.windows(2).position(|two| two == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(bytes.get(..line)?).ok()?, 16).ok()?;
        let data = bytes.get(line + 2..)?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(data.get(..size)?);
        bytes = data.get(size.checked_add(2)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_is_taken_off() {
        let expected = Some((200, b"Hello!\n".to_vec()));
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nHello!\n"), expected);
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nHe\r\n5\r\nllo!\n\r\n0\r\n\r\n";
        assert_eq!(parse(chunked), expected);
        assert_eq!(parse(chunked.get(..chunked.len() - 8).unwrap_or_default()), None);
    }
}
