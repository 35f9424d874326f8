//! `Bucket`: an open store, which all versions of the interface share. Its functions are the operations of the guest: each
//! checks the limits, reserves its memory, and is measured under its name in WIT.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tempo_backend::{ByteBudget, Reservation};
use tempo_telemetry::Operations;

use crate::atomics::no_lifetime;
use crate::limits::ELEMENT_OVERHEAD_BYTES;
use crate::{Condition, Entry, Error, ErrorKind, KeyValueLimits, KeyValueStore, Result};

/// Keys per page.
const PAGE: usize = 1000;

/// A store that a component has opened, with its limits.
#[derive(Clone)]
pub struct Bucket {
    pub(crate) store: Arc<dyn KeyValueStore>,
    pub(crate) limits: KeyValueLimits,
    /// Budget for the arguments and answers of calls in progress.
    pub(crate) bytes: ByteBudget,
    /// Whether a call waits for bytes that other calls hold. Not where the guest blocks during a call: then no other
    /// call could end.
    waits: bool,
    /// End of the last page requested by number, so that the next one need not count from the start.
    mark: Option<(u64, String)>,
    /// Spans and metrics, if telemetry is on.
    operations: Option<Arc<Operations>>,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Bucket");
        debug.field("limits", &self.limits).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// A page of keys.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) keys: Vec<String>,
    /// Whether more keys follow.
    pub(crate) more: bool,
}

impl Page {
    /// The last key, if more follow.
    pub(crate) fn cursor(&self) -> Option<String> {
        self.keys.last().filter(|_| self.more).cloned()
    }
}

impl Bucket {
    /// Creates a handle of `store`. Calls reserve their memory in `bytes`.
    pub(crate) fn new(store: Arc<dyn KeyValueStore>, limits: KeyValueLimits, bytes: ByteBudget) -> Self {
        Self { store, limits, bytes, waits: false, mark: None, operations: None }
    }

    /// Records spans and metrics with `operations`.
    pub(crate) fn with_operations(self, operations: Option<Arc<Operations>>) -> Self {
        Self { operations, ..self }
    }

    /// Returns a handle for calls during which the guest keeps running.
    pub(crate) fn waiting(self) -> Self {
        Self { waits: true, ..self }
    }

    /// Reserves the arguments of a call, without waiting: they are in memory already.
    pub(crate) fn arguments(&self, bytes: usize) -> Result<Reservation> {
        Ok(self.bytes.try_reserve(bytes)?)
    }

    /// Reserves `bytes` for an answer in advance, but leaves budget for other calls. A larger answer is reserved once
    /// read.
    pub(crate) async fn answer(&self, call: &mut Reservation, bytes: usize) -> Result<usize> {
        let bytes = bytes.min(self.bytes.limit() / 4);
        if self.waits {
            call.grow(bytes).await?
        } else {
            call.try_grow(bytes)?
        }
        Ok(bytes)
    }

    /// Runs `work` as the guest's operation `name`.
    pub(crate) async fn measure<T>(&self, name: &'static str, work: impl Future<Output = Result<T>>) -> Result<T> {
        let result = match &self.operations {
            Some(operations) => operations.instrument(name, |error: &Error| error.kind().name(), work).await,
            None => work.await,
        };
        if let Err(error) = &result {
            // Most interfaces do not return the text.
            tracing::debug!(operation = name, kind = ?error.kind(), "{error}");
        }
        result
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let entry = self.measure("get", self.find(key)).await?;
        Ok(entry.map(|entry| entry.value.into()))
    }

    /// Reads the entry under `key`, for compare-and-swap.
    pub(crate) async fn current(&self, key: &str) -> Result<Option<Entry>> {
        self.measure("current", self.find(key)).await
    }

    async fn find(&self, key: &str) -> Result<Option<Entry>> {
        self.limits.check_key(key)?;
        let mut call = self.arguments(key.len())?;
        self.entry(&mut call, key).await
    }

    /// Reads the entry under `key`. The value is reserved in `call`.
    pub(crate) async fn entry(&self, call: &mut Reservation, key: &str) -> Result<Option<Entry>> {
        let before = call.bytes();
        self.answer(call, self.limits.value).await?;
        let entry = self.read(key).await?;
        let size = entry.as_ref().map_or(0, |entry| entry.value.len());
        call.try_resize(before.saturating_add(size))?;
        Ok(entry)
    }

