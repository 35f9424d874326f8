//! The JSON log: every line is an object, also one that is no event.

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Finished, Run};

/// Parses each line.
fn lines(log: &str) -> Vec<Value> {
    log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

#[test]
fn announcements_are_json() {
    // Without a terminal, `auto` is JSON.
    for format in ["json", "auto"] {
        // No filter drops the addresses.
        let run = Run::guest("hello").args(["--log-format", format, "--log", "error", "--admin", "127.0.0.1:0"]);
        let mut server = run.args(["--dashboard", "127.0.0.1:0"]).start();
        server.log.wait_for("dashboard on ");
        server.signal(Signal::TERM);
        assert_eq!(server.exit_code(), Some(0));
        let lines = lines(&server.log.text());
        for (line, start) in
            lines.iter().zip(["listening on http://127.0.0.1:", "metrics and health on http://", "dashboard on "])
        {
            assert!(line["message"].as_str().unwrap().starts_with(start), "{line}");
            assert_eq!((&line["level"], &line["target"]), (&"INFO".into(), &"tempo_runtime".into()));
            assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
        }
        assert_eq!(lines.len(), 3, "{lines:?}");
    }
}

/// Without a terminal, users also read errors in the log of a build or a script.
#[test]
fn an_error_is_json_if_the_format_is_given() {
    let run = |format: &str| -> Finished { Run::file("absent.wasm".as_ref()).args(["--log-format", format]).finish() };
    run("auto").failed_in_one_line(66, &["absent.wasm"]);
    let ended = run("json");
    assert_eq!(ended.code, Some(66));
    let [line] = &lines(&ended.stderr)[..] else { panic!("{ended:?}") };
    assert_eq!((&line["level"], &line["target"]), (&"ERROR".into(), &"tempo_runtime".into()));
    assert!(line["message"].as_str().unwrap().contains("absent.wasm"), "{line}");
}
