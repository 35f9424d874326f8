//! Starts the real programs and records their output.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::canary::assert_no_secret;
use super::guest::{compiled, key, program};
use super::{PATIENCE, eventually};

/// A program before its start, with an empty directory and an empty environment.
pub(crate) struct Run {
    command: Command,
    directory: TempDir,
}

impl Run {
    pub(crate) fn new(name: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let mut command = Command::new(program(name));
        command.env_clear().current_dir(directory.path()).env("HOME", directory.path()).stdin(Stdio::null());
        // The tests search the human-readable format.
        command.env("TEMPO_LOG_FORMAT", "human");
        // Each test would fill a cache of its own.
        command.env("TEMPO_COMPILE_CACHE", "false");
        Self { command, directory }
    }

    pub(crate) fn tempo(arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self::new("tempo").args(arguments)
    }

    /// `tempo run` of a guest, on a port that the system chooses.
    pub(crate) fn guest(name: &str) -> Self {
        Self::file(&compiled(name)).env("TEMPO_KEY_FILE", key())
    }

    /// `tempo-worker run` of a guest.
    pub(crate) fn worker(name: &str) -> Self {
        let arguments = ["run".into(), compiled(name).into_os_string()];
        Self::new("tempo-worker").args(arguments).env("TEMPO_KEY_FILE", key())
    }

    /// `tempo run` of a file, on a port that the system chooses.
    pub(crate) fn file(path: &Path) -> Self {
        Self::tempo(["run".into(), path.as_os_str().to_owned(), "--addr".into(), "127.0.0.1:0".into()])
    }

    pub(crate) fn args(mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.command.args(arguments.into_iter().map(Into::into));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.command.env(name, value.into());
        self
    }

    /// Sets a limit on open files as `ulimit` does: `-S` the soft one, `-H` both.
    pub(crate) fn file_limit(self, which: &str, files: usize) -> Self {
        let which = if which == "-H" { "" } else { which };
        self.ulimit(&format!("{which} -n {files}"))
    }

    /// Limits the address space.
    pub(crate) fn address_space(self, gibibytes: usize) -> Self {
        self.ulimit(&format!("-v {}", gibibytes << 20))
    }

    /// Limits the size of files, in blocks of the shell, 512 or 1024 bytes.
    pub(crate) fn file_size(self, blocks: usize) -> Self {
        self.ulimit(&format!("-f {blocks}"))
    }

    fn ulimit(mut self, limit: &str) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(format!("ulimit {limit} && exec \"$0\" \"$@\"")).arg(self.command.get_program());
        shell.args(self.command.get_args()).env_clear().stdin(Stdio::null());
        shell.envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.current_dir(self.command.get_current_dir().unwrap());
        self.command = shell;
        self
    }

    /// Sets the working directory, which outlives the program.
    pub(crate) fn within(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Mounts a tmpfs of this size at `place`, in a separate mount namespace.
    pub(crate) fn on_tmpfs(mut self, place: &Path, size: &str) -> Self {
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", "mount -t tmpfs -o size=$0 tmpfs \"$1\" && shift && exec \"$@\"", size]);
        command.arg(place).arg(self.command.get_program()).args(self.command.get_args());
        command.env_clear().current_dir(self.directory.path()).stdin(Stdio::null());
        command.envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        self.command = command;
        self
    }

    /// Writes a file into the program's working directory.
    pub(crate) fn with_file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    /// Starts a server. Returns once it has logged its address.
    pub(crate) fn serve(mut self) -> Server {
        let mut child = self.command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Log::of(child.stderr.take().unwrap());
        let first = log.line(0);
        let address = first.as_deref().and_then(|line| line.strip_prefix("listening on "));
        let Some((scheme, address)) = address.and_then(|url| url.split_once("://")) else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the server did not begin with the line `listening on`: {}", log.text());
        };
        let address = address.parse().unwrap();
        let process = Process { child, log, _directory: self.directory };
        Server { process, scheme: scheme.to_owned(), address }
    }

    /// Starts a program that runs until it is dropped.
    pub(crate) fn start(mut self) -> Process {
        let mut child = self.command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Log::of(child.stderr.take().unwrap());
        Process { child, log, _directory: self.directory }
    }

    /// Starts a program without a listener. Returns once it has logged its subscriptions.
    pub(crate) fn work(self) -> Process {
        let process = self.start();
        process.log.wait_for("handling ");
        process
    }

    /// Runs the program to its end, with this standard output.
    pub(crate) fn finish_into(mut self, stdout: impl Into<Stdio>) -> Finished {
        let mut child = self.command.stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
        let log = Log::of(child.stderr.take().unwrap());
        let code = exit_code(&mut child, &log);
        Finished { code, stdout: String::new(), stderr: log.to_the_end() }
    }

    /// Runs the program to its end.
    pub(crate) fn finish(mut self) -> Finished {
        let mut child = self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Log::of(child.stderr.take().unwrap());
        let mut stdout = child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stdout.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        let code = exit_code(&mut child, &log);
        let finished = Finished { code, stdout: reader.join().unwrap(), stderr: log.to_the_end() };
        assert_no_secret("what the program said", &finished.stderr);
        finished
    }
}

