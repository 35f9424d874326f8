//! The suite on a real S3 server. It is in a program of its own because it needs that server: `cargo xtask setup`.
#![cfg(feature = "aws")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use bytes::Bytes;
use support::Server;
use tempo_wasi_blobstore::{ErrorKind, PutOptions, conformance};

#[tokio::test]
async fn in_a_bucket() {
    let server = Server::start();
    conformance::run(server.open("bucket").await).await.unwrap();
    server.settles_at(0, 0).await;
}

#[tokio::test]
async fn below_a_prefix() {
    let server = Server::start();
    conformance::run(server.open("bucket/a/b").await).await.unwrap();
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
