//! Objects of 16 MiB, in an object store of JetStream or in files, one at a time.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, ensure};
use async_nats::jetstream::object_store::{Config, ObjectStore};
use tokio::io::AsyncReadExt as _;

use super::connect;

const OBJECTS: u64 = 4;
const SIZE: usize = 16 << 20;
/// The size of one read or write, in bytes.
const CHUNK: usize = 64 << 10;

enum Store {
    Nats(Box<ObjectStore>),
    Files(PathBuf),
}

pub(crate) async fn time(url: &str, write: bool, count: u64) -> Result<f64> {
    let store = Store::open(url).await?;
    for object in 0..OBJECTS.min(count) {
        store.write(&name(object)).await?;
    }
    let started = Instant::now();
    for index in 0..count {
        let name = name(index % OBJECTS);
        if write {
            store.write(&name).await?;
        } else {
            ensure!(store.read(&name).await? == SIZE, "an object of another size");
        }
    }
    Ok(started.elapsed().as_secs_f64())
}

impl Store {
    async fn open(url: &str) -> Result<Self> {
        if let Some(path) = url.strip_prefix("file:") {
            fs::create_dir_all(path)?;
            return Ok(Self::Files(path.into()));
        }
        let (context, bucket) = connect(url).await?;
        let config = Config { bucket: bucket.to_owned(), ..Config::default() };
        Ok(Self::Nats(Box::new(context.create_object_store(config).await?)))
    }

    async fn write(&self, name: &str) -> Result<()> {
        match self {
            Self::Nats(store) => {
                store.put(name, &mut tokio::io::repeat(b'.').take(SIZE as u64)).await?;
                Ok(())
            }
            Self::Files(directory) => tokio::task::block_in_place(|| write_file(directory, name)),
        }
    }

    async fn read(&self, name: &str) -> Result<usize> {
        let mut buffer = vec![0; CHUNK];
        let mut size = 0;
        match self {
            Self::Nats(store) => {
                let mut object = store.get(name).await?;
                loop {
                    match object.read(&mut buffer).await? {
                        0 => return Ok(size),
                        read => size += read,
                    }
                }
            }
            Self::Files(directory) => tokio::task::block_in_place(|| {
                let mut file = File::open(directory.join(name))?;
                loop {
                    match file.read(&mut buffer)? {
                        0 => return Ok(size),
                        read => size += read,
                    }
                }
            }),
        }
    }
}

/// Writes a file atomically and durably.
fn write_file(directory: &Path, name: &str) -> Result<()> {
    let temporary = directory.join("temporary");
    let mut file = File::create(&temporary)?;
    for _ in 0..SIZE / CHUNK {
        file.write_all(&[b'.'; CHUNK])?;
    }
    file.sync_all()?;
    fs::rename(&temporary, directory.join(name))?;
    Ok(File::open(directory)?.sync_all()?)
}

fn name(object: u64) -> String {
    format!("object-{object}")
}
