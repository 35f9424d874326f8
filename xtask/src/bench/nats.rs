//! A nats-server for a measurement.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::setup;

/// A nats-server with JetStream on the loopback address. Dropping it kills the process.
pub(super) struct Server(Child);

impl Server {
    /// Starts the server of `cargo xtask setup`, and waits until it listens.
    pub(super) fn start(port: u16, store: &Path) -> Result<Self> {
        let program = setup::nats_server()?;
        let mut command = Command::new(&program);
        command.args(["--jetstream", "--addr", "127.0.0.1", "--port", &port.to_string()]);
        command.arg("--store_dir").arg(store).stdout(Stdio::null()).stderr(Stdio::null());
        let server = Self(command.spawn().with_context(|| format!("cannot start {}", program.display()))?);
        let started = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(started.elapsed() < Duration::from_secs(10), "nats-server does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
