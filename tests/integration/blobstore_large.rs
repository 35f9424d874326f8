//! Blobstore: files that are larger than memory. The memory figures of the process are from `/proc`.
#![cfg(target_os = "linux")]

use crate::support::storage::Backend;
use crate::support::{Client, Run, Server, slow};

/// Returns a memory figure of the server's process from `/proc`, in KiB.
fn memory(server: &Server, field: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim_matches(|character: char| !character.is_ascii_digit()).parse().unwrap()
}

/// 64 MiB, or 1 GiB with `--slow`, which is more than the component's memory limit.
#[test]
fn a_large_file_goes_in_and_out_in_little_memory() {
    let mebibytes: usize = if slow() { 1024 } else { 64 };
    // The memory limit is the default. Time and body size depend on the machine.
    let limits = ["--max-body", "2GiB", "--request-timeout", "30m", "--cpu-timeout", "30m"];
    for guest in ["blobstore", "blobstore-p2"] {
        let backend = Backend::file("objects");
        // Precompiled: the compiler's memory would otherwise hide the growth.
        let server = Run::guest(guest).args(["--blobstore", &backend.url]).args(limits).serve();
        let mut client = Client::connect(server.address);
        // Allocates the buffers that any file needs.
        assert_eq!(client.put("/objects/small", vec![0; 1 << 20]).status, 201, "{guest}");
        assert_eq!(client.get("/objects/small").body.len(), 1 << 20, "{guest}");
        let before = memory(&server, "VmRSS:");

        let piece =
            |number: usize| -> Vec<u8> { (number..number + (1 << 20)).map(|byte| (byte % 251) as u8).collect() };
        client.start("PUT", "/objects/large", &[&format!("Content-Length: {}", mebibytes << 20)]);
        (0..mebibytes).for_each(|number| client.send(piece(number)));
        assert_eq!(client.response().status, 201, "{guest}");
        client.start("GET", "/objects/large", &[]);
        let head = client.head();
        assert_eq!(head.header("content-length"), Some((mebibytes << 20).to_string().as_str()), "{guest}");
        for number in 0..mebibytes {
            assert!(client.take(1 << 20).unwrap() == piece(number), "{guest}: MiB {number}");
        }
        let grown = memory(&server, "VmHWM:").saturating_sub(before);
        println!("{guest}: {mebibytes} MiB in and out, {grown} KiB more");
        assert!(grown < 32 << 10, "{guest}: the process has grown by {grown} KiB for {mebibytes} MiB");
    }
}
