//! Model-based tests of a container: `BlobstoreModel` is a map with every etag that an object had.

mod operation;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, anyhow, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use proptest::strategy::{BoxedStrategy, Strategy as _};
use tempo_backend::testkit::model::ReferenceModel;
pub use tempo_backend::testkit::model::{BackendUrls, ComponentBackends, SystemUnderTest, run};
use tempo_settings::Flag;

pub use self::operation::{Data, Operation, Options};
use super::{collect, entry};
use crate::{BLOBSTORE, ByteRange, Container, ErrorKind, ObjectInfo, PutOptions};

/// Maximum length of a name, in bytes.
const MAX_NAME_BYTES: usize = 1024;

/// The expected content of a container.
#[derive(Debug, Default)]
pub struct BlobstoreModel {
    objects: BTreeMap<String, (ObjectInfo, Vec<u8>)>,
    /// Every etag that an object ever had.
    etags: BTreeSet<String>,
}

#[async_trait(?Send)]
impl ReferenceModel for BlobstoreModel {
    type Backend = dyn Container;
    type Operation = Operation;

    const FLAG: Flag = BLOBSTORE;

    fn name() -> BoxedStrategy<String> {
        operation::name().boxed()
    }

    fn operation() -> BoxedStrategy<Operation> {
        operation::operation().boxed()
    }

    fn foreign_names(place: &str) -> Vec<String> {
        let objects = format!("{place}/objects/a");
        let names = [format!("$O.{place}.M.YQ=="), format!("../{place}/a"), format!("{place}/a"), objects];
        names.into_iter().filter(|name| name.len() <= MAX_NAME_BYTES).collect()
    }

    fn describe(operation: &Operation, names: &[String]) -> String {
        operation.describe(names)
    }

    async fn apply(&mut self, container: &dyn Container, operation: Operation, names: &[String]) -> Result<()> {
        match operation {
            Operation::Put { name, data, options } => {
                self.put(container, name.get::<String>(names), data.bytes(), options.into()).await
            }
            Operation::DropUpload { name, data } => {
                let mut upload = container.put(name.get::<String>(names), PutOptions::default()).await?;
                Ok(upload.write(data.bytes().into()).await?)
            }
            Operation::Get { name, range } => self.get(container, name.get::<String>(names), range).await,
            Operation::Delete { name } => {
                let name: &String = name.get(names);
                self.objects.remove(name);
                Ok(container.delete(name).await?)
            }
            Operation::Copy { from, to } => {
                self.copy(container, from.get::<String>(names), to.get::<String>(names)).await
            }
            Operation::List { prefix, after, limit } => {
                let after = after.map(|after| after.get::<String>(names).as_str());
                self.list(container, &prefix.of(names), after, limit).await
            }
        }
    }

    async fn compare(&self, container: &dyn Container, names: &[String]) -> Result<()> {
        for name in names {
            self.get(container, name, None).await.with_context(|| format!("{name:?}"))?;
        }
        self.list(container, "", None, 1000).await
    }
}

impl BlobstoreModel {
    async fn put(&mut self, container: &dyn Container, name: &str, data: Vec<u8>, options: PutOptions) -> Result<()> {
        let taken = options.if_absent && self.objects.contains_key(name);
        let put = async {
            let mut upload = container.put(name, options.clone()).await?;
            for piece in data.chunks(70_000) {
                upload.write(Bytes::copy_from_slice(piece)).await?;
            }
            upload.complete().await
        };
        match put.await {
            Ok(info) => {
                ensure!(!taken, "it was written over another");
                let description = (info.content_type.clone(), info.metadata.clone());
                ensure!(description == (options.content_type, options.metadata), "the options are not kept: {info:?}");
                self.keep(name, info, data)
            }
            Err(error) => {
                ensure!(error.kind() == ErrorKind::AlreadyExists && taken, "{error:?}");
                Ok(())
            }
        }
    }

    async fn copy(&mut self, container: &dyn Container, from: &str, to: &str) -> Result<()> {
        match (container.copy(from, to).await, self.objects.get(from).cloned()) {
            (Ok(info), Some((source, data))) => {
                let same = info.content_type == source.content_type && info.metadata == source.metadata;
                ensure!(same, "the copy is described as {info:?} and not {source:?}");
                self.keep(to, info, data)
            }
            (Err(error), None) if error.kind() == ErrorKind::NoSuchObject => Ok(()),
            (description, there) => {
                Err(anyhow!("the copy ended with {description:?}, of an object that is {:?}", there.is_some()))
            }
        }
    }

    /// Notes an object that was written.
    fn keep(&mut self, name: &str, info: ObjectInfo, data: Vec<u8>) -> Result<()> {
        ensure!(info.name == name && info.size == data.len() as u64, "it is described as {info:?}");
        ensure!(self.etags.insert(info.etag.clone()), "an etag came back: {info:?}");
        self.objects.insert(name.to_owned(), (info, data));
        Ok(())
    }

    async fn get(&self, container: &dyn Container, name: &str, range: Option<ByteRange>) -> Result<()> {
        let there = self.objects.get(name);
        let described = container.stat(name).await?;
        ensure!(described.as_ref() == there.map(|(info, _)| info), "stat tells {described:?}");
        match (container.get(name, range).await, there) {
            (Ok((info, data)), Some((wanted, whole))) => {
                let (start, end) = ByteRange::within(range, wanted.size);
                let part = whole.iter().skip(usize::try_from(start)?).take(usize::try_from(end.saturating_sub(start))?);
                ensure!(info == *wanted, "get tells {info:?} and not {wanted:?}");
                ensure!(collect(data).await?.iter().eq(part), "get gives other bytes, {start}..{end}");
                Ok(())
            }
            (Err(error), None) if error.kind() == ErrorKind::NoSuchObject => Ok(()),
            (Err(error), _) => Err(error.into()),
            (Ok((info, _)), None) => Err(anyhow!("there is {info:?}")),
        }
    }

    async fn list(&self, container: &dyn Container, prefix: &str, after: Option<&str>, limit: usize) -> Result<()> {
        let found = container.list(prefix, after, limit).await?;
        let wanted = self.objects.iter().filter(|(name, _)| name.starts_with(prefix));
        let wanted = wanted.filter(|(name, _)| after.is_none_or(|after| name.as_str() > after)).take(limit);
        let wanted: Vec<_> = wanted.map(|(_, (info, _))| entry(info)).collect();
        ensure!(found == wanted, "the list is {found:?} and not {wanted:?}");
        Ok(())
    }
}

#[cfg(test)]
mod tests;
