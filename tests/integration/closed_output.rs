//! Standard output that its reader has closed, as `head` does, or that cannot be written.

use std::ffi::OsString;
use std::fs::File;
use std::process::Stdio;

use crate::support::{Run, guest};

/// Command lines that write to standard output.
fn command_lines() -> Vec<Vec<OsString>> {
    let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
    let mut lines: Vec<_> = ["--help", "--version", "help compile", "schema", "new app"].map(words).into();
    for name in ["run", "dev", "compile", "compose", "inspect", "schema", "messages", "messages peek", "new", "add"] {
        lines.push(words(&format!("{name} --help")));
    }
    for format in [&[][..], &["--json"], &["--mermaid"]] {
        let inspect = ["inspect".into(), guest("hello").into_os_string()];
        lines.push(inspect.into_iter().chain(format.iter().map(OsString::from)).collect());
    }
    lines
}

#[test]
fn a_closed_pipe_is_no_error() {
    for line in command_lines() {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = Run::tempo(&line).finish_into(writer);
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{line:?}");
    }
}

#[test]
fn a_full_disk_is_an_error() {
    for line in command_lines() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        Run::tempo(&line).finish_into(Stdio::from(full)).failed_in_one_line(73, &["cannot write the output: "]);
    }
}
