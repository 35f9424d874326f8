//! `BuildProcess`: the process of a build, in a process group of its own, so that its children end with it.

use std::io::{self, BufRead as _, BufReader, PipeReader, Read as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use super::process_group::ProcessGroup;

/// Maximum length of a line; a longer one is split.
const MAX_LINE_BYTES: u64 = 16 << 10;
/// Maximum time to read the rest of the output after the end of the process: a daemon that it has started keeps the pipe open.
const OUTPUT_GRACE: Duration = Duration::from_millis(250);

/// A running build. Dropping it ends the process and its children.
pub(super) struct BuildProcess {
    group: ProcessGroup,
}

impl BuildProcess {
    /// Starts `command`. A thread gives the lines of its output to `line`, and another its status to `ended`.
    ///
    /// # Errors
    ///
    /// The program cannot be started.
    pub(super) fn start(
        mut command: Command,
        line: impl FnMut(&str) + Send + 'static,
        ended: impl FnOnce(io::Result<ExitStatus>) + Send + 'static,
    ) -> io::Result<Self> {
        let (output, input) = io::pipe()?;
        command.stdin(Stdio::null()).stdout(input.try_clone()?).stderr(input);
        let (group, child) = ProcessGroup::spawn(&mut command)?;
        // The command holds the ends of the pipe to write to.
        drop(command);
        let (finished, all_read) = sync_channel::<()>(0);
        let reader = std::thread::Builder::new().name("tempo-build-log".to_owned());
        reader.spawn(move || {
            read_lines(output, line);
            drop(finished);
        })?;
        let (waiting, waiter) = (group.clone(), std::thread::Builder::new().name("tempo-build".to_owned()));
        waiter.spawn(move || {
            let status = wait(&waiting, child);
            let _: Result<(), RecvTimeoutError> = all_read.recv_timeout(OUTPUT_GRACE);
            ended(status);
        })?;
        Ok(Self { group })
    }

    /// Asks the process and its children to end.
    pub(super) fn terminate(&self) {
        self.group.terminate();
    }

    /// Ends the process and its children at once.
    pub(super) fn kill(&self) {
        self.group.kill();
    }
}

impl Drop for BuildProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

fn wait(group: &ProcessGroup, mut child: Child) -> io::Result<ExitStatus> {
    group.wait_for_exit(&mut child)?;
    child.wait()
}

fn read_lines(output: PipeReader, mut line: impl FnMut(&str)) {
    let mut output = BufReader::new(output);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        match output.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(_) => line(String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r'])),
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    /// Maximum time until a process does what it must, on a busy machine.
    const PATIENCE: Duration = Duration::from_secs(60);

    fn start(script: &str) -> (BuildProcess, Receiver<String>, Receiver<ExitStatus>) {
        let ((line, lines), (status, ended)) = (channel(), channel());
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let line = move |text: &str| drop(line.send(text.to_owned()));
        let ended_with = move |result: io::Result<ExitStatus>| status.send(result.unwrap()).unwrap();
        let process = BuildProcess::start(command, line, ended_with).unwrap();
        (process, lines, ended)
    }

    #[test]
    fn both_outputs_are_lines_and_the_status_follows() {
        let (_process, lines, ended) = start("echo out; echo err >&2; printf unfinished; exit 3");
        assert_eq!(ended.recv_timeout(PATIENCE).unwrap().code(), Some(3));
        assert_eq!(lines.iter().collect::<Vec<_>>(), ["out", "err", "unfinished"]);
    }

    #[test]
    fn a_long_line_is_split() {
        let (_process, lines, ended) = start("head -c 40000 /dev/zero | tr '\\0' x; echo");
        assert!(ended.recv_timeout(PATIENCE).unwrap().success());
        let lengths: Vec<_> = lines.iter().map(|line| line.len()).collect();
        assert_eq!(lengths, [16384, 16384, 7232]);
    }

    #[test]
    fn the_children_end_with_the_build() {
        for terminate in [true, false] {
            let (process, lines, ended) = start("sh -c 'echo $$; exec sleep 1000' & wait");
            let child = lines.recv_timeout(PATIENCE).unwrap();
            if terminate {
                process.terminate();
            } else {
                drop(process);
            }
            assert!(!ended.recv_timeout(PATIENCE).unwrap().success());
            // The child holds the other end of the pipe until it has ended.
            assert_eq!(lines.iter().count(), 0, "{child}");
        }
    }

    #[test]
    fn a_daemon_does_not_delay_the_end() {
        use rustix::process::{Pid, Signal, kill_process};

        let (_process, lines, ended) = start("sleep 1000 & echo $!");
        assert!(ended.recv_timeout(PATIENCE).unwrap().success());
        let daemon: i32 = lines.recv_timeout(PATIENCE).unwrap().parse().unwrap();
        kill_process(Pid::from_raw(daemon).unwrap(), Signal::KILL).unwrap();
    }

    #[test]
    fn a_program_that_does_not_exist_is_an_error() {
        let missing = Command::new("/does/not/exist");
        assert!(BuildProcess::start(missing, |_| (), |_| ()).is_err());
    }
}
