//! The model finds what is wrong with a backend: containers with a flaw do not pass.

use proptest::strategy::Just;

use super::*;
use crate::{Data, Entry, Memory, Upload};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    /// Both containers are one.
    Shares,
    IgnoresCase,
    IgnoresAbsent,
    IgnoresRanges,
    ForgetsDeletes,
    Loses,
}

struct Flawed {
    flaw: Flaw,
    inner: Arc<Memory>,
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
        self.inner.put(name, options).await
    }

    async fn delete(&self, name: &str) -> crate::Result<()> {
        if self.flaw == Flaw::ForgetsDeletes { Ok(()) } else { self.inner.delete(name).await }
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> crate::Result<Vec<Entry>> {
        self.inner.list(prefix, after, limit).await
    }

    async fn copy(&self, from: &str, to: &str) -> crate::Result<ObjectInfo> {
        self.inner.copy(from, to).await
    }
}

struct Two {
    flaw: Option<Flaw>,
    containers: [Arc<Memory>; 2],
}

#[async_trait]
impl Subject for Two {
    async fn open(&mut self) -> Result<Vec<Arc<dyn Container>>> {
        if self.flaw == Some(Flaw::Loses) {
            self.containers = Default::default();
        }
        let [one, other] = self.containers.clone();
        let other = if self.flaw == Some(Flaw::Shares) { one.clone() } else { other };
        let open = |inner| match self.flaw {
            Some(flaw) => Arc::new(Flawed { flaw, inner }) as Arc<dyn Container>,
            None => inner,
        };
        Ok([one, other].map(open).to_vec())
    }
}

fn two(flaw: Option<Flaw>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    run(&runtime, 100, Just(()), |()| Two { flaw, containers: Default::default() })
}

#[test]
fn what_is_right_passes() {
    two(None).unwrap();
}

#[test]
fn every_flaw_is_found() {
    let flaws =
        [Flaw::Shares, Flaw::IgnoresCase, Flaw::IgnoresAbsent, Flaw::IgnoresRanges, Flaw::ForgetsDeletes, Flaw::Loses];
    for flaw in flaws {
        let error = two(Some(flaw)).expect_err("a flaw passed").to_string();
        assert!(error.starts_with("Test failed: "), "{flaw:?}: {error}");
    }
}
