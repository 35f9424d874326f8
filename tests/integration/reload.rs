//! Components that are replaced while they serve: SIGHUP reads the settings and the components again, all or nothing.

mod unchanged;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::JoinHandle;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::apps::{app, manifest};
use crate::support::admin::Admin;
use crate::support::messaging::{Broker, publish_many, seen, wait_done};
use crate::support::tls::Certificate;
use crate::support::{Client, Run, Server, eventually, get, guest, key};

/// A folder with what is served, which a test changes.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Replaces a file at once, as deployments do.
    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path("new"), bytes).unwrap();
        std::fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    /// `tempo run` of `app.wasm`, or of `tempo.toml` if `file` is empty.
    fn run(&self, file: &str) -> Run {
        let run = Run::tempo(["run"]).args((!file.is_empty()).then_some(file)).args(["--addr", "127.0.0.1:0"]);
        run.env("TEMPO_KEY_FILE", key()).within(self.0.path())
    }
}

/// The bytes of a guest, and of the same guest in another file.
fn wasm(name: &str, version: u8) -> Vec<u8> {
    let mut bytes = std::fs::read(guest(name)).unwrap();
    // A custom section of three bytes, with the name `v`.
    bytes.extend([0, 3, 1, b'v', version]);
    bytes
}

/// Sends SIGHUP and waits for the next line with `outcome`.
#[track_caller]
fn reload(server: &Server, outcome: &str) {
    let before = server.log.count(outcome);
    server.signal(Signal::HUP);
    eventually(outcome, || (server.log.count(outcome) > before).then_some(()));
}

#[track_caller]
fn replaced(server: &Server, components: &str) {
    reload(server, &format!("reloaded (SIGHUP): {components}, in "));
}

#[track_caller]
fn refused(server: &Server, why: &str) {
    reload(server, "not reloaded (SIGHUP), the previous version goes on");
    server.log.wait_for(why);
}

/// Clients that send requests on one connection each until they are stopped.
struct Clients {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<usize>>,
}

impl Clients {
    fn start(server: &Server, count: usize, target: &'static str) -> Self {
        let (stop, address) = (Arc::new(AtomicBool::new(false)), server.address);
        let send = move |stop: Arc<AtomicBool>| {
            let (mut client, mut answers) = (Client::connect(address), 0);
            while !stop.load(SeqCst) {
                assert_eq!(client.get(target).status, 200);
                answers += 1;
            }
            answers
        };
        let threads = (0..count).map(|_| {
            let stop = stop.clone();
            std::thread::spawn(move || send(stop))
        });
        Self { threads: threads.collect(), stop }
    }

    /// Returns the number of answers. Fails if a request failed or a connection was closed.
    fn stop(self) -> usize {
        self.stop.store(true, SeqCst);
        self.threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    }
}

#[test]
fn a_component_is_replaced_without_a_failed_request() {
    for name in ["hello", "hello-p2"] {
        let folder = Folder::new();
        folder.write("app.wasm", wasm(name, 0));
        let server = folder.run("app.wasm").serve();
        let clients = Clients::start(&server, 4, "/");
        for version in 1..4 {
            folder.write("app.wasm", wasm(name, version));
            replaced(&server, "app");
        }
        assert!(clients.stop() > 0);
        folder.write("app.wasm", wasm("config-only", 0));
        replaced(&server, "app");
        assert_eq!(get(server.address, "/x").text(), "x is not configured\n");
    }
}

