//! The path of every call: take an instance or create one, call it, settle the call.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempo_telemetry::CallContext;
use wasmtime::Store;

use crate::idle::IdleInstances;
use crate::instance::{CallTarget, ReadyInstance};
use crate::{Call, CallError, Export, Interrupted, Overloaded, Permit, StoreData, Workload};

/// Interval at which [`Instances::reap_forever`] drops idle instances.
const REAP_INTERVAL: Duration = Duration::from_millis(500);

/// A call of an [`Export`] that runs. [`Instances::settle`] takes its output.
pub type ExportCall<E> = Call<wasmtime::Result<Returned<E>>>;

/// The instance that has returned from a call, and its response.
pub struct Returned<E: Export> {
    instance: ReadyInstance<E::Guest>,
    response: E::Response,
}

/// The instances in which one thread of a trigger calls an [`Export`] of a component.
///
/// An instance runs one call at a time, is kept for the next call after a successful one, and is dropped after a failed
/// one. [`run`](Self::run) is a whole call. A trigger that polls its calls itself takes the same steps: it
/// [begins](Self::begin) a call, polls it, and [settles](Self::settle) it.
///
/// ```
/// use std::sync::Arc;
///
/// use tempo_backend::ByteBudget;
/// use tempo_core::{CallError, Export, Instance, Instances, Limits, StoreData, WasiCtx, Workload};
/// use wasmtime::component::{Component, InstancePre, Linker, TypedFunc};
/// use wasmtime::{Engine, Store};
///
/// /// The exported function `divide: func(a: u32, b: u32) -> u32`.
/// struct Divide(InstancePre<StoreData>);
///
/// impl Export for Divide {
///     type Guest = TypedFunc<(u32, u32), (u32,)>;
///     type Request = (u32, u32);
///     type Response = u32;
///
///     async fn instantiate(&self, store: &mut Store<StoreData>) -> wasmtime::Result<Self::Guest> {
///         self.0.instantiate_async(&mut *store).await?.get_typed_func(store, "divide")
///     }
///
///     async fn call(&self, instance: Instance<'_, Self::Guest>, numbers: (u32, u32)) -> wasmtime::Result<u32> {
///         let (quotient,) = instance.guest.call_async(instance.store, numbers).await?;
///         Ok(quotient)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> wasmtime::Result<()> {
/// let engine = Engine::default();
/// let component = Component::new(&engine, wat::parse_str(
///     r#"(component
///         (core module $m
///             (func (export "divide") (param i32 i32) (result i32) (i32.div_u (local.get 0) (local.get 1))))
///         (core instance $i (instantiate $m))
///         (func (export "divide") (param "a" u32) (param "b" u32) (result u32)
///             (canon lift (core func $i "divide"))))"#,
/// )?)?;
/// let limits = Limits::default();
/// let data = move || Ok(StoreData::new(WasiCtx::default(), &limits, ByteBudget::new(limits.host_memory)));
/// let workload = Workload::builder("divider", Linker::new(&engine).instantiate_pre(&component)?, data).build();
///
/// let export = Divide(workload.component().clone());
/// let instances = Arc::new(Instances::new(workload.clone(), export, 1));
/// let permit = workload.admission().wait().await;
/// assert_eq!(instances.run(permit, None, (7, 2)).await.unwrap(), 3);
///
/// let permit = workload.admission().wait().await;
/// let error = instances.run(permit, None, (7, 0)).await.unwrap_err();
/// assert!(matches!(error, CallError::Trapped(_)));
/// assert_eq!(error.to_string(), "the component trapped: wasm trap: integer divide by zero");
/// # Ok(())
/// # }
/// ```
pub struct Instances<E: Export> {
    workload: Workload,
    export: E,
    idle: IdleInstances<E::Guest>,
}

impl<E: Export> Instances<E> {
    /// Creates the instances of one of `threads` threads of a trigger, which share the idle instances that the limits of
    /// `workload` allow.
    pub fn new(workload: Workload, export: E, threads: usize) -> Self {
        let idle = IdleInstances::new(&workload, threads);
        Self { workload, export, idle }
    }

    /// Returns the component.
    pub fn workload(&self) -> &Workload {
        &self.workload
    }

