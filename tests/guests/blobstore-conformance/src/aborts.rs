//! Unfinished uploads write nothing and leave existing objects unchanged.

use std::pin::pin;
use std::task::Poll;

use futures::FutureExt;
use futures::future::poll_fn;
use tempo_sdk_blobstore::PutOptions;

use crate::scope::{Outcome, Scope, holds, same};

/// More than all buffers in between hold, in bytes.
const PIECE: usize = 1 << 20;

pub(crate) async fn dropped(on: Scope) -> Outcome {
    for pieces in [1, 5] {
        let name = on.name(&format!("{pieces}"));
        let mut writer = on.container.writer(name.as_str(), PutOptions::new());
        for _ in 0..pieces {
            writer.write(vec![b'x'; PIECE]).await?;
        }
        on.is_gone(&name).await?;
        drop(writer);
        on.is_gone(&name).await?;
        // The name is free, and the aborted upload does not complete later.
        on.container.put_with(name.as_str(), "other", PutOptions::new().if_absent()).await?;
        same("what is there", on.read(&name).await?, b"other")?;
    }
    on.clean().await
}

pub(crate) async fn untouched(on: Scope) -> Outcome {
    let name = on.name("n");
    drop(on.container.writer(name.as_str(), PutOptions::new()));
    on.is_gone(&name).await
}

pub(crate) async fn overwrite(on: Scope) -> Outcome {
    let name = on.name("n");
    let before = on.container.put(name.as_str(), "before").await?;
    let mut writer = on.container.writer(name.as_str(), PutOptions::new().content_type("text/plain"));
    writer.write(vec![b'x'; PIECE]).await?;
    drop(writer);
    same("stat", on.container.stat(name.as_str()).await?, Some(before))?;
    same("what is there", on.read(&name).await?, b"before")?;
    on.clean().await
}

/// A write that is dropped midway fails the upload: the number of written bytes is unknown.
pub(crate) async fn in_a_write(on: Scope) -> Outcome {
    let name = on.name("n");
    let mut writer = on.container.writer(name.as_str(), PutOptions::new());
    writer.write("first").await?;
    {
        let mut write = pin!(writer.write(vec![b'x'; 8 * PIECE]));
        // Once it is polled, some of it may have been sent.
        let done = poll_fn(|cx| Poll::Ready(write.poll_unpin(cx).is_ready())).await;
        holds("a host does not take 8 MiB at once", !done)?;
    }
    holds("the next write fails", writer.write("next").await.is_err())?;
    holds("the upload cannot be finished", writer.finish().await.is_err())?;
    on.is_gone(&name).await
}
