//! [`MessagingCtxBuilder`]: the brokers and limits of a context, in an embedding.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tempo_backend::Backends;
use tempo_core::Limits;

use crate::allowed::AllowedTopics;
use crate::{Broker, FileBroker, MemoryBroker, MessagingCtx, MessagingLimits};

/// Builds a [`MessagingCtx`] from brokers with the names that a component opens. A name that is given again replaces the
/// broker of before.
pub struct MessagingCtxBuilder {
    brokers: BTreeMap<String, Arc<dyn Broker>>,
    files: BTreeMap<String, PathBuf>,
    /// Each with the name of its broker; without any, all topics are allowed.
    topics: Vec<(String, String)>,
    limits: MessagingLimits,
    host_memory: usize,
}

impl MessagingCtxBuilder {
    pub(crate) fn new() -> Self {
        let defaults = Limits::default();
        let (limits, host_memory) = (MessagingLimits::new(&defaults), defaults.host_memory);
        Self { brokers: BTreeMap::new(), files: BTreeMap::new(), topics: Vec::new(), limits, host_memory }
    }

    /// Adds a new broker in memory.
    #[must_use]
    pub fn memory(self, name: impl Into<String>) -> Self {
        self.broker(name, Arc::new(MemoryBroker::default()))
    }

    /// Adds the broker in the database file at `path`, which [`build`](Self::build) opens, or creates.
    #[must_use]
    pub fn file(mut self, name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        let name = name.into();
        self.brokers.remove(&name);
        self.files.insert(name, path.into());
        self
    }

    /// Adds a broker of any backend.
    #[must_use]
    pub fn broker(mut self, name: impl Into<String>, broker: Arc<dyn Broker>) -> Self {
        let name = name.into();
        self.files.remove(&name);
        self.brokers.insert(name, broker);
        self
    }

    /// Allows the component to send on the topics of the broker `name` that match `filter`, such as `orders.>`, and on no
    /// others. Without it, all topics are allowed.
    #[must_use]
    pub fn allow_topic(mut self, name: impl Into<String>, filter: impl Into<String>) -> Self {
        self.topics.push((name.into(), filter.into()));
        self
    }

    /// Sets the maximum payload of a message that the component sends. Default: 1 MiB.
    #[must_use]
    pub fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.limits.payload = bytes;
        self
    }

    /// Sets the maximum size of all answers to one request. Default: 16 MiB.
    #[must_use]
    pub fn max_answer_bytes(mut self, bytes: usize) -> Self {
        self.limits.answer = bytes;
        self
    }

    /// Sets the maximum time that a request waits for its answers. Default: 30 s.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.limits.request = timeout;
        self
    }

    /// Sets the bytes that the host holds for the messages of one store. Default: 32 MiB.
    #[must_use]
    pub fn max_host_memory(mut self, bytes: usize) -> Self {
        self.host_memory = bytes;
        self
    }

    /// Opens the files and returns the context.
    ///
    /// # Errors
    ///
    /// A file cannot be opened: see [`FileBroker::open`].
    pub async fn build(self) -> tempo_settings::Result<MessagingCtx> {
        let mut brokers = self.brokers;
        for (name, path) in self.files {
            brokers.insert(name, Arc::new(FileBroker::open(&path).await?));
        }
        let mut limits = Limits::default();
        limits.host_memory = self.host_memory;
        let context = MessagingCtx::new(Backends::new(brokers), &limits).with_limits(self.limits);
        if self.topics.is_empty() {
            return Ok(context);
        }
        let topics = self.topics.iter().map(|(name, filter)| (name.as_str(), filter.as_str()));
        Ok(context.with_allowed_topics(AllowedTopics::only(topics)))
    }
}

impl fmt::Debug for MessagingCtxBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.brokers.keys().chain(self.files.keys()).collect();
        f.debug_struct("MessagingCtxBuilder").field("brokers", &names).field("limits", &self.limits).finish()
    }
}
