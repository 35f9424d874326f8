//! The testkit of containers: conformance checks, as named trials of libtest-mimic, and a model-based test.
//!
//! A test target with `harness = false` runs the [`trials`] of a backend, as `examples/own_backend.rs` of `tempo-keyvalue` does
//! for a store.

#[cfg(test)]
mod flawed;
pub mod model;
mod names;
mod objects;
mod uploads;

use std::future::Future;
use std::sync::Arc;

use anyhow::{Result, ensure};
use bytes::Bytes;
use futures::TryStreamExt as _;
use tempo_backend::check;
pub use tempo_backend::testkit::Trial;
use tempo_backend::testkit::{self, Check};

use crate::{ByteRange, Container, Data, Entry, ErrorKind, ObjectInfo, PutOptions};

/// Names that are hard to keep, in the order of their bytes.
pub const NAMES: &[&str] = &[
    "\0",
    "\0\u{1}",
    "\n",
    " ",
    " leading",
    "!",
    "!\"#$%&'()*+,;<=>?@[\\]^`{|}~",
    "%2F",
    ".",
    "..",
    "../../etc/passwd",
    "./a",
    "/",
    "//",
    "/a",
    "A",
    "CON",
    "a",
    "a\0b",
    "a b",
    "a.",
    "a/",
    "a/\0",
    "a/ ",
    "a/.",
    "a/..",
    "a/../b",
    "a//",
    "a//b",
    "a/b",
    "a/b/",
    "a0",
    "trailing ",
    "~",
    "~~",
    "\u{7f}",
    "\u{80}",
    "ä",
    "ключ",
    "\u{fffd}",
    "\u{ffff}",
    "🔑",
];

/// The guarantees of a container beyond writing, reading, listing and deleting objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Of several uploads with [`PutOptions::if_absent`], one succeeds.
    pub if_absent: bool,
    /// Content types and metadata are kept.
    pub metadata: bool,
}

impl Capabilities {
    /// All of them: those of each backend of Tempo.
    pub const ALL: Self = Self { if_absent: true, metadata: true };
    /// None of them.
    pub const NONE: Self = Self { if_absent: false, metadata: false };
}

/// Returns a trial of each check that applies to the `capabilities` of a backend, with the name `prefix::check`.
///
/// Each trial opens a container with `factory`, and leaves it empty if it passes. Trials run concurrently: each needs an empty
/// container of its own. Together they write some 30 MiB.
pub fn trials<F>(
    prefix: &str,
    factory: impl Fn() -> F + Send + Sync + 'static,
    capabilities: &Capabilities,
) -> Vec<Trial>
where
    F: Future<Output = Result<Arc<dyn Container>>>,
{
    testkit::trials(prefix, checks(), capabilities, factory)
}

fn checks() -> Vec<Check<Arc<dyn Container>, Capabilities>> {
    let checks: Vec<Check<Arc<dyn Container>, Capabilities>> = vec![
        check!(objects::objects_are_written_read_and_deleted),
        check!(objects::ranges_are_read),
        check!(objects::large_objects_are_whole),
        check!(objects::options_are_kept, |can| can.metadata && can.if_absent),
        check!(objects::copies_are_independent, |can| can.metadata),
        check!(objects::readers_see_one_object),
        check!(uploads::dropped_uploads_leave_nothing),
        check!(uploads::one_of_many_uploads_is_first, |can| can.if_absent),
        check!(names::names_are_opaque_and_listed_in_order),
        check!(names::long_names_differ_at_their_end),
    ];
    checks.into_iter().map(|check| check.followed_by(|container| Box::pin(is_empty(container)))).collect()
}

async fn is_empty(container: Arc<dyn Container>) -> Result<()> {
    let left = container.list("", None, 1).await?;
    ensure!(left.is_empty(), "an object is left after all were deleted");
    Ok(())
}

async fn put(container: &Arc<dyn Container>, name: &str, data: &[u8], options: PutOptions) -> Result<ObjectInfo> {
    let mut upload = container.put(name, options).await?;
    if !data.is_empty() {
        upload.write(Bytes::copy_from_slice(data)).await?;
    }
    Ok(upload.complete().await?)
}

async fn read(container: &Arc<dyn Container>, name: &str, range: Option<ByteRange>) -> Result<(ObjectInfo, Vec<u8>)> {
    let (info, data) = container.get(name, range).await?;
    Ok((info, collect(data).await?))
}

async fn collect(data: Data) -> crate::Result<Vec<u8>> {
    data.try_fold(Vec::new(), |mut bytes, chunk| async move {
        bytes.extend_from_slice(&chunk);
        Ok(bytes)
    })
    .await
}

/// The whole listing, in pages of `limit`.
async fn list(container: &Arc<dyn Container>, prefix: &str, limit: usize) -> Result<Vec<Entry>> {
    let mut all: Vec<Entry> = Vec::new();
    loop {
        let after = all.last().map(|entry| entry.name.clone());
        let page = container.list(prefix, after.as_deref(), limit).await?;
        let more = page.len() == limit;
        ensure!(page.len() <= limit, "a page is longer than its limit");
        all.extend(page);
        if !more {
            return Ok(all);
        }
    }
}

fn entry(info: &ObjectInfo) -> Entry {
    Entry { name: info.name.clone(), size: info.size, created: info.created, etag: info.etag.clone() }
}

fn kind<T>(result: crate::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// Runs all checks on one container.
#[cfg(all(test, feature = "cloud"))]
pub(crate) async fn check_all(container: Arc<dyn Container>) {
    for check in checks() {
        let checked = check.run(container.clone()).await;
        assert!(checked.is_ok(), "{}: {checked:?}", check.name());
    }
}

#[cfg(test)]
mod tests;