    /// Reads the entry under `key`. The caller has reserved its memory.
    pub(crate) async fn read(&self, key: &str) -> Result<Option<Entry>> {
        self.limits.check_key(key)?;
        let entry = self.store.get(key).await?;
        if let Some(entry) = &entry {
            // Other programs may have larger limits.
            self.limits.room().take(entry.value.len())?;
        }
        Ok(entry)
    }

    pub(crate) async fn set(&self, key: &str, value: Vec<u8>) -> Result<()> {
        self.set_if(key, value, None, Condition::Always).await
    }

    /// Writes with a lifetime of `ttl` milliseconds if `condition` holds.
    pub(crate) async fn set_if(&self, key: &str, value: Vec<u8>, ttl: Option<u64>, condition: Condition) -> Result<()> {
        self.measure("set", self.put(key, value, ttl, condition)).await
    }

    async fn put(&self, key: &str, value: Vec<u8>, ttl: Option<u64>, condition: Condition) -> Result<()> {
        self.limits.check_key(key)?;
        self.limits.check_value(&value)?;
        let _call = self.arguments(key.len().saturating_add(value.len()))?;
        if ttl == Some(0) {
            return Err(no_lifetime());
        }
        self.store.set(key, Bytes::from(value), ttl.map(Duration::from_millis), condition).await.map(drop)
    }

    pub(crate) async fn delete(&self, key: &str) -> Result<()> {
        let delete = async {
            self.limits.check_key(key)?;
            let _call = self.arguments(key.len())?;
            self.store.delete(key).await
        };
        self.measure("delete", delete).await
    }

    pub(crate) async fn exists(&self, key: &str) -> Result<bool> {
        let exists = async {
            let _call = self.look(key).await?;
            self.store.exists(key).await
        };
        self.measure("exists", exists).await
    }

    /// Checks `key`, and reserves memory for an operation on it that returns no value. Some backends read the value.
    pub(crate) async fn look(&self, key: &str) -> Result<Reservation> {
        self.limits.check_key(key)?;
        let mut call = self.arguments(key.len())?;
        self.answer(&mut call, self.limits.value).await?;
        Ok(call)
    }

    /// Lists the first page of keys that begin with `prefix` and follow `after`.
    pub(crate) async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Page> {
        self.measure("list-keys", self.first_page(prefix, after)).await
    }

    async fn first_page(&self, prefix: &str, after: Option<&str>) -> Result<Page> {
        let given = prefix.len().saturating_add(after.map_or(0, str::len));
        let _call = self.page(given).await?;
        // One more than fits, to see whether more follow.
        let mut keys = self.store.keys(prefix, after, PAGE.saturating_add(1)).await?;
        let mut room = self.limits.room();
        let fitting = keys.iter().take(PAGE).take_while(|key| room.fits(key.len())).count();
        let more = keys.len() > fitting;
        if more && fitting == 0 {
            return Err(Error::new(ErrorKind::Other, "a key is larger than what an answer may be"));
        }
        keys.truncate(fitting);
        Ok(Page { keys, more })
    }

    /// Lists the page after `passed` keys, and returns the number passed after it if more follow.
    pub(crate) async fn list_by_number(&mut self, passed: u64) -> Result<(Vec<String>, Option<u64>)> {
        let mark = self.mark.take().filter(|(number, _)| *number == passed);
        let page = self.measure("list-keys", self.page_after(passed, mark.map(|(_, key)| key))).await?;
        let count = u64::try_from(page.keys.len()).unwrap_or(u64::MAX);
        self.mark = page.cursor().map(|key| (passed.saturating_add(count), key));
        Ok((page.keys, self.mark.as_ref().map(|(number, _)| *number)))
    }

    /// Lists the page after `passed` keys, the last of which is `after` if that is known.
    async fn page_after(&self, passed: u64, after: Option<String>) -> Result<Page> {
        let after = match after {
            Some(key) => Some(key),
            None => self.key_at(passed).await?,
        };
        if passed > 0 && after.is_none() {
            return Ok(Page { keys: Vec::new(), more: false });
        }
        self.first_page("", after.as_deref()).await
    }

    /// Reserves a page of keys in `call`.
    async fn page(&self, given: usize) -> Result<Reservation> {
        let mut call = self.arguments(given)?;
        self.answer(&mut call, PAGE.saturating_mul(self.limits.key.saturating_add(ELEMENT_OVERHEAD_BYTES))).await?;
        Ok(call)
    }