#[test]
fn a_reload_that_fails_changes_nothing() {
    let folder = Folder::new();
    folder.write("app.wasm", wasm("config-only", 0));
    folder.write("tempo.toml", "config = { A = \"1\" }\n");
    let server = folder.run("app.wasm").args(["--admin", "127.0.0.1:0"]).serve();
    let value = || get(server.address, "/A").text();
    for (wasm, settings, why) in [
        (wasm("config-only", 0)[..100].to_vec(), "config = { A = \"2\" }\n", "not valid WebAssembly"),
        (wasm("command", 0), "config = { A = \"2\" }\n", "a command, which runs once"),
        (wasm("config-only", 1), "config = { A = \"2\" }\nhttp-threads = 9\n", "http-threads: it cannot change"),
        (wasm("config-only", 1), "config = { A = \"2\" }\nlog = \"debug\"\n", "log: it cannot change"),
        (wasm("config-only", 1), "config = { A = \"2\" }\ncpu-timeout = \"x\"\n", "cpu-timeout"),
    ] {
        folder.write("app.wasm", wasm);
        folder.write("tempo.toml", settings);
        refused(&server, why);
        assert_eq!(value(), "1\n", "{why}");
    }
    folder.write("tempo.toml", "config = { A = \"3\" }\n");
    replaced(&server, "app");
    assert_eq!(value(), "3\n");
    reload(&server, "no component has changed");
    let page = Admin::of(&server).get("/metrics").text();
    let count = |outcome: &str| {
        let line = page.lines().find(|line| line.starts_with("tempo_reloads_total") && line.contains(outcome));
        line.and_then(|line| line.rsplit_once(' ')).map(|(_, count)| count.to_owned())
    };
    assert_eq!(count("failed").as_deref(), Some("5"), "{page}");
    assert_eq!(count("succeeded").as_deref(), Some("2"), "{page}");
}

#[test]
fn only_the_components_that_changed_are_made_anew() {
    let folder = Folder::new();
    folder.write("a.wasm", wasm("keyvalue", 0));
    folder.write("b.wasm", wasm("config-only", 0));
    let text = |lines: &str| {
        format!(
            "name = \"app\"\n[component.a]\nsource = \"a.wasm\"\nroute = \"/counters/*\"\nkeyvalue = \"memory:\"\n\
             [component.b]\nsource = \"b.wasm\"\n{lines}"
        )
    };
    folder.write("tempo.toml", text("route = \"/*\"\nconfig = { A = \"1\" }\n"));
    let server = folder.run("").serve();
    let count = || Client::connect(server.address).post("/counters/x", "").text();
    let clients = Clients::start(&server, 2, "/A");
    assert_eq!((count(), get(server.address, "/A").text()), ("1\n".to_owned(), "1\n".to_owned()));
    folder.write("tempo.toml", text("route = \"/*\"\nconfig = { A = \"2\" }\n"));
    replaced(&server, "b");
    assert_eq!((count(), get(server.address, "/A").text()), ("2\n".to_owned(), "2\n".to_owned()));
    // Its code changes; what it stores in memory stays.
    folder.write("a.wasm", wasm("keyvalue", 1));
    replaced(&server, "a");
    assert_eq!(count(), "3\n");
    assert!(clients.stop() > 0);
    // Routes and components come and go.
    let three = "route = \"/b/*\"\n[component.c]\nsource = \"b.wasm\"\nroute = \"/c/{x}\"\nconfig = { A = \"3\" }\n";
    folder.write("tempo.toml", text(three));
    replaced(&server, "b, c");
    get(server.address, "/A").is_plain_refusal(404);
    assert_eq!(get(server.address, "/c/x?key=A").text(), "3\n");
    assert_eq!(get(server.address, "/b/x?key=A").status, 404);
    folder.write("tempo.toml", text("route = \"/*\"\n").split("[component.b]").next().unwrap());
    replaced(&server, "b, c");
    get(server.address, "/c/x?key=A").is_plain_refusal(404);
    assert_eq!(count(), "4\n");
    folder.write("tempo.toml", text("route = \"/counters/{y}\"\nroute = \"/*\"\n"));
    refused(&server, "tempo.toml");
    assert_eq!(count(), "5\n");
}

