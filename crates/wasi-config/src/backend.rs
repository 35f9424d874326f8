//! `Configuration`, the trait of backends of `wasi:config`, and the state of a store.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tempo_core::Limits;

use crate::{ConfigCtxBuilder, ConfigView, Error};

/// A source of configuration values.
///
/// Values do not change while a component runs: a backend serves the values of the time when it connected.
#[async_trait]
pub trait Configuration: Send + Sync + 'static {
    /// Returns the value of `key`, or `None`. A key is at most 512 bytes long.
    async fn get(&self, key: &str) -> Result<Option<String>, Error>;

    /// Returns all keys with their values, each key once, in any order.
    async fn get_all(&self) -> Result<Vec<(String, String)>, Error>;
}

/// The state of one store: a backend, shared by all stores of a component.
#[derive(Clone)]
pub struct ConfigCtx {
    configuration: Arc<dyn Configuration>,
    max_bytes: usize,
}

impl ConfigCtx {
    /// Returns a builder of a context without values and with the default limits.
    pub fn builder() -> ConfigCtxBuilder {
        ConfigCtxBuilder::default()
    }

    /// Creates the state of a store over `configuration`, with the limit on hostcall bytes of `limits`.
    pub fn new(configuration: Arc<dyn Configuration>, limits: &Limits) -> Self {
        Self { configuration, max_bytes: limits.hostcall_bytes }
    }

    /// Returns the view that host functions use during a call.
    pub fn view(&self) -> ConfigView<'_> {
        ConfigView { configuration: &*self.configuration, max_bytes: self.max_bytes }
    }
}

impl fmt::Debug for ConfigCtx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigCtx").field("max_bytes", &self.max_bytes).finish_non_exhaustive()
    }
}
