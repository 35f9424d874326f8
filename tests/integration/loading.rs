//! Loading of components: the memory that it takes.

use std::fs::File;
use std::io::Write as _;

use tempfile::TempDir;

use crate::support::{Run, Server, get, guest};

/// Length of the custom section, in bytes.
const CUSTOM_BYTES: u32 = 200 << 20;

/// Returns the memory of the server that no file backs, in KiB.
fn anonymous_memory(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_large_custom_section_does_not_stay_in_memory() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("large.wasm");
    std::fs::copy(guest("hello"), &path).unwrap();
    let mut file = File::options().append(true).open(&path).unwrap();
    // The section's number, its length and its empty name. The rest is a hole in the file.
    let length = [0, 7, 14, 21, 28].map(|shift| {
        let more = if shift < 28 { 0x80 } else { 0 };
        u8::try_from(CUSTOM_BYTES >> shift & 0x7f).unwrap() | more
    });
    file.write_all(&[&[0][..], &length, &[0]].concat()).unwrap();
    let end = file.metadata().unwrap().len() + u64::from(CUSTOM_BYTES) - 1;
    file.set_len(end).unwrap();
    let server = Run::file(&path).serve();
    assert_eq!(get(server.address, "/").status, 200);
    let memory = anonymous_memory(&server);
    assert!(memory < u64::from(CUSTOM_BYTES) / 2 / 1024, "{memory} KiB");
}
