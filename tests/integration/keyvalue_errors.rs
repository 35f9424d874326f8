//! Stores that cannot be opened: the error message, the exit code, and the servers that are never contacted.

use std::io::ErrorKind;
use std::net::TcpListener;

use crate::support::storage::Backend;
use crate::support::{Finished, Run, get};

/// A value that must never be printed.
const SECRET: &str = "s3cret";

fn run(guest: &str, url: &str) -> Finished {
    let ended = Run::guest(guest).args(["--keyvalue", url, "--connect-timeout", "2s"]).finish();
    assert!(!ended.stderr.contains(SECRET), "{ended:?}");
    ended
}

#[test]
fn a_scheme_that_nobody_has() {
    for url in [format!("ftp://user:{SECRET}@example.com/x"), format!("default=ftp://{SECRET}@example.com")] {
        run("keyvalue", &url).failed_in_one_line(64, &["--keyvalue: ", "ftp:", "memory:", "file:", "nats:"]);
        let ended = Run::guest("keyvalue").env("TEMPO_KEYVALUE", url).finish();
        ended.failed_in_one_line(78, &["TEMPO_KEYVALUE: ", "ftp:", "(environment)"]);
        assert!(!ended.stderr.contains(SECRET), "{ended:?}");
    }
}

#[test]
fn what_is_no_url() {
    for text in [SECRET, &format!("={SECRET}:"), &format!("name={SECRET}")] {
        run("keyvalue", text).failed_in_one_line(64, &["--keyvalue: expected [NAME=]URL"]);
    }
}

#[test]
fn a_name_that_comes_twice() {
    Run::guest("keyvalue")
        .args(["--keyvalue", "a=memory:", "--keyvalue", "a=memory:x"])
        .finish()
        .failed_in_one_line(64, &["--keyvalue: ", "`a`", "twice"]);
}

/// Returns an address of this machine without a listener.
fn unused_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn a_server_that_is_not_there() {
    for guest in ["keyvalue", "keyvalue-p2"] {
        let address = unused_address();
        run(guest, &format!("nats://user:{SECRET}@{address}/bucket")).failed_in_one_line(69, &[&address]);
    }
}

#[test]
fn a_server_that_says_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    run("keyvalue", &format!("nats://{SECRET}@{address}/bucket")).failed_in_one_line(69, &[&address]);
}

#[test]
fn a_file_that_another_program_has_open() {
    let backend = Backend::file("store.redb");
    let first = backend.serve("keyvalue");
    run("keyvalue", &backend.url).failed_in_one_line(69, &["store.redb"]);
    assert_eq!(get(first.address, "/counters/x").text(), "0\n");
}

#[test]
fn a_file_that_is_no_store() {
    let ended = Run::guest("keyvalue")
        .with_file("store.redb", "not a database, but longer than the header of one".repeat(1000))
        .args(["--keyvalue", "file:store.redb"])
        .finish();
    ended.failed_in_one_line(66, &["store.redb"]);
}

#[test]
fn a_server_is_asked_only_if_the_component_imports_keyvalue() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("nats://{}/bucket", listener.local_addr().unwrap());
    for guest in ["hello", "hello-p2", "config-only"] {
        let server = Run::guest(guest).args(["--keyvalue", &url]).serve();
        assert!(get(server.address, "/").status < 500);
        drop(server);
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "{guest}");
    }
}
