//! A container in a directory: one file for each object. Several processes may share one.

mod listing;
mod names;
mod object;
mod place;
mod read;
mod upload;

use std::fs;
use std::io::{self, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use tempo_core::{Boot, ErrorKind as CoreKind, Scheme, StoreUrl};

use self::object::failed;
use self::upload::{FileUpload, Partial};
use crate::{ByteRange, Container, Data, Entry, Error, ErrorKind, ObjectInfo, PutOptions, Result, Upload, record};

/// A container in a directory, durable: an object is there once its bytes, its record and its name are on the disk.
///
/// An object is one file below `objects`; uploads are files below `partial` until they are complete. Every operation
/// runs on the threads that tokio keeps for blocking work.
pub struct File {
    directory: Arc<Directory>,
}

struct Directory {
    objects: PathBuf,
    partial: PathBuf,
}

impl Directory {
    fn object(&self, name: &str) -> PathBuf {
        self.objects.join(names::encode(name))
    }

    /// Puts on the disk which files there are.
    fn sync(&self) -> io::Result<()> {
        fs::File::open(&self.objects)?.sync_all()
    }

    /// Removes what uploads left behind whose process has died.
    fn clean(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.partial)? {
            let path = entry?.path();
            let Ok(file) = fs::File::open(&path) else { continue };
            // A living writer holds the lock.
            if file.try_lock().is_ok() {
                fs::remove_file(&path).or_else(absent)?;
            }
        }
        Ok(())
    }
}

fn absent(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

impl File {
    /// Opens the container in the directory at `path`, makes it if there is none, and removes what uploads left behind
    /// that a crash ended. Blocks.
    ///
    /// # Errors
    ///
    /// The directory cannot be made, read or written, or it lies among the files of another container.
    pub fn open(path: &Path) -> io::Result<Self> {
        place::check(path)?;
        let directory = Directory { objects: path.join(place::OBJECTS), partial: path.join(place::PARTIAL) };
        fs::create_dir_all(&directory.objects)?;
        fs::create_dir_all(&directory.partial)?;
        for made in [path, path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))] {
            fs::File::open(made)?.sync_all()?;
        }
        directory.clean()?;
        Ok(Self { directory: Arc::new(directory) })
    }

    /// The file of the object `name`, opened at its first byte, and what is known about it.
    fn find(directory: &Directory, name: &str) -> Result<(fs::File, ObjectInfo)> {
        let (mut file, info) = object::open(&directory.object(name))?;
        if info.name != name {
            return Err(Error::new(ErrorKind::Other, "the object's file holds another object"));
        }
        file.seek(SeekFrom::Start(0)).map_err(|error| failed("read", &error))?;
        Ok((file, info))
    }
}

/// Runs `work` where it may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let stopped = |_| Err(Error::new(ErrorKind::Unavailable, "the host is shutting down"));
    tokio::task::spawn_blocking(work).await.unwrap_or_else(stopped)
}

#[async_trait]
impl Container for File {
    async fn stat(&self, name: &str) -> Result<Option<ObjectInfo>> {
        let (directory, name) = (self.directory.clone(), name.to_owned());
        blocking(move || match Self::find(&directory, &name) {
            Ok((_, info)) => Ok(Some(info)),
            Err(error) if error.kind() == ErrorKind::NoSuchObject => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    async fn get(&self, name: &str, range: Option<ByteRange>) -> Result<(ObjectInfo, Data)> {
        let (directory, name) = (self.directory.clone(), name.to_owned());
        let opened = blocking(move || {
            let (mut file, info) = Self::find(&directory, &name)?;
            let (start, end) = ByteRange::within(range, info.size);
            file.seek(SeekFrom::Start(start)).map_err(|error| failed("read", &error))?;
            Ok((file, info, end.saturating_sub(start)))
        });
        let (file, info, left) = opened.await?;
        Ok((info, read::chunks(file, left)))
    }

    async fn put(&self, name: &str, options: PutOptions) -> Result<Box<dyn Upload>> {
        let (directory, name) = (self.directory.clone(), name.to_owned());
        blocking(move || {
            if options.if_absent && directory.object(&name).exists() {
                return Err(Error::already_exists());
            }
            let partial = Partial::create(&directory)?;
            Ok(Box::new(FileUpload::new(directory, name, options, partial)) as Box<dyn Upload>)
        })
        .await
    }

    async fn delete(&self, name: &str) -> Result<()> {
        let (directory, name) = (self.directory.clone(), name.to_owned());
        blocking(move || match fs::remove_file(directory.object(&name)) {
            Ok(()) => directory.sync().map_err(|error| failed("delete", &error)),
            Err(error) => absent(error).map_err(|error| failed("delete", &error)),
        })
        .await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>> {
        let directory = self.directory.clone();
        let query = listing::Query { prefix: prefix.to_owned(), after: after.map(str::to_owned) };
        blocking(move || listing::list(&directory, query, limit)).await
    }

    async fn copy(&self, from: &str, to: &str) -> Result<ObjectInfo> {
        let (directory, from, to) = (self.directory.clone(), from.to_owned(), to.to_owned());
        blocking(move || {
            let (mut file, source) = Self::find(&directory, &from)?;
            let ObjectInfo { size, content_type, metadata, .. } = source;
            let mut partial = Partial::create(&directory)?;
            partial.fill(&mut file, size).map_err(|error| failed("copy", &error))?;
            let info = record::info(&to, size, PutOptions { if_absent: false, content_type, metadata })?;
            partial.complete(&directory, &info, false)?;
            Ok(info)
        })
        .await
    }
}

/// `file:DIR`.
impl Scheme<dyn Container> for File {
    const NAMES: &'static [&'static str] = &["file"];

    async fn open(url: &StoreUrl, _: Boot<'_>) -> anyhow::Result<Arc<dyn Container>> {
        let error = |kind, problem: String| tempo_core::Error::new(kind, format!("{url}: {problem}"));
        let path = url.path().ok_or_else(|| {
            error(CoreKind::BadConfiguration, "expected file:DIR, a directory of this machine".into())
        })?;
        let opened = tokio::task::spawn_blocking(move || Self::open(&path)).await?;
        let file = opened.map_err(|cause| {
            error(
                CoreKind::CannotWrite,
                format!("the directory cannot be used: {cause}; give another with --blobstore"),
            )
        })?;
        Ok(Arc::new(file))
    }
}

#[cfg(test)]
mod tests;
