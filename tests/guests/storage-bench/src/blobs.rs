//! Objects of 16 MiB, one at a time.

use tempo_sdk_blobstore::{Container, Error, PutOptions};
use wasip3::clocks::monotonic_clock;

/// The number of objects, which are used in turn.
const OBJECTS: u64 = 4;
/// The size of an object, in bytes.
const SIZE: usize = 16 << 20;
/// The size of one write, in bytes.
const CHUNK: usize = 64 << 10;

pub(crate) async fn time(write: bool, count: u64) -> Result<u64, Error> {
    let container = Container::open("default").await?;
    for object in 0..OBJECTS.min(count) {
        write_object(&container, object).await?;
    }
    let started = monotonic_clock::now();
    for index in 0..count {
        let object = index % OBJECTS;
        if write {
            write_object(&container, object).await?;
        } else {
            assert_eq!(read_object(&container, object).await?, SIZE);
        }
    }
    Ok(monotonic_clock::now().saturating_sub(started))
}

async fn write_object(container: &Container, object: u64) -> Result<(), Error> {
    let mut writer = container.writer(name(object), PutOptions::new());
    for _ in 0..SIZE / CHUNK {
        writer.write(vec![b'.'; CHUNK]).await?;
    }
    writer.finish().await?;
    Ok(())
}

async fn read_object(container: &Container, object: u64) -> Result<usize, Error> {
    let mut reader = container.get(name(object)).await?.reader;
    let mut size = 0;
    while let Some(chunk) = reader.chunk().await? {
        size += chunk.len();
    }
    Ok(size)
}

fn name(object: u64) -> String {
    format!("object-{object}")
}
