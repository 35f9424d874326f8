//! A NATS server per test, with its own store, on a free port of the loopback address. It ends with the test.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{PATIENCE, eventually, tool};

/// The number of attempts to choose a port. Another program may take one before the server starts.
const MAX_ATTEMPTS: u32 = 10;

/// A running server. Dropping it kills the process.
pub(crate) struct Nats {
    server: Child,
    pub(crate) address: SocketAddr,
    directory: TempDir,
}

impl Nats {
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// Starts a server on a free port, with additional configuration.
    pub(crate) fn start_with(configuration: &str) -> Self {
        let start = || Self::try_start(free_address(), configuration).ok();
        (0..MAX_ATTEMPTS).find_map(|_| start()).expect("one of many ports is free")
    }

    /// Starts a server with additional configuration.
    ///
    /// # Errors
    ///
    /// Returns the server's output if it exited because a port is in use.
    pub(crate) fn try_start(address: SocketAddr, configuration: &str) -> Result<Self, String> {
        let directory = TempDir::new().unwrap();
        configure(&directory, configuration);
        let mut server = spawn(address, &directory);
        if is_ready(address, &mut server) { Ok(Self { server, address, directory }) } else { Err(said(&directory)) }
    }

    /// Returns the URL of a bucket.
    pub(crate) fn url(&self, bucket: &str) -> String {
        format!("nats://{}/{bucket}", self.address)
    }

    /// Kills the server, and restarts it on the same port and store.
    pub(crate) fn crash_and_restart(&mut self) {
        self.kill();
        self.restart();
    }

    /// Restarts the server.
    pub(crate) fn restart(&mut self) {
        self.server = spawn(self.address, &self.directory);
        assert!(is_ready(self.address, &mut self.server), "nats-server did not come back: {}", said(&self.directory));
    }

    /// Restarts the server with this configuration.
    pub(crate) fn restart_with(&mut self, configuration: &str) {
        configure(&self.directory, configuration);
        self.restart();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(i32::try_from(self.server.id()).unwrap()).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// Kills the server.
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

/// Returns an address that is free now, and most likely still free a moment later.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn configure(directory: &TempDir, configuration: &str) {
    // A value of 1 MiB with its headers exceeds the server's default message size.
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

/// Waits for the server's greeting; returns `false` if it exited because its port is in use.
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
