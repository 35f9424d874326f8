//! [`ConfigCtxBuilder`]: the values and limits of a context, in an embedding.

use std::fmt;
use std::sync::Arc;

use tempo_core::Limits;

use crate::{ConfigCtx, Configuration, Values};

/// Builds a [`ConfigCtx`] from values, or from a [`Configuration`].
#[derive(Default)]
pub struct ConfigCtxBuilder {
    values: Values,
    source: Option<Arc<dyn Configuration>>,
    limits: Limits,
}

impl ConfigCtxBuilder {
    /// Adds the value of a key. The last value of a key wins.
    #[must_use]
    pub fn value(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.values.extend([(key, value)]);
        self
    }

    /// Serves the values of `source`, in place of those given with [`value`](Self::value).
    #[must_use]
    pub fn source(mut self, source: Arc<dyn Configuration>) -> Self {
        self.source = Some(source);
        self
    }

    /// Sets the maximum size of the answer to one call. Default: 16 MiB.
    #[must_use]
    pub fn max_answer_bytes(mut self, bytes: usize) -> Self {
        self.limits.hostcall_bytes = bytes;
        self
    }

    /// Returns the context.
    pub fn build(self) -> ConfigCtx {
        let source = self.source.unwrap_or_else(|| Arc::new(self.values));
        ConfigCtx::new(source, &self.limits)
    }
}

impl fmt::Debug for ConfigCtxBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigCtxBuilder").field("values", &self.values).finish_non_exhaustive()
    }
}