    /// Returns the last of the first `number` keys, if there are so many.
    async fn key_at(&self, number: u64) -> Result<Option<String>> {
        let _call = self.page(0).await?;
        let mut left = usize::try_from(number).unwrap_or(usize::MAX);
        let mut after: Option<String> = None;
        while left > 0 {
            let page = left.min(PAGE);
            let keys = self.store.keys("", after.as_deref(), page).await?;
            if keys.len() < page {
                return Ok(None);
            }
            left = left.saturating_sub(page);
            after = keys.into_iter().last();
            // A long walk through an embedded store must not block the thread.
            tokio::task::yield_now().await;
        }
        Ok(after)
    }
}

#[cfg(test)]
mod tests {
    use tempo_backend::ByteBudget;
    use tempo_core::Limits;

    use super::*;
    use crate::MemoryStore;

    fn bucket(answer: usize) -> Bucket {
        let limits = KeyValueLimits { answer, ..KeyValueLimits::new(&Limits::default()) };
        Bucket::new(Arc::new(MemoryStore::default()), limits, ByteBudget::new(32 << 20))
    }

    async fn filled(count: usize) -> Bucket {
        let bucket = bucket(16 << 20);
        for number in 0..count {
            bucket.set(&format!("{number:05}"), Vec::new()).await.unwrap();
        }
        bucket
    }

    #[tokio::test]
    async fn pages_at_the_edge() {
        for (count, more) in [(999, false), (1000, false), (1001, true)] {
            let bucket = filled(count).await;
            let page = bucket.list("", None).await.unwrap();
            assert_eq!((page.keys.len(), page.more), (count.min(1000), more));
            assert_eq!(page.cursor().is_some(), more);
        }
    }

    #[tokio::test]
    async fn numbers_are_cursors_too_in_any_order() {
        let mut bucket = filled(2500).await;
        let (first, next) = bucket.list_by_number(0).await.unwrap();
        assert_eq!((first.len(), next), (1000, Some(1000)));
        let (second, next) = bucket.list_by_number(1000).await.unwrap();
        assert_eq!((second[0].as_str(), next), ("01000", Some(2000)));
        let (last, next) = bucket.list_by_number(2000).await.unwrap();
        assert_eq!((last.len(), next), (500, None));
        let (middle, next) = bucket.list_by_number(1234).await.unwrap();
        assert_eq!((middle[0].as_str(), next), ("01234", Some(2234)));
        assert_eq!(bucket.list_by_number(2499).await.unwrap().0, ["02499"]);
        assert_eq!(bucket.list_by_number(2500).await.unwrap(), (Vec::new(), None));
        assert_eq!(bucket.list_by_number(2501).await.unwrap(), (Vec::new(), None));
        assert_eq!(bucket.list_by_number(u64::MAX).await.unwrap(), (Vec::new(), None));
    }

    #[tokio::test]
    async fn a_page_is_no_larger_than_an_answer_may_be() {
        // Each key takes 10 + 32 bytes.
        for (answer, keys) in [(83, 1), (84, 2), (85, 2)] {
            let bucket = bucket(answer);
            for letter in ["a", "b", "c"] {
                bucket.set(&letter.repeat(10), Vec::new()).await.unwrap();
            }
            let page = bucket.list("", None).await.unwrap();
            assert_eq!((page.keys.len(), page.more), (keys, true), "{answer}");
        }
        let bucket = bucket(41);
        bucket.set(&"a".repeat(10), Vec::new()).await.unwrap();
        assert!(bucket.list("", None).await.is_err());
    }

    #[tokio::test]
    async fn what_is_too_large_is_refused_and_not_written() {
        let bucket = bucket(16 << 20);
        let kind = |result: Result<()>| result.unwrap_err().kind();
        assert_eq!(kind(bucket.set("", Vec::new()).await), ErrorKind::InvalidArgument);
        assert_eq!(kind(bucket.set("k", vec![0; (1 << 20) + 1]).await), ErrorKind::InvalidArgument);
        assert_eq!(kind(bucket.set_if("k", Vec::new(), Some(0), Condition::Always).await), ErrorKind::InvalidArgument);
        assert!(!bucket.exists("k").await.unwrap());
        bucket.set_if("k", vec![0; 1 << 20], Some(u64::MAX), Condition::Always).await.unwrap();
        assert_eq!(bucket.get("k").await.unwrap().unwrap().len(), 1 << 20);
    }
}
