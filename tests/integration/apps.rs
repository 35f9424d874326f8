//! Apps: several components in one process, by routes, with stores, settings and limits of their own.

use crate::support::admin::Admin;
use crate::support::{Client, Finished, Response, Run, Server, compiled, eventually, get, guest, key};

/// The top of a manifest, and the declaration of each component: its name, its guest, and more lines.
pub(crate) fn manifest(top: &str, components: &[(&str, &str, &str)]) -> String {
    let component = |(name, guest, lines): &(&str, &str, &str)| {
        format!("[component.{name}]\nsource = \"{}\"\n{lines}\n", compiled(guest).display())
    };
    format!("name = \"app\"\n{top}\n{}", components.iter().map(component).collect::<String>())
}

/// As [`manifest`], with components that are not compiled yet.
fn uncompiled(top: &str, components: &[(&str, &str, &str)]) -> String {
    components.iter().fold(manifest(top, components), |text, (_, name, _)| {
        text.replace(&compiled(name).display().to_string(), &guest(name).display().to_string())
    })
}

/// `tempo run`, without a file, in a folder with this manifest.
pub(crate) fn app(manifest: &str) -> Run {
    let run = Run::tempo(["run", "--addr", "127.0.0.1:0"]).env("TEMPO_KEY_FILE", key());
    run.with_file("tempo.toml", manifest)
}

/// Sends a GET with this host.
fn get_from(server: &Server, host: &str, target: &str) -> Response {
    let mut client = Client::connect(server.address);
    client.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    client.response()
}

#[test]
fn routes_lead_to_components_with_settings_of_their_own() {
    let text = manifest(
        "config = { WHO = \"all\", OF = \"top\" }",
        &[
            ("a", "config-only", "route = [\"/a/*\", \"shop.test/{any}\"]\nconfig = { WHO = \"a\" }"),
            ("b", "config-only", "route = \"/*\""),
            ("old", "hello-p2", "route = \"/a/old\""),
        ],
    );
    let server = app(&text).serve();
    for (host, target, expected) in [
        ("x.test", "/a/1?key=WHO", "a\n"),
        ("x.test", "/a/1?key=OF", "top\n"),
        ("x.test", "/b?key=WHO", "all\n"),
        ("x.test", "/a/old", "Hello from Tempo!\n"),
        ("shop.test:80", "/x?key=WHO", "a\n"),
        ("SHOP.test", "/x?key=WHO", "a\n"),
        ("x.test", "/x?key=WHO", "all\n"),
    ] {
        assert_eq!(get_from(&server, host, target).text(), expected, "{host}{target}");
    }
    let server = app(&manifest("", &[("a", "hello", "route = \"/a\"")])).serve();
    assert_eq!(get(server.address, "/a").text(), "Hello from Tempo!\n");
    get(server.address, "/b").is_plain_refusal(404);
}

#[test]
fn a_route_narrows_a_single_component_too() {
    let server = Run::guest("hello").args(["--route", "/a/*"]).serve();
    assert_eq!(get(server.address, "/a/b").status, 200);
    get(server.address, "/b").is_plain_refusal(404);
}

#[test]
fn stores_are_apart_unless_they_have_the_same_url() {
    let counted = |server: &Server, host: &str| {
        let mut client = Client::connect(server.address);
        let length = "Content-Length: 0";
        client.send(format!("POST /counters/x HTTP/1.1\r\nHost: {host}\r\n{length}\r\n\r\n"));
        client.response().text()
    };
    let components = |a: &str, b: &str| {
        manifest(
            "",
            &[
                ("a", "keyvalue", &format!("route = \"a.test/*\"\n{a}")),
                ("b", "keyvalue-p2", &format!("route = \"b.test/*\"\n{b}")),
            ],
        )
    };
    let folder = tempfile::TempDir::new().unwrap();
    let own = app(&components("", "")).within(folder.path());
    std::fs::write(folder.path().join("tempo.toml"), components("", "")).unwrap();
    let server = own.serve();
    assert_eq!([counted(&server, "a.test"), counted(&server, "a.test")], ["1\n", "2\n"]);
    assert_eq!(counted(&server, "b.test"), "1\n");
    for name in ["a", "b"] {
        assert!(folder.path().join(".tempo").join(name).join("keyvalue.redb").exists(), "{name}");
    }
    drop(server);
    for url in ["memory:", "file:shared.redb"] {
        let same = format!("keyvalue = \"{url}\"");
        let server = app(&components(&same, &same)).serve();
        assert_eq!([counted(&server, "a.test"), counted(&server, "b.test")], ["1\n", "2\n"], "{url}");
    }
}

#[test]
fn a_manifest_can_be_named_and_its_paths_are_relative_to_it() {
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("conf")).unwrap();
    std::fs::copy(guest("hello-p2"), folder.path().join("conf/hello.wasm")).unwrap();
    let text = "name = \"app\"\n[component.a]\nsource = \"hello.wasm\"\nroute = \"/*\"\n";
    std::fs::write(folder.path().join("conf/my.toml"), text).unwrap();
    for arguments in [&["run", "conf/my.toml"][..], &["run", "--settings", "conf/my.toml"]] {
        let run = Run::tempo(arguments).args(["--addr", "127.0.0.1:0"]).within(folder.path());
        assert_eq!(get(run.serve().address, "/").text(), "Hello from Tempo!\n");
    }
    let both = Run::tempo(["run", "conf/my.toml", "--settings", "conf/my.toml"]).within(folder.path()).finish();
    both.failed_in_one_line(64, &["--settings", "name one of the two"]);
}

