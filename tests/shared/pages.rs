//! Helpers: running servers, and a client that writes raw requests.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Timeout of operations that otherwise hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A runtime on a thread, as telemetry has one; it ends with the test.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Sends the raw `request`, and reads until the server closes.
pub(crate) async fn say(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    // A server that rejects may reset the connection after its response.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// GETs `path`; returns the status and the body.
pub(crate) async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let answer = say(address, &format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")).await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (status(head), body.to_owned())
}

/// Returns the status of a response.
pub(crate) fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no status: {answer}"))
}

/// A program that the tests start: the one that `cargo xtask test` names in `variable`, else the one that `cargo xtask
/// setup` installs, else the machine's.
pub(crate) fn tool(variable: &str, names: &[&str]) -> PathBuf {
    if let Some(named) = std::env::var_os(variable) {
        return named.into();
    }
    let own = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tools").join("bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::iter::once(own).chain(std::env::split_paths(&path));
    let mut programs = directories.flat_map(|directory| names.iter().map(move |name| directory.join(name)));
    programs.find(|program| program.is_file()).unwrap_or_else(|| panic!("no {}: run `cargo xtask setup`", names[0]))
}
