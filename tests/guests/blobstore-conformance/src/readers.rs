//! Readers that are dropped early, or whose object is deleted.

use tempo_sdk_blobstore::Reader;

use crate::scope::{Differs, Outcome, Scope, holds, same};

const SIZE: usize = 8 << 20;

/// A reader that is dropped, before or after its first byte, blocks no other operation.
pub(crate) async fn left(on: Scope) -> Outcome {
    let name = on.name("n");
    on.container.put(name.as_str(), vec![b'a'; SIZE]).await?;
    for chunks in 0..3 {
        let mut object = on.container.get(name.as_str()).await?;
        for _ in 0..chunks {
            holds("a chunk comes", object.reader.chunk().await?.is_some())?;
        }
    }
    same("the object is there", on.read(&name).await?.len(), SIZE)?;
    on.container.delete(name.as_str()).await?;
    on.is_gone(&name).await
}

/// An open reader returns the original object or fails: it never continues with another object.
pub(crate) async fn overwritten(on: Scope) -> Outcome {
    let name = on.name("n");
    for delete in [false, true] {
        on.container.put(name.as_str(), vec![b'a'; SIZE]).await?;
        let mut reader = on.container.get(name.as_str()).await?.reader;
        let first = reader.chunk().await?.map_or(0, |chunk| chunk.len());
        holds("a chunk comes", first > 0)?;
        if delete {
            on.container.delete(name.as_str()).await?;
        } else {
            on.container.put(name.as_str(), vec![b'b'; SIZE]).await?;
        }
        unmixed(reader, SIZE - first).await?;
    }
    on.clean().await
}

async fn unmixed(mut reader: Reader, left: usize) -> Outcome {
    let mut read = 0;
    loop {
        match reader.chunk().await {
            Ok(Some(chunk)) => {
                holds("the bytes are those of the first object", chunk.iter().all(|byte| *byte == b'a'))?;
                read += chunk.len();
            }
            Ok(None) if read == left => return Ok(()),
            Ok(None) => return Err(Differs::new(format_args!("the end comes after {read} of {left} bytes"))),
            Err(_) => return Ok(()),
        }
    }
}
