//! The service: links the interfaces, and holds the state of a store.

use std::fmt;
use std::sync::Arc;

use tempo_backend::{Backends, ByteBudget};
use tempo_core::{Limits, Provide, Service, StoreData};
use tempo_settings::DEFAULT_NAME;
use wasmtime::component::{HasData, Linker, LinkerInstance, ResourceTable};

use crate::allowed::{Allowed, AllowedTopics};
use crate::bindings::{draft, tempo, wasmcloud_v0_2, wasmcloud_v0_3};
use crate::client::{Client, Handled};
use crate::replies::ReplyTopics;
use crate::{Broker, Message, MessagingCtxBuilder, MessagingLimits, labels};

/// The host service for `tempo:messaging`, `wasi:messaging` and `wasmcloud:messaging`.
#[derive(Clone, Copy, Debug)]
pub struct WasiMessaging;

/// Per-store state of the service: the brokers, shared by the component's stores, and its messages in progress.
pub struct MessagingCtx {
    brokers: Backends<dyn Broker>,
    allowed: AllowedTopics,
    limits: MessagingLimits,
    bytes: ByteBudget,
    handled: Option<Handled>,
    replies: ReplyTopics,
}

impl MessagingCtx {
    /// Returns a builder of a context without brokers and with the default limits.
    pub fn builder() -> MessagingCtxBuilder {
        MessagingCtxBuilder::new()
    }

    /// Creates a state with `brokers`. Uses the limits for hostcall bytes, host memory and the request timeout.
    pub fn new(brokers: Backends<dyn Broker>, limits: &Limits) -> Self {
        let (allowed, replies) = (AllowedTopics::default(), ReplyTopics::default());
        let (limits, bytes) = (MessagingLimits::new(limits), ByteBudget::new(limits.host_memory));
        Self { brokers, allowed, limits, bytes, handled: None, replies }
    }

    /// Sets other limits.
    pub fn with_limits(self, limits: MessagingLimits) -> Self {
        Self { limits, ..self }
    }

    /// Restricts the topics for publishing and requests.
    pub fn with_allowed_topics(self, allowed: AllowedTopics) -> Self {
        Self { allowed, ..self }
    }

    /// Creates the state of another store, with the same brokers and its own budget `bytes`.
    pub fn for_another_store(&self, bytes: &ByteBudget) -> Self {
        let (brokers, allowed) = (self.brokers.clone(), self.allowed.clone());
        let (bytes, replies) = (bytes.clone(), ReplyTopics::default());
        Self { brokers, allowed, limits: self.limits, bytes, handled: None, replies }
    }

    /// Returns the view for a host call.
    pub fn view<'a>(&'a mut self, table: &'a mut ResourceTable) -> MessagingView<'a> {
        MessagingView { state: self, table }
    }

    pub(crate) fn brokers(&self) -> &Backends<dyn Broker> {
        &self.brokers
    }

    pub(crate) fn limits(&self) -> MessagingLimits {
        self.limits
    }

    pub(crate) fn bytes(&self) -> &ByteBudget {
        &self.bytes
    }
}

impl fmt::Debug for MessagingCtx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.brokers.iter().map(|(name, _)| name).collect();
        f.debug_struct("MessagingCtx").field("brokers", &names).field("limits", &self.limits).finish()
    }
}

/// A view of a store's state and resource table for one host call.
pub struct MessagingView<'a> {
    pub(crate) state: &'a mut MessagingCtx,
    pub(crate) table: &'a mut ResourceTable,
}

impl fmt::Debug for MessagingView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessagingView").finish_non_exhaustive()
    }
}

