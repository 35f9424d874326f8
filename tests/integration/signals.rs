//! Signals, from process start to exit, and a standard error that is not read.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::admin::Admin;
use crate::support::guest::{compiled, key, program};
use crate::support::{Client, PATIENCE, Run, eventually, get, serve_with};

/// The minimum number of bytes in a pipe when a write to it blocks: its capacity, minus one write of the guest.
const FULL_PIPE: u64 = 60_000;

/// A program that a test starts, stops and reads directly. Dropping it kills the process.
struct Program(Child);

impl Program {
    fn start(command: &mut Command) -> Self {
        Self(command.env_clear().stdin(Stdio::null()).spawn().unwrap())
    }

    fn code(&mut self) -> Option<i32> {
        eventually("the program ends", || self.0.try_wait().unwrap()).code()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn send(id: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(id).unwrap()).unwrap(), signal).unwrap();
}

/// Waits until the process handles SIGTERM: before that, the kernel ends it.
fn wait_for_handler(id: u32) {
    const SIGTERM_BIT: u64 = 1 << 14;
    eventually("SIGTERM has a handler", || {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
        (u64::from_str_radix(caught.trim(), 16).unwrap() & SIGTERM_BIT != 0).then_some(())
    });
}

/// Creates a named pipe without a writer: reading it, and opening it for reading, blocks forever.
fn pipe(directory: &Path) -> PathBuf {
    let path = directory.join("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

/// Returns the kernel functions in which the threads of a process wait; empty if the system hides them.
fn waits(process: &str) -> Vec<String> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().map_while(Result::ok);
    let places = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("wchan")).ok());
    places.filter(|place| !place.is_empty() && place != "0").collect()
}

/// Waits until a thread is blocked on the pipe.
fn wait_for_reader(id: u32) {
    wait_for_handler(id);
    // The thread that waits for the tests shows whether the system reveals any.
    if waits("self").is_empty() {
        eprintln!("skipped in part: this machine does not show what threads wait for");
        return;
    }
    let waiting = || waits(&id.to_string()).iter().any(|place| place.contains("wait_for_partner"));
    eventually("a thread waits for the pipe", || waiting().then_some(()));
}

#[test]
fn a_signal_ends_what_still_loads_at_once() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let directory = TempDir::new().unwrap();
        let component = pipe(directory.path());
        let mut program = Program::start(Command::new(program("tempo")).arg("run").arg(&component));
        wait_for_handler(program.0.id());
        send(program.0.id(), signal);
        assert_eq!(program.code(), Some(code));
    }
}

#[test]
fn a_signal_ends_what_still_connects_at_once() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let store = format!("nats://{}/bucket", silent.local_addr().unwrap());
    let arguments = ["run".into(), compiled("keyvalue").into_os_string(), "--keyvalue".into(), store.into()];
    let directory = TempDir::new().unwrap();
    let mut command = Command::new(program("tempo"));
    let command = command.args(arguments).arg("--key-file").arg(key()).current_dir(directory.path());
    let mut program = Program::start(command);
    let (_connection, _) = silent.accept().unwrap();
    send(program.0.id(), Signal::TERM);
    assert_eq!(program.code(), Some(143));
}

/// Returns the process that `unshare` starts: the first of its namespace, whose signals have no default action.
fn first_process(unshare: u32) -> Option<u32> {
    let children = std::fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

#[test]
fn signals_count_for_process_1_too() {
    let isolated = ["--user", "--map-root-user", "--pid", "--fork", "--kill-child"];
    let permitted = Command::new("unshare").args(isolated).arg("true").stderr(Stdio::null()).status();
    if !permitted.is_ok_and(|status| status.success()) {
        eprintln!("skipped: this machine does not let a test make a namespace of processes");
        return;
    }
    let directory = TempDir::new().unwrap();
    let component = pipe(directory.path());
    let mut command = Command::new("unshare");
    let mut program = Program::start(command.args(isolated).arg(program("tempo")).arg("run").arg(&component));
    let id = eventually("process 1 runs", || first_process(program.0.id()));
    wait_for_handler(id);
    send(id, Signal::TERM);
    assert_eq!(program.code(), Some(143));
}

#[test]
fn a_command_that_waits_for_a_file_is_ended_by_a_signal() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let directory = TempDir::new().unwrap();
        pipe(directory.path());
        let grant = format!("{}::/data", directory.path().display());
        let mut command = Command::new(program("tempo"));
        command.arg("run").arg(compiled("command")).arg("--key-file").arg(key());
        let command = command.args(["--dir", &grant, "--", "read=/data/pipe"]);
        let mut program = Program::start(command);
        wait_for_reader(program.0.id());
        send(program.0.id(), signal);
        assert_eq!(program.code(), Some(code));
    }
}

