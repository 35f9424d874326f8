//! The suite on a real S3 server. It is in a program of its own because it needs that server: `cargo xtask setup`.
#![cfg(feature = "aws")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use bytes::Bytes;
use support::Server;
use tempo_blobstore::{ErrorKind, PutOptions, testkit};

#[tokio::test]
async fn in_a_bucket() {
    let server = Server::start();
    testkit::run(server.open("bucket").await).await.unwrap();
    server.settles_at(0, 0).await;
}

/// A prefix is a part of the keys, which S3 ends at 1,024 bytes, so names are shorter by it.
#[tokio::test]
async fn below_a_prefix() {
    let server = Server::start();
    let (one, two) = (server.open("bucket/one").await, server.open("bucket/two").await);
    for (length, fits) in [(1019, true), (1020, true), (1021, false)] {
        let name = "n".repeat(length);
        let Ok(mut upload) = one.put(&name, PutOptions::default()).await else {
            assert!(!fits, "{length}");
            assert_eq!(one.stat(&name).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
            continue;
        };
        upload.write(Bytes::from_static(b"value")).await.unwrap();
        assert_eq!(upload.complete().await.unwrap().name, name);
        assert!(fits, "{length}");
        assert_eq!(one.list("", None, 9).await.unwrap().len(), 1);
        assert!(two.list("", None, 9).await.unwrap().is_empty());
        assert_eq!(two.stat(&name).await.unwrap(), None);
        one.delete(&name).await.unwrap();
    }
    server.settles_at(0, 0).await;
}

/// Nothing goes over another key, and what comes second is told so and leaves no parts.
#[tokio::test]
async fn a_large_object_that_must_be_the_first_is_written_where_it_stays() {
    let server = Server::start();
    let container = server.open("bucket").await;
    let options = || PutOptions { if_absent: true, ..PutOptions::default() };
    let mut first = container.put("n", options()).await.unwrap();
    let mut second = container.put("n", options()).await.unwrap();
    for upload in [&mut first, &mut second] {
        upload.write(Bytes::from(vec![1; 6 << 20])).await.unwrap();
    }
    server.settles_at(0, 2).await;
    assert_eq!(first.complete().await.unwrap().size, 6 << 20);
    server.settles_at(1, 1).await;
    assert_eq!(second.complete().await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    server.settles_at(1, 0).await;
}
