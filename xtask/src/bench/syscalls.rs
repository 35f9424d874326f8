//! Counts system calls per request with strace, in a separate run: tracing slows a server down, but does not change its
//! calls.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::load::Generator;
use super::server::Server;
use crate::shell;

const REQUESTS: u32 = 4_000;

/// Returns the system calls per request of a warm server.
pub(crate) fn count(server: &Server, generator: &Generator<'_>, summary: &Path) -> Result<f64> {
    let mut strace = Command::new("strace")
        .args(["-q", "-f", "-c", "-p", &server.id().to_string(), "-o"])
        .arg(summary)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start strace")?;
    let result = attached(server.id(), strace.id()).and_then(|()| generator.requests(server.addr, REQUESTS));
    // Only an interrupted strace detaches and writes its summary.
    let interrupted = shell::read(Command::new("sh").args(["-c", &format!("kill -INT {}", strace.id())]));
    strace.wait()?;
    let load = result?;
    interrupted?;
    let text = fs::read_to_string(summary).context("strace left no summary")?;
    let calls = calls(&text);
    ensure!(calls > 0, "strace counted nothing: {text}");
    Ok(calls as f64 / load.requests)
}

/// Waits until every thread of the process is traced.
fn attached(process: u32, tracer: u32) -> Result<()> {
    let traced = format!("TracerPid:\t{tracer}");
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let mut missing = false;
        for task in fs::read_dir(format!("/proc/{process}/task"))? {
            let status = fs::read_to_string(task?.path().join("status")).unwrap_or_default();
            missing |= !status.lines().any(|line| line == traced);
        }
        if !missing {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "strace cannot attach; /proc/sys/kernel/yama/ptrace_scope must be 0, or run as root"
        );
        thread::sleep(Duration::from_millis(10));
    }
}

/// Sums the calls of all rows: `% time, seconds, usecs/call, calls, [errors,] syscall`.
fn calls(summary: &str) -> u64 {
    summary
        .lines()
        .filter(|line| !line.ends_with(" total"))
        .filter_map(|line| line.split_whitespace().nth(3)?.parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_summed() {
        let summary = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.002000           2      1000           write
 40.00    0.001000           1      1200        12 read
------ ----------- ----------- --------- --------- ----------------
100.00    0.003000           1      2200        12 total
";
        assert_eq!(calls(summary), 2200);
    }
}
