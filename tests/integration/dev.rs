//! `tempo dev` and `tempo run --watch`: components are built and served, and replaced when their sources change. The builds are
//! scripts that copy components.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::guest::guest;
use crate::support::{Client, Process, Run, eventually, get};

/// An app of one component, which the script `build.sh` builds from `source`.
struct Project(TempDir);

impl Project {
    /// Creates the app, with the lines of the script.
    fn new(script: &str) -> Self {
        let project = Self(TempDir::new().unwrap());
        let build = "build = { command = \"sh build.sh\", watch = [\"source\"] }";
        let manifest =
            format!("name = \"shop\"\n[component.api]\nsource = \"dist/api.wasm\"\nroute = \"/*\"\n{build}\n");
        project.write("tempo.toml", &manifest);
        project.write("build.sh", &format!("set -e\nmkdir -p dist\n{script}\n"));
        std::fs::copy(guest("hello"), project.path("hello.wasm")).unwrap();
        std::fs::create_dir(project.path("source")).unwrap();
        project
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// `tempo dev`, on a port that the system chooses.
    fn develop(&self) -> Process {
        develop(self.0.path(), &[])
    }
}

/// `tempo dev` in `folder`.
fn develop(folder: &Path, arguments: &[&str]) -> Process {
    let dev = Run::tempo(["dev", "--addr", "127.0.0.1:0", "--dashboard", "127.0.0.1:0"]).within(folder);
    dev.args(arguments.iter().copied()).env("PATH", std::env::var_os("PATH").unwrap()).start()
}

/// Waits for the address of the server.
fn address(dev: &Process) -> SocketAddr {
    let line = dev.log.wait_for("listening on http://");
    line.rsplit("http://").next().unwrap().parse().unwrap()
}

/// Returns whether the process `id` runs.
fn runs(id: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", id.trim())).unwrap_or_default();
    // Without a parent that waits for it, it stays a zombie.
    !stat.is_empty() && !stat.contains(") Z ")
}

#[test]
fn a_first_build_that_fails_waits_for_a_change() {
    let project =
        Project::new("echo 'the words of the compiler' >&2\ntest -e source/fixed\ncp hello.wasm dist/api.wasm");
    let dev = project.develop();
    dev.log.wait_for("api | the words of the compiler");
    let failed = dev.log.wait_for("api: build failed after ");
    assert!(failed.ends_with("(exit status: 1); waiting for a change"), "{failed}");
    assert_eq!(dev.log.count("listening on"), 0);
    project.write("source/fixed", "");
    let address = address(&dev);
    assert_eq!(get(address, "/").status, 200);
    dev.log.wait_for("api: built in ");
    dev.log.wait_for("dashboard on http://127.0.0.1:");
}

#[test]
fn a_build_that_fails_leaves_the_last_one() {
    let project = Project::new("test ! -e source/broken\ncp hello.wasm dist/api.wasm");
    let dev = project.develop();
    let address = address(&dev);
    project.write("source/broken", "");
    let failed = dev.log.wait_for("api: build failed after ");
    assert!(failed.ends_with("(exit status: 1); the last build is still served"), "{failed}");
    assert_eq!(get(address, "/").status, 200);
    // Other files than those that the manifest names build nothing.
    project.write("neighbour", "");
    std::fs::remove_file(project.path("source/broken")).unwrap();
    eventually("a second build", || (dev.log.count("api: built in ") == 2).then_some(()));
    assert_eq!(dev.log.count("api | sh build.sh"), 3);
}

#[test]
fn a_change_supersedes_the_build() {
    let slow = "test ! -e source/slow || { echo $$ > child.new; mv child.new child; sleep 1000; }";
    let project = Project::new(&format!("{slow}\ncp hello.wasm dist/api.wasm"));
    project.write("source/slow", "");
    let dev = project.develop();
    let child = eventually("the slow build runs", || std::fs::read_to_string(project.path("child")).ok());
    assert!(runs(&child));
    std::fs::remove_file(project.path("source/slow")).unwrap();
    assert_eq!(get(address(&dev), "/").status, 200);
    assert!(!runs(&child));
    assert_eq!(dev.log.count("build failed"), 0);
}

#[test]
fn a_signal_ends_the_builds_and_the_server() {
    let slow = "test ! -e source/slow || { sleep 1000 & echo $! > child.new; mv child.new child; wait; }";
    // While the first build runs, and while the program serves.
    for serves in [false, true] {
        let project = Project::new(&format!("{slow}\ncp hello.wasm dist/api.wasm"));
        let slow = || project.write("source/slow", "");
        if !serves {
            slow();
        }
        let mut dev = project.develop();
        if serves {
            address(&dev);
            slow();
        }
        let child = eventually("the slow build runs", || std::fs::read_to_string(project.path("child")).ok());
        dev.signal(Signal::INT);
        assert_eq!(dev.exit_code(), Some(if serves { 0 } else { 130 }));
        eventually("the child has ended", || (!runs(&child)).then_some(()));
    }
}

#[test]
fn an_app_that_cannot_start_waits_for_a_change() {
    let project = Project::new("cp hello.wasm dist/api.wasm");
    let manifest = std::fs::read_to_string(project.path("tempo.toml")).unwrap();
    project.write("tempo.toml", &manifest.replace("route = \"/*\"\n", ""));
    let dev = project.develop();
    dev.log.wait_for("error: api: no trigger and no other component calls it (tempo.toml:2)");
    dev.log.wait_for("waiting for a change");
    project.write("tempo.toml", &manifest);
    assert_eq!(get(address(&dev), "/").status, 200);
}

#[test]
fn a_component_without_an_app_has_a_build_too() {
    let project = Project::new("cp hello.wasm dist/api.wasm");
    project.write("tempo.toml", "build = { command = \"sh build.sh\", watch = [\"source\"] }\n");
    let dev = develop(project.0.path(), &["dist/api.wasm"]);
    assert_eq!(get(address(&dev), "/").status, 200);
}

#[test]
fn a_watched_program_reloads_when_a_file_changes() {
    let project = Project::new("");
    std::fs::copy(guest("hello"), project.path("dist.wasm")).unwrap();
    let manifest = "name = \"shop\"\nwatch = true\n[component.api]\nsource = \"dist.wasm\"\nroute = \"/*\"\n";
    project.write("tempo.toml", manifest);
    let server = Run::tempo(["run", "--addr", "127.0.0.1:0"]).within(project.0.path()).serve();
    project.write("tempo.toml.new", &format!("{manifest}# changed\n"));
    std::fs::rename(project.path("tempo.toml.new"), project.path("tempo.toml")).unwrap();
    server.log.wait_for("tempo.toml changed");
    std::fs::copy(guest("hello-p2"), project.path("dist.wasm")).unwrap();
    server.log.wait_for("dist.wasm changed");
    assert_eq!(get(server.address, "/").status, 200);
}

#[test]
fn a_component_is_replaced_without_a_failed_request() {
    let project = Project::new("cp $(cat source/name).wasm dist/api.wasm");
    std::fs::copy(guest("hostile"), project.path("hostile.wasm")).unwrap();
    project.write("source/name", "hello");
    let dev = project.develop();
    let address = address(&dev);
    let hello = get(address, "/").text();
    project.write("source/name", "hostile");
    let mut client = Client::connect(address);
    eventually("the answer of the new component", || {
        // On a connection that stays, and on a new one.
        let responses = [client.get("/"), get(address, "/")];
        assert!(responses.iter().all(|response| response.status == 200));
        responses.iter().all(|response| response.text() != hello).then_some(())
    });
    dev.log.wait_for(", swapped in ");
    // A component that cannot be loaded leaves the one that serves.
    project.write("missing.wasm", "no component");
    project.write("source/name", "missing");
    dev.log.wait_for("not swapped; the last one is still served: ");
    assert_eq!(dev.log.count("not reloaded"), 0, "the reason is printed once");
    assert_eq!(client.get("/").status, 200);
}
