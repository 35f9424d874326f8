//! Full disks and quotas: a component's errors, readiness, and recovery once there is space again.
//!
//! A small disk is a tmpfs in a mount namespace of the runtime; where users may not create one, these tests are skipped
//! with a message.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::admin::Admin;
use crate::support::{Client, Run, Server, eventually};

const ADMIN: [&str; 2] = ["--admin", "127.0.0.1:0"];

/// A directory that is a disk of 8 MiB for a runtime, with its path from outside.
struct SmallDisk {
    place: TempDir,
}

impl SmallDisk {
    fn new() -> Option<Self> {
        let place = TempDir::new().unwrap();
        let mut probe = Command::new("unshare");
        let mount = probe.args(["-rm", "mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(place.path()).output();
        if mount.as_ref().is_ok_and(|output| output.status.success()) {
            return Some(Self { place });
        }
        eprintln!("LEFT OUT: this user may not mount a tmpfs in a namespace of its own: {mount:?}");
        None
    }

    fn url(&self, name: &str) -> String {
        format!("file:{}", self.place.path().join(name).display())
    }

    fn serve(&self, run: Run) -> Full {
        let server = run.args(ADMIN).on_tmpfs(self.place.path(), "8m").serve();
        let inside = self.place.path().strip_prefix("/").unwrap();
        let ballast = Path::new("/proc").join(server.id().to_string()).join("root").join(inside).join("ballast");
        let admin = Admin::of(&server);
        Full { server, admin, ballast }
    }
}

/// A runtime on a small disk.
struct Full {
    server: Server,
    admin: Admin,
    ballast: PathBuf,
}

impl Full {
    /// Fills the disk.
    fn fill(&self) {
        // Fails at the last byte that fits.
        fs::write(&self.ballast, vec![1; 16 << 20]).unwrap_err();
    }

    fn empty(&self) {
        fs::remove_file(&self.ballast).unwrap();
    }

    /// Waits until `/readyz` has this status, and returns its body.
    fn readyz(&self, status: u16) -> String {
        eventually(&format!("/readyz is {status}"), || {
            let response = self.admin.get("/readyz");
            (response.status == status).then(|| response.text())
        })
    }
}

#[test]
fn a_keyvalue_file_is_written_again_once_there_is_room() {
    let Some(disk) = SmallDisk::new() else { return };
    let full = disk.serve(Run::guest("keyvalue-conformance").args(["--keyvalue", &disk.url("store.redb")]));
    let mut client = Client::connect(full.server.address);
    let mut put = |key: &str, size: usize| client.put(&format!("/value?key={key}"), "x".repeat(size)).text();
    assert_eq!(put("before", 10_000), "written\n");
    assert_eq!(full.readyz(200), "ready\n");
    full.fill();
    let refused = (0..1000).map(|number| put(&format!("during-{number}"), 100_000)).find(|said| said != "written\n");
    assert_eq!(refused.as_deref(), Some("QuotaExceeded\n"));
    assert!(full.readyz(503).starts_with("keyvalue: store.redb cannot be written: "));
    assert_eq!(full.admin.get("/livez").status, 200, "starting it anew would not make room");
    let mut reader = Client::connect(full.server.address);
    assert_eq!(reader.get("/value?key=before").body.len(), 10_000, "what is there can be read");
    full.empty();
    assert_eq!(full.readyz(200), "ready\n");
    assert_eq!(put("after", 100_000), "written\n");
    assert_eq!(reader.get("/value?key=after").body.len(), 100_000);
}

#[test]
fn a_directory_of_objects_is_written_again_once_there_is_room() {
    let Some(disk) = SmallDisk::new() else { return };
    let full = disk.serve(Run::guest("blobstore").args(["--blobstore", &disk.url("objects")]));
    // A request that is rejected before its end is the last one of its connection.
    let put =
        |name: &str| Client::connect(full.server.address).put(&format!("/objects/{name}"), "x".repeat(200_000)).status;
    assert_eq!(put("before"), 201);
    full.fill();
    assert!(put("during") >= 500);
    assert!(full.readyz(503).starts_with("blobstore: objects cannot be written: "));
    full.empty();
    assert_eq!(full.readyz(200), "ready\n");
    assert_eq!(put("after"), 201);
    let mut reader = Client::connect(full.server.address);
    assert_eq!(
        ["before", "during", "after"].map(|name| reader.get(&format!("/objects/{name}")).status),
        [200, 404, 200]
    );
}

#[test]
fn a_file_of_messages_is_written_again_once_there_is_room() {
    let Some(disk) = SmallDisk::new() else { return };
    let messaging = disk.url("messages.redb");
    let run = Run::guest("orders").args(["--keyvalue", "memory:", "--messaging", &messaging, "--subscribe", "other.>"]);
    let full = disk.serve(run.args(["--request-timeout", "1s"]));
    let mut number = 0;
    let mut order = || {
        number += 1;
        let customer = "x".repeat(100_000);
        let order =
            format!("{{\"id\": \"{number}\", \"customer\": \"Ada\", \"item\": \"{customer}\", \"quantity\": 1}}");
        Client::connect(full.server.address).post("/orders", order).status
    };
    assert_eq!(order(), 202);
    full.fill();
    while full.admin.get("/readyz").status == 200 {
        order();
    }
    assert!(full.readyz(503).starts_with("messaging: messages.redb cannot be written: "));
    assert!(order() >= 500, "nothing more is accepted");
    full.empty();
    assert_eq!(full.readyz(200), "ready\n");
    assert_eq!(order(), 202);
}

#[test]
fn a_quota_is_an_error_that_a_component_can_act_on() {
    let directory = TempDir::new().unwrap();
    let url = format!("file:{}?quota=1000", directory.path().join("store.redb").display());
    for _ in 0..2 {
        let server = Run::guest("keyvalue-conformance").args(["--keyvalue", &url]).serve();
        let mut client = Client::connect(server.address);
        // The quota counts key and value of each entry, plus 64 bytes.
        let mut put = |size| client.put("/value?key=k", "x".repeat(size)).text();
        assert_eq!([935, 936, 934, 935].map(&mut put), ["written\n", "QuotaExceeded\n", "written\n", "written\n"]);
        assert_eq!(client.get("/value?key=k").body.len(), 935);
    }
    let url = format!("file:{}?quota=12KiB", directory.path().join("objects").display());
    let server = Run::guest("blobstore").args(["--blobstore", &url]).serve();
    let mut client = Client::connect(server.address);
    assert_eq!(client.put("/objects/a", "x".repeat(4000)).status, 201);
    assert!(client.put("/objects/b", "x".repeat(9000)).status >= 400);
    assert_eq!(client.delete("/objects/a").status, 204);
    assert_eq!(client.put("/objects/b", "x".repeat(9000)).status, 201);
}

#[test]
fn an_option_that_no_file_has_is_refused() {
    for (guest, flag) in
        [("keyvalue", "--keyvalue"), ("blobstore", "--blobstore"), ("messaging-handler", "--messaging")]
    {
        let run = |url| Run::guest(guest).args([flag, url]).finish();
        run("file:./a?size=1GiB").failed_in_one_line(78, &["file:./a?size=1GiB: unknown option `size`", "quota=SIZE"]);
        run("file:./a?quota=lots").failed_in_one_line(78, &["quota: expected a size"]);
    }
}
