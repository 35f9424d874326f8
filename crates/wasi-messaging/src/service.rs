//! The service: what messaging is to a linker, and what a store's data carries for it.

use std::fmt;
use std::sync::Arc;

use tempo_backend::{Backends, ByteBudget};
use tempo_core::{Limits, Provide, Service, StoreData};
use tempo_settings::DEFAULT_NAME;
use wasmtime::component::{HasData, Linker, ResourceTable};

use crate::allowed::{Allowed, AllowedTopics};
use crate::bindings::{draft, tempo, wasmcloud2, wasmcloud3};
use crate::client::{Client, Handled};
use crate::replies::ReplyTopics;
use crate::{Broker, Message, MessagingLimits};

/// The host service for `tempo:messaging`, `wasi:messaging` and `wasmcloud:messaging`.
#[derive(Clone, Copy, Debug)]
pub struct WasiMessaging;

/// What one store carries for the service: the brokers that its component may use, shared by all of its stores, and what
/// it has on its way.
pub struct MessagingState {
    brokers: Backends<dyn Broker>,
    allowed: AllowedTopics,
    limits: MessagingLimits,
    bytes: ByteBudget,
    handled: Option<Handled>,
    replies: ReplyTopics,
}

impl MessagingState {
    /// A share of `brokers`. Of `limits`, the bytes that may cross the border in one call count, those that the host holds
    /// for one store, and the time of a request.
    pub fn new(brokers: Backends<dyn Broker>, limits: &Limits) -> Self {
        let (allowed, replies) = (AllowedTopics::default(), ReplyTopics::default());
        let (limits, bytes) = (MessagingLimits::new(limits), ByteBudget::new(limits.host_memory));
        Self { brokers, allowed, limits, bytes, handled: None, replies }
    }

    /// The same, with other limits.
    pub fn with_limits(self, limits: MessagingLimits) -> Self {
        Self { limits, ..self }
    }

    /// The same, where the component may publish and request on nothing but these topics.
    pub fn with_allowed_topics(self, allowed: AllowedTopics) -> Self {
        Self { allowed, ..self }
    }

    /// The same for another store, which shares the brokers, and reserves in `bytes` what it holds.
    pub fn for_another_store(&self, bytes: &ByteBudget) -> Self {
        let (brokers, allowed) = (self.brokers.clone(), self.allowed.clone());
        let (bytes, replies) = (bytes.clone(), ReplyTopics::default());
        Self { brokers, allowed, limits: self.limits, bytes, handled: None, replies }
    }

    /// What host functions work on during a call.
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

impl fmt::Debug for MessagingState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.brokers.iter().map(|(name, _)| name).collect();
        f.debug_struct("MessagingState").field("brokers", &names).field("limits", &self.limits).finish()
    }
}

/// What the service's functions work on: it borrows a store's share and its resource table for one call.
pub struct MessagingView<'a> {
    pub(crate) state: &'a mut MessagingState,
    pub(crate) table: &'a mut ResourceTable,
}

impl MessagingView<'_> {
    /// Says that the component is about to handle `message`, which `broker` has delivered: what it publishes on the
    /// message's `reply-to` from now on is an answer, and goes back there.
    pub(crate) fn handling(&mut self, broker: Arc<dyn Broker>, message: &Message) {
        self.state.handled = Some(Handled::new(broker, message));
    }

    /// Says that the message has been handled. The instance may be given others.
    pub(crate) fn handled(&mut self) {
        self.state.handled = None;
    }

    /// The broker that is configured under `name`, and the topics that it has for the component. No name is the default,
    /// as it is for a URL without one.
    pub(crate) fn broker(&self, name: &str) -> (Option<Arc<dyn Broker>>, Allowed) {
        let name = if name.is_empty() { DEFAULT_NAME } else { name };
        (self.state.brokers.get(name).cloned(), self.state.allowed.of(name))
    }

    /// The client of one call on `broker`, which may send on the `allowed` topics.
    pub(crate) fn client(&self, broker: Option<Arc<dyn Broker>>, allowed: Allowed) -> Client {
        let MessagingState { limits, bytes, handled, replies, .. } = &*self.state;
        let (handled, replies) = (handled.clone(), replies.clone());
        Client { broker, allowed, handled, replies, limits: *limits, bytes: bytes.clone() }
    }

    /// The client that is configured under `name`.
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

    type State = MessagingState;

    fn view<'a>(state: &'a mut MessagingState, table: &'a mut ResourceTable) -> MessagingView<'a> {
        state.view(table)
    }

    fn add_to_linker<T: Provide<Self>>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
        draft::wasi::messaging::types::add_to_linker::<T, Self>(linker, T::provide)?;
        draft::wasi::messaging::producer::add_to_linker::<T, Self>(linker, T::provide)?;
        draft::wasi::messaging::request_reply::add_to_linker::<T, Self>(linker, T::provide)?;
        wasmcloud2::wasmcloud::messaging::types::add_to_linker::<T, Self>(linker, T::provide)?;
        wasmcloud2::wasmcloud::messaging::consumer::add_to_linker::<T, Self>(linker, T::provide)?;
        // Without concurrency the engine cannot hold async functions.
        if linker.engine().get_concurrency_support() {
            wasmcloud3::wasmcloud::messaging::types::add_to_linker::<T, Self>(linker, T::provide)?;
            wasmcloud3::wasmcloud::messaging::consumer::add_to_linker::<T, Self>(linker, T::provide)?;
            tempo::tempo::messaging::types::add_to_linker::<T, Self>(linker, T::provide)?;
            tempo::tempo::messaging::producer::add_to_linker::<T, Self>(linker, T::provide)?;
        }
        Ok(())
    }

    fn link(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
        Self::add_to_linker(linker)
    }
}
