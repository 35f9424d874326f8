//! `tempo new` and `tempo add`: every template is created, built with the tools of its language, and served.
//!
//! The Rust projects share a target directory, and need no download: a guest of the workspace has the same dependencies. The
//! other languages use the tools of `cargo xtask interop`, and are skipped where it skips them.

use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::browser::Browser;
use crate::support::guest::target;
use crate::support::nats::Nats;
use crate::support::{Client, Process, Run, eventually, get};

/// A project in a temporary directory.
struct Project {
    directory: TempDir,
    name: &'static str,
}

impl Project {
    /// `tempo new NAME --template TEMPLATE`.
    fn create(name: &'static str, template: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let project = Self { directory, name };
        let new = Run::tempo(["new", name, "--template", template]).within(project.directory.path()).finish();
        let expected = format!("created {name} from the template {template}\nnext:\n  cd {name}\n");
        assert!(new.succeeded().starts_with(&expected), "{new:?}");
        assert!(project.read("README.md").lines().count() <= 18, "{template}");
        project
    }

    fn folder(&self) -> PathBuf {
        self.directory.path().join(self.name)
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.folder().join(file)).unwrap()
    }

    /// Lets Cargo write into the target directory of all.
    fn share_target(&self) {
        let shared = target().join("new");
        std::fs::create_dir_all(&shared).unwrap();
        let link = self.folder().join("target");
        if !link.exists() {
            symlink(&shared, link).unwrap();
        }
    }

    /// Runs cargo in the project.
    fn cargo(&self, arguments: &[&str]) {
        self.share_target();
        let cargo = |more: &[&str]| {
            let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            cargo.args(arguments).args(more).current_dir(self.folder()).env_remove("CARGO_TARGET_DIR");
            cargo
        };
        // What the workspace has not downloaded is downloaded now.
        if !cargo(&["--offline"]).output().unwrap().status.success() {
            succeeds(&mut cargo(&[]));
        }
    }

    fn build(&self) {
        self.cargo(&["build", "--release", "--target", "wasm32-wasip2"]);
    }

    /// `tempo run` in the folder, on a port that the system chooses.
    fn run(&self) -> Run {
        Run::tempo(["run", "--addr", "127.0.0.1:0"]).within(&self.folder())
    }

    /// `tempo dev` in the folder, on ports that the system chooses, with the environment that Cargo needs.
    fn develop(&self) -> Process {
        self.share_target();
        let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
        let run = Run::tempo(["dev", "--addr", "127.0.0.1:0", "--dashboard", "127.0.0.1:0"]).within(&self.folder());
        let variables = [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")];
        let run = variables.into_iter().fold(run, |run, (name, folder)| {
            run.env(name, std::env::var_os(name).unwrap_or_else(|| home.join(folder).into_os_string()))
        });
        run.env("PATH", std::env::var_os("PATH").unwrap()).start()
    }

    fn greets(&self) {
        let server = self.run().serve();
        let response = get(server.address, "/a/path");
        assert_eq!((response.status, response.text()), (200, format!("Hello from {}: /a/path\n", self.name)));
    }
}

/// Waits for the address of a server.
fn address(dev: &Process) -> SocketAddr {
    dev.log.wait_for("listening on http://").rsplit("//").next().unwrap().parse().unwrap()
}

#[track_caller]
fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}: {}{}", text(&output.stdout), text(&output.stderr));
}

/// Returns the directory of a tool that `cargo xtask interop` has installed.
fn tool(prefix: &str, part: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(target().join("tools")).ok()?;
    let mut paths = entries.map(|entry| entry.unwrap().path()).filter(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with(prefix) && !name.ends_with(".partial")
    });
    let found = paths.find(|path| path.join(part).exists());
    if found.is_none() {
        eprintln!("SKIPPED {prefix}: `cargo xtask interop` has not installed it");
    }
    found
}

/// Returns the lines of a file that have a version of a package.
fn pins(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.trim().trim_end_matches(','));
    lines.filter(|line| line.starts_with("\"@")).map(str::to_owned).collect()
}

#[test]
fn http() {
    let project = Project::create("my-http", "http");
    project.build();
    project.greets();
    project.cargo(&["test"]);
}

