//! Random operations on containers and on a model of each, a map: whatever the order, both must say the same, and no
//! container may show what was put into another. A failure is shrunk to the fewest operations that show it.

mod components;
mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use tokio::runtime::Runtime;

pub use self::components::{Components, Names};
use self::plan::{Plan, Step, plans};
use super::{collect, entry};
use crate::{ByteRange, Container, ErrorKind, ObjectInfo, PutOptions};

/// The containers of one test, and how they are opened.
#[async_trait]
pub trait Subject: Send {
    /// Opens the containers: empty ones at first, and later the same ones as they were left. By then nothing is used any
    /// more of what was opened before. A backend that forgets gives the same ones again.
    async fn open(&mut self) -> Result<Vec<Arc<dyn Container>>>;

    /// Names of objects to try besides those that are hard everywhere: perhaps such as look like a place in another
    /// container.
    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Runs `cases` random lists of operations, some thirty in each, the same ones every time. Each case has containers of its
/// own: `subject` makes them of what `worlds` gives, such as their names.
///
/// # Errors
///
/// An answer that the model would not give, with the fewest operations that lead to it.
pub fn run<W: Debug, S: Subject>(
    runtime: &Runtime,
    cases: u32,
    worlds: impl Strategy<Value = W>,
    subject: impl Fn(W) -> S,
) -> Result<()> {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let ran = runner.run(&(worlds, plans()), |(world, plan)| {
        let followed = runtime.block_on(follow(subject(world), plan));
        followed.map_err(|error| TestCaseError::fail(format!("{error:#}")))
    });
    ran.map_err(|error| anyhow!("{error}"))
}

/// Does what the plan says, and compares everything at the end.
async fn follow(mut subject: impl Subject, plan: Plan) -> Result<()> {
    let Plan { mut names, steps } = plan;
    names.extend(subject.names());
    let mut containers = subject.open().await?;
    ensure!(!containers.is_empty(), "there is no container to try");
    let mut models: Vec<Model> = containers.iter().map(|_| Model::default()).collect();
    for (number, step) in steps.into_iter().enumerate() {
        let Some(at) = step.container() else {
            containers.clear();
            containers = subject.open().await.with_context(|| format!("step {number}, to open again"))?;
            continue;
        };
        let at = at.index(containers.len());
        let (Some(container), Some(model)) = (containers.get(at), models.get_mut(at)) else { continue };
        let description = format!("step {number} on container {at}, {}", step.describe(&names));
        model.step(&**container, step, &names).await.context(description)?;
    }
    containers.clear();
    containers = subject.open().await.context("to open again at the end")?;
    for (number, (container, model)) in containers.iter().zip(&models).enumerate() {
        model.compare(&**container, &names).await.with_context(|| format!("container {number} at the end"))?;
    }
    Ok(())
}

/// What a container must hold.
#[derive(Default)]
struct Model {
    objects: BTreeMap<String, (ObjectInfo, Vec<u8>)>,
    /// Every etag that an object ever had.
    etags: BTreeSet<String>,
}

impl Model {
    async fn step(&mut self, container: &dyn Container, step: Step, names: &[String]) -> Result<()> {
        match step {
            Step::Put { name, data, options, .. } => {
                self.put(container, name.get::<String>(names), data.bytes(), options.into()).await
            }
            Step::GiveUp { name, data, .. } => {
                let mut upload = container.put(name.get::<String>(names), PutOptions::default()).await?;
                Ok(upload.write(data.bytes().into()).await?)
            }
            Step::Get { name, range, .. } => self.get(container, name.get::<String>(names), range).await,
            Step::Delete { name, .. } => {
                let name: &String = name.get(names);
                self.objects.remove(name);
                Ok(container.delete(name).await?)
            }
            Step::Copy { from, to, .. } => {
                self.copy(container, from.get::<String>(names), to.get::<String>(names)).await
            }
            Step::List { prefix, after, limit, .. } => {
                let after = after.map(|after| after.get::<String>(names).as_str());
                self.list(container, &prefix.of(names), after, limit).await
            }
            Step::Reopen => Ok(()),
        }
    }

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

    async fn compare(&self, container: &dyn Container, names: &[String]) -> Result<()> {
        for name in names {
            self.get(container, name, None).await.with_context(|| format!("{name:?}"))?;
        }
        self.list(container, "", None, 1000).await
    }
}

#[cfg(test)]
mod tests;