/// A full pipe blocks the command that writes to it, as any program, but not the signal.
#[test]
fn a_command_that_waits_for_a_reader_of_its_output_is_ended_by_a_signal() {
    let long = "x".repeat(100_000);
    let (printed, failed) = (format!("arg={long}"), format!("read=/{long}"));
    for (guest, argument, is_error) in
        [("command", &printed, false), ("command-p3", &printed, false), ("command", &failed, true)]
    {
        for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
            let mut command = Command::new(program("tempo"));
            command.arg("run").arg(compiled(guest)).arg("--key-file").arg(key()).args(["--", argument]);
            let (stdout, stderr) =
                if is_error { (Stdio::null(), Stdio::piped()) } else { (Stdio::piped(), Stdio::null()) };
            let mut program = Program::start(command.stdout(stdout).stderr(stderr));
            let waiting = |program: &Program| {
                let (stdout, stderr) = (program.0.stdout.as_ref(), program.0.stderr.as_ref());
                let fill = stdout.map(rustix::io::ioctl_fionread).or_else(|| stderr.map(rustix::io::ioctl_fionread));
                fill.unwrap().unwrap()
            };
            eventually("the pipe is full", || (waiting(&program) >= FULL_PIPE).then_some(()));
            send(program.0.id(), signal);
            assert_eq!(program.code(), Some(code), "{guest}");
        }
    }
}

/// Mounts a file of the test over one of the machine, for one process: `None` if the machine does not permit it.
fn with_file_in_place(file: &Path, place: &str) -> Option<Command> {
    let unshare = || {
        let mut command = Command::new("unshare");
        let script = r#"mount --bind "$0" "$1" && shift && exec "$@""#;
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]).arg(file).arg(place);
        command
    };
    let permitted = unshare().arg("true").stderr(Stdio::null()).status();
    permitted.is_ok_and(|status| status.success()).then(unshare)
}

#[test]
fn a_command_that_waits_for_a_name_server_is_ended_by_a_signal() {
    // The port of name servers is fixed, and the system may not permit a test to bind it.
    let Ok(silent) = UdpSocket::bind("127.0.0.1:53").or_else(|_| UdpSocket::bind("127.0.0.54:53")) else {
        eprintln!("skipped: this machine does not let a test listen on port 53");
        return;
    };
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    let directory = TempDir::new().unwrap();
    let resolver = directory.path().join("resolv.conf");
    let address = silent.local_addr().unwrap().ip();
    std::fs::write(&resolver, format!("nameserver {address}\noptions timeout:30 attempts:5\n")).unwrap();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let Some(mut command) = with_file_in_place(&resolver, "/etc/resolv.conf") else {
            eprintln!("skipped: this machine does not let a test put a file in place of another");
            return;
        };
        command.arg(program("tempo")).arg("run").arg(compiled("command-p3")).arg("--key-file").arg(key());
        let command = command.args(["--allow-http", "http://name.test", "--", "fetch=name.test"]);
        let mut program = Program::start(command);
        silent.recv_from(&mut [0; 512]).expect("the name server is queried");
        send(program.0.id(), signal);
        assert_eq!(program.code(), Some(code));
        // A second query, for the other address family, may have arrived with the first.
        silent.set_nonblocking(true).unwrap();
        while silent.recv_from(&mut [0; 512]).is_ok() {}
        silent.set_nonblocking(false).unwrap();
    }
}

#[test]
fn a_hang_up_does_not_end_a_server_that_drains() {
    let mut server = serve_with("hostile-p2", &[]);
    let mut client = Client::connect(server.address);
    client.start("GET", "/stream?chunks=10&pause=50", &[]);
    assert_eq!(client.head().status, 200);
    server.signal(Signal::TERM);
    server.log.wait_for("stopping");
    server.signal(Signal::HUP);
    let mut chunks = 0;
    while client.chunk().unwrap().is_some() {
        chunks += 1;
    }
    assert_eq!(chunks, 10);
    assert_eq!(server.exit_code(), Some(0));
}

/// Runs a program in a session with a terminal, which is closed at the end of the standard input.
const WITH_TERMINAL: &str = "
import fcntl, os, pty, subprocess, sys, termios
terminal, side = pty.openpty()
lead = lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)
program = subprocess.Popen(sys.argv[1:], stdin=side, start_new_session=True, preexec_fn=lead)
os.close(side)
sys.stdin.read()
os.close(terminal)
sys.exit(program.wait())
";