#[test]
fn a_component_beside_a_manifest_takes_its_top_only() {
    let text = "name = \"app\"\nconfig = { A = \"top\" }\n[component.x]\nnonsense = 1\n";
    let server = Run::guest("config-only").with_file("tempo.toml", text).serve();
    assert_eq!(get(server.address, "/A").text(), "top\n");
}

fn failed(text: &str) -> Finished {
    app(text).finish()
}

#[test]
fn all_mistakes_of_a_manifest_are_listed() {
    let ended = failed(
        "nam = \"x\"\n[component.a]\nroute = \"/\"\naddr = \"a:1\"\n[component.b]\nsource = \"b.wasm\"\nroutes = \"/\"\n",
    );
    ended.failed(
        78,
        &[
            "tempo.toml has 5 problems:",
            "nam: no such setting",
            "name: the name of the app is missing; add name = \"NAME\" at the top (tempo.toml:1)",
            "component.a: source is missing; add source = \"FILE\" (tempo.toml:2)",
            "addr: all components share it; move it to the top of the file (tempo.toml:4)",
            "routes: no such setting; `run --help` lists them (tempo.toml:7)",
        ],
    );
    let ended = failed("name = \"app\"\n[component.a]\nsource = \"a.wasm\"\n[component.b]\nsource = \"b.wasm\"\n");
    ended.failed(
        66,
        &["app has 2 problems:", "component.a (tempo.toml:2): cannot read a.wasm", "component.b (tempo.toml:4)"],
    );
}

#[test]
fn routes_and_grants_are_checked_together() {
    let text = manifest(
        "",
        &[
            ("a", "hello", "route = [\"/x/{id}\", \"nonsense\"]\nallow-http = \"http://absent.tempo.internal\""),
            ("b", "hello", "route = \"/x/{name}\""),
            ("c", "hello", ""),
            ("d", "command", ""),
        ],
    );
    failed(&text).failed(
        78,
        &[
            "app has 5 problems:",
            "allow-http: the app has no component absent; declare it, or remove the grant (tempo.toml:6)",
            "route: expected [HOST]/PATH",
            "route: /x/{name} of b ties with /x/{id} of a (tempo.toml:5); change one (tempo.toml:9)",
            "c: no trigger and no other component calls it (tempo.toml:10); add route = \"/*\"",
            "d: a command, which runs once; an app serves (tempo.toml:13)",
        ],
    );
}

/// `inspect` shows the app, and then what keeps it from running.
#[test]
fn inspect_finds_the_mistakes_that_run_finds() {
    let inspect =
        |text: &str| Run::tempo(["inspect"]).env("TEMPO_KEY_FILE", key()).with_file("tempo.toml", text).finish();
    let text =
        manifest("", &[("a", "hello", "route = \"/x\""), ("b", "hello", "route = \"/x\"\nmiddleware = [\"c\"]")]);
    let ended = inspect(&text);
    assert!(ended.code == Some(78) && ended.stdout.contains("wasi:http/handler"), "{ended:?}");
    for part in ["route: /x of b ties with /x of a", "the app has no component c; declare it"] {
        assert!(ended.stderr.contains(part), "no `{part}` in {ended:?}");
    }
    let missing = inspect("name = \"app\"\n[component.a]\nsource = \"a.wasm\"\n[component.b]\nsource = \"b.wasm\"\n");
    missing.failed(66, &["component.a (tempo.toml:2): cannot read a.wasm", "component.b (tempo.toml:4)"]);
    // What only the types of the components show.
    for (text, code, why) in [
        (manifest("", &[("a", "missing", "route = \"/x\"")]), 65, "acme:billing/invoices@1.2.0"),
        (
            manifest("", &[("a", "checkout", "route = \"/x\"")]),
            65,
            "by `imports = { \"acme:pricing/quote\" = \"NAME\" }`",
        ),
    ] {
        let ended = inspect(&text);
        assert!(ended.code == Some(code) && ended.stdout.contains("MISSING"), "{ended:?}");
        assert!(ended.stderr.contains(why), "no `{why}` in {ended:?}");
    }
    inspect(&manifest("", &[("a", "hello", "route = \"/x\"")])).succeeded();
}

#[test]
fn without_an_app_the_error_says_how_to_begin() {
    let nothing = Run::tempo(["run"]).finish();
    nothing.failed_in_one_line(64, &["no component: name a file, or declare an app in tempo.toml"]);
    let settings = Run::tempo(["run"]).with_file("tempo.toml", "name = \"a\"\n").finish();
    settings.failed_in_one_line(78, &["declares no component; add [component.NAME]"]);
}