/// Calls in a row have permits and instances of their own; there are spare ones for some more.
#[test]
fn longer_chains_leave_other_components_as_they_are() {
    let folder = Folder::new();
    for name in ["hello", "config-only", "middleware-pass"] {
        folder.write(&format!("{name}.wasm"), wasm(name, 0));
    }
    let middleware =
        |name: &str, lines: &str| format!("[component.{name}]\nsource = \"middleware-pass.wasm\"\n{lines}");
    let text = |lines: &str| {
        format!(
            "name = \"app\"\n[component.a]\nsource = \"hello.wasm\"\nroute = \"/hello\"\n\
             [component.b]\nsource = \"config-only.wasm\"\nroute = \"/*\"\nconfig = {{ A = \"1\" }}\n{lines}"
        )
    };
    folder.write("tempo.toml", text(""));
    let server = folder.run("").serve();
    let clients = Clients::start(&server, 2, "/A");
    folder.write("tempo.toml", text(&format!("middleware = [\"m\"]\n{}", middleware("m", ""))));
    replaced(&server, "b, m");
    folder.write(
        "tempo.toml",
        text(&format!("middleware = [\"m\", \"n\"]\n{}{}", middleware("m", ""), middleware("n", ""))),
    );
    replaced(&server, "b, n");
    assert!(clients.stop() > 0);
}

#[test]
fn the_address_of_the_server_can_change() {
    let folder = Folder::new();
    folder.write("app.wasm", wasm("hello", 0));
    let addresses = [(); 2].map(|()| crate::support::nats::free_address());
    folder.write("tempo.toml", format!("addr = \"{}\"\n", addresses[0]));
    let run = Run::tempo(["run", "app.wasm"]).env("TEMPO_KEY_FILE", key()).within(folder.0.path());
    let server = run.serve();
    assert_eq!(server.address, addresses[0]);
    let mut open = Client::connect(addresses[0]);
    assert_eq!(open.get("/").status, 200);
    folder.write("tempo.toml", format!("addr = \"{}\"\n", addresses[1]));
    reload(&server, "reloaded (SIGHUP): no component has changed, only addr");
    assert_eq!(get(addresses[1], "/").status, 200);
    assert_eq!(open.get("/").status, 200, "open connections stay");
    eventually("the previous address is closed", || Client::try_connect(addresses[0]).err());
    let certificate = Certificate::new();
    let (cert, key) = (certificate.cert(), certificate.key());
    folder.write("tempo.toml", format!("addr = \"{}\"\ntls-cert = {cert:?}\ntls-key = {key:?}\n", addresses[1]));
    reload(&server, "reloaded (SIGHUP): no component has changed, only tls-cert, tls-key");
}

#[test]
fn a_stream_of_the_previous_version_ends_with_the_drain_timeout() {
    for (name, target) in [("events", "/events?every=50"), ("hostile-p2", "/stream?pause=50&chunks=1000000")] {
        let folder = Folder::new();
        folder.write("app.wasm", wasm(name, 0));
        let server = folder.run("app.wasm").args(["--drain-timeout", "500ms"]).serve();
        let mut client = Client::connect(server.address);
        client.start("GET", target, &[]);
        assert_eq!(client.head().status, 200);
        client.chunk().unwrap();
        folder.write("app.wasm", wasm(name, 1));
        replaced(&server, "app");
        client.chunk().unwrap().expect("it goes on at first");
        let ended = eventually("the stream ends", || match client.chunk() {
            Ok(Some(_)) => None,
            ended => Some(ended),
        });
        assert!(ended.is_err(), "the body is incomplete");
        server.log.wait_for("the component was replaced");
        assert_eq!(get(server.address, "/").status, 200);
    }
}

#[test]
fn messages_are_handled_while_their_component_is_replaced() {
    for broker in [Broker::memory(), Broker::file()] {
        let folder = Folder::new();
        folder.write("app.wasm", wasm("messaging-conformance", 0));
        let run = folder.run("app.wasm").args(["--messaging", &broker.url, "--keyvalue", &broker.keyvalue]);
        let server = run.args(["--subscribe", "check.>;max-in-flight=4"]).serve();
        for version in 1..4 {
            publish_many(server.address, 100, "topic=check.a");
            folder.write("app.wasm", wasm("messaging-conformance", version));
            replaced(&server, "app");
        }
        wait_done(server.address, "check.a", 300);
        let attempts: Vec<_> = seen(server.address, "check.a").iter().map(|seen| seen["attempt"].clone()).collect();
        assert_eq!(attempts.len(), 300);
        assert!(attempts.iter().all(|attempt| attempt == 1), "{attempts:?}");
    }
}

