//! Objects on a real server: other clients, crashes, and buckets that are damaged.

use std::sync::Arc;

use async_nats::jetstream::{self, object_store, stream};
use bytes::Bytes;
use futures::TryStreamExt as _;
use futures::future::join_all;
use tempo_backend::{BackendContext, BackendScheme as _};
use tempo_blobstore::{ByteRange, Container, Data, ErrorKind, ObjectInfo, PutOptions, Result};
use tempo_nats::NatsBlobstore;
use tempo_settings::{BackendUrl, FlagValue as _, Settings};
use tokio::io::AsyncReadExt as _;

use crate::support::{Server, eventually, soon};

mod deletions;

const MIB: usize = 1 << 20;

async fn try_open(server: &Server) -> tempo_settings::Result<Arc<dyn Container>> {
    let settings = Settings::default();
    let context = BackendContext::new(&settings);
    NatsBlobstore::open(&BackendUrl::parse(&server.url("b")).unwrap(), context).await
}

async fn open(server: &Server) -> Arc<dyn Container> {
    try_open(server).await.unwrap()
}

async fn client(server: &Server) -> jetstream::Context {
    jetstream::new(async_nats::connect(format!("127.0.0.1:{}", server.port)).await.unwrap())
}

async fn bucket(server: &Server) -> stream::Stream {
    client(server).await.get_stream("OBJ_b").await.unwrap()
}

/// How many messages there are below a subject of the bucket.
async fn count(bucket: &stream::Stream, subject: &str) -> usize {
    let mut subjects = bucket.info_with_subjects(subject).await.unwrap();
    let mut sum = 0;
    while let Some((_, count)) = subjects.try_next().await.unwrap() {
        sum += count;
    }
    sum
}

/// Bytes of which no two chunks are alike.
fn noise(size: usize) -> Vec<u8> {
    (0..size).map(|index| (index.wrapping_mul(2_654_435_761) >> 7) as u8).collect()
}

async fn put(container: &dyn Container, name: &str, data: &[u8], options: PutOptions) -> Result<ObjectInfo> {
    let mut upload = container.put(name, options).await?;
    for piece in data.chunks(100_000) {
        upload.write(Bytes::copy_from_slice(piece)).await?;
    }
    upload.complete().await
}

async fn collect(data: Data) -> Result<Vec<u8>> {
    let chunks: Vec<Bytes> = soon("the end of an object", data.try_collect()).await?;
    Ok(chunks.concat())
}

async fn read(container: &dyn Container, name: &str, range: Option<ByteRange>) -> Result<Vec<u8>> {
    collect(container.get(name, range).await?.1).await
}

#[tokio::test]
async fn small_messages_are_enough() {
    let server = Server::with("jetstream {}, max_payload: 16KB");
    let container = open(&server).await;
    let data = noise(MIB);
    put(&*container, "n", &data, PutOptions::default()).await.unwrap();
    assert!(read(&*container, "n", None).await.unwrap() == data);
    assert_eq!(count(&bucket(&server).await, "$O.b.C.>").await, 64);
}

#[tokio::test]
async fn other_clients_and_this_one_read_each_other() {
    let server = Server::start();
    let container = open(&server).await;
    let theirs = client(&server).await.get_object_store("b").await.unwrap();
    let config = bucket(&server).await.cached_info().config.clone();
    assert!(config.allow_direct && config.allow_rollup && config.storage == stream::StorageType::File);

    let data = noise(MIB);
    let options = PutOptions::default()
        .with_content_type("image/png".to_owned())
        .with_metadata(vec![("k".to_owned(), "v w".to_owned())]);
    let written = put(&*container, "a/ü", &data, options.clone()).await.unwrap();
    let mut object = theirs.get("a/ü").await.unwrap();
    let mut bytes = Vec::new();
    object.read_to_end(&mut bytes).await.unwrap();
    assert!(bytes == data);
    assert_eq!((object.info.nuid.as_str(), object.info.size), (written.etag.as_str(), MIB));
    assert_eq!(object.info.headers.as_ref().unwrap().get("Content-Type").unwrap().as_str(), "image/png");
    assert_eq!(object.info.metadata.get("k").unwrap(), "v w");

    let meta = object_store::ObjectMetadata {
        name: "theirs".to_owned(),
        chunk_size: Some(1000),
        headers: object.info.headers.clone(),
        metadata: object.info.metadata.clone(),
        ..Default::default()
    };
    theirs.put(meta, &mut &data[..]).await.unwrap();
    let (info, bytes) = container.get("theirs", None).await.unwrap();
    assert!(collect(bytes).await.unwrap() == data);
    assert_eq!((info.content_type, info.metadata), (options.content_type, options.metadata));
    let range = ByteRange { offset: 123_456, length: Some(2000) };
    assert!(read(&*container, "theirs", Some(range)).await.unwrap() == data[123_456..125_456]);

    theirs.add_link("link", &theirs.info("theirs").await.unwrap()).await.unwrap();
    assert_eq!(container.stat("link").await.unwrap(), None);
    let absent = PutOptions::default().with_if_absent(true);
    let taken = put(&*container, "link", b"x", absent.clone()).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
    let names = container.list("", None, 9).await.unwrap().into_iter().map(|entry| entry.name);
    assert_eq!(names.collect::<Vec<_>>(), ["a/ü", "theirs"]);

    container.delete("a/ü").await.unwrap();
    assert!(theirs.info("a/ü").await.unwrap().deleted);
    theirs.delete("theirs").await.unwrap();
    assert_eq!(container.stat("theirs").await.unwrap(), None);
    put(&*container, "theirs", b"ours", absent).await.unwrap();
}