#[cfg(unix)]
#[test]
fn a_manifest_that_others_can_write_is_read_only_if_it_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("tempo.toml");
    std::fs::write(&path, manifest("", &[("a", "hello", "route = \"/\"")])).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    let run = |arguments: &[&str]| {
        let run = Run::tempo(arguments).env("TEMPO_KEY_FILE", key()).within(folder.path());
        run.args(["--addr", "127.0.0.1:0"])
    };
    run(&["run"]).finish().failed(77, &["tempo.toml is ignored: other users can write it; name the file to read it"]);
    assert_eq!(get(run(&["run", "tempo.toml"]).serve().address, "/").status, 200);
}

#[test]
fn components_share_the_permits_of_the_process() {
    let text = manifest(
        "max-requests = 3\nmax-queued-requests = 1\nqueue-timeout = \"200ms\"\nrequest-timeout = \"10m\"",
        &[
            ("a", "hostile", "route = \"/*\"\nmax-requests = 2"),
            ("b", "hostile-p2", "route = \"b.test/*\""),
            ("c", "hostile-p2", "route = \"c.test/*\"\nreserved-requests = 1"),
        ],
    );
    let server = app(&text).serve();
    let hold = |host: &str| {
        let mut client = Client::connect(server.address);
        client.send(format!("GET /never HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        client
    };
    let _of_a = [hold("a.test"), hold("a.test")];
    eventually("a has no permit left", || (get_from(&server, "a.test", "/").status == 503).then_some(()));
    get_from(&server, "b.test", "/").is_plain_refusal(503);
    assert_eq!(get_from(&server, "c.test", "/").status, 200, "its reserved permit");
}

#[test]
fn metrics_and_logs_name_the_component() {
    let text = manifest(
        "admin = \"127.0.0.1:0\"",
        &[
            ("a", "hostile", "route = \"/*\""),
            ("b", "hostile-p2", "route = \"b.test/*\"\nallow-http = \"https://a.test\""),
        ],
    );
    let server = app(&text).serve();
    server.log.wait_for("b: granted: --allow-http https://a.test (tempo.toml:");
    assert_eq!(get_from(&server, "a.test", "/").status, 200);
    assert_eq!(get_from(&server, "b.test", "/panic").status, 500);
    let metrics = Admin::of(&server).get("/metrics").text();
    for part in [
        "tempo_instances_created_total{tempo_component=\"a\"} 1",
        "tempo_instances_trapped_total{tempo_component=\"b\"} 1",
    ] {
        assert!(metrics.contains(part), "no {part} in {metrics}");
    }
    let durations = metrics.lines().filter(|line| line.starts_with("http_server_request_duration_seconds_count{"));
    let durations: Vec<&str> = durations.collect();
    let of = |component: &str, status: &str| {
        let parts = [format!("tempo_component=\"{component}\""), format!("status_code=\"{status}\"")];
        durations.iter().any(|line| parts.iter().all(|part| line.contains(part)))
    };
    assert!(of("a", "200") && of("b", "500"), "{durations:?}");
    server.log.wait_for("the component trapped over a request component=\"b\"");
}

#[test]
fn inspect_shows_all_components() {
    let components =
        [("a", "hello", "route = \"/*\"\nallow-http = \"https://x.test\""), ("b", "hello-p2", "route = \"/b\"")];
    let sources = uncompiled("", &components);
    let inspect = |arguments: &[&str]| Run::tempo(arguments).with_file("tempo.toml", &sources).finish();
    let report: serde_json::Value = serde_json::from_str(inspect(&["inspect", "--json"]).succeeded()).unwrap();
    assert_eq!(report["app"], "app");
    let [a, b] = &report["components"].as_array().unwrap()[..] else { panic!("{report}") };
    assert_eq!((&a["component"], &a["wasi"], &b["component"]), (&"a".into(), &"0.3".into(), &"b".into()));
    assert_eq!((&a["triggers"]["route"][0], &a["grants"]["allow-http"][0]), (&"/*".into(), &"https://x.test".into()));
    assert!(a["exports"][0]["called_by"] == "HttpServer", "{a}");
    let text = inspect(&["inspect", "tempo.toml"]).succeeded().to_owned();
    for part in ["app app\n", "a (WASI 0.3)", "  route  /*\n", "  allow-http  https://x.test\n", "b (WASI 0."] {
        assert!(text.contains(part), "no {part} in {text}");
    }
}

#[test]
fn pools_that_do_not_fit_are_on_demand() {
    let components = [("a", "hello", "route = \"/a\""), ("b", "hello-p2", "route = \"/b\"")];
    let server = app(&uncompiled("", &components)).address_space(64).serve();
    let notice = server.log.wait_for("does not fit into the address space, so memories are allocated on demand");
    assert!(notice.contains("lower --max-requests, or accept this with --allocation on-demand"), "{notice}");
    assert_eq!(["/a", "/b"].map(|path| get(server.address, path).status), [200, 200]);
    let precompiled = app(&manifest("", &components)).address_space(64).finish();
    precompiled.failed_in_one_line(78, &["lower --max-requests, or compile its files with --allocation on-demand"]);
}