#[test]
fn http_in_development() {
    let project = Project::create("my-dev", "http");
    // The dependencies take minutes.
    project.build();
    let dev = project.develop();
    dev.log.wait_for("my-dev | cargo build --package my-dev --target wasm32-wasip2 --release");
    let address = address(&dev);
    assert_eq!(get(address, "/a").text(), "Hello from my-dev: /a\n");
    // The words of the compiler are shown, and the last build is served.
    let source = project.read("src/lib.rs");
    std::fs::write(project.folder().join("src/lib.rs"), format!("{source}\ncompile_error!(\"the mistake\");\n"))
        .unwrap();
    dev.log.wait_for("my-dev | error: the mistake");
    dev.log.wait_for("(exit status: 101); the last build is still served");
    assert_eq!(get(address, "/a").status, 200);
}

#[test]
fn command() {
    let project = Project::create("my-command", "command");
    project.build();
    let run = Run::tempo(["run", "target/wasm32-wasip2/release/my-command.wasm", "--", "Ada"]);
    assert_eq!(run.within(&project.folder()).finish().succeeded(), "Hello, Ada!\n");
}

#[test]
fn worker() {
    let project = Project::create("my-worker", "worker");
    project.build();
    let nats = Nats::start();
    let worker = Run::tempo(["run", "--messaging", &nats.url("TASKS")]).within(&project.folder()).work();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = async_nats::connect(nats.address.to_string()).await.unwrap();
        client.publish("my-worker.paint", "the fence".into()).await.unwrap();
        client.flush().await.unwrap();
    });
    worker.log.wait_for("my-worker.paint: the fence");
}

#[test]
fn middleware() {
    let project = Project::create("my-middleware", "middleware");
    project.build();
    let file = "target/wasm32-wasip2/release/my_middleware.wasm";
    let inspect = Run::tempo(["inspect", file, "--json"]).within(&project.folder()).finish();
    let report: serde_json::Value = serde_json::from_str(inspect.succeeded()).unwrap();
    let names = |list: &str| -> Vec<String> {
        let items = report[list].as_array().unwrap().iter();
        items.map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("exports"), ["wasi:http/handler@0.3.2"]);
    // The rest is what the standard library imports of WASI 0.2.
    let imports: Vec<_> = names("imports").into_iter().filter(|name| name.contains("@0.3.")).collect();
    assert_eq!(imports, ["wasi:http/types@0.3.2", "wasi:http/handler@0.3.2"]);
}

#[test]
fn javascript() {
    let project = Project::create("my-javascript", "javascript");
    let tested = include_str!("../interop/javascript/package.json");
    assert_eq!(pins(&project.read("package.json")), pins(tested));
    let Some(packages) = tool("componentize-js-", "node_modules") else { return };
    symlink(packages.join("node_modules"), project.folder().join("node_modules")).unwrap();
    succeeds(Command::new("npm").args(["run", "build"]).current_dir(project.folder()));
    succeeds(Command::new("npm").arg("test").current_dir(project.folder()));
    project.greets();
}

#[test]
fn python() {
    let project = Project::create("my-python", "python");
    let requirement = project.read("requirements.txt").trim().replace("==", "-");
    let Some(packages) = tool(&requirement, "bin/componentize-py") else { return };
    let mut build = Command::new(packages.join("bin/componentize-py"));
    build.args(["-d", "wit", "-w", "handler", "componentize", "app", "-o", "dist/my-python.wasm"]);
    std::fs::create_dir(project.folder().join("dist")).unwrap();
    succeeds(build.current_dir(project.folder()).env("PYTHONPATH", packages));
    succeeds(Command::new("python3").args(["-m", "unittest"]).current_dir(project.folder()));
    project.greets();
}

#[test]
fn c() {
    let project = Project::create("my-c", "c");
    let zig = format!("ziglang/zig{}", std::env::consts::EXE_SUFFIX);
    let Some(package) = tool("ziglang-0.15.2", &zig) else { return };
    let cache = target().join("tools/zig-cache");
    for goal in ["all", "test"] {
        let mut make = Command::new("make");
        make.arg(goal).arg(format!("ZIG={}", package.join(&zig).display())).current_dir(project.folder());
        succeeds(make.env("ZIG_GLOBAL_CACHE_DIR", &cache).env("ZIG_LOCAL_CACHE_DIR", &cache));
    }
    project.greets();
}

