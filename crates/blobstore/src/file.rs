//! A container in a directory, with one file per object. Several processes may share it.

mod listing;
mod names;
mod object;
mod overlap;
mod read;
mod upload;
mod usage;

use std::fmt;
use std::fs;
use std::io::{self, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use async_trait::async_trait;
use tempo_backend::{BackendContext, BackendScheme, Fault};
use tempo_settings::{BackendUrl, ErrorKind as CoreKind, Settings, private};
use tempo_telemetry::Health;
use tokio::runtime::Handle;

use self::object::failed;
use self::upload::{FileUpload, Partial};
use self::usage::DiskUsage;
use crate::{ByteRange, Container, Data, Entry, Error, ErrorKind, ObjectInfo, PutOptions, Result, Upload, record};

/// A durable container in a directory: a write succeeds once the object's data, its record and its name are synced.
///
/// An object is a file below `objects`; an incomplete upload is a file below `partial`. Operations run on tokio's
/// blocking threads.
///
/// A quota limits the size of all these files, each rounded up to 4 KiB, including uploads and copies in progress. Each
/// process counts the files that exist when it opens the directory, and its own writes and deletions.
pub struct File {
    directory: Arc<Directory>,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").finish_non_exhaustive()
    }
}

struct Directory {
    objects: PathBuf,
    partial: PathBuf,
    usage: Arc<DiskUsage>,
    fault: Fault,
    /// True while a probe of the disk runs.
    probing: AtomicBool,
}

/// Bytes that a copy writes between two checks for cancellation.
const COPY_PIECE_BYTES: u64 = 4 << 20;

/// Bytes that a full disk must accept again before its fault is cleared.
const PROBE_BYTES: usize = 1 << 20;

impl Directory {
    fn object(&self, name: &str) -> PathBuf {
        self.objects.join(names::encode(name))
    }

    /// Syncs the directory entries.
    fn sync(&self) -> io::Result<()> {
        fs::File::open(&self.objects)?.sync_all()
    }

    /// Maps a failed write to the guest's error, and raises the fault if the disk caused it.
    fn failed(&self, operation: &str, error: &io::Error) -> Error {
        if is_fault(error) {
            self.fault.raise(error);
        }
        failed(operation, error)
    }

    /// Probes on a thread of `runtime` whether the disk accepts writes again, unless a probe is running.
    fn probe(self: Arc<Self>, runtime: &Handle) {
        if self.probing.swap(true, Relaxed) {
            return;
        }
        drop(runtime.spawn_blocking(move || {
            if Fault::probe(&self.partial, PROBE_BYTES).is_ok() {
                self.fault.clear();
            }
            self.probing.store(false, Relaxed);
        }));
    }
}

/// Returns true if the error is a fault of the disk: an I/O error, or no space.
fn is_fault(error: &io::Error) -> bool {
    /// `EIO`, for which the standard library has no name.
    const IO: i32 = 5;
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem) || error.raw_os_error() == Some(IO)
}

/// Removes the uploads in `partial` whose process has ended.
fn clean(partial: &Path) -> io::Result<()> {
    for entry in fs::read_dir(partial)? {
        let path = entry?.path();
        let Ok(file) = fs::File::open(&path) else { continue };
        // A living writer holds the lock.
        if file.try_lock().is_ok() {
            fs::remove_file(&path).or_else(absent)?;
        }
    }
    Ok(())
}