#[test]
fn the_exporter_of_an_interface_is_replaced_alone() {
    let folder = Folder::new();
    folder.write("pricing.wasm", wasm("pricing", 0));
    let text =
        manifest("", &[("shop", "checkout", "route = \"/*\"\nimports = { \"acme:pricing/quote\" = \"pricing\" }")]);
    let text = format!("{text}\n[component.pricing]\nsource = \"{}\"\n", folder.path("pricing.wasm").display());
    let run = app(&text).within(folder.0.path());
    folder.write("tempo.toml", &text);
    let server = run.serve();
    let clients = Clients::start(&server, 2, "/price/tea");
    folder.write("pricing.wasm", wasm("pricing", 1));
    replaced(&server, "pricing");
    folder.write("pricing.wasm", wasm("hello", 1));
    refused(&server, "`pricing` does not export `acme:pricing/quote@1.0.0`");
    assert!(clients.stop() > 0);
    folder.write("pricing.wasm", wasm("pricing-hostile", 1));
    replaced(&server, "pricing");
    assert_eq!(get(server.address, "/price/count").status, 200);
}

#[test]
fn precompiled_versions_are_replaced_many_times_under_requests() {
    let folder = Folder::new();
    for version in 0..2 {
        let (source, output) = (format!("{version}.wasm"), format!("{version}.bin"));
        folder.write(&source, wasm("hello", version));
        let compile = Run::tempo(["compile", &source, "--output", &output]).env("TEMPO_KEY_FILE", key());
        compile.within(folder.0.path()).finish().succeeded();
    }
    let versions = [0, 1].map(|version| std::fs::read(folder.path(&format!("{version}.bin"))).unwrap());
    folder.write("app.bin", &versions[0]);
    let server = folder.run("app.bin").serve();
    let clients = Clients::start(&server, 4, "/");
    for version in 1..=30 {
        folder.write("app.bin", &versions[version % 2]);
        replaced(&server, "app");
    }
    assert!(clients.stop() > 30);
}

#[test]
fn the_series_of_a_removed_component_end() {
    let folder = Folder::new();
    for name in ["hello", "keyvalue", "messaging-conformance"] {
        folder.write(&format!("{name}.wasm"), wasm(name, 0));
    }
    let stays = "name = \"app\"\nmessaging = \"memory:\"\n[component.a]\nsource = \"hello.wasm\"\nroute = \"/a\"\n";
    let goes = "[component.b]\nsource = \"keyvalue.wasm\"\nroute = \"/counters/*\"\nkeyvalue = \"file:b.redb\"\n\
                [component.c]\nsource = \"messaging-conformance.wasm\"\nroute = \"/*\"\nsubscribe = \"x.>\"\nkeyvalue = \"memory:\"\n";
    let all = format!("{stays}{goes}");
    folder.write("tempo.toml", &all);
    let server = folder.run("").args(["--admin", "127.0.0.1:0"]).serve();
    let admin = Admin::of(&server);
    let named = || {
        let page = admin.get("/metrics").text();
        ["a", "b", "c"].map(|name| page.contains(&format!("tempo_component=\"{name}\"")))
    };
    let use_all = || {
        assert_eq!(get(server.address, "/a").status, 200);
        assert_eq!(Client::connect(server.address).post("/counters/x", "").status, 200);
        publish_many(server.address, 10, "topic=x.a");
        wait_done(server.address, "x.a", 10);
    };
    use_all();
    assert_eq!(named(), [true; 3]);
    folder.write("tempo.toml", stays);
    replaced(&server, "b, c");
    eventually("the series end", || (named() == [true, false, false]).then_some(()));
    folder.write("tempo.toml", all);
    replaced(&server, "b, c");
    use_all();
    assert_eq!(named(), [true; 3]);
}
