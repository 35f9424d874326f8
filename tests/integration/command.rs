//! Components that are programs: run once, with their own arguments, output and exit status.

use tempfile::TempDir;

use crate::support::wat::Component;
use crate::support::{Finished, Run, guest};

fn run(name: &str, flags: &[&str], arguments: &[&str]) -> Finished {
    Run::tempo(["run".into(), guest(name).into_os_string()]).args(flags).args(["--"]).args(arguments).finish()
}

#[test]
fn arguments_go_in_and_output_comes_out() {
    for name in ["command", "command-p3"] {
        let ended = run(name, &[], &["one", "two words", "--flag", "-x", "\u{e4}"]);
        assert_eq!(ended.succeeded(), "arg one\narg two words\narg --flag\narg -x\narg \u{e4}\n", "{name}");
        assert_eq!(ended.stderr, "", "{name}");
    }
}

#[test]
fn the_status_is_the_processs() {
    for name in ["command", "command-p3"] {
        for status in [0, 1, 3, 255] {
            let ended = run(name, &[], &["before", &format!("exit={status}"), "after"]);
            assert_eq!((ended.code, ended.stdout.as_str()), (Some(status), "arg before\n"), "{name}");
        }
    }
}

#[test]
fn failures_are_not_success() {
    let ended = run("command", &[], &["read=/nowhere"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("cannot read /nowhere"), "{ended:?}");
    assert_eq!(run("command-p3", &[], &["fail"]).code, Some(1));
    let ended = run("command-p3", &[], &["before", "trap"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(70), "arg before\n"), "{ended:?}");
    assert!(ended.stderr.starts_with("error: the command trapped"), "{ended:?}");
}

#[test]
fn environment_and_directories_are_granted() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("file"), "content\n").unwrap();
    let grant = format!("{}::/data", directory.path().display());
    let ended = run("command", &["--dir", &grant, "--env", "NAME=Ada"], &["read=/data/file"]);
    assert_eq!(ended.succeeded(), "env NAME=Ada\ncontent\n");
    assert_eq!(run("command", &[], &["read=/data/file"]).code, Some(1));
    assert_eq!(run("command", &[], &[]).succeeded(), "", "no environment, no directory");
}

#[test]
fn a_command_has_no_deadline() {
    // Three seconds of waiting and computing, with limits that would end a request.
    let busy = Component::command(
        "",
        "(local $i i32) (loop $l (br_if $l (i32.ne (i32.const 300000000) (local.tee $i (i32.add (local.get $i) (i32.const 1)))))) (i32.const 0)",
    );
    let ended = Run::file(&busy.path()).args(["--cpu-timeout", "10ms", "--request-timeout", "10ms"]).finish();
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn a_command_is_ended_by_a_signal() {
    use std::process::{Command, Stdio};
    let endless = Component::command("", "(loop $l (br $l)) (i32.const 0)");
    let mut child = Command::new(crate::support::guest::program("tempo"))
        .args(["run".as_ref(), endless.path().as_os_str()])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let id = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    // Before its handler is installed, the signal kills the process; afterwards the handler ends it.
    std::thread::sleep(std::time::Duration::from_millis(1500));
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    let code = crate::support::eventually("the command ends", || child.try_wait().unwrap());
    assert_eq!(code.code(), Some(143), "{code:?}");
}