    /// Returns the export that is called.
    pub fn export(&self) -> &E {
        &self.export
    }

    /// Runs a call with `request` and returns its response. `context` is current while the guest runs. Dropping the future
    /// ends the guest.
    ///
    /// # Errors
    ///
    /// The call failed. Its instance is dropped.
    pub async fn run(
        self: &Arc<Self>,
        permit: Permit,
        context: Option<Arc<CallContext>>,
        request: E::Request,
    ) -> Result<E::Response, CallError> {
        let deadline = self.workload.deadline();
        let call = self.begin(permit, deadline, context, request)?;
        self.settle(call.await)
    }

    /// Takes an idle instance or a new store, and returns the call with `request` in it. The guest runs while the call is
    /// polled.
    ///
    /// # Errors
    ///
    /// [`CallError::Store`].
    pub fn begin(
        self: &Arc<Self>,
        permit: Permit,
        deadline: Instant,
        context: Option<Arc<CallContext>>,
        request: E::Request,
    ) -> Result<ExportCall<E>, CallError> {
        let target = self.idle.acquire(&self.workload, permit).map_err(CallError::Store)?;
        let (meter, permit) = (target.meter(), target.permit());
        // Boxed here: each function that it is passed through would copy it.
        let work = Box::pin(self.clone().call(target, request));
        Ok(self.workload.call((meter, permit), deadline, context, work))
    }

    async fn call(self: Arc<Self>, target: CallTarget<E::Guest>, request: E::Request) -> wasmtime::Result<Returned<E>> {
        let mut ready = match target {
            CallTarget::Ready(ready) => ready,
            CallTarget::Fresh(mut fresh) => {
                // Pinned here: passed by value, the future would be stored twice in the future of the call.
                let guest = self.workload.instantiated(pin!(self.export.instantiate(&mut fresh.metered.store))).await;
                let guest = guest.inspect_err(|_| self.write_log_tail(&fresh.metered.store))?;
                fresh.with(guest)
            }
        };
        let response = self.export.call(ready.instance(), request).await;
        let response = response.inspect_err(|_| self.write_log_tail(&ready.metered.store))?;
        Ok(Returned { instance: ready, response })
    }

    /// Writes the last lines of a guest that has trapped.
    fn write_log_tail(&self, store: &Store<StoreData>) {
        if self.workload.failures().admit_tail() {
            store.data().log_tail.write();
        }
    }

    /// Returns the response of a call that has ended, and keeps its instance for the next call if it is reusable.
    ///
    /// # Errors
    ///
    /// The call failed. Its instance is dropped and counted.
    pub fn settle(&self, ended: <ExportCall<E> as Future>::Output) -> Result<E::Response, CallError> {
        let error = match ended {
            Ok(Ok(Returned { instance, response })) => {
                self.idle.park(&self.workload, instance);
                return Ok(response);
            }
            Ok(Err(trap)) => match (trap.downcast_ref::<Interrupted>(), trap.downcast_ref::<Overloaded>()) {
                (Some(interrupted), _) => CallError::TimedOut(*interrupted),
                // A component that this one called has no free permit.
                (None, Some(overloaded)) => CallError::Overloaded(*overloaded),
                (None, None) => CallError::Trapped(trap),
            },
            Err(interrupted) => CallError::TimedOut(interrupted),
        };
        if let Some(instruments) = self.workload.instruments() {
            instruments.instances_trapped.add(1);
        }
        Err(error)
    }

    /// Drops instances that have been idle for longer than the limit. To be called about once a second, unless
    /// [`reap_forever`](Self::reap_forever) runs.
    pub fn reap(&self) {
        self.idle.reap(&self.workload);
    }

    /// Drops instances that have been idle for longer than the limit, until the future is dropped.
    pub async fn reap_forever(self: Arc<Self>) {
        let mut interval = tokio::time::interval(REAP_INTERVAL);
        loop {
            interval.tick().await;
            self.reap();
        }
    }
}

impl<E: Export> fmt::Debug for Instances<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instances").field("workload", &self.workload).field("idle", &self.idle).finish_non_exhaustive()
    }
}

impl<E: Export> fmt::Debug for Returned<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Returned").finish_non_exhaustive()
    }
}
