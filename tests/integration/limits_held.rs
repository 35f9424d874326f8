//! The bytes that the host holds for one instance, in all services: just below, at and just above the limit, and in the
//! memory of the process.

use crate::support::{Run, Server, get, serve_with};

/// The overhead of a field in addition to its name and value, and of a body over WASI 0.2, in bytes.
const FIELD_BYTES: usize = 256;
const BODY_BYTES: usize = 128 << 10;

/// A limit, in bytes, that has capacity for the body of a response once the guest has dropped the other buffers.
const LIMIT_BYTES: usize = 1_000_000;

/// Returns a memory figure of the server's process from `/proc`, in KiB.
#[cfg(target_os = "linux")]
fn memory(server: &Server, field: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim_matches(|character: char| !character.is_ascii_digit()).parse().unwrap()
}

/// Returns the response of a guest for which the host may hold `limit` bytes.
fn answer(guest: &str, limit: usize, path: &str) -> String {
    let server = serve_with(guest, &["--max-host-memory", &format!("{limit}B"), "--cpu-timeout", "30s"]);
    let answered = get(server.address, path);
    assert_eq!(answered.status, 200, "{guest} {path} at {limit}: {}", answered.text());
    answered.text()
}

/// Asserts that of ten items with `limit` bytes in total, one is refused at one byte less, and that the guest
/// continues.
#[track_caller]
fn edges(guest: &str, limit: usize, path: &str, refused: &str) {
    for (limit, expected) in [
        (limit - 1, format!("9 held, then {refused}\n")),
        (limit, "10 held\n".to_owned()),
        (limit + 1, "10 held\n".to_owned()),
    ] {
        assert_eq!(answer(guest, limit, path), expected, "{guest} {path} at {limit}");
    }
}

#[test]
fn fields_at_the_edge() {
    let path = format!("?handles=10&bytes={}", 100_000 - FIELD_BYTES - "x".len());
    edges("hostile", LIMIT_BYTES, &format!("/hold-fields{path}"), "HeaderError::SizeExceeded");
    // 0.2 has no error for fields that are too large.
    edges("hostile-p2", LIMIT_BYTES, &format!("/hold-fields{path}"), "HeaderError::Forbidden");
    edges("hostile-p2", LIMIT_BYTES, &format!("/hold-appended{path}"), "HeaderError::Forbidden");
}

#[test]
fn one_map_of_fields_that_is_too_large_is_no_trap() {
    for (guest, refused) in [("hostile", "HeaderError::SizeExceeded"), ("hostile-p2", "HeaderError::Forbidden")] {
        let server = serve_with(guest, &[]);
        let answered = get(server.address, "/hold-fields?handles=1&bytes=200000");
        assert_eq!(answered.text(), format!("0 held, then {refused}\n"), "{guest}");
    }
}

#[test]
fn methods_at_the_edge() {
    for guest in ["hostile", "hostile-p2"] {
        edges(guest, LIMIT_BYTES, "/hold-methods?handles=10&bytes=100000", "()");
    }
}

#[test]
fn bodies_at_the_edge() {
    edges("hostile-p2", 10 * BODY_BYTES, "/hold-bodies?handles=10", "()");
}

#[test]
fn calls_under_way_at_the_edge() {
    let kept = tempfile::tempdir().unwrap();
    let store = format!("file:{}", kept.path().join("kept.redb").display());
    let flood = |limit: usize, count: &str, bytes: usize| {
        let (limit, bytes) = (format!("{limit}B"), bytes.to_string());
        let arguments = ["--keyvalue", &store, "--max-host-memory", &limit, "--", "flood", count, &bytes];
        let ended = Run::guest("storage-bench").args(arguments).finish();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.stdout
    };
    // A call holds its key, which is one byte, and its value.
    for (limit, done) in [(9_999, false), (10_000, true), (10_001, true)] {
        let said = flood(limit, "1", 9_999);
        assert_eq!(said.starts_with("1 "), done, "{limit}: {said}");
        assert_eq!(said.contains("full"), !done, "{limit}: {said}");
    }
    // The whole default budget, then the same amount again.
    let said = flood(32 << 20, "96", (1 << 20) - 1);
    let done: usize = said.split(' ').next().unwrap().parse().unwrap();
    assert!((32..96).contains(&done), "{said}");
}

/// Regression: one store made the process take 530 MiB.
#[cfg(target_os = "linux")]
#[test]
fn a_store_takes_no_more_memory_than_it_may() {
    for (guest, paths) in [
        (
            "hostile",
            [
                "/hold-fields?handles=4000&bytes=120000",
                "/hold-clones?handles=4000&bytes=120000",
                "/hold-methods?handles=1000&bytes=15728640",
            ],
        ),
        (
            "hostile-p2",
            [
                "/hold-fields?handles=4000&bytes=120000",
                "/hold-bodies?handles=1000",
                "/hold-methods?handles=1000&bytes=15728640",
            ],
        ),
    ] {
        let server = serve_with(guest, &["--cpu-timeout", "30s"]);
        assert_eq!(get(server.address, "/").status, 200, "{guest}");
        let before = memory(&server, "VmRSS:");
        for path in paths {
            let answered = get(server.address, path);
            assert_eq!(answered.status, 200, "{guest} {path}: {}", answered.text());
            assert!(answered.text().contains("then"), "{guest} {path}: {}", answered.text());
            let grown = memory(&server, "VmHWM:").saturating_sub(before);
            // The budget, the guest's memory with the arguments of a call, and the copies in between.
            assert!(grown < 160 << 10, "{guest} {path}: the process has grown by {grown} KiB");
        }
    }
}