/// Returns the response to a request with a token.
fn price(address: SocketAddr, path: &str, token: &str) -> (u16, String) {
    let mut client = Client::connect(address);
    client.start("GET", path, &[&format!("authorization: Bearer {token}")]);
    let response = client.response();
    (response.status, response.text())
}

#[test]
fn app_with_an_added_component() {
    let project = Project::create("my-shop", "app");
    let add = Run::tempo(["add", "stock"]).within(&project.folder()).finish();
    assert!(add.succeeded().starts_with("added stock from the template http to tempo.toml\n"), "{add:?}");
    project.build();
    let server = project.run().serve();
    assert_eq!(price(server.address, "/prices/tea", "development"), (200, "tea: 3.50\n".into()));
    assert_eq!(price(server.address, "/prices/gold", "development"), (404, "no such item\n".into()));
    assert_eq!(price(server.address, "/prices/tea", "other"), (401, String::new()));
    assert_eq!(get(server.address, "/stock/a").text(), "Hello from stock: /stock/a\n");
    assert_eq!(get(server.address, "/other").status, 404);
}

/// A page in a browser that fetches its URL again and again, and shows what it gets.
struct PricePage(Browser);

impl PricePage {
    fn open(url: &str) -> Self {
        let mut browser = Browser::start();
        browser.send_header("authorization", "Bearer development");
        browser.open(url);
        browser.eval(
            "statuses = []; update = async () => {
                const response = await fetch(location.href).catch(error => ({ status: String(error), text: () => '' }));
                statuses.push(response.status);
                document.body.innerText = await response.text();
                setTimeout(update, 10);
            }; void update()",
        );
        Self(browser)
    }

    /// Waits until the page shows `text`, and checks that no request has failed.
    #[track_caller]
    fn shows(&mut self, text: &str) {
        self.0.until(&format!("statuses.length > 0 && document.body.innerText.trim() === '{text}'"));
        assert_eq!(self.0.eval("statuses.filter(status => status !== 200).join()"), "");
        assert!(self.0.complaints().is_empty(), "{:?}", self.0.complaints());
    }
}

#[test]
fn app_in_development() {
    let project = Project::create("my-dev-shop", "app");
    project.build();
    let dev = project.develop();
    let address = address(&dev);
    let tea = || price(address, "/prices/tea", "development");
    assert_eq!(tea(), (200, "tea: 3.50\n".into()));
    let mut page = PricePage::open(&format!("http://{address}/prices/tea"));
    page.shows("tea: 3.50");
    let source = project.read("pricing/src/lib.rs");
    let source = source.replacen("Some(350)", "Some(420)", 1);
    std::fs::write(project.folder().join("pricing/src/lib.rs"), source).unwrap();
    eventually("the new price", || {
        let (status, text) = tea();
        assert_eq!(status, 200, "{text}");
        (text == "tea: 4.20\n").then_some(())
    });
    let built = dev.log.wait_for(", swapped in ");
    assert!(built.starts_with("pricing: built in "), "{built}");
    let builds = |component: &str| dev.log.count(&format!("{component} | cargo build "));
    assert_eq!((builds("api"), builds("auth"), builds("pricing")), (1, 1, 2));
    page.shows("tea: 4.20");
}

#[test]
fn nothing_is_overwritten() {
    let project = Project::create("mine", "http");
    let files = || {
        let entries = std::fs::read_dir(project.folder()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = (files(), project.read("src/lib.rs"));
    let within =
        |arguments: &[&str], directory: &Path| Run::tempo(arguments.iter().copied()).within(directory).finish();
    within(&["new", "mine", "--template", "python"], project.directory.path())
        .failed_in_one_line(73, &["cannot create mine: the folder exists and is not empty; choose another name"]);
    within(&["add", "mine"], &project.folder()).failed_in_one_line(73, &["tempo.toml declares a component mine"]);
    within(&["add", "src"], &project.folder()).failed_in_one_line(73, &["cannot create src: "]);
    assert_eq!((files(), project.read("src/lib.rs")), before);
    assert!(!project.read("tempo.toml").contains("component.src"));
    // A folder may be given, and may exist if it is empty.
    std::fs::create_dir(project.directory.path().join("empty")).unwrap();
    within(&["new", "empty"], project.directory.path()).succeeded();
    within(&["new", "below/it"], project.directory.path()).succeeded();
    within(&["add", "other"], project.directory.path()).failed_in_one_line(66, &["there is no tempo.toml; change to"]);
}