#[test]
fn a_terminal_that_goes_away_drains() {
    let mut command = Command::new("python3");
    command.args(["-c", WITH_TERMINAL]).arg(program("tempo")).arg("run").arg(compiled("hostile-p2"));
    let directory = TempDir::new().unwrap();
    let command = command.arg("--key-file").arg(key()).args(["--addr", "127.0.0.1:0"]).current_dir(directory.path());
    let mut program = Program(command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let (mut stderr, address) = listening(&mut program);
    let mut client = Client::connect(address);
    assert_eq!(client.get("/").status, 200);
    client.start("GET", "/stream?chunks=10", &[]);
    assert_eq!(client.head().status, 200);
    drop(program.0.stdin.take());
    let mut chunks = 0;
    while client.chunk().unwrap().is_some() {
        chunks += 1;
    }
    assert_eq!(chunks, 10);
    assert_eq!(program.code(), Some(0));
    let _ = std::io::copy(&mut stderr, &mut std::io::sink());
}

#[test]
fn a_hang_up_that_is_ignored_stays_ignored() {
    let script = r#"trap "" HUP; exec "$@""#;
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(program("tempo")).arg("run").arg(compiled("hello"));
    command.arg("--key-file").arg(key()).args(["--addr", "127.0.0.1:0"]);
    let directory = TempDir::new().unwrap();
    let mut program = Program::start(command.current_dir(directory.path()).stderr(Stdio::piped()));
    let (mut stderr, address) = listening(&mut program);
    send(program.0.id(), Signal::HUP);
    send(program.0.id(), Signal::TERM);
    // If it were not ignored, it would be the first of two, and the second ends the process at once.
    assert_eq!(program.code(), Some(0), "{address}");
    let _ = std::io::copy(&mut stderr, &mut std::io::sink());
}

/// Returns the standard error of a server after the line with its address.
fn listening(program: &mut Program) -> (BufReader<ChildStderr>, SocketAddr) {
    let mut stderr = BufReader::with_capacity(64, program.0.stderr.take().unwrap());
    let mut first = String::new();
    stderr.read_line(&mut first).unwrap();
    // The line is text or a JSON object.
    let address = first.split("listening on http://").nth(1).and_then(|rest| rest.split(['"', '\n']).next());
    let address = address.unwrap_or_else(|| panic!("{first}"));
    (stderr, address.parse().unwrap())
}

/// A server that logs more than a pipe and the log queue hold, with a reader that reads only the address.
fn flooded(format: &str) -> (Program, BufReader<ChildStderr>, SocketAddr, TempDir) {
    let directory = TempDir::new().unwrap();
    let mut command = Command::new(program("tempo"));
    command.arg("run").arg(compiled("hostile")).arg("--key-file").arg(key()).args(["--addr", "127.0.0.1:0"]);
    command.args(["--log-format", format, "--max-log-burst", "1000000", "--max-log-rate", "1000000"]);
    let mut program = Program::start(command.current_dir(directory.path()).stderr(Stdio::piped()));
    let (stderr, address) = listening(&mut program);
    for target in ["/print", "/stderr", "/log"].iter().cycle().take(18) {
        assert_eq!(get(address, &format!("{target}?lines=100&bytes=8000")).status, 200, "{target}");
    }
    (program, stderr, address, directory)
}

#[test]
fn a_standard_error_that_is_not_read_stops_nothing() {
    let (mut program, _stderr, address, _directory) = flooded("human");
    assert_eq!(get(address, "/").status, 200);
    send(program.0.id(), Signal::TERM);
    assert_eq!(program.code(), Some(0));
}

#[test]
fn lines_that_were_not_read_are_counted() {
    for format in ["human", "json"] {
        let (mut program, mut stderr, _, _directory) = flooded(format);
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            let mut line = String::new();
            while !line.contains("log lines were dropped") {
                line.clear();
                assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "no count in {text}");
                text.push_str(&line);
            }
            (line, stderr)
        });
        let (line, mut stderr) = reader.join().unwrap();
        assert!(line.contains("standard error was not read") && line.contains("WARN"), "{line}");
        assert_eq!(line.starts_with('{'), format == "json", "{line}");
        send(program.0.id(), Signal::TERM);
        stderr.read_to_string(&mut String::new()).unwrap();
        assert_eq!(program.code(), Some(0));
    }
}

#[test]
fn a_server_that_is_told_to_stop_serves_on_until_others_have_noticed() {
    let flags = ["--admin", "127.0.0.1:0", "--shutdown-delay", "10m"];
    let mut server = serve_with("hello", &flags);
    let admin = Admin::of(&server);
    let mut kept = Client::connect(server.address);
    assert_eq!(admin.get("/readyz").status, 200);
    server.signal(Signal::TERM);
    eventually("it is not ready", || (admin.get("/readyz").status == 503).then_some(()));
    // Existing and new connections are served as before.
    for response in [kept.get("/"), get(server.address, "/")] {
        assert_eq!((response.status, response.header("connection")), (200, None));
    }
    assert_eq!(admin.get("/livez").status, 200);
    server.signal(Signal::TERM);
    assert_eq!(server.exit_code(), Some(143), "a second signal ends it at once");
}

#[test]
fn after_the_delay_connections_are_closed() {
    let mut server = serve_with("hello", &["--shutdown-delay", "100ms"]);
    let mut idle = Client::connect(server.address);
    assert_eq!(idle.get("/").status, 200);
    server.signal(Signal::TERM);
    idle.is_closed();
    assert_eq!(server.exit_code(), Some(0));
    // `--shutdown-delay` does not apply to a user at a terminal.
    let mut server = serve_with("hello", &["--shutdown-delay", "10m"]);
    server.signal(Signal::INT);
    assert_eq!(server.exit_code(), Some(0));
}

#[test]
fn a_delay_may_be_none() {
    let ended = Run::guest("hello").args(["--shutdown-delay", "soon"]).finish();
    ended.failed_in_one_line(64, &["--shutdown-delay: expected a duration, such as 0s or 5s"]);
}