#[tokio::test]
async fn an_upload_that_is_dropped_leaves_nothing() {
    let server = Server::start();
    let container = open(&server).await;
    let bucket = bucket(&server).await;
    for _ in 0..10 {
        let mut upload = container.put("n", PutOptions::default()).await.unwrap();
        upload.write(noise(3 * MIB).into()).await.unwrap();
        assert!(count(&bucket, "$O.b.C.>").await > 0);
        drop(upload);
        eventually("the chunks are gone", async || (count(&bucket, "$O.b.>").await == 0).then_some(())).await;
    }
    assert_eq!(container.stat("n").await.unwrap(), None);
}

#[tokio::test]
async fn a_copy_that_is_dropped_leaves_nothing() {
    let server = Server::start();
    let container = open(&server).await;
    let bucket = bucket(&server).await;
    put(&*container, "from", &noise(32 * MIB), PutOptions::default()).await.unwrap();
    let before = count(&bucket, "$O.b.>").await;
    for _ in 0..3 {
        let begun = eventually("some is copied", async || (count(&bucket, "$O.b.C.>").await > before).then_some(()));
        tokio::select! {
            done = container.copy("from", "to") => panic!("it was done first: {done:?}"),
            () = begun => {}
        }
        eventually("the chunks are gone", async || (count(&bucket, "$O.b.>").await == before).then_some(())).await;
        assert_eq!(container.stat("to").await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_takes_a_name() {
    let server = Server::start();
    let containers = [open(&server).await, open(&server).await];
    let bucket = bucket(&server).await;
    for round in 0..20 {
        let tasks = (0..16u8).map(|writer| {
            let container = Arc::clone(&containers[usize::from(writer % 2)]);
            tokio::spawn(async move {
                let absent = PutOptions::default().with_if_absent(true);
                put(&*container, "n", &vec![writer; 200_000], absent).await.map(|_| writer)
            })
        });
        let results = join_all(tasks).await.into_iter().map(std::result::Result::unwrap);
        let (winners, losers): (Vec<_>, Vec<_>) = results.partition(std::result::Result::is_ok);
        assert_eq!(winners.len(), 1, "round {round}");
        assert!(losers.iter().all(|loser| loser.as_ref().unwrap_err().kind() == ErrorKind::AlreadyExists));
        let winner = *winners[0].as_ref().unwrap();
        assert!(read(&*containers[0], "n", None).await.unwrap() == vec![winner; 200_000]);
        eventually("only its chunks stay", async || (count(&bucket, "$O.b.C.>").await == 2).then_some(())).await;
        // The next round begins with the marker of a deletion.
        containers[1].delete("n").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_of_one_name_leave_the_last() {
    let server = Server::start();
    let container = open(&server).await;
    let tasks = (0..12u8).map(|writer| {
        let container = Arc::clone(&container);
        tokio::spawn(async move {
            put(&*container, "n", &vec![writer; 300_000], PutOptions::default()).await.unwrap();
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    let data = read(&*container, "n", None).await.unwrap();
    assert!(data.len() == 300_000 && data.iter().all(|byte| *byte == data[0]));
    let bucket = bucket(&server).await;
    eventually("only its chunks stay", async || (count(&bucket, "$O.b.C.>").await == 3).then_some(())).await;
}

#[tokio::test]
async fn a_large_object_and_its_ranges() {
    let server = Server::start();
    let container = open(&server).await;
    let size = 20 * MIB + 12_345;
    let data = noise(size);
    put(&*container, "n", &data, PutOptions::default()).await.unwrap();
    assert!(read(&*container, "n", None).await.unwrap() == data);
    for (start, end) in [
        (0, 1),
        (MIB, MIB + 1),
        (MIB - 1, MIB + 1),
        (5 * MIB + 77, 9 * MIB),
        (19 * MIB, size),
        (size - 1, size),
        (131_071, 131_073),
        (1, size),
    ] {
        let range = ByteRange { offset: start as u64, length: Some((end - start) as u64) };
        assert!(read(&*container, "n", Some(range)).await.unwrap() == data[start..end], "{start}..{end}");
    }
}

#[tokio::test]
async fn a_crash_during_an_upload_leaves_the_object_before() {
    let mut server = Server::start();
    let container = open(&server).await;
    let old = noise(2 * MIB);
    let kept = put(&*container, "n", &old, PutOptions::default()).await.unwrap();
    let (_, mut reading) = container.get("n", None).await.unwrap();
    let mut read_before = reading.try_next().await.unwrap().unwrap().to_vec();
    let mut upload = container.put("n", PutOptions::default()).await.unwrap();
    upload.write(vec![7; 4 * MIB].into()).await.unwrap();
    server.kill();
    let restarting = async {
        // Nothing can be sent now: this fails, or waits for the server.
        tokio::task::yield_now().await;
        server.restart();
    };
    let (written, ()) = tokio::join!(upload.write(vec![7; 4 * MIB].into()), restarting);
    let result = match written {
        Ok(()) => upload.complete().await.map(drop),
        Err(error) => Err(error),
    };
    match result {
        // What was on its way may have been lost, or not.
        Ok(()) => assert!(read(&*container, "n", None).await.unwrap() == vec![7; 8 * MIB]),
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable), "{error}");
            let back = async || container.stat("n").await.ok();
            assert_eq!(eventually("the server is back", back).await, Some(kept));
            assert!(read(&*container, "n", None).await.unwrap() == old);
            read_before.extend(collect(reading).await.unwrap());
            assert!(read_before == old, "a reader goes on where it was");
        }
    }
}

#[tokio::test]
async fn damage_is_an_error_at_the_reader() {
    let server = Server::start();
    let container = open(&server).await;
    let bucket = bucket(&server).await;
    let jetstream = client(&server).await;
    let data = noise(5 * MIB);
    let part = ByteRange { offset: 3 * MIB as u64, length: Some(1000) };
    for missing in [1, 20, 40] {
        let info = put(&*container, "n", &data, PutOptions::default()).await.unwrap();
        let last = bucket.get_info().await.unwrap().state.last_sequence;
        let (_, begun) = container.get("n", None).await.unwrap();
        // The description is the last, and 40 chunks are before it.
        bucket.delete_message(last - 41 + missing).await.unwrap();
        for range in [None, Some(part)] {
            assert_eq!(read(&*container, "n", range).await.unwrap_err().kind(), ErrorKind::Other, "{missing}");
        }
        assert_eq!(collect(begun).await.unwrap_err().kind(), ErrorKind::Other, "{missing}");
        // As many chunks and bytes as before, but others.
        let chunk = Bytes::from(vec![0; 128 << 10]);
        jetstream.publish(format!("$O.b.C.{}", info.etag), chunk).await.unwrap().await.unwrap();
        assert_eq!(read(&*container, "n", None).await.unwrap_err().kind(), ErrorKind::Other, "{missing}");
    }
}

#[tokio::test]
async fn a_description_cannot_reach_the_chunks_of_others() {
    let server = Server::start();
    let container = open(&server).await;
    put(&*container, "good", b"bytes", PutOptions::default()).await.unwrap();
    let jetstream = client(&server).await;
    for nuid in [">", "*", "", "a.b"] {
        let description = format!(r#"{{"name":"bad","bucket":"b","nuid":"{nuid}","size":5,"chunks":1}}"#);
        let subject = "$O.b.M.YmFk";
        jetstream.publish(subject, description.into()).await.unwrap().await.unwrap();
        assert_eq!(container.stat("bad").await.unwrap().unwrap().size, 5, "{nuid}");
        assert_eq!(container.get("bad", None).await.err().unwrap().kind(), ErrorKind::Other, "{nuid}");
        container.delete("bad").await.unwrap();
        assert_eq!(container.stat("bad").await.unwrap(), None, "{nuid}");
        assert_eq!(read(&*container, "good", None).await.unwrap(), b"bytes", "{nuid}");
    }
}

#[tokio::test]
async fn a_stream_that_is_no_bucket_is_refused() {
    let server = Server::start();
    let config = stream::Config { name: "OBJ_b".into(), subjects: vec!["jobs.>".into()], ..Default::default() };
    client(&server).await.create_stream(config).await.unwrap();
    let error = try_open(&server).await.err().unwrap();
    assert!(error.to_string().contains("no bucket of objects"), "{error}");
}

/// An object that is replaced while a list is on its way to it ends no list early.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_among_writes_misses_nothing() {
    let server = Server::start();
    let container = open(&server).await;
    let names: Vec<String> = (100..140).map(|number| format!("n{number}")).collect();
    for name in &names {
        put(&*container, name, b"first", PutOptions::default()).await.unwrap();
    }
    let writing = async {
        loop {
            let replaced = names.iter().map(|name| put(&*container, name, b"again", PutOptions::default()));
            for replaced in join_all(replaced).await {
                replaced.unwrap();
            }
        }
    };
    let listing = async {
        for _ in 0..100 {
            let listed = container.list("n", None, 1000).await.unwrap();
            assert_eq!(listed.into_iter().map(|entry| entry.name).collect::<Vec<_>>(), names);
        }
    };
    tokio::select! {
        () = listing => {}
        () = writing => {}
    }
}
