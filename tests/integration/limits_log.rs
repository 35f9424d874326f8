//! The limits on a guest's log output.

use crate::support::admin::Admin;
use crate::support::h2_frames::Frames;
use crate::support::{Client, eventually, get, serve_with};

#[test]
fn output_is_logged_under_the_components_name() {
    let server = serve_with("hostile", &[]);
    assert_eq!(get(server.address, "/print?lines=2").text(), "2 lines\n");
    get(server.address, "/stderr?lines=1");
    get(server.address, "/log?lines=1");
    let line = server.log.wait_for("line 2");
    assert!(line.contains("test_hostile") && line.contains("stdout"), "{line}");
    server.log.wait_for("stderr");
    let line = server.log.wait_for("context=\"hostile\"");
    assert!(line.contains("line 1"), "{line}");
}

#[test]
fn a_line_at_the_limit_is_whole_and_a_longer_one_is_clipped() {
    for target in ["/print", "/log"] {
        let server = serve_with("hostile", &["--max-log-line", "100B"]);
        for (bytes, logged) in [(99, 99), (100, 100), (101, 100), (60_000, 100)] {
            get(server.address, &format!("{target}?lines=1&bytes={bytes}"));
            let filling = "x".repeat(logged - "line 1 ".len());
            let line = server.log.wait_for(&format!("line 1 {filling}"));
            assert_eq!(server.log.count(&format!("{filling}x")), 0, "{target} {bytes}");
            if bytes == 99 {
                assert!(!line.contains("clipped"), "{line}");
            }
        }
        // The last line is like the one before it, so its text does not show that it was written.
        eventually("all four lines", || (server.log.count("line 1 ") == 4).then_some(()));
        assert_eq!(server.log.count("clipped"), 2, "{target}: {}", server.log.text());
    }
}

/// The default burst.
const BURST: usize = 500;

#[test]
fn a_burst_of_the_longest_lines_arrives() {
    for target in ["/print", "/stderr", "/log"] {
        let server = serve_with("hostile", &["--cpu-timeout", "1m"]);
        get(server.address, &format!("{target}?lines={BURST}&bytes=8192"));
        server.log.wait_for(&format!("line {BURST} "));
        assert_eq!(server.log.count("line "), BURST, "{target}");
        assert_eq!(server.log.count("dropped"), 0, "{target}");
    }
}

#[test]
fn what_was_dropped_is_reported_when_the_guest_is_quiet_and_when_the_server_stops() {
    for target in ["/print", "/log"] {
        let mut server = serve_with("hostile", &["--max-log-burst", "5", "--max-log-rate", "1"]);
        get(server.address, &format!("{target}?lines=100"));
        server.log.wait_for("log lines were dropped");
        get(server.address, &format!("{target}?lines=100"));
        server.signal(rustix::process::Signal::TERM);
        assert_eq!(server.exit_code(), Some(0));
        let reports = server.log.count("log lines were dropped");
        assert!(reports >= 2, "{}", server.log.text());
    }
}

#[test]
fn the_last_lines_before_a_trap_are_written() {
    for target in ["/print", "/log"] {
        let server = serve_with("hostile", &["--max-log-burst", "5", "--max-log-rate", "1"]);
        for lines in [100, 1000] {
            assert_eq!(get(server.address, &format!("{target}?lines={lines}&then=panic")).status, 500);
            server.log.wait_for("asked to panic after the lines");
            server.log.wait_for(&format!("line {lines} "));
            server.log.wait_for("the component trapped");
        }
        let before = server.log.text().lines().count();
        assert_eq!(get(server.address, &format!("{target}?lines=100")).status, 200);
        server.log.wait_for("log lines were dropped");
        assert!(server.log.text().lines().count() < before + 10, "{}", server.log.text());
    }
}

