//! Blobstore on an S3 server: configuration, startup errors, and a server that crashes during requests.

use crate::support::s3::S3;
use crate::support::{Client, Finished, Run, Server, eventually, get};

const LARGE: usize = 32 << 20;

fn serve(url: &str) -> Server {
    Run::guest("blobstore").args(["--blobstore", url, "--max-body", "64MiB", "--cpu-timeout", "60s"]).serve()
}

/// Asserts that the runtime refuses to start with an error that names the bucket and no secret.
fn refusal(s3: &S3, run: Run, parts: &[&str]) {
    let ended: Finished = run.finish();
    ended.failed_in_one_line(69, &[&["s3://"], parts].concat());
    for secret in [s3.secret.as_str(), "wrong-secret", "WRONGKEY"] {
        assert!(!ended.stderr.contains(secret), "{ended:?}");
    }
}

#[test]
fn what_the_server_refuses_at_the_start() {
    let s3 = S3::start();
    for (url, parts) in [
        (s3.url_of("bucket", &s3.key, "wrong-secret"), ["s3://bucket: ", "refuses the credentials"]),
        (s3.url_of("bucket", "WRONGKEY", &s3.secret), ["s3://bucket: ", "refuses the credentials"]),
        (s3.url_of("bucket/a", &s3.key, "wrong-secret"), ["s3://bucket/a: ", "refuses the credentials"]),
        (s3.url_of("no-such-bucket", &s3.key, &s3.secret), ["s3://no-such-bucket: ", "no such bucket"]),
        (s3.url().replace("&allow_http=true", ""), ["s3://bucket: ", "the server cannot be used"]),
    ] {
        for guest in ["blobstore", "blobstore-p2"] {
            refusal(&s3, Run::guest(guest).args(["--blobstore", &url]), &parts);
        }
    }
}

#[test]
fn a_server_that_is_not_there() {
    let mut s3 = S3::start();
    let url = s3.url();
    s3.kill();
    refusal(&s3, Run::guest("blobstore").args(["--blobstore", &url]), &["s3://bucket: ", "the server cannot be used"]);
}

/// The variables of the cloud's own tools, and two containers in one bucket.
#[test]
fn the_environment_configures_endpoint_and_credentials() {
    let s3 = S3::start();
    let run = |url: &str| {
        let run = Run::guest("blobstore").args(["--blobstore", url]);
        let run = run.env("AWS_ENDPOINT_URL", s3.endpoint()).env("AWS_ALLOW_HTTP", "true");
        run.env("AWS_ACCESS_KEY_ID", &s3.key).env("AWS_SECRET_ACCESS_KEY", &s3.secret)
    };
    let one = run("s3://bucket/one").serve();
    assert_eq!(Client::connect(one.address).put("/objects/n", "kept").status, 201);
    assert_eq!(get(run("s3://bucket/two").serve().address, "/objects/n").status, 404);
    assert_eq!(get(run("s3://bucket/one").serve().address, "/objects/n").text(), "kept");
    assert_eq!(get(run("s3://bucket").serve().address, "/objects/one/n").text(), "kept");
    refusal(&s3, run("s3://bucket").env("AWS_SECRET_ACCESS_KEY", "wrong-secret"), &["refuses the credentials"]);
}

#[test]
fn what_was_acknowledged_survives_a_crash_of_the_server() {
    let mut s3 = S3::start();
    let server = serve(&s3.url());
    let mut client = Client::connect(server.address);
    assert_eq!(client.put("/objects/small", "small").status, 201);
    assert_eq!(client.put("/objects/large", vec![b'x'; LARGE]).status, 201);
    s3.restart();
    let server = serve(&s3.url());
    assert_eq!(get(server.address, "/objects/small").text(), "small");
    assert_eq!(get(server.address, "/objects/large").body.len(), LARGE);
}

#[test]
fn a_server_that_dies_in_an_upload_has_no_object() {
    let mut s3 = S3::start();
    let server = serve(&s3.url());
    assert_eq!(Client::connect(server.address).put("/objects/old", "before").status, 201);
    for name in ["new", "old"] {
        let server = serve(&s3.url());
        let mut client = Client::connect(server.address);
        client.start("PUT", &format!("/objects/{name}"), &[&format!("Content-Length: {LARGE}")]);
        client.send(vec![b'x'; LARGE / 2]);
        eventually("the server has a part", || (s3.parts() > 0).then_some(()));
        s3.kill();
        // The connection may already be closed.
        let _ = client.try_send(vec![b'x'; LARGE / 2]);
        let refused = client.try_response();
        assert!(refused.as_ref().map_or(true, |response| response.status >= 500), "{name}: {refused:?}");
        s3.restart();
        let server = serve(&s3.url());
        assert_eq!(get(server.address, "/objects/new").status, 404, "{name}");
        assert_eq!(get(server.address, "/objects/old").text(), "before", "{name}");
    }
}

#[test]
fn a_server_that_dies_in_a_download_is_an_error_at_the_reader() {
    for guest in ["blobstore", "blobstore-p2"] {
        let mut s3 = S3::start();
        let limits = ["--max-body", "64MiB", "--cpu-timeout", "60s"];
        let server = Run::guest(guest).args(["--blobstore", &s3.url()]).args(limits).serve();
        let mut client = Client::connect(server.address);
        assert_eq!(client.put("/objects/large", vec![b'x'; LARGE]).status, 201, "{guest}");
        client.start("GET", "/objects/large", &[]);
        let head = client.head();
        assert_eq!((head.status, head.header("content-length")), (200, Some(LARGE.to_string().as_str())), "{guest}");
        client.take(100_000).unwrap();
        s3.kill();
        assert!(client.take(LARGE - 100_000).is_err(), "{guest}: the body is whole");
        assert!(get(server.address, "/objects/large").status >= 500, "{guest}");
    }
}
