//! What a backend of `wasi:config` implements, and what a store carries of it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tempo_core::Limits;

use crate::{ConfigView, Error};

/// A source of configuration values.
///
/// What is visible to a component does not change while it runs: a backend answers from the moment that it connected.
#[async_trait]
pub trait Configuration: Send + Sync + 'static {
    /// The value under `key`, or `None`. A key is at most 512 bytes long.
    async fn get(&self, key: &str) -> Result<Option<String>, Error>;

    /// Every key with its value, each key once, in any order.
    async fn get_all(&self) -> Result<Vec<(String, String)>, Error>;
}

/// What one store carries for the service: a backend, shared by all stores of a component.
#[derive(Clone)]
pub struct ConfigState {
    configuration: Arc<dyn Configuration>,
    max_bytes: usize,
}

impl ConfigState {
    /// A store's share of `configuration`. Of `limits`, the bytes that may cross the border in one call count.
    pub fn new(configuration: Arc<dyn Configuration>, limits: &Limits) -> Self {
        Self { configuration, max_bytes: limits.hostcall_bytes }
    }

    /// What host functions work on during a call.
    pub fn view(&self) -> ConfigView<'_> {
        ConfigView { configuration: &*self.configuration, max_bytes: self.max_bytes }
    }
}

impl fmt::Debug for ConfigState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigState").field("max_bytes", &self.max_bytes).finish_non_exhaustive()
    }
}
