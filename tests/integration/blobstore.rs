//! Blobstore: the same components and the same assertions on every backend, and uploads and downloads that are cut
//! short.

use std::thread;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::storage::Backend;
use crate::support::{Client, Response, Run, Server, eventually, get};

/// Makes one test per backend of a function. Another backend is another module here.
macro_rules! on_each_backend {
    ($($test:ident),+ $(,)?) => {
        mod memory {
            use crate::support::storage::Backend;
            $(#[test] fn $test() { super::$test(&Backend::memory()); })+
        }

        mod file {
            use crate::support::storage::Backend;
            $(#[test] fn $test() { super::$test(&Backend::file("objects")); })+
        }

        mod nats {
            use crate::support::storage::Backend;
            $(#[test] fn $test() { super::$test(&Backend::nats()); })+
        }

        mod s3 {
            use crate::support::storage::Backend;
            $(#[test] fn $test() { super::$test(&Backend::s3()); })+
        }
    };
}

on_each_backend!(
    tempo_blobstore_is_as_it_is_meant,
    the_draft_is_as_it_is_meant,
    components_create_containers_apart_from_each_other,
    the_example_keeps_files,
    the_example_answers_with_ranges,
    the_example_lists,
    media_types_and_conditions_are_kept_with_0_3,
    a_file_of_the_limit_and_none_above,
    an_upload_that_breaks_off_leaves_nothing,
    a_download_that_is_abandoned_ends_the_guest,
    one_of_many_uploads_takes_a_name,
);

const BOTH: [&str; 2] = ["blobstore", "blobstore-p2"];

/// Some checks create thousands of objects in one request.
const PATIENT: [&str; 4] = ["--request-timeout", "100s", "--cpu-timeout", "60s"];

/// One permit, which is free only once its request has ended. One request may queue: otherwise the request that checks
/// whether the permit is free could arrive first and turn the other one away.
const ONE: [&str; 6] = ["--max-requests", "1", "--max-queued-requests", "1", "--request-timeout", "10m"];

/// `tempo run` of a guest with the backend as the container `default`.
fn serve(backend: &Backend, guest: &str, arguments: &[&str]) -> Server {
    Run::guest(guest).args(["--blobstore", &backend.url]).args(arguments.iter().copied()).serve()
}

/// Runs every check of a conformance guest.
fn checks(backend: &Backend, guest: &str, least: usize) {
    let server = serve(backend, guest, &PATIENT);
    let names = get(server.address, "/checks").text();
    assert!(names.lines().count() >= least, "{names}");
    let mut failed = Vec::new();
    for name in names.lines() {
        let response = get(server.address, &format!("/check/{name}"));
        let wanted = match name {
            "longest-odd-names" => !backend.keys_end,
            "longest-odd-names-are-refused" => backend.keys_end,
            _ => true,
        };
        if wanted != (response.status == 200 && response.text() == "ok\n") {
            failed.push(format!("{name}: {} {}", response.status, response.text()));
        }
    }
    assert!(failed.is_empty(), "on {}:\n{}", backend.url, failed.concat());
}

fn tempo_blobstore_is_as_it_is_meant(backend: &Backend) {
    checks(backend, "blobstore-conformance", 39);
}

fn the_draft_is_as_it_is_meant(backend: &Backend) {
    checks(backend, "blobstore-draft", 21);
}

/// Each component creates containers of the same names. What one leaves it finds again, and the other does not.
fn components_create_containers_apart_from_each_other(backend: &Backend) {
    let own = format!("*={}", backend.url);
    for (app, round) in [("one", 1), ("two", 1), ("one", 2)] {
        let run = Run::guest("blobstore-draft");
        let server = run.args(["--app", app, "--max-containers", "3", "--blobstore", &own]).serve();
        let response = get(server.address, "/own");
        assert_eq!((response.status, response.text().as_str()), (200, "ok\n"), "{app}, round {round}");
    }
}

/// Sends a request with headers and returns the response.
fn ask(client: &mut Client, method: &str, target: &str, headers: &[&str], body: &[u8]) -> Response {
    let length = format!("Content-Length: {}", body.len());
    let length = (method == "PUT").then_some(length.as_str());
    client.start(method, target, &[headers, length.as_slice()].concat());
    client.send(body);
    client.response()
}

fn the_example_keeps_files(backend: &Backend) {
    for guest in BOTH {
        let server = serve(backend, guest, &[]);
        let mut client = Client::connect(server.address);
        // The path is the name, unchanged, including the parts that file systems interpret.
        for name in ["a", "a/b", "a//b/", "a/../b", "..%2F..%2Fetc", "%C3%A4%20%F0%9F%A6%80", "%00", "%252F"] {
            let target = format!("/objects/{name}");
            client.delete(&target);
            assert_eq!(client.get(&target).status, 404, "{guest} {name}");
            assert_eq!(client.put(&target, name).status, 201, "{guest} {name}");
            let response = client.get(&target);
            assert_eq!((response.status, response.text().as_str()), (200, name), "{guest} {name}");
            assert_eq!(response.header("content-length"), Some(name.len().to_string().as_str()), "{guest} {name}");
        }
        assert_eq!(client.put("/objects/a", "").status, 201, "{guest}");
        let empty = client.get("/objects/a");
        assert_eq!((empty.status, empty.body.len()), (200, 0), "{guest}: written over");
        for _ in 0..2 {
            assert_eq!(client.delete("/objects/a").status, 204, "{guest}");
            assert_eq!(client.get("/objects/a").status, 404, "{guest}");
        }
        assert_eq!(client.get("/objects/a/b").text(), "a/b", "{guest}: its neighbour");

        client.start("PUT", "/objects/chunks", &["Transfer-Encoding: chunked"]);
        for piece in ["one, ", "two, ", "three", ""] {
            client.send_chunk(piece);
        }
        assert_eq!(client.response().status, 201, "{guest}");
        assert_eq!(client.get("/objects/chunks").text(), "one, two, three", "{guest}");
        client.start("HEAD", "/objects/chunks", &[]);
        let head = client.head();
        assert_eq!((head.status, head.header("content-length")), (200, Some("15")), "{guest}");
        for target in ["/", "/objects/", "/objects/none"] {
            assert_eq!(client.get(target).status, 404, "{guest} {target}");
        }
        assert_eq!(client.post("/objects/chunks", "").status, 405, "{guest}");
    }
}

fn the_example_answers_with_ranges(backend: &Backend) {
    for guest in BOTH {
        let server = serve(backend, guest, &[]);
        let mut client = Client::connect(server.address);
        assert_eq!(client.put("/objects/n", "0123456789").status, 201, "{guest}");
        assert_eq!(client.put("/objects/empty", "").status, 201, "{guest}");
        let mut part = |target: &str, range: &str| {
            let response = ask(&mut client, "GET", target, &[&format!("Range: bytes={range}")], b"");
            let part = response.header("content-range").map(str::to_owned);
            (response.status, part, response.text())
        };
        for (range, place, text) in [
            ("0-0", "0-0", "0"),
            ("2-5", "2-5", "2345"),
            ("9-9", "9-9", "9"),
            ("7-", "7-9", "789"),
            ("7-18446744073709551615", "7-9", "789"),
            ("0-9", "0-9", "0123456789"),
            ("-3", "7-9", "789"),
            ("-100", "0-9", "0123456789"),
        ] {
            let wanted = (206, Some(format!("bytes {place}/10")), text.to_owned());
            assert_eq!(part("/objects/n", range), wanted, "{guest} {range}");
        }
        for range in ["10-", "10-20", "-0"] {
            let (status, place, _) = part("/objects/n", range);
            assert_eq!((status, place.as_deref()), (416, Some("bytes */10")), "{guest} {range}");
        }
        let (status, place, _) = part("/objects/empty", "0-");
        assert_eq!((status, place.as_deref()), (416, Some("bytes */0")), "{guest}");
        for range in ["5-4", "a-b", "0-1,3-4", "-", "18446744073709551616-"] {
            assert_eq!(part("/objects/n", range), (200, None, "0123456789".to_owned()), "{guest} {range}");
        }
        assert_eq!(part("/objects/none", "0-").0, 404, "{guest}");
    }
}

/// Returns the names in a response of `GET /objects`.
fn names(response: &Response) -> Vec<String> {
    assert_eq!((response.status, response.header("content-type")), (200, Some("application/x-ndjson")));
    let text = response.text();
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.map(|line| line["name"].as_str().unwrap().to_owned()).collect()
}

fn the_example_lists(backend: &Backend) {
    for guest in BOTH {
        let server = serve(backend, guest, &[]);
        let mut client = Client::connect(server.address);
        assert_eq!(names(&client.get("/objects?prefix=list/none")), [""; 0], "{guest}");
        for name in ["b", "a%0Ab", "%C3%A4", "a/c", "a"] {
            assert_eq!(client.put(&format!("/objects/list/{name}"), "value").status, 201, "{guest}");
        }
        let all = ["list/a", "list/a\nb", "list/a/c", "list/b", "list/\u{e4}"];
        assert_eq!(names(&client.get("/objects?prefix=list/")), all, "{guest}");
        assert_eq!(names(&client.get("/objects?prefix=list/a")), all[..3], "{guest}");
        assert_eq!(names(&client.get("/objects?prefix=list/%C3%A4")), all[4..], "{guest}");
        assert!(names(&client.get("/objects")).len() >= all.len(), "{guest}");
    }
}

fn media_types_and_conditions_are_kept_with_0_3(backend: &Backend) {
    const NEW: &str = "If-None-Match: *";
    let server = serve(backend, "blobstore", &[]);
    let mut client = Client::connect(server.address);
    let first = ask(&mut client, "PUT", "/objects/n", &[NEW, "Content-Type: image/png"], b"first");
    assert_eq!(first.status, 201);
    assert_eq!(ask(&mut client, "PUT", "/objects/n", &[NEW], b"second").status, 412);
    let there = client.get("/objects/n");
    assert_eq!((there.text().as_str(), there.header("content-type")), ("first", Some("image/png")));
    assert_eq!(there.header("etag"), first.header("etag"));
    let third = client.put("/objects/n", "third");
    assert_ne!(third.header("etag"), first.header("etag"));
    assert_eq!(client.get("/objects/n").header("content-type"), Some("application/octet-stream"));
    assert_eq!(client.put(&format!("/objects/{}", "n".repeat(1025)), "").status, 400);
    // More than one part on backends with multipart uploads.
    let large = vec![b'x'; 6 << 20];
    assert_eq!(ask(&mut client, "PUT", "/objects/large", &[NEW, "Content-Type: image/png"], &large).status, 201);
    assert_eq!(ask(&mut client, "PUT", "/objects/large", &[NEW, "Content-Type: text/plain"], b"small").status, 412);
    let there = client.get("/objects/large");
    assert_eq!((there.body.len(), there.header("content-type")), (large.len(), Some("image/png")));
    drop((client, server));

    // The draft has no conditions, and the component rejects what it cannot do.
    let server = serve(backend, "blobstore-p2", &[]);
    let refused = ask(&mut Client::connect(server.address), "PUT", "/objects/new", &[NEW], b"x");
    assert_eq!(refused.status, 501);
    assert_eq!(get(server.address, "/objects/new").status, 404);
}

fn a_file_of_the_limit_and_none_above(backend: &Backend) {
    for guest in BOTH {
        let server = serve(backend, guest, &["--max-object-size", "1000B"]);
        let mut client = Client::connect(server.address);
        for length in [999, 1000] {
            assert_eq!(client.put("/objects/limit", vec![b'x'; length]).status, 201, "{guest}");
            assert_eq!(client.get("/objects/limit").body.len(), length, "{guest}");
        }
        // The draft's errors are texts without a kind.
        let status = if guest == "blobstore" { 413 } else { 500 };
        for target in ["/objects/limit", "/objects/more"] {
            assert_eq!(Client::connect(server.address).put(target, vec![b'x'; 1001]).status, status, "{guest}");
        }
        assert_eq!(get(server.address, "/objects/limit").body.len(), 1000, "{guest}: what was there stays");
        assert_eq!(get(server.address, "/objects/more").status, 404, "{guest}");
    }
}

/// Returns the response once the permit is free.
fn answer(server: &Server, target: &str) -> Response {
    eventually("the place is free", || {
        let response = get(server.address, target);
        (response.status != 503).then_some(response)
    })
}

fn is_taken(server: &Server) {
    eventually("the place is taken", || (get(server.address, "/").status == 503).then_some(()));
}

fn an_upload_that_breaks_off_leaves_nothing(backend: &Backend) {
    for guest in BOTH {
        let server = serve(backend, guest, &ONE);
        assert_eq!(Client::connect(server.address).put("/objects/break/old", "before").status, 201, "{guest}");
        for framing in ["Content-Length: 1000000", "Transfer-Encoding: chunked"] {
            for name in ["new", "old"] {
                let mut client = Client::connect(server.address);
                client.start("PUT", &format!("/objects/break/{name}"), &[framing]);
                // More than the buffers in between hold, so that the backend has received some of it.
                let half = vec![b'x'; 500_000];
                if framing.starts_with("Transfer") {
                    client.send_chunk(half)
                } else {
                    client.send(half)
                }
                is_taken(&server);
                client.disconnect();
                assert_eq!(answer(&server, "/objects/break/new").status, 404, "{guest} {framing}");
                assert_eq!(answer(&server, "/objects/break/old").text(), "before", "{guest} {framing}");
                let all = names(&answer(&server, "/objects?prefix=break/"));
                assert_eq!(all, ["break/old"], "{guest} {framing}");
            }
        }
    }
}

fn a_download_that_is_abandoned_ends_the_guest(backend: &Backend) {
    for guest in BOTH {
        let server = serve(backend, guest, &[&ONE[..], &["--max-body", "64MiB", "--cpu-timeout", "60s"]].concat());
        // More than the buffers of two sockets hold.
        let put = Client::connect(server.address).put("/objects/large", vec![b'x'; 32 << 20]);
        assert_eq!(put.status, 201, "{guest}");
        let mut client = Client::connect(server.address);
        client.start("GET", "/objects/large", &[]);
        assert_eq!(client.head().status, 200, "{guest}");
        client.take(100_000).unwrap();
        // With one permit for requests, there is one for responses that stream.
        let another = || {
            let mut client = Client::connect(server.address);
            client.start("GET", "/objects/large", &[]);
            client.head().status
        };
        assert_eq!(another(), 503, "{guest}");
        client.disconnect();
        eventually(&format!("{guest} has ended the download"), || (another() == 200).then_some(()));
    }
}

/// Each request is a separate instance.
fn one_of_many_uploads_takes_a_name(backend: &Backend) {
    let server = serve(backend, "blobstore", &[]);
    for round in 0..5 {
        let target = format!("/objects/round{round}");
        let put = |number: u8| {
            let body = vec![number; 100_000];
            let status = ask(&mut Client::connect(server.address), "PUT", &target, &["If-None-Match: *"], &body).status;
            (status, body)
        };
        let puts: Vec<(u16, Vec<u8>)> = thread::scope(|scope| {
            let puts: Vec<_> = (0..8).map(|number| scope.spawn(move || put(number))).collect();
            puts.into_iter().map(|put| put.join().unwrap()).collect()
        });
        let (winners, others): (Vec<_>, Vec<_>) = puts.into_iter().partition(|(status, _)| *status == 201);
        assert_eq!(winners.len(), 1);
        assert!(others.iter().all(|(status, _)| *status == 412));
        assert!(get(server.address, &target).body == winners[0].1, "the bytes are the winner's");
    }
}

#[test]
fn wasi_0_2_and_0_3_keep_the_same_data() {
    let backend = Backend::file("objects");
    for (writer, reader) in [(BOTH[0], BOTH[1]), (BOTH[1], BOTH[0])] {
        let server = serve(&backend, writer, &[]);
        assert_eq!(Client::connect(server.address).put("/objects/a/b", writer).status, 201);
        drop(server);
        let server = serve(&backend, reader, &[]);
        assert_eq!(get(server.address, "/objects/a/b").text(), writer);
    }
}

#[test]
fn a_container_that_is_not_configured_does_not_exist() {
    for guest in BOTH {
        let server = Run::guest(guest).args(["--blobstore", "other=memory:"]).serve();
        assert_eq!(get(server.address, "/objects/n").status, 500, "{guest}");
        assert_eq!(Client::connect(server.address).put("/objects/n", "x").status, 500, "{guest}");
    }
}

#[test]
fn without_configuration_files_are_on_disk() {
    for guest in BOTH {
        let directory = TempDir::new().unwrap();
        // A clean exit, a crash, and another clean exit.
        for (round, end) in [Signal::TERM, Signal::KILL, Signal::TERM].into_iter().enumerate() {
            let mut server = Run::guest(guest).within(directory.path()).serve();
            let mut client = Client::connect(server.address);
            for before in 0..round {
                assert_eq!(client.get(&format!("/objects/a/{before}")).text(), format!("round {before}"), "{guest}");
            }
            assert_eq!(client.put(&format!("/objects/a/{round}"), format!("round {round}")).status, 201, "{guest}");
            server.log.wait_for(".tempo/blobstore");
            assert_eq!(server.log.count(".tempo"), 1, "{}", server.log.text());
            assert!(directory.path().join(".tempo/blobstore").is_dir());
            server.signal(end);
            assert_eq!(server.exit_code(), (end == Signal::TERM).then_some(0), "{guest}");
        }
    }
}

#[test]
fn the_place_can_be_chosen() {
    let directory = TempDir::new().unwrap();
    let url = format!("default=file:{}", directory.path().join("configured").display());
    for round in 0..2 {
        for (run, place) in [
            (Run::guest("blobstore").args(["--data", "chosen"]), "chosen/blobstore"),
            (Run::guest("blobstore").env("TEMPO_BLOBSTORE", url.as_str()), "configured"),
        ] {
            let server = run.within(directory.path()).serve();
            assert_eq!(get(server.address, "/objects/n").status, if round == 0 { 404 } else { 200 }, "{place}");
            assert_eq!(Client::connect(server.address).put("/objects/n", "kept").status, 201, "{place}");
            assert!(directory.path().join(place).is_dir());
        }
    }
    assert!(!directory.path().join(".tempo").exists());
}
