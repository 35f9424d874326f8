//! The open files, directories and sockets of one instance: just below, at and just above the limit, in every way to
//! keep one open, through both versions of WASI.

use std::net::TcpListener;

use tempfile::TempDir;

use crate::support::admin::Admin;
use crate::support::{Client, Run, Server, eventually, get};

/// Creates a directory with a file and some more entries to list.
fn data() -> TempDir {
    let directory = TempDir::new().unwrap();
    for name in ["file", "other", "third", "fourth"] {
        std::fs::write(directory.path().join(name), "content").unwrap();
    }
    directory
}

fn serve(guest: &str, data: &TempDir, limit: usize) -> Server {
    let grant = format!("{}::/data:rw", data.path().display());
    let limit = limit.to_string();
    Run::guest(guest)
        .args(["--dir", &grant, "--allow-socket", "127.0.0.1", "--max-open-files", &limit, "--cpu-timeout", "30s"])
        .serve()
}

/// Asserts that of ten that each count as `weight`, one is refused at a limit of one less, and that closing one frees
/// its share.
#[track_caller]
fn edges(guest: &str, what: &str, weight: usize, refused: &str) {
    let data = data();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let limit = 10 * weight;
    for (limit, expected) in [
        (limit - 1, format!("9 open, then {refused}")),
        (limit, "10 open".to_owned()),
        (limit + 1, "10 open".to_owned()),
    ] {
        let server = serve(guest, &data, limit);
        let open = format!("/open?what={what}&files=10&port={port}");
        assert_eq!(get(server.address, &open).text(), format!("{expected}; 0 again\n"), "{guest} {what} at {limit}");
        if expected.contains("then") {
            server.log.wait_for("(limit: --max-open-files)");
        }
        let answered = get(server.address, &format!("{open}&again=20"));
        assert_eq!(answered.text(), format!("{expected}; 20 again\n"), "{guest} {what} at {limit}");
    }
}

/// The errors that the guests return at the limit: those of 0.2 by the name in WIT.
const NO_FILE_P2: &str = "insufficient-memory";
const NO_SOCKET_P2: &str = "new-socket-limit";
const NO_FILE_P3: &str = "ErrorCode::InsufficientMemory";
const NO_SOCKET_P3: &str = "ErrorCode::OutOfMemory";

#[test]
fn files_of_0_2_at_the_edge() {
    for what in ["file", "directory"] {
        edges("hostile-p2", what, 1, NO_FILE_P2);
    }
}

#[test]
fn streams_of_0_2_keep_their_file_open() {
    // Their descriptors were dropped.
    for what in ["stream", "write", "append"] {
        edges("hostile-p2", what, 1, NO_FILE_P2);
    }
}

#[test]
fn sockets_of_0_2_at_the_edge() {
    // The streams of a socket keep the socket and its descriptor open.
    for what in ["tcp", "udp", "datagrams"] {
        edges("hostile-p2", what, 1, NO_SOCKET_P2);
    }
}

#[test]
fn files_of_0_3_at_the_edge() {
    for what in ["file", "directory"] {
        edges("hostile-p3", what, 1, NO_FILE_P3);
    }
}

#[test]
fn streams_of_0_3_keep_their_file_open() {
    for what in ["stream", "write", "append"] {
        edges("hostile-p3", what, 1, NO_FILE_P3);
    }
}

#[test]
fn listings_of_0_3_at_the_edge() {
    edges("hostile-p3", "listing", 3, NO_FILE_P3);
}

#[test]
fn sockets_of_0_3_at_the_edge() {
    for what in ["tcp", "udp"] {
        edges("hostile-p3", what, 1, NO_SOCKET_P3);
    }
}

#[test]
fn streams_of_0_3_keep_their_connection_open() {
    for what in ["receive", "send", "both"] {
        edges("hostile-p3", what, 1, NO_SOCKET_P3);
    }
}

#[test]
fn files_that_are_opened_at_once_are_counted_while_they_are_opened() {
    let data = data();
    for (limit, expected) in [(49, "49 open, 1 refused\n"), (50, "50 open, 0 refused\n"), (51, "50 open, 0 refused\n")]
    {
        let server = serve("hostile-p3", &data, limit);
        assert_eq!(get(server.address, "/open?what=at-once&files=50").text(), expected, "{limit}");
    }
}

