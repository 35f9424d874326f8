//! Deletions of objects: their markers, and crashes after them.

use tempo_blobstore::PutOptions;

use super::{MIB, bucket, count, noise, open, put, read};
use crate::support::{Server, eventually};

/// The removal of the chunks removes nothing that was written after the deletion.
#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_beside_an_upload_spoils_nothing() {
    let server = Server::start();
    let containers = [open(&server).await, open(&server).await];
    for round in 0..100_u8 {
        let data = [round; 10];
        let upload = put(&*containers[0], "n", &data, PutOptions::default());
        let (written, deleted) = tokio::join!(upload, containers[1].delete("n"));
        written.unwrap();
        deleted.unwrap();
        let Some(info) = containers[0].stat("n").await.unwrap() else { continue };
        assert_eq!(info.size, 10);
        assert_eq!(read(&*containers[1], "n", None).await.unwrap(), data, "round {round}");
    }
    containers[0].delete("n").await.unwrap();
    let bucket = bucket(&server).await;
    let only_the_marker = async || (count(&bucket, "$O.b.>").await == 1).then_some(());
    eventually("only the marker stays", only_the_marker).await;
}

/// A server keeps a message on disk whose block is empty, but records removals of messages in other blocks. After a crash
/// it restores such a message.
#[tokio::test]
async fn a_deletion_survives_a_crash_of_the_server() {
    // More than a block.
    const BLOCK: usize = 9 * MIB;
    let mut server = Server::start();
    let container = open(&server).await;
    let put = async |name: &str, size: usize| {
        put(&*container, name, &noise(size), PutOptions::default()).await.unwrap();
    };
    put("kept", 0).await;
    put("other", 0).await;
    put("first", BLOCK).await;
    // Recorded in the second block.
    container.delete("other").await.unwrap();
    put("deleted", 0).await;
    put("second", BLOCK).await;
    // Only the metadata of "deleted" stays in the second block.
    container.delete("second").await.unwrap();
    put("other", 0).await;
    container.delete("first").await.unwrap();
    container.delete("deleted").await.unwrap();
    server.kill();
    server.restart();
    let found = eventually("the server is back", async || container.stat("deleted").await.ok()).await;
    assert_eq!(found, None);
    let listed = container.list("", None, 9).await.unwrap();
    assert_eq!(listed.into_iter().map(|entry| entry.name).collect::<Vec<_>>(), ["kept", "other"]);
    let absent = PutOptions::default().with_if_absent(true);
    super::put(&*container, "deleted", b"again", absent).await.unwrap();
}
