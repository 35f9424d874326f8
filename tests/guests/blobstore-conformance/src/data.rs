//! Data round trips: empty, every byte, and more than memory should hold.

use tempo_sdk_blobstore::{Container, ErrorKind, PutOptions};

use crate::scope::{Outcome, Scope, byte, fails, holds, pattern, same};

const MIB: u64 = 1 << 20;

/// An empty object is an object.
pub(crate) async fn empty(on: Scope) -> Outcome {
    let [put, streamed] = ["put", "streamed"].map(|name| on.name(name));
    same("size of nothing", on.container.put(put.as_str(), "").await?.size, 0)?;
    let mut writer = on.container.writer(streamed.as_str(), PutOptions::new());
    writer.write("").await?;
    same("size of a stream of nothing", writer.finish().await?.size, 0)?;
    for name in [put, streamed] {
        let mut object = on.container.get(name.as_str()).await?;
        same("size", object.info.size, 0)?;
        same("remaining", object.reader.remaining(), 0)?;
        same("the first chunk", object.reader.chunk().await?, None)?;
        same("stat", on.container.stat(name.as_str()).await?.map(|info| info.size), Some(0))?;
    }
    same("list", on.all("").await?, ["put", "streamed"])?;
    on.clean().await
}

/// All 256 byte values.
pub(crate) async fn bytes(on: Scope) -> Outcome {
    let name = on.name("n");
    let all: Vec<u8> = (0..=255).cycle().take(1024).collect();
    let info = on.container.put(name.as_str(), all.clone()).await?;
    same("size", info.size, 1024)?;
    same("stat", on.container.stat(name.as_str()).await?.as_ref(), Some(&info))?;
    let object = on.container.get(name.as_str()).await?;
    same("what get knows", &object.info, &info)?;
    same("bytes", object.reader.bytes().await?, all)?;
    on.clean().await
}

pub(crate) async fn typed(on: Scope) -> Outcome {
    let name = on.name("n");
    let get = async || on.container.get(name.as_str()).await;
    on.container.put(name.as_str(), "[1,2]").await?;
    same("text", get().await?.reader.text().await?, "[1,2]")?;
    same("JSON", get().await?.reader.json::<Vec<u8>>().await?, [1, 2])?;
    fails("other JSON", get().await?.reader.json::<String>().await, ErrorKind::Decode)?;
    on.container.put(name.as_str(), [0xff]).await?;
    fails("text that is none", get().await?.reader.text().await, ErrorKind::Decode)?;
    on.clean().await
}

/// 40 MiB and some bytes, of which the component holds one chunk at a time.
pub(crate) async fn large(on: Scope) -> Outcome {
    let name = on.name("n");
    write(&on.container, &name, 40 * MIB + 3, 256 * 1024 + 1).await?;
    read(&on.container, &name, 40 * MIB + 3).await?;
    on.clean().await
}

/// Chunks of sizes around the buffer sizes.
pub(crate) async fn pieces(on: Scope) -> Outcome {
    for (size, piece) in [(1, 1), (300, 7), (65_535, 65_535), (65_536, 65_536), (65_537, 65_536), (200_000, 65_537)] {
        let name = on.name(&format!("{size} in pieces of {piece}"));
        write(&on.container, &name, size, piece).await?;
        read(&on.container, &name, size).await?;
    }
    on.clean().await
}

/// One write may be larger than the host reads at once.
pub(crate) async fn one_write(on: Scope) -> Outcome {
    let name = on.name("n");
    let size = 3 * MIB + 1;
    same("size", on.container.put(name.as_str(), pattern(0, size)).await?.size, size)?;
    read(&on.container, &name, size).await?;
    let whole = on.read(&name).await?;
    holds("it is the same when read at once", whole == pattern(0, size))?;
    on.clean().await
}

async fn write(container: &Container, name: &str, size: u64, piece: u64) -> Outcome {
    let mut writer = container.writer(name, PutOptions::new());
    let mut written = 0;
    while written < size {
        let end = size.min(written + piece);
        writer.write(pattern(written, end)).await?;
        written = end;
    }
    same("size when finished", writer.finish().await?.size, size)
}

async fn read(container: &Container, name: &str, size: u64) -> Outcome {
    let mut reader = container.get(name).await?.reader;
    let mut place = 0;
    while let Some(chunk) = reader.chunk().await? {
        let right = (place..).zip(&chunk).all(|(place, got)| byte(place) == *got);
        place += chunk.len() as u64;
        holds(&format!("the {} bytes before {place} are right", chunk.len()), right)?;
        same("remaining", reader.remaining(), size.saturating_sub(place))?;
    }
    same("bytes that came", place, size)
}