#[test]
fn the_limit_is_on_by_default() {
    let data = data();
    let grant = format!("{}::/data:rw", data.path().display());
    let server = Run::guest("hostile-p2").args(["--dir", &grant, "--cpu-timeout", "30s"]).serve();
    for (files, expected) in [
        (255, "255 open; 0 again\n".to_owned()),
        (256, "256 open; 0 again\n".to_owned()),
        (257, format!("256 open, then {NO_FILE_P2}; 0 again\n")),
    ] {
        assert_eq!(get(server.address, &format!("/open?what=file&files={files}")).text(), expected);
    }
}

#[test]
fn what_is_not_opened_takes_no_place() {
    let data = data();
    let server = serve("hostile-p2", &data, 1);
    // A missing file, and descriptors of the granted directory.
    for what in ["missing", "granted"] {
        let answered = get(server.address, &format!("/open?what={what}&files=100"));
        assert_eq!(answered.text(), "100 open; 0 again\n", "{what}");
    }
    let server = Run::guest("hostile-p2").args(["--max-open-files", "1"]).serve();
    for _ in 0..3 {
        let answered = get(server.address, "/open?what=tcp&files=1");
        assert_eq!(answered.text(), "0 open, then access-denied; 0 again\n", "a socket that is not granted");
    }
}

#[test]
fn an_instance_that_keeps_too_much_open_is_not_used_again() {
    let data = data();
    for (kept, next) in [(2, format!("6 open, then {NO_FILE_P3}; 0 again\n")), (3, "8 open; 0 again\n".to_owned())] {
        let server = serve("hostile-p3", &data, 8);
        let mut client = Client::connect(server.address);
        let kept_open = client.get(&format!("/open?what=file&files={kept}&keep=1"));
        assert_eq!(kept_open.text(), format!("{kept} open; 0 again\n"));
        assert_eq!(client.get("/open?what=file&files=8").text(), next, "{kept}");
    }
}

#[test]
fn an_instance_logs_its_first_refusal_and_all_are_counted() {
    let data = data();
    let grant = format!("{}::/data:rw", data.path().display());
    let run = Run::guest("hostile-p3").env("TEMPO_MAX_OPEN_FILES", "2");
    let server = run.args(["--dir", &grant, "--admin", "127.0.0.1:0"]).serve();
    let admin = Admin::of(&server);
    let mut client = Client::connect(server.address);
    for _ in 0..3 {
        let answered = client.get("/open?what=file&files=3");
        assert_eq!(answered.text(), format!("2 open, then {NO_FILE_P3}; 0 again\n"));
    }
    eventually("all refusals are counted", || {
        let metrics = admin.get("/metrics").text();
        let hits = metrics.lines().find(|line| line.starts_with("tempo_limit_hits") && line.contains("max-open-files"));
        hits.filter(|line| line.ends_with(" 3")).map(|_| ())
    });
    server.log.wait_for("an instance tried to open more than 2 files (limit: --max-open-files)");
    assert_eq!(server.log.text().matches("--max-open-files").count(), 1);
}

/// A process with descriptors for the limit and a few more: the guest meets its own limit before that of the process.
#[cfg(target_os = "linux")]
#[test]
fn no_more_descriptors_are_open_than_are_counted() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};

    const COUNTED: usize = 60;
    const OTHERS: usize = 8;
    let data = data();
    for (guest, kinds, refused) in [
        ("hostile-p2", &["file", "stream", "append"][..], NO_FILE_P2),
        ("hostile-p2", &["tcp", "datagrams"], NO_SOCKET_P2),
        ("hostile-p3", &["file", "stream", "write", "listing"], NO_FILE_P3),
        ("hostile-p3", &["udp", "receive", "send", "both"], NO_SOCKET_P3),
    ] {
        let server = serve(guest, &data, COUNTED);
        assert_eq!(get(server.address, "/").status, 200);
        let open = std::fs::read_dir(format!("/proc/{}/fd", server.id())).unwrap();
        let highest = open.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse::<usize>().unwrap()).max();
        let few = Some(u64::try_from(highest.unwrap() + 1 + COUNTED + OTHERS).unwrap());
        let pid = Pid::from_raw(i32::try_from(server.id()).unwrap());
        prlimit(pid, Resource::Nofile, Rlimit { current: few, maximum: few }).unwrap();
        for what in kinds {
            // The listener's backlog is long enough for one kind: nothing accepts the connections.
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let answered = get(server.address, &format!("/open?what={what}&files=1000&again=20&port={port}")).text();
            let (open, then) = answered.split_once(" open").unwrap();
            assert_eq!(then, format!(", then {refused}; 20 again\n"), "{guest} {what}");
            assert!(open == if *what == "listing" { "20" } else { "60" }, "{guest} {what}: {open}");
        }
    }
}
