//! A NATS server of a test's own, with a store of its own: on a free port of the loopback address, gone with the test.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{PATIENCE, eventually, tool};

/// How often a port is chosen. Another program may take one between its choice and the server's start.
const TRIES: u32 = 10;

/// A running server. It is killed when this is dropped.
pub(crate) struct Nats {
    server: Child,
    pub(crate) address: SocketAddr,
    directory: TempDir,
}

impl Nats {
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// Starts a server on a free port, with more in its configuration.
    pub(crate) fn start_with(configuration: &str) -> Self {
        let start = || Self::try_start(free_address(), configuration).ok();
        (0..TRIES).find_map(|_| start()).expect("one of many ports is free")
    }

    /// Starts a server with more in its configuration.
    ///
    /// # Errors
    ///
    /// It ended again, because a port is taken: what it said.
    pub(crate) fn try_start(address: SocketAddr, configuration: &str) -> Result<Self, String> {
        let directory = TempDir::new().unwrap();
        configure(&directory, configuration);
        let mut server = spawn(address, &directory);
        if is_ready(address, &mut server) { Ok(Self { server, address, directory }) } else { Err(said(&directory)) }
    }

    /// The URL of a bucket.
    pub(crate) fn url(&self, bucket: &str) -> String {
        format!("nats://{}/{bucket}", self.address)
    }

    /// Ends the server as a crash does, and starts it again on the same port and store.
    pub(crate) fn crash_and_restart(&mut self) {
        self.kill();
        self.restart();
    }

    /// Starts it again.
    pub(crate) fn restart(&mut self) {
        self.server = spawn(self.address, &self.directory);
        assert!(is_ready(self.address, &mut self.server), "nats-server did not come back: {}", said(&self.directory));
    }

    /// Starts it again, with this in its configuration.
    pub(crate) fn restart_with(&mut self, configuration: &str) {
        configure(&self.directory, configuration);
        self.restart();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(i32::try_from(self.server.id()).unwrap()).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// Ends the server as a crash does.
    pub(crate) fn kill(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An address that is free while its listener is held, and most likely still free a moment later.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn configure(directory: &TempDir, configuration: &str) {
    // A value of 1 MiB and its headers are more than the server's default takes for a message.
    std::fs::write(directory.path().join("nats.conf"), format!("max_payload: 2MB\n{configuration}")).unwrap();
}

fn spawn(address: SocketAddr, directory: &TempDir) -> Child {
    let mut command = Command::new(tool("TEMPO_TEST_NATS_SERVER", &["nats-server"]));
    command.args(["--addr", "127.0.0.1", "--port", &address.port().to_string(), "--jetstream"]);
    command.arg("--store_dir").arg(directory.path().join("store"));
    command.arg("--config").arg(directory.path().join("nats.conf"));
    let log = std::fs::File::options().create(true).append(true).open(directory.path().join("log")).unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("nats-server starts")
}

/// Waits until the server greets; `false` if it ended instead, because its port is taken.
fn is_ready(address: SocketAddr, server: &mut Child) -> bool {
    eventually("nats-server greets or ends", || {
        if server.try_wait().unwrap().is_some() {
            return Some(false);
        }
        greets(address).then_some(true)
    })
}

fn greets(address: SocketAddr) -> bool {
    let Ok(stream) = TcpStream::connect(address) else { return false };
    let mut line = String::new();
    stream.set_read_timeout(Some(PATIENCE)).is_ok()
        && BufReader::new(stream).read_line(&mut line).is_ok()
        && line.starts_with("INFO ")
        && line.contains("\"jetstream\":true")
}

fn said(directory: &TempDir) -> String {
    std::fs::read_to_string(directory.path().join("log")).unwrap_or_default()
}
