//! Pages of a listing. A stream is ordered by its writes and not by names, so a page costs a walk over all messages.
//!
//! A walk therefore keeps more than a page: a [`Window`] of entries in the order of their names, bounded in bytes, from
//! which the next pages are taken. A window stays current: before each page the server reports whether the stream has
//! changed, and the changes since are read.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::{Info, Stream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use self::window::{Listed, Window};
use crate::connection::Connection;
use crate::error::NatsError;
use crate::fetch;

pub(crate) mod window;

/// Timeout of a page, which constant writes could otherwise extend forever.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);

/// Inactivity after which the server deletes the consumer of an abandoned walk.
const INACTIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum concurrent walks of a bucket, and windows that it keeps.
const MAX_WINDOWS: usize = 4;

/// Time after its last use, and after its walk, for which a window is kept. A removal without a message, such as a purge by
/// an operator, is noticed with the next walk.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_WINDOW_AGE: Duration = Duration::from_secs(60);

/// Maximum new messages that are read to bring a window up to date. With more a new walk is quicker.
const MAX_CATCH_UP: u64 = 50_000;

/// The messages that a listing reads, and how it reads them.
pub(crate) struct Source<'a, F> {
    pub(crate) stream: &'a Stream,
    pub(crate) subjects: String,
    /// The start of a walk: `LastPerSubject` if a subject may have several messages.
    pub(crate) from: DeliverPolicy,
    pub(crate) headers_only: bool,
    /// Messages per fetch.
    pub(crate) batch: usize,
    /// True if every removal of an entry is a message that outlives a window.
    pub(crate) reports_removals: bool,
    /// Reads the name and the entry of a message; no entry if the message removes it.
    pub(crate) parse: F,
}

/// The windows of a bucket.
pub(crate) struct Windows<T> {
    /// The last used one comes last.
    kept: Mutex<Vec<Window<T>>>,
    walks: Semaphore,
}

/// The state of a stream. Equal states have equal messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamState {
    created: i128,
    messages: u64,
    first: u64,
    last: u64,
}

impl StreamState {
    fn of(info: &Info) -> Self {
        let state = &info.state;
        let created = info.created.unix_timestamp_nanos();
        Self { created, messages: state.messages, first: state.first_sequence, last: state.last_sequence }
    }
}

impl<T: Listed> Windows<T> {
    pub(crate) fn new() -> Self {
        Self { kept: Mutex::default(), walks: Semaphore::new(MAX_WINDOWS) }
    }

    /// Returns the first `limit` entries whose names begin with `prefix` and follow `after`.
    pub(crate) async fn page<F>(
        &self,
        connection: &Connection,
        source: &Source<'_, F>,
        (prefix, after): (&str, Option<&str>),
        limit: usize,
    ) -> Result<Vec<(String, T)>, NatsError>
    where
        F: Fn(&Message) -> Option<(String, Option<T>)>,
    {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let deadline = Instant::now().checked_add(LIST_TIMEOUT).ok_or(NatsError::Timeout)?;
        let page = connection.request(self.take_page(source, (prefix, after), limit));
        timeout_at(deadline, page).await.map_err(|_| NatsError::Timeout)?.map_err(NatsError::from)?
    }

    async fn take_page<F>(
        &self,
        source: &Source<'_, F>,
        (prefix, after): (&str, Option<&str>),
        limit: usize,
    ) -> Result<Vec<(String, T)>, NatsError>
    where
        F: Fn(&Message) -> Option<(String, Option<T>)>,
    {
        let _permit = self.walks.acquire().await.map_err(|_| NatsError::Other)?;
        if let Some(mut window) = self.take(prefix, after)
            && source.catch_up(&mut window).await?
            && let Some(page) = window.page(prefix, after, limit)
        {
            self.keep(window, page.len() < limit);
            return Ok(page);
        }
        let mut room = limit;
        loop {
            let mut window = Window::new(prefix, after, room);
            source.walk(&mut window).await?;
            if let Some(page) = window.page(prefix, after, limit) {
                self.keep(window, page.len() < limit);
                return Ok(page);
            }
            // Entries that were removed during the walk took the places of others.
            room = room.saturating_add(window.removed());
        }
    }

    /// Takes the window that has the entries of a page out of those that are kept.
    fn take(&self, prefix: &str, after: Option<&str>) -> Option<Window<T>> {
        let mut windows = self.kept();
        windows.retain(|window| window.is_fresh(IDLE_TIMEOUT, MAX_WINDOW_AGE));
        let place = windows.iter().rposition(|window| window.covers(prefix, after))?;
        Some(windows.remove(place))
    }

    /// Keeps a window for the next page, unless the page was the last.
    fn keep(&self, mut window: Window<T>, is_last: bool) {
        if is_last {
            return;
        }
        window.touch();
        let mut windows = self.kept();
        windows.push(window);
        if windows.len() > MAX_WINDOWS {
            windows.remove(0);
        }
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Window<T>>> {
        // A panic under the lock leaves whole windows.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T, F> Source<'_, F>
where
    T: Listed,
    F: Fn(&Message) -> Option<(String, Option<T>)>,
{
    /// Reads all messages into a new window.
    async fn walk(&self, window: &mut Window<T>) -> Result<(), NatsError> {
        let state = self.state().await?;
        self.read(window, self.from).await?;
        window.set_state(state);
        Ok(())
    }

    /// Reads the messages since the last page into a window. Returns false if a new walk is needed.
    async fn catch_up(&self, window: &mut Window<T>) -> Result<bool, NatsError> {
        let state = self.state().await?;
        let Some(before) = window.state() else { return Ok(false) };
        if before == state {
            return Ok(true);
        }
        let new = state.last.checked_sub(before.last).filter(|new| *new <= MAX_CATCH_UP);
        if before.created != state.created || new.is_none() || !self.reports_removals {
            return Ok(false);
        }
        let from = DeliverPolicy::ByStartSequence { start_sequence: before.last.saturating_add(1) };
        if new != Some(0) {
            self.read(window, from).await?;
        }
        window.set_state(state);
        Ok(true)
    }

    async fn state(&self) -> Result<StreamState, NatsError> {
        Ok(StreamState::of(&self.stream.get_info().await.map_err(NatsError::from)?))
    }

    async fn read(&self, window: &mut Window<T>, from: DeliverPolicy) -> Result<(), NatsError> {
        let config = pull::Config {
            deliver_policy: from,
            ack_policy: AckPolicy::None,
            filter_subject: self.subjects.clone(),
            headers_only: self.headers_only,
            inactive_threshold: INACTIVE_TIMEOUT,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let consumer = self.stream.create_consumer(config).await.map_err(NatsError::from)?;
        let read = fetch::all(self.stream, &consumer, self.batch, |message| {
            let Some(sequence) = message.info().ok().map(|info| info.stream_sequence) else { return };
            match (self.parse)(&message) {
                Some((name, Some(entry))) => window.add(name, entry, sequence),
                Some((name, None)) => window.remove(&name, sequence),
                None => {}
            }
        });
        let read = read.await.map_err(|error| NatsError::other(&*error));
        // Delete it: the server would keep it until its inactivity timeout.
        self.stream.delete_consumer(&consumer.cached_info().name).await.ok();
        read
    }
}
