//! `stream-object-names`: a listing that is read page by page.

use std::collections::VecDeque;
use std::sync::Arc;

use wasmtime::component::Resource;

use super::{Answer, answer};
use crate::bindings::draft::wasi::blobstore::container::HostStreamObjectNames;
use crate::{BlobstoreView, Container, Result};

/// Names per page, from the backend and to the guest.
const PAGE: usize = 1000;

/// What a name costs beyond its text: an address and a length in the guest's memory.
const NAME_OVERHEAD: usize = 8;

/// A listing on its way to a guest. It holds one page at most.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct ObjectNames {
    container: Arc<dyn Container>,
    page: VecDeque<String>,
    /// The last name of the page.
    last: Option<String>,
    /// Whether no page comes after this one.
    ended: bool,
    max_answer: usize,
}

impl ObjectNames {
    pub(super) fn new(container: Arc<dyn Container>, max_answer: usize) -> Self {
        Self { container, page: VecDeque::new(), last: None, ended: false, max_answer }
    }

    /// Gets the next page if this one is used up. Whether there is a name.
    async fn fill(&mut self) -> Result<bool> {
        if self.page.is_empty() && !self.ended {
            let page = self.container.list("", self.last.as_deref(), PAGE).await?;
            self.ended = page.len() < PAGE;
            self.last = page.last().map(|entry| entry.name.clone());
            self.page = page.into_iter().map(|entry| entry.name).collect();
        }
        Ok(!self.page.is_empty())
    }

    /// The next names, at most `count` and at most a page, and whether there are no more.
    async fn read(&mut self, count: u64) -> Result<(Vec<String>, bool)> {
        let count = usize::try_from(count).unwrap_or(PAGE).min(PAGE);
        let mut names = Vec::new();
        let mut room = self.max_answer;
        while names.len() < count && self.fill().await? {
            let cost = self.page.front().map_or(0, |name| name.len().saturating_add(NAME_OVERHEAD));
            if cost > room && !names.is_empty() {
                break;
            }
            room = room.saturating_sub(cost);
            names.extend(self.page.pop_front());
        }
        Ok((names, !self.fill().await?))
    }

    async fn skip(&mut self, count: u64) -> Result<(u64, bool)> {
        let mut skipped: u64 = 0;
        while skipped < count && self.fill().await? {
            let left = usize::try_from(count.saturating_sub(skipped)).unwrap_or(usize::MAX);
            let here = left.min(self.page.len());
            self.page.drain(..here);
            skipped = skipped.saturating_add(here as u64);
        }
        Ok((skipped, !self.fill().await?))
    }
}

impl HostStreamObjectNames for BlobstoreView<'_> {
    async fn read_stream_object_names(&mut self, this: Resource<ObjectNames>, len: u64) -> Answer<(Vec<String>, bool)> {
        answer(self.table.get_mut(&this)?.read(len).await)
    }

    async fn skip_stream_object_names(&mut self, this: Resource<ObjectNames>, num: u64) -> Answer<(u64, bool)> {
        answer(self.table.get_mut(&this)?.skip(num).await)
    }

    async fn drop(&mut self, this: Resource<ObjectNames>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
