//! Stores by name in `tempo.toml`, on different backends, and the precedence of the sources of settings.

use tempfile::TempDir;

use crate::support::nats::Nats;
use crate::support::{Client, Run, Server};

/// Returns a settings file in which each service has stores on all backends.
fn tables(directory: &TempDir, nats: &Nats) -> String {
    let directory = directory.path().display();
    let (keys, objects) = (nats.url("keys"), nats.url("objects"));
    format!(
        "[keyvalue]\ncache = \"memory:\"\ndisk = \"file:{directory}/keys.redb\"\nshared = \"{keys}\"\n\n\
         [blobstore]\ndefault = \"file:{directory}/objects\"\ncache = \"memory:64MiB\"\nshared = \"{objects}\"\n"
    )
}

fn put(client: &mut Client, store: &str, value: &str) {
    let response = client.put(&format!("/value?key=k&store={store}"), value);
    assert_eq!(response.status, 200, "{store}: {}", response.text());
}

/// Returns the value, or the name of the error.
fn value(client: &mut Client, store: &str) -> String {
    client.get(&format!("/value?key=k&store={store}")).text()
}

#[test]
fn tables_name_stores_on_every_backend() {
    let (directory, nats) = (TempDir::new().unwrap(), Nats::start());
    let text = tables(&directory, &nats);
    let serve = |guest: &str| Run::guest(guest).with_file("tempo.toml", &text).serve();
    let stores = ["cache", "disk", "shared"];
    let server = serve("keyvalue-conformance");
    let mut client = Client::connect(server.address);
    for store in stores {
        put(&mut client, store, store);
    }
    assert_eq!(stores.map(|store| value(&mut client, store)), stores, "each has what it was given");
    assert_eq!(value(&mut client, "default"), "NoSuchStore\n", "there is a table, and it has no such name");
    drop((client, server));
    let server = serve("keyvalue-conformance");
    let mut client = Client::connect(server.address);
    assert_eq!(stores.map(|store| value(&mut client, store)), ["", "disk", "shared"], "what is in memory is gone");

    // The other table belongs to another service: the same names, and the files' directory beside the database.
    let server = serve("blobstore");
    let mut client = Client::connect(server.address);
    assert_eq!(client.put("/objects/k", "object").status, 201);
    assert!(directory.path().join("objects/objects/k").is_file() && directory.path().join("keys.redb").is_file());
    // No default location is created when all stores are configured.
    assert_eq!(server.log.count(".tempo"), 0, "{}", server.log.text());
}

/// Returns the stores of `keyvalue_from` that the component can open.
fn found(server: &Server) -> Vec<&'static str> {
    let mut client = Client::connect(server.address);
    let all = ["toml", "dotenv", "environment", "flag"];
    all.into_iter().filter(|store| value(&mut client, store) != "NoSuchStore\n").collect()
}

/// The stores of all sources exist together, and the highest source that has a name decides about it.
#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_files() {
    let toml = || Run::guest("keyvalue-conformance").with_file("tempo.toml", "[keyvalue]\ntoml = \"memory:\"\n");
    let dotenv = || toml().with_file(".env", "TEMPO_KEYVALUE=dotenv=memory:\n");
    let environment = || dotenv().env("TEMPO_KEYVALUE", "environment=memory:");
    let flag = || environment().args(["--keyvalue", "flag=memory:"]);
    assert_eq!(found(&toml().serve()), ["toml"]);
    assert_eq!(found(&dotenv().serve()), ["toml", "dotenv"]);
    assert_eq!(found(&environment().serve()), ["toml", "dotenv", "environment"]);
    assert_eq!(found(&flag().serve()), ["toml", "dotenv", "environment", "flag"]);
    let both = toml().args(["--keyvalue", "flag=memory:", "--keyvalue", "environment=memory:"]);
    assert_eq!(found(&both.serve()), ["toml", "environment", "flag"]);
    let several = toml().env("TEMPO_KEYVALUE", "environment=memory:,dotenv=memory:a");
    assert_eq!(found(&several.serve()), ["toml", "dotenv", "environment"]);
}

#[test]
fn the_same_holds_for_objects() {
    let directory = TempDir::new().unwrap();
    let url = |place: &str| format!("file:{}", directory.path().join(place).display());
    let toml = || {
        let table = format!("[blobstore]\ndefault = \"{}\"\n", url("toml"));
        Run::guest("blobstore").with_file("tempo.toml", table)
    };
    let dotenv = || toml().with_file(".env", format!("TEMPO_BLOBSTORE={}\n", url("dotenv")));
    let environment = || dotenv().env("TEMPO_BLOBSTORE", url("environment"));
    let flag = || environment().args(["--blobstore", &url("flag")]);
    let runs = [("toml", toml()), ("dotenv", dotenv()), ("environment", environment()), ("flag", flag())];
    for (number, (place, run)) in runs.into_iter().enumerate() {
        let server = run.serve();
        assert_eq!(Client::connect(server.address).put("/objects/n", place).status, 201, "{place}");
        assert!(directory.path().join(place).is_dir(), "{place}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), number + 1, "{place} alone was opened");
    }
}

#[test]
fn a_mistake_in_a_table_is_told_by_its_line() {
    let table = "[keyvalue]\ngood = \"memory:\"\nbad = \"s3cret\"\n";
    let ended = Run::guest("keyvalue-conformance").with_file("tempo.toml", table).finish();
    ended.failed_in_one_line(78, &["keyvalue: expected", "tempo.toml:3"]);
    assert!(!ended.stderr.contains("s3cret"), "{ended:?}");
    let table = "[blobstore]\ndefault = \"ftp://h/x\"\n";
    let ended = Run::guest("blobstore").with_file("tempo.toml", table).finish();
    ended.failed_in_one_line(78, &["blobstore: this runtime has no backend for ftp:", "tempo.toml:2"]);
}
