//! `Backend`: the implementation of a service in one deployment.

use std::future::Future;

use tempo_backend::{BackendContext, ByteBudget, LabelledImport, SharedBackends};
use tempo_settings::{Error, Flag, Settings};
use tempo_telemetry::{Health, Telemetry};

use crate::{ChainDepth, Limits, LogTail, Service};

/// The component, settings and telemetry that a backend may use while it connects.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct BootContext<'a> {
    /// The component's name, as it appears in logs and as the default name of its consumers and stores.
    pub component: &'a str,
    /// The component's limits.
    pub limits: &'a Limits,
    /// The parsed flags, environment variables and `.env` values.
    pub settings: &'a Settings,
    /// Receives the backend's spans and metrics.
    pub telemetry: &'a Telemetry,
    /// Receives the backend's readiness checks: see [`Health::add_readiness_check`]. `None` in an embedding without them.
    pub health: Option<&'a Health>,
    /// The backends that the components of the process share. `None` if there is one component only.
    pub shared: Option<&'a SharedBackends>,
    /// The component's imports under labels of those interfaces of the service that are
    /// [`LABELLED`](Service::LABELLED). A service without stores has none.
    pub labels: &'a [LabelledImport],
    /// Whether the component uses the service. If it does not, a runtime only [checks](Backend::check) the settings.
    pub is_used: bool,
}

impl<'a> BootContext<'a> {
    /// Creates the context of `component`, without telemetry and health.
    pub fn new(component: &'a str, limits: &'a Limits, settings: &'a Settings) -> Self {
        static OFF: Telemetry = Telemetry::off();
        Self { component, limits, settings, telemetry: &OFF, health: None, shared: None, labels: &[], is_used: true }
    }

    /// Sets the receiver of spans and metrics.
    #[must_use]
    pub fn with_telemetry(self, telemetry: &'a Telemetry) -> Self {
        Self { telemetry, ..self }
    }

    /// Sets the receiver of the readiness checks.
    #[must_use]
    pub fn with_health(self, health: impl Into<Option<&'a Health>>) -> Self {
        Self { health: health.into(), ..self }
    }

    /// Sets the backends that the components of the process share.
    #[must_use]
    pub fn with_shared(self, shared: impl Into<Option<&'a SharedBackends>>) -> Self {
        Self { shared: shared.into(), ..self }
    }

    /// Sets the imports under labels.
    #[must_use]
    pub fn with_labels(self, labels: &'a [LabelledImport]) -> Self {
        Self { labels, ..self }
    }

    /// Sets whether the component uses the service.
    #[must_use]
    pub fn with_is_used(self, is_used: bool) -> Self {
        Self { is_used, ..self }
    }

    /// Returns the context for a scheme that opens a backend by URL.
    pub fn backend(&self) -> BackendContext<'a> {
        BackendContext::new(self.settings).with_health(self.health).with_shared(self.shared).with_labels(self.labels)
    }
}

/// A new store, for which the services create their states.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoreContext {
    /// A service reserves here what it holds in memory for the store. All services share it.
    pub bytes: ByteBudget,
    /// Receives the guest's log lines that the rate limit drops.
    pub log_tail: LogTail,
    /// The number of calls that wait for the one that runs in the store.
    pub depth: ChainDepth,
}

impl StoreContext {
    /// Creates the context of a store with the budget `bytes`.
    pub fn new(bytes: ByteBudget) -> Self {
        Self { bytes, log_tail: LogTail::default(), depth: ChainDepth::default() }
    }

    /// Counts the calls of other components that wait for those in the store.
    #[must_use]
    pub fn with_depth(self, depth: ChainDepth) -> Self {
        Self { depth, ..self }
    }
}

/// Implements a service in one deployment. A runtime connects it once at boot, only if the component imports the service,
/// and then takes the state of each new store from it.
///
/// ```
/// # use tempo_core::{Provide, Service, StoreData};
/// # use wasmtime::component::{HasData, Linker, ResourceTable};
/// # struct AcmeTime;
/// # impl HasData for AcmeTime {
/// #     type Data<'a> = &'a u64;
/// # }
/// # impl Service for AcmeTime {
/// #     const INTERFACES: &'static [&'static str] = &["acme:time/clock"];
/// #     const PACKAGES: &'static [&'static str] = &["acme:time@1.0.0"];
/// #     type State = u64;
/// #     fn view<'a>(state: &'a mut u64, _: &'a mut ResourceTable) -> &'a u64 {
/// #         state
/// #     }
/// #     fn add_to_linker<T: Provide<Self>>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
/// #         Ok(())
/// #     }
/// #     fn link(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
/// #         Self::add_to_linker(linker)
/// #     }
/// # }
/// use tempo_backend::ByteBudget;
/// use tempo_core::{Backend, BootContext, Limits, StoreContext};
/// use tempo_settings::{Flag, Settings};
///
/// /// A clock of the service `AcmeTime` that stands still.
/// struct FixedClock {
///     seconds: u64,
/// }
///
/// impl FixedClock {
///     const SECONDS: Flag = Flag::new("clock-seconds", "N", "The time, in seconds").default("0");
/// }
///
/// impl Backend<AcmeTime> for FixedClock {
///     fn flags() -> Vec<Flag> {
///         vec![Self::SECONDS]
///     }
///
///     async fn connect(boot: BootContext<'_>) -> tempo_settings::Result<Self> {
///         Ok(Self { seconds: boot.settings.require(&Self::SECONDS)? })
///     }
///
///     fn announcement(&self) -> Option<String> {
///         Some(format!("the clock stands at {}", self.seconds))
///     }
///
///     fn state(&self, _: &StoreContext) -> u64 {
///         self.seconds
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> wasmtime::Result<()> {
/// let (limits, settings) = (Limits::default(), Settings::default());
/// let clock = FixedClock::connect(BootContext::new("greeter", &limits, &settings)).await?;
/// assert_eq!(clock.announcement().as_deref(), Some("the clock stands at 0"));
/// assert_eq!(clock.state(&StoreContext::new(ByteBudget::new(limits.host_memory))), 0);
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a backend of `{S}`",
    note = "in `runtime!` write `{S} = BackendOfThatService`"
)]
pub trait Backend<S: Service>: Sized + Send + Sync + 'static {
    /// The flags this backend reads. Each is also an environment variable. Several backends may list the same flag.
    fn flags() -> Vec<Flag>;

    /// Finds the mistakes for which [`connect`](Self::connect) fails before it contacts, creates or opens anything, all at once.
    /// Values that their flag's [check](Flag::check) refuses need not be among them. A runtime calls it for a component that does
    /// not use the service too, to find bad values; files that settings name are read only for one that does.
    fn check(_boot: BootContext<'_>) -> Vec<Error> {
        Vec::new()
    }

    /// Reads the settings and connects to the servers that the backend depends on.
    ///
    /// # Errors
    ///
    /// The error names the setting or the address that failed and what to change.
    fn connect(boot: BootContext<'_>) -> impl Future<Output = tempo_settings::Result<Self>> + Send;

    /// Returns one line for the user with the location of the data, if the user did not configure it.
    fn announcement(&self) -> Option<String> {
        None
    }

    /// Creates the state of one new store. Called for each instance, so it must be cheap and cannot fail.
    fn state(&self, store: &StoreContext) -> S::State;
}
