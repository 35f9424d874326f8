//! A server process: its start, its address, its figures in /proc, and its end.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::shell;

/// The timeout of the start: compiling a guest and valgrind take long.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// A running server. Dropping it ends the process.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) addr: SocketAddr,
    /// The lines after the one with the address.
    lines: mpsc::Receiver<String>,
}

/// The resources that a process has used since its start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// CPU time in user and in kernel mode, of all threads.
    pub(crate) cpu: Duration,
    /// Context switches of all running threads.
    pub(crate) switches: u64,
}

impl Server {
    /// Starts a command and waits for the line on stderr that ends in `http://ADDRESS`.
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))?;
        let stderr = child.stderr.take();
        let (sender, lines) = mpsc::channel();
        // Reads to the end: a full pipe would block the server.
        thread::spawn(move || {
            for line in stderr.into_iter().flat_map(|stderr| BufReader::new(stderr).lines()).map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut said = Vec::new();
        while let Ok(line) = lines.recv_timeout(START_TIMEOUT) {
            if let Some(addr) = address(&line) {
                return Ok(Self { child, addr, lines });
            }
            said.push(line);
        }
        let _ = child.kill();
        child.wait()?;
        bail!("`{}` printed no address: {}", shell::line(&command), said.join("\n"));
    }

    /// Returns the ID of the process, which `taskset` has replaced.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a further line on stderr that contains `part`.
    pub(crate) fn wait_for(&self, part: &str) -> Result<()> {
        loop {
            let line =
                self.lines.recv_timeout(START_TIMEOUT).with_context(|| format!("the server wrote no {part:?}"))?;
            if line.contains(part) {
                return Ok(());
            }
        }
    }

    /// Sends SIGHUP.
    pub(crate) fn reload(&self) -> Result<()> {
        shell::read(Command::new("kill").args(["-HUP", &self.id().to_string()])).map(drop)
    }

    /// Sends SIGTERM, and waits until the process has ended.
    pub(crate) fn stop(mut self) -> Result<()> {
        shell::read(Command::new("kill").arg(self.id().to_string()))?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }

    /// Returns the resident memory, in bytes.
    pub(crate) fn memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB"));
        let kibibytes: u64 = kibibytes.context("no VmRSS in /proc/PID/status")?.trim().parse()?;
        Ok(kibibytes * 1024)
    }

    /// Returns the resources used so far.
    pub(crate) fn usage(&self) -> Result<Usage> {
        let proc = PathBuf::from(format!("/proc/{}", self.id()));
        let stat = fs::read_to_string(proc.join("stat"))?;
        let ticks = ticks(&stat).with_context(|| format!("unexpected /proc/PID/stat: {stat}"))?;
        let mut switches = 0;
        for task in fs::read_dir(proc.join("task"))? {
            // A thread may end during the loop.
            let Ok(status) = fs::read_to_string(task?.path().join("status")) else { continue };
            switches += self::switches(&status);
        }
        // Linux reports hundredths of a second on every architecture that Rust's std supports.
        Ok(Usage { cpu: Duration::from_millis(ticks * 10), switches })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address(line: &str) -> Option<SocketAddr> {
    // The line is text or a JSON object.
    line.split_once("http://")?.1.split(['/', '"']).next()?.trim_end().parse().ok()
}

/// Returns utime + stime. The name, the second field, may contain spaces and parentheses.
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn switches(status: &str) -> u64 {
    status
        .lines()
        .filter_map(|line| line.split_once("ctxt_switches:"))
        .filter_map(|(_, count)| count.trim().parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_files() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 900 0 3 0 421 79 0 0 20 0 3 0 100 0 0";
        assert_eq!(ticks(stat), Some(500));
        assert_eq!(switches("Name:\tx\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t3\n"), 15);
    }

    #[test]
    fn addresses() {
        let expected = Some(SocketAddr::from(([127, 0, 0, 1], 4000)));
        assert_eq!(address("listening on http://127.0.0.1:4000"), expected);
        assert_eq!(address("Serving HTTP on http://127.0.0.1:4000/"), expected);
        assert_eq!(address("{\"message\":\"listening on http://127.0.0.1:4000\"}"), expected);
        assert_eq!(address("see http://example.com"), None);
    }
}