fn absent(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

impl File {
    /// Opens the container in the directory at `path`, or creates it, and removes uploads that a crash interrupted.
    /// Blocks.
    ///
    /// # Errors
    ///
    /// The directory cannot be created, read or written, or overlaps with another container.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::open_with(path, None)
    }

    /// Opens the container with a quota of `quota` bytes. Objects in excess of it can be read and deleted. Blocks.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open), or the process has the directory open with another quota.
    pub fn with_quota(path: &Path, quota: u64) -> io::Result<Self> {
        Self::open_with(path, Some(quota))
    }

    fn open_with(path: &Path, quota: Option<u64>) -> io::Result<Self> {
        overlap::check(path)?;
        let (objects, partial) = (path.join(overlap::OBJECTS), path.join(overlap::PARTIAL));
        private::create_directories(&objects)?;
        private::create_directories(&partial)?;
        for made in [path, path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))] {
            fs::File::open(made)?.sync_all()?;
        }
        clean(&partial)?;
        let usage = DiskUsage::open(path, [&objects, &partial], quota)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let fault = Fault::new(format!("blobstore: {name}"));
        let directory = Directory { objects, partial, usage, fault, probing: AtomicBool::new(false) };
        Ok(Self { directory: Arc::new(directory) })
    }

    /// Registers a readiness check that fails while the disk fails or is full. Each check starts a probe.
    fn show(self: &Arc<Self>, health: &Health, runtime: Handle) {
        health.add_readiness_check(self, move |file| {
            let reason = file.directory.fault.reason()?;
            file.directory.clone().probe(&runtime);
            Some(reason)
        });
    }

    /// Opens the file of the object `name`, positioned at its first byte.
    fn find(directory: &Directory, name: &str) -> Result<(fs::File, ObjectInfo)> {
        let (mut file, info) = object::open(&directory.object(name))?;
        if info.name != name {
            return Err(Error::new(ErrorKind::Other, "the object's file holds another object"));
        }
        file.seek(SeekFrom::Start(0)).map_err(|error| failed("read", &error))?;
        Ok((file, info))
    }
}

/// Runs `work` on a blocking thread.
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
        blocking(move || {
            let object = directory.object(&name);
            match directory.usage.vacate(&object, || fs::remove_file(&object)) {
                Ok(()) => directory.sync().map_err(|error| directory.failed("delete", &error)),
                Err(error) => absent(error).map_err(|error| directory.failed("delete", &error)),
            }
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
        let opened = blocking(move || {
            let (file, source) = Self::find(&directory, &from)?;
            Ok((Partial::create(&directory)?, file, source))
        });
        let (mut partial, mut file, source) = opened.await?;
        let ObjectInfo { size, content_type, metadata, .. } = source;
        let mut left = size;
        // If the future is dropped, the copy ends after the current piece and its file is removed.
        while left > 0 {
            let (directory, piece) = (self.directory.clone(), left.min(COPY_PIECE_BYTES));
            let filled = blocking(move || {
                partial.fill(&directory, &mut file, piece)?;
                Ok((partial, file))
            });
            (partial, file) = filled.await?;
            left = left.saturating_sub(piece);
        }
        let info = record::info(&to, size, PutOptions { if_absent: false, content_type, metadata })?;
        let directory = self.directory.clone();
        blocking(move || partial.complete(&directory, &info, false).map(|()| info)).await
    }
}

/// `file:DIR`, or `file:DIR?quota=SIZE`.
#[async_trait]
impl BackendScheme<dyn Container> for File {
    const NAMES: &'static [&'static str] = &["file"];

    fn check(url: &BackendUrl, _: &Settings) -> tempo_settings::Result<()> {
        path_and_quota(url).map(drop)
    }

    async fn open(url: &BackendUrl, context: BackendContext<'_>) -> tempo_settings::Result<Arc<dyn Container>> {
        let (path, quota) = path_and_quota(url)?;
        let opened = tokio::task::spawn_blocking(move || Self::open_with(&path, quota)).await;
        let opened = opened.map_err(tempo_settings::Error::internal)?;
        let file = Arc::new(opened.map_err(|cause| {
            let unusable = unusable(url, CoreKind::CannotWrite, "the directory cannot be used");
            unusable.with_source(cause).with_advice("give another with --blobstore")
        })?);
        if let Some(health) = context.health {
            file.show(health, Handle::current());
        }
        Ok(file)
    }
}

fn path_and_quota(url: &BackendUrl) -> tempo_settings::Result<(PathBuf, Option<u64>)> {
    let bad = || unusable(url, CoreKind::BadConfiguration, "expected file:DIR, a directory of this machine");
    Ok((url.path().ok_or_else(bad)?, url.quota()?))
}

fn unusable(url: &BackendUrl, kind: CoreKind, problem: &str) -> tempo_settings::Error {
    tempo_settings::Error::new(kind, format!("{url}: {problem}"))
}

#[cfg(test)]
mod quotas;
#[cfg(test)]
mod tests;
