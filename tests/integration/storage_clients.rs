//! Interoperability on NATS: other clients read a component's data, and the other way round. The client is plain
//! async-nats.

use async_nats::jetstream::{self, Context};
use tokio::io::AsyncReadExt as _;
use tokio::runtime::Runtime;

use crate::support::nats::Nats;
use crate::support::{Client, Run};

fn connect(nats: &Nats) -> (Runtime, Context) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let client = runtime.block_on(async {
        let client = async_nats::connect(nats.address.to_string()).await.unwrap();
        jetstream::new(client)
    });
    (runtime, client)
}

#[test]
fn keys_of_a_component_are_keys_of_a_bucket() {
    let nats = Nats::start();
    let server = Run::guest("keyvalue-conformance").args(["--keyvalue", &nats.url("app")]).serve();
    let mut component = Client::connect(server.address);
    let (runtime, client) = connect(&nats);
    let bucket = runtime.block_on(client.get_key_value("app")).unwrap();
    // As in the README of tempo-nats: allowed bytes are unchanged, other bytes are `=` and two hexadecimal digits.
    for (asked, kept) in [("user/1", "user/1"), ("config.port", "config.port"), ("a%20b", "a=20b"), ("..", "=2E=2E")] {
        let target = format!("/value?key={asked}");
        assert_eq!(component.put(&target, "ours").status, 200, "{asked}");
        let read = runtime.block_on(bucket.get(kept)).unwrap();
        assert_eq!(read.as_deref(), Some(&b"ours"[..]), "{kept}");
        runtime.block_on(bucket.put(kept, "theirs".into())).unwrap();
        assert_eq!(component.get(&target).text(), "theirs", "{asked}");
        runtime.block_on(bucket.delete(kept)).unwrap();
        assert_eq!(component.get(&target).status, 404, "{asked}");
        assert_eq!(component.put(&format!("{target}&new"), "again").status, 200, "{asked}");
        assert_eq!(component.delete(&target).status, 200, "{asked}");
        assert_eq!(runtime.block_on(bucket.get(kept)).unwrap(), None, "{kept}");
    }
    runtime.block_on(bucket.put("no=encoding", "theirs".into())).unwrap();
    runtime.block_on(bucket.put("n", "41".into())).unwrap();
    assert_eq!(component.post("/increment?key=n", "").text(), "42\n");
    assert_eq!(component.get("/keys?prefix=").text(), "n\n", "a key that is no encoding is not visible");
}

#[test]
fn objects_of_a_component_are_objects_of_a_bucket() {
    let nats = Nats::start();
    let server = Run::guest("blobstore").args(["--blobstore", &nats.url("files")]).serve();
    let mut component = Client::connect(server.address);
    let (runtime, client) = connect(&nats);
    let bucket = runtime.block_on(client.get_object_store("files")).unwrap();
    let data: Vec<u8> = (0..1_000_000_u32).map(|place| (place.wrapping_mul(2_654_435_761) >> 9) as u8).collect();
    let length = format!("Content-Length: {}", data.len());
    component.start("PUT", "/objects/a/%C3%BC", &["Content-Type: image/png", &length]);
    component.send(&data);
    assert_eq!(component.response().status, 201);
    let read = runtime.block_on(async {
        let mut object = bucket.get("a/\u{fc}").await.unwrap();
        let mut read = Vec::new();
        // The client compares the digest at the end.
        object.read_to_end(&mut read).await.unwrap();
        assert_eq!(object.info.headers.unwrap().get("Content-Type").unwrap().as_str(), "image/png");
        read
    });
    assert!(read == data);

    runtime.block_on(async { bucket.put("theirs", &mut &data[..]).await.unwrap() });
    assert!(component.get("/objects/theirs").body == data);
    component.start("GET", "/objects/theirs", &["Range: bytes=500000-500009"]);
    assert_eq!(component.response().body, data[500_000..500_010]);
    let names = component.get("/objects?prefix=").text();
    assert_eq!(names.lines().count(), 2, "{names}");
    runtime.block_on(bucket.delete("a/\u{fc}")).unwrap();
    assert_eq!(component.get("/objects/a/%C3%BC").status, 404);
    assert_eq!(component.delete("/objects/theirs").status, 204);
    assert!(runtime.block_on(bucket.get("theirs")).is_err());
}
