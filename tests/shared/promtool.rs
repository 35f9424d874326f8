//! `promtool`, with which Prometheus checks a page of metrics.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::tool;

/// Runs `promtool check metrics` on a page; returns its exit status and its messages.
pub(crate) fn promtool(page: &str) -> (Option<i32>, String) {
    let mut check = Command::new(tool("TEMPO_TEST_PROMTOOL", &["promtool"]));
    let mut check =
        check.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("promtool");
    check.stdin.take().expect("stdin").write_all(page.as_bytes()).expect("written");
    let output = check.wait_with_output().expect("promtool ends");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}
