//! Runs the load generator, a separate program so that it can have its own core, and parses its results.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::cores;
use crate::shell;

/// The results of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) requests: f64,
    /// Requests per second.
    pub(crate) rate: f64,
    /// Latencies in microseconds.
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
}

/// The generator and its core.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Generator<'a> {
    pub(crate) program: &'a Path,
    pub(crate) core: Option<u16>,
    pub(crate) connections: u16,
    pub(crate) path: &'a str,
    /// The length of the body that a request sends, in bytes.
    pub(crate) body_bytes: u32,
}

impl Generator<'_> {
    /// Runs for this many seconds.
    pub(crate) fn seconds(&self, addr: SocketAddr, seconds: f64) -> Result<Load> {
        self.seconds_with(addr, seconds, &[])
    }

    /// Runs for this many seconds with more options.
    pub(crate) fn seconds_with(&self, addr: SocketAddr, seconds: f64, options: &[String]) -> Result<Load> {
        let mut command = self.command(addr);
        command.args(["--duration", &seconds.to_string()]).args(options);
        Self::run(command)
    }

    /// Runs for this many requests.
    pub(crate) fn requests(&self, addr: SocketAddr, requests: u32) -> Result<Load> {
        let mut command = self.command(addr);
        command.args(["--requests", &requests.to_string()]);
        Self::run(command)
    }

    /// Returns the command of the generator, on its core.
    pub(crate) fn command(&self, addr: SocketAddr) -> Command {
        let mut command = Command::new(self.program);
        command.args([&addr.to_string(), "--path", self.path, "--connections", &self.connections.to_string()]);
        command.args(["--body-bytes", &self.body_bytes.to_string()]);
        cores::pinned(command, self.core)
    }

    fn run(mut command: Command) -> Result<Load> {
        let text = shell::read(&mut command)?;
        let json: Value = serde_json::from_str(&text).context("the load generator wrote something that is not JSON")?;
        let number = |pointer: &str| {
            let value = json.pointer(pointer).and_then(Value::as_f64);
            value.with_context(|| format!("the load generator wrote no {pointer}: {text}"))
        };
        let requests = number("/requests")?;
        // A server that fails is fast: its numbers would be meaningless.
        let failed = json.pointer("/errors").and_then(Value::as_object).is_none_or(|errors| !errors.is_empty());
        ensure!(
            requests > 0.0 && !failed && number("/statuses/200").is_ok_and(|good| good == requests),
            "not every request was answered with 200: {text}"
        );
        let latency = |percentile| number(&format!("/latency_us/{percentile}"));
        Ok(Load { requests, rate: number("/rps")?, p50: latency("p50")?, p90: latency("p90")?, p99: latency("p99")? })
    }
}
