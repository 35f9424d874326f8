//! The host's buffers for files and standard output of one instance: just below, at and just above the limit, and in
//! the memory of the process.

use tempfile::TempDir;

use crate::support::{Run, Server, get};

/// The buffer of a file stream, in bytes.
const STREAM_BUFFER_BYTES: usize = 64 << 10;

fn serve(data: &TempDir, arguments: &[&str]) -> Server {
    let grant = format!("{}::/data:rw", data.path().display());
    Run::guest("hostile-p2").args(["--dir", &grant, "--cpu-timeout", "30s"]).args(arguments).serve()
}

/// Creates a directory with a file of 1 MB and `others` other files.
fn data(others: usize) -> TempDir {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("file"), vec![0; 1_000_000]).unwrap();
    for other in 0..others {
        std::fs::write(directory.path().join(format!("a-file-with-a-name-of-some-length-{other}")), "").unwrap();
    }
    directory
}

#[test]
fn streams_of_files_at_the_edge() {
    let data = data(0);
    for path in ["/hold-reads", "/hold-writes"] {
        for (limit, expected) in [
            (10 * STREAM_BUFFER_BYTES - 1, "9 held, then ErrorCode::InsufficientMemory\n"),
            (10 * STREAM_BUFFER_BYTES, "10 held\n"),
            (10 * STREAM_BUFFER_BYTES + 1, "10 held\n"),
        ] {
            let server = serve(&data, &["--max-host-memory", &format!("{limit}B")]);
            let answered = get(server.address, &format!("{path}?handles=10")).text();
            assert_eq!(named(&answered), expected, "{path} at {limit}");
        }
    }
}

#[test]
fn listings_reserve_their_entries() {
    let (few, many) = (data(0), data(10_000));
    for (data, held) in [(&few, "50 held\n".to_owned()), (&many, "then ErrorCode::InsufficientMemory\n".to_owned())] {
        let server = serve(data, &[]);
        let answered = get(server.address, "/hold-listings?handles=50").text();
        assert!(named(&answered).ends_with(&held), "{answered}");
    }
}

#[test]
fn no_more_is_written_than_is_permitted() {
    let data = data(0);
    let server = serve(&data, &[]);
    for (bytes, status) in [(STREAM_BUFFER_BYTES - 1, 200), (STREAM_BUFFER_BYTES, 200), (STREAM_BUFFER_BYTES + 1, 500)]
    {
        assert_eq!(get(server.address, &format!("/overwrite?bytes={bytes}")).status, status, "{bytes}");
    }
}

#[test]
fn a_line_that_goes_on_ends_where_there_is_no_room_for_it() {
    let data = data(0);
    let server = serve(&data, &["--max-host-memory", "1000000B"]);
    // 8,000 bytes per handle: the budget holds 125.
    assert_eq!(get(server.address, "/hold-lines?handles=200&bytes=8000").text(), "200 held\n");
    server.log.wait_for(&"l".repeat(8000));
}

/// Regression: 350 MiB of data that was read and not consumed, and 1 MiB for each listing of 20,000 files.
#[cfg(target_os = "linux")]
#[test]
fn a_store_takes_no_more_memory_than_it_may() {
    let memory = |server: &Server, field: &str| {
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        line.trim_matches(|character: char| !character.is_ascii_digit()).parse::<usize>().unwrap()
    };
    let data = data(10_000);
    for path in ["/hold-reads?handles=3900", "/hold-listings?handles=1000"] {
        let server = serve(&data, &[]);
        assert_eq!(get(server.address, "/").status, 200);
        let before = memory(&server, "VmRSS:");
        assert_eq!(get(server.address, path).status, 200, "{path}");
        let grown = memory(&server, "VmHWM:").saturating_sub(before);
        // The budget, the stacks of the reading threads, and the temporary memory of a listing.
        assert!(grown < 128 << 10, "{path}: the process has grown by {grown} KiB");
    }
}

/// Returns the name of the error in the response of a guest that prints errors with all of their WIT fields.
fn named(answer: &str) -> String {
    match answer.split_once("ErrorCode {") {
        Some((held, error)) if error.contains("\"insufficient-memory\"") => {
            format!("{held}ErrorCode::InsufficientMemory\n")
        }
        _ => answer.to_owned(),
    }
}