impl MessagingView<'_> {
    /// Marks `message`, delivered by `broker`, as being handled: a message published on its `reply-to` is an answer to
    /// it.
    pub(crate) fn handling(&mut self, broker: Arc<dyn Broker>, message: &Message) {
        self.state.handled = Some(Handled::new(broker, message));
    }

    /// Ends the handling.
    pub(crate) fn handled(&mut self) {
        self.state.handled = None;
    }

    /// Returns the broker `name` and its allowed topics. An empty name is the default.
    pub(crate) fn broker(&self, name: &str) -> (Option<Arc<dyn Broker>>, Allowed) {
        let name = if name.is_empty() { DEFAULT_NAME } else { name };
        (self.state.brokers.get(name).cloned(), self.state.allowed.of(name))
    }

    /// Creates the client of one call on `broker`.
    pub(crate) fn client(&self, broker: Option<Arc<dyn Broker>>, allowed: Allowed) -> Client {
        let MessagingCtx { limits, bytes, handled, replies, .. } = &*self.state;
        let (handled, replies) = (handled.clone(), replies.clone());
        Client { broker, allowed, handled, replies, limits: *limits, bytes: bytes.clone() }
    }

    /// Creates the client of the broker `name`.
    pub(crate) fn named(&self, name: &str) -> Client {
        let (broker, allowed) = self.broker(name);
        self.client(broker, allowed)
    }
}

impl HasData for WasiMessaging {
    type Data<'a> = MessagingView<'a>;
}

impl Service for WasiMessaging {
    const INTERFACES: &'static [&'static str] = &[
        "tempo:messaging/types",
        "tempo:messaging/producer",
        "wasi:messaging/types",
        "wasi:messaging/producer",
        "wasi:messaging/request-reply",
        "wasmcloud:messaging/types",
        "wasmcloud:messaging/consumer",
    ];
    const PACKAGES: &'static [&'static str] = &[
        "tempo:messaging@0.1.0",
        "wasi:messaging@0.2.0-draft",
        "wasmcloud:messaging@0.2.0",
        "wasmcloud:messaging@0.3.0",
    ];
    const CONCURRENT_PACKAGES: &'static [&'static str] = &["tempo:messaging@0.1.0", "wasmcloud:messaging@0.3.0"];
    const LABELLED: &'static [&'static str] = &["tempo:messaging/producer", "wasmcloud:messaging/consumer"];

    type State = MessagingCtx;

    fn view<'a>(state: &'a mut MessagingCtx, table: &'a mut ResourceTable) -> MessagingView<'a> {
        state.view(table)
    }

    fn add_to_linker<T: Provide<Self>>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
        draft::wasi::messaging::types::add_to_linker::<T, Self>(linker, T::provide)?;
        draft::wasi::messaging::producer::add_to_linker::<T, Self>(linker, T::provide)?;
        draft::wasi::messaging::request_reply::add_to_linker::<T, Self>(linker, T::provide)?;
        wasmcloud_v0_2::wasmcloud::messaging::types::add_to_linker::<T, Self>(linker, T::provide)?;
        wasmcloud_v0_2::wasmcloud::messaging::consumer::add_to_linker::<T, Self>(linker, T::provide)?;
        // Engines without concurrency support cannot link async functions.
        if linker.engine().get_concurrency_support() {
            wasmcloud_v0_3::wasmcloud::messaging::types::add_to_linker::<T, Self>(linker, T::provide)?;
            wasmcloud_v0_3::wasmcloud::messaging::consumer::add_to_linker::<T, Self>(linker, T::provide)?;
            tempo::tempo::messaging::types::add_to_linker::<T, Self>(linker, T::provide)?;
            tempo::tempo::messaging::producer::add_to_linker::<T, Self>(linker, T::provide)?;
        }
        Ok(())
    }

    fn add_label_to_linker<T: Provide<Self>>(
        instance: &mut LinkerInstance<'_, T>,
        interface: &str,
        label: &str,
    ) -> wasmtime::Result<()> {
        labels::add_to_linker(instance, interface, label)
    }

    fn link(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
        Self::add_to_linker(linker)
    }

    fn link_label(instance: &mut LinkerInstance<'_, StoreData>, interface: &str, label: &str) -> wasmtime::Result<()> {
        Self::add_label_to_linker(instance, interface, label)
    }
}