#[test]
fn characters_that_change_how_a_line_reads_are_escaped() {
    let server = serve_with("hostile", &[]);
    for target in ["/print", "/stderr", "/log"] {
        get(server.address, &format!("{target}?lines=1&text=%E2%80%AEtxt%E2%80%A8b%1B%5B2Jc%0Dd"));
        server.log.wait_for(r"\u{202e}txt\u{2028}b\u{1b}[2Jc\rd");
    }
}

#[test]
fn many_resets_write_no_warnings() {
    let server = serve_with("hostile", &[]);
    for _ in 0..3 {
        let mut frames = Frames::connect(server.address, 1000);
        // The server may end the connection in between.
        let _ = (0..60).try_for_each(|request| {
            let stream = 2 * request + 1;
            frames.try_get(stream, "/never").and_then(|()| frames.try_reset(stream))
        });
    }
    assert_eq!(get(server.address, "/").status, 200);
    assert_eq!(server.log.count("WARN"), 0, "{}", server.log.text());
}

/// A client could fill the log with resets.
#[test]
fn an_upload_that_the_client_resets_is_no_warning() {
    for version in [1, 2] {
        let server = serve_with("hostile-p2", &[]);
        for _ in 0..3 {
            if version == 2 {
                let mut frames = Frames::connect(server.address, 1000);
                frames.post(1, "/read", b"half");
                server.log.wait_for("reading the body");
                frames.reset(1);
            } else {
                let mut client = Client::connect(server.address);
                client.start("POST", "/read", &["Content-Length: 100"]);
                client.send("half");
                server.log.wait_for("reading the body");
                client.disconnect();
            }
        }
        server.log.wait_for("the body broke off");
        assert_eq!(get(server.address, "/").status, 200);
        assert_eq!(server.log.count("error code"), 0, "{}", server.log.text());
    }
}

#[test]
fn lines_above_the_burst_are_dropped_and_counted() {
    let server = serve_with("hostile", &["--max-log-burst", "5", "--max-log-rate", "1"]);
    get(server.address, "/print?lines=1000");
    // One per second, so that a line with the number of dropped lines appears in the end.
    let line = crate::support::eventually("a line with the number of dropped lines", || {
        get(server.address, "/print?lines=1");
        (server.log.count("log lines were dropped") > 0).then(|| server.log.wait_for("log lines were dropped"))
    });
    assert!(line.contains("dropped=99") || line.contains("dropped=1"), "{line}");
    assert!(server.log.count("stdout") < 50, "{}", server.log.text());
}

/// A client that finds a request which traps could fill the log.
#[test]
fn lines_about_failed_calls_are_limited_and_counted() {
    for (guest, target, line) in [
        ("hostile", "/panic", "the component trapped"),
        ("hostile-p3", "/error", "answered with the error code"),
        ("hostile-p3", "/answer?status=101", "no final response"),
    ] {
        let limits = ["--max-log-burst", "5", "--max-log-rate", "1", "--admin", "127.0.0.1:0"];
        let server = serve_with(guest, &limits);
        let mut client = Client::connect(server.address);
        (0..200).for_each(|_| assert_eq!(client.get(target).status, 500));
        server.log.wait_for("lines about failed calls were dropped");
        assert!(server.log.count(line) < 50, "{}", server.log.text());
        assert!(server.log.text().lines().count() < 100, "{}", server.log.text());
        if target == "/panic" {
            let page = Admin::of(&server).get("/metrics").text();
            assert!(page.contains("tempo_instances_trapped_total{tempo_component=\"test_hostile\"} 200"), "{page}");
        }
    }
}

#[test]
fn a_guest_cannot_forge_a_line_of_its_host() {
    let server = serve_with("hostile", &[]);
    // The server does not log the path, but a guest can print it.
    get(server.address, "/print?lines=1&bytes=20");
    let line = server.log.wait_for("line 1");
    assert!(line.contains("guest"), "{line}");
    assert!(!server.log.text().contains('\u{1b}'), "no colours without a terminal");
}
