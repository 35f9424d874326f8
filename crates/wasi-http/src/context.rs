//! [`HttpCtx`]: the state of the service in one store, and its builder for an embedding.

use std::fmt;
use std::sync::Arc;

use tempo_backend::ByteBudget;
use tempo_core::Limits;
use tempo_settings::{Error, ErrorKind};
use wasmtime::component::ResourceTable;
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView};

use crate::chain::Chain;
use crate::client::NextHooks;
use crate::{Client, ClientConfig, HeldBytes, Hooks, HttpView, Policy};

/// Header data of one guest's request or response, in bytes.
const FIELD_BYTES: usize = 128 << 10;

/// The state of the service in one store.
pub struct HttpCtx {
    context: WasiHttpCtx,
    hooks: Hooks,
    held: HeldBytes,
    /// Sends the requests that middleware passes on, if the component is part of an app.
    next: Option<NextHooks>,
}

impl HttpCtx {
    /// Returns a builder of a context that allows no request, with the default limits.
    pub fn builder() -> HttpCtxBuilder {
        let (config, bytes) = (ClientConfig::default(), Limits::default().host_memory);
        HttpCtxBuilder { urls: Vec::new(), addresses: Vec::new(), config, client: None, bytes }
    }

    pub(crate) fn new(hooks: Hooks, bytes: &ByteBudget) -> Self {
        let mut context = WasiHttpCtx::new();
        context.set_field_size_limit(FIELD_BYTES);
        let hooks = hooks.with_budget(bytes);
        let next = hooks.is_in_app().then(|| NextHooks::new(hooks.clone()));
        Self { context, hooks, held: HeldBytes::new(bytes), next }
    }

    /// Lets the component reach those of `chain`.
    pub(crate) fn connect_chain(&self, chain: Arc<Chain>) {
        self.hooks.connect_chain(chain);
    }

    /// Returns the view for a host call.
    pub fn view<'a>(&'a mut self, table: &'a mut ResourceTable) -> HttpView<'a> {
        let http = WasiHttpCtxView { hooks: &mut self.hooks, table, ctx: &mut self.context };
        HttpView { http, held: &mut self.held, next: self.next.as_mut() }
    }
}

impl fmt::Debug for HttpCtx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpCtx").field("held", &self.held).finish_non_exhaustive()
    }
}

/// Builds an [`HttpCtx`].
pub struct HttpCtxBuilder {
    urls: Vec<String>,
    addresses: Vec<String>,
    config: ClientConfig,
    client: Option<Client>,
    bytes: usize,
}

impl HttpCtxBuilder {
    /// Allows requests to a URL, such as `https://api.example.com`: see [`Policy::new`].
    #[must_use]
    pub fn allow(mut self, url: impl Into<String>) -> Self {
        self.urls.push(url.into());
        self
    }

    /// Allows private addresses that the allowed names may resolve to, such as `10.0.0.0/8`.
    #[must_use]
    pub fn allow_address(mut self, range: impl Into<String>) -> Self {
        self.addresses.push(range.into());
        self
    }

    /// Sets the limits of the client.
    #[must_use]
    pub fn config(mut self, config: ClientConfig) -> Self {
        self.config = config;
        self
    }

    /// Sends requests through `client`, under its policy, in place of a client of the context's own. Stores that share a
    /// client share its connections.
    #[must_use]
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// Sets the bytes that the host holds for the requests of one store. Default: 32 MiB.
    #[must_use]
    pub fn max_host_memory(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// Returns the context.
    ///
    /// # Errors
    ///
    /// An allowed URL or address is malformed, or a file of certificate authorities cannot be read.
    pub fn build(self) -> tempo_settings::Result<HttpCtx> {
        let client = match self.client {
            Some(client) => client,
            None => {
                let addresses = self.addresses.iter().map(String::as_str);
                let policy = Policy::new(self.urls.iter().map(String::as_str), addresses);
                let bad = |error: crate::GrantError| Error::new(ErrorKind::BadConfiguration, error.to_string());
                Client::new(self.config, policy.map_err(bad)?)?
            }
        };
        Ok(HttpCtx::new(Hooks::new(client), &ByteBudget::new(self.bytes)))
    }
}

impl fmt::Debug for HttpCtxBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A granted URL may contain a password.
        f.debug_struct("HttpCtxBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}
