//! A container with a flaw, which the checks and the model must find.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{ByteRange, Container, Data, Entry, Memory, ObjectInfo, PutOptions, Upload};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Flaw {
    IgnoresCase,
    IgnoresAbsent,
    IgnoresRanges,
    ForgetsMetadata,
    ForgetsDeletes,
    ListsBackwards,
}

/// A container with a flaw.
pub(super) struct Flawed {
    pub(super) flaw: Flaw,
    pub(super) inner: Arc<Memory>,
}

#[async_trait]
impl Container for Flawed {
    async fn stat(&self, name: &str) -> crate::Result<Option<ObjectInfo>> {
        self.inner.stat(name).await
    }

    async fn get(&self, name: &str, range: Option<ByteRange>) -> crate::Result<(ObjectInfo, Data)> {
        let name = if self.flaw == Flaw::IgnoresCase { name.to_lowercase() } else { name.to_owned() };
        self.inner.get(&name, range.filter(|_| self.flaw != Flaw::IgnoresRanges)).await
    }

    async fn put(&self, name: &str, mut options: PutOptions) -> crate::Result<Box<dyn Upload>> {
        options.if_absent &= self.flaw != Flaw::IgnoresAbsent;
        if self.flaw == Flaw::ForgetsMetadata {
            options.metadata.clear();
        }
        self.inner.put(name, options).await
    }

    async fn delete(&self, name: &str) -> crate::Result<()> {
        if self.flaw == Flaw::ForgetsDeletes { Ok(()) } else { self.inner.delete(name).await }
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> crate::Result<Vec<Entry>> {
        let mut found = self.inner.list(prefix, after, limit).await?;
        if self.flaw == Flaw::ListsBackwards {
            found.reverse();
        }
        Ok(found)
    }

    async fn copy(&self, from: &str, to: &str) -> crate::Result<ObjectInfo> {
        self.inner.copy(from, to).await
    }
}
