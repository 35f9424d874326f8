//! The limits on a guest's log output.

use crate::support::{get, serve_with};

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
        for (bytes, logged) in [(99, 99), (100, 100), (101, 100), (100_000, 100)] {
            get(server.address, &format!("{target}?lines=1&bytes={bytes}"));
            let filling = "x".repeat(logged - "line 1 ".len());
            server.log.wait_for(&format!("line 1 {filling}"));
            assert_eq!(server.log.count(&format!("{filling}x")), 0, "{target} {bytes}");
        }
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

#[test]
fn a_guest_cannot_forge_a_line_of_its_host() {
    let server = serve_with("hostile", &[]);
    // The server does not log the path, but a guest can print it.
    get(server.address, "/print?lines=1&bytes=20");
    let line = server.log.wait_for("line 1");
    assert!(line.contains("guest"), "{line}");
    assert!(!server.log.text().contains('\u{1b}'), "no colours without a terminal");
}