/// `tempo run` of a guest with more arguments.
pub(crate) fn serve_with(name: &str, arguments: &[&str]) -> Server {
    Run::guest(name).args(arguments).serve()
}

/// `tempo run` of a guest.
pub(crate) fn serve(name: &str) -> Server {
    serve_with(name, &[])
}

/// A program that has exited.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    /// Asserts this exit code, and one line with all of `parts`.
    #[track_caller]
    pub(crate) fn failed(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(self.stderr.starts_with("error: "), "{self:?}");
        assert!(!self.stderr.contains("listening on"), "{self:?}");
        for part in parts {
            assert!(self.stderr.contains(part), "no `{part}` in {self:?}");
        }
    }

    /// As [`failed`](Self::failed), and asserts that the output is a single line.
    #[track_caller]
    pub(crate) fn failed_in_one_line(&self, code: i32, parts: &[&str]) {
        self.failed(code, parts);
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
    }

    #[track_caller]
    pub(crate) fn succeeded(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:?}");
        &self.stdout
    }
}

/// A running server. Dropping it kills the process.
pub(crate) struct Server {
    process: Process,
    pub(crate) scheme: String,
    pub(crate) address: SocketAddr,
}

impl Deref for Server {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl DerefMut for Server {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// A running program. Dropping it kills the process.
pub(crate) struct Process {
    child: Child,
    pub(crate) log: Log,
    _directory: TempDir,
}

impl Process {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// Waits for the exit and for the last line of the log; `None` if a signal ended the program.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        let code = exit_code(&mut self.child, &self.log);
        self.log.to_the_end();
        code
    }

    /// Stops the program, and returns the number of log lines with `part`.
    pub(crate) fn count_to_the_end(&self, part: &str) -> usize {
        self.signal(Signal::TERM);
        self.log.to_the_end().lines().filter(|line| line.contains(part)).count()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the program said:\n{}", self.log.excerpt());
        }
        assert_no_secret("the log", &self.log.to_the_end());
    }
}

fn exit_code(child: &mut Child, log: &Log) -> Option<i32> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
    panic!("the program did not end; it said:\n{}", log.excerpt());
}

/// The lines of a program's standard error, as they are written.
#[derive(Clone)]
pub(crate) struct Log(Arc<(Mutex<Lines>, Condvar)>);

#[derive(Default)]
struct Lines {
    lines: Vec<String>,
    ended: bool,
}

impl Log {
    fn of(stderr: impl Read + Send + 'static) -> Self {
        let log = Self(Arc::default());
        let writer = log.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                writer.change(|lines| lines.lines.push(String::from_utf8_lossy(&line).into_owned()));
            }
            writer.change(|lines| lines.ended = true);
        });
        log
    }

    fn change(&self, change: impl FnOnce(&mut Lines)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    /// Waits for line `index`; `None` if the program exits before it.
    fn line(&self, index: usize) -> Option<String> {
        let missing = |lines: &mut Lines| lines.lines.len() <= index && !lines.ended;
        let (lines, _) = self.0.1.wait_timeout_while(self.0.0.lock().unwrap(), PATIENCE, missing).unwrap();
        lines.lines.get(index).cloned()
    }

    pub(crate) fn text(&self) -> String {
        self.0.0.lock().unwrap().lines.join("\n")
    }

    /// Returns the first and the last lines: a program may have written thousands.
    fn excerpt(&self) -> String {
        const FIRST: usize = 20;
        const LAST: usize = 80;
        let lines = &self.0.0.lock().unwrap().lines;
        match lines.len().checked_sub(FIRST + LAST) {
            None | Some(0) => lines.join("\n"),
            Some(left_out) => {
                let (first, last) = (&lines[..FIRST], &lines[lines.len() - LAST..]);
                format!("{}\n({left_out} more)\n{}", first.join("\n"), last.join("\n"))
            }
        }
    }

    pub(crate) fn to_the_end(&self) -> String {
        let running = |lines: &mut Lines| !lines.ended;
        drop(self.0.1.wait_timeout_while(self.0.0.lock().unwrap(), PATIENCE, running).unwrap());
        self.text()
    }

    /// Returns the current number of lines with `part`.
    pub(crate) fn count(&self, part: &str) -> usize {
        self.0.0.lock().unwrap().lines.iter().filter(|line| line.contains(part)).count()
    }

    /// Waits for a line with `part`, or panics if the program ends without it.
    #[track_caller]
    pub(crate) fn wait_for(&self, part: &str) -> String {
        eventually(&format!("`{part}` in the log"), || {
            let lines = self.0.0.lock().unwrap();
            let (line, ended) = (lines.lines.iter().find(|line| line.contains(part)).cloned(), lines.ended);
            // A panic must not poison the lock.
            drop(lines);
            assert!(line.is_some() || !ended, "the program ended without `{part}` in its log");
            line
        })
    }
}
