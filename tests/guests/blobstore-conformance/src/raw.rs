//! Operations that the SDK prevents, with generated bindings.

use std::pin::pin;
use std::task::Poll;

use bindings::tempo::blobstore::store::{Container, ErrorKind, PutOptions};
use bindings::{wit_future, wit_stream};
use futures::future::{join, poll_fn};

use crate::scope::{Differs, Outcome, Scope, holds, same};

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, reason = "generated code")]
    wit_bindgen::generate!({ path: "../../../wit/blobstore", world: "imports" });
}

const SIZE: usize = 1 << 20;

async fn open() -> Result<Container, Differs> {
    Container::open("default".to_owned()).await.map_err(|error| Differs::new(format_args!("{error:?}")))
}

fn options() -> PutOptions {
    PutOptions { if_absent: false, content_type: None, metadata: Vec::new() }
}

/// The terminal future fails: after the last byte, and before the first one.
pub(crate) async fn failed(on: Scope) -> Outcome {
    for (name, early) in [("new", false), ("old", false), ("new", true), ("old", true)] {
        let old = name == "old";
        let name = on.name(name);
        let before = if old { Some(on.container.put(name.as_str(), "before").await?) } else { None };
        let kind = put_and_fail(&name, early).await?;
        same("put", kind, Err(ErrorKind::Other))?;
        same("stat", on.container.stat(name.as_str()).await?, before)?;
        if !old {
            on.is_gone(&name).await?;
        }
    }
    on.clean().await
}

/// Uploads with a failing terminal future. Returns the size, or the kind of the error.
async fn put_and_fail(name: &str, early: bool) -> Result<Result<u64, ErrorKind>, Differs> {
    let (mut data, contents) = wit_stream::new();
    // Only the write below reports the failure.
    let (complete, whole) = wit_future::new(|| Ok(()));
    let container = open().await?;
    let put = container.put(name.to_owned(), contents, whole, options());
    let produce = async move {
        // A host may stop reading early: the remaining bytes are ignored.
        if !early {
            data.write_all(vec![b'x'; SIZE]).await;
            drop(data);
            return complete.write(Err(())).await;
        }
        let result = complete.write(Err(())).await;
        data.write_all(vec![b'x'; SIZE]).await;
        result
    };
    let (stored, result) = join(put, produce).await;
    holds("the host reads the terminal future", result.is_ok())?;
    Ok(stored.map(|info| info.size).map_err(|error| error.kind))
}

/// The terminal future succeeds before the data: all of it is stored, and none is visible before the end.
pub(crate) async fn early(on: Scope) -> Outcome {
    let name = on.name("n");
    let (mut data, contents) = wit_stream::new();
    let (complete, whole) = wit_future::new(|| Err(()));
    let container = open().await?;
    let put = container.put(name.clone(), contents, whole, options());
    let produce = async {
        let result = complete.write(Ok(())).await;
        for _ in 0..3 {
            data.write_all(vec![b'x'; SIZE]).await;
            on.is_gone(&name).await?;
        }
        drop(data);
        holds("the host reads the terminal future", result.is_ok())
    };
    let (stored, produced) = join(put, produce).await;
    produced?;
    let size = stored.map(|info| info.size).map_err(|error| error.kind);
    same("put", size, Ok(3 * SIZE as u64))?;
    same("what is there", on.read(&name).await?.len(), 3 * SIZE)?;
    on.clean().await
}

/// The call is cancelled midway.
pub(crate) async fn cancelled(on: Scope) -> Outcome {
    let name = on.name("n");
    let (mut data, contents) = wit_stream::new();
    let (complete, whole) = wit_future::new(|| Err(()));
    let container = open().await?;
    {
        let mut put = pin!(container.put(name.clone(), contents, whole, options()));
        let mut write = pin!(data.write_all(vec![b'x'; SIZE]));
        let (mut ended, mut written) = (false, false);
        // Polls both until the host has read all the data.
        poll_fn(|cx| {
            ended = ended || put.as_mut().poll(cx).is_ready();
            written = written || write.as_mut().poll(cx).is_ready();
            if ended || written { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        holds("the host waits for more", written && !ended)?;
    }
    drop((data, complete));
    on.is_gone(&name).await?;
    on.container.put(name.as_str(), "other").await?;
    same("what is there", on.read(&name).await?, b"other")?;
    on.clean().await
}
