//! `Callee`: calls of one component's interface by another component.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arc_swap::ArcSwapOption;
use opentelemetry::trace::SpanKind;
use tempo_backend::{ByteBudget, Reservation};
use tempo_core::{CallError, Instances, StoreData, Workload};
use tempo_telemetry::{CallContext, Span, current};
use tokio::task::{JoinError, JoinHandle};
use wasmtime::component::Val;

use super::export::{Arguments, InterfaceExport};
use super::{LinkedFunction, size};

/// An interface of a component that others call. It is linked before its component can be called.
pub(crate) struct Callee {
    /// The component's name.
    component: String,
    /// The full name of the exported interface.
    interface: String,
    functions: Vec<LinkedFunction>,
    /// `None` before the component can be called.
    instances: ArcSwapOption<Instances<InterfaceExport>>,
}

/// The state of the calling store that a call depends on.
pub(super) struct Caller {
    bytes: ByteBudget,
    depth: usize,
    context: Option<Arc<CallContext>>,
}

impl Caller {
    /// Returns the state of the store with `data`, whose guest is being polled.
    pub(super) fn of(data: &StoreData) -> Self {
        Self { bytes: data.bytes.clone(), depth: data.depth.get(), context: current() }
    }
}

impl Callee {
    /// Creates the callee for `functions` of `interface`, which the component `component` exports.
    pub(crate) fn new(component: &str, interface: &str, functions: &[LinkedFunction]) -> Arc<Self> {
        let (component, interface) = (component.to_owned(), interface.to_owned());
        Arc::new(Self { component, interface, functions: functions.to_vec(), instances: ArcSwapOption::empty() })
    }

    /// Returns whether `other` calls the same functions of the same component.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (&self.component, &self.interface, &self.functions) == (&other.component, &other.interface, &other.functions)
    }

    /// Makes further calls run in `workload`, whose component was checked to export the functions.
    pub(crate) fn start(&self, workload: &Workload) {
        if self.instances.load().as_ref().is_some_and(|instances| instances.workload().is_same(workload)) {
            return;
        }
        let component = workload.component().clone();
        if let Some(export) = InterfaceExport::new(component, &self.interface, &self.functions, workload.concurrent()) {
            let previous = self.instances.swap(Some(Arc::new(Instances::new(workload.clone(), export, 1))));
            previous.iter().for_each(|instances| instances.reap());
        }
    }

    /// Drops the instances that have been idle for longer than the limit.
    pub(crate) fn reap(&self) {
        self.instances.load().iter().for_each(|instances| instances.reap());
    }

    /// Calls the function with the index `function`, and returns its `results` values. The call runs while the future is
    /// alive, in a task of its own.
    pub(super) fn call(
        self: Arc<Self>,
        caller: Caller,
        function: usize,
        values: &[Val],
        results: usize,
    ) -> impl Future<Output = wasmtime::Result<Vec<Val>>> + Send + use<> {
        // The call has a copy of the caller's values.
        let held = caller.bytes.try_reserve(size::bytes(values).saturating_mul(2));
        let depth = caller.depth.saturating_add(1);
        let call = held.map(|held| (held, Arguments { function, values: values.to_vec(), results, depth }));
        async move {
            let result = match call {
                Ok((held, arguments)) => Task(tokio::spawn(self.clone().run(caller.context, held, arguments))).await,
                Err(error) => Err(LinkError::Memory(error.to_string())),
            };
            result.or_else(|error| self.failed(function, &error))
        }
    }

    async fn run(
        self: Arc<Self>,
        context: Option<Arc<CallContext>>,
        _held: Reservation,
        arguments: Arguments,
    ) -> Result<Vec<Val>, LinkError> {
        let instances = self.instances.load_full().ok_or(LinkError::Stopped)?;
        let workload = instances.workload();
        let (mut span, context) = self.begin(workload, context.as_deref(), arguments.function);
        let permit = workload.admission().enter_at(arguments.depth).await.map_err(CallError::Overloaded)?;
        let result = match instances.begin(permit, workload.deadline(), context, arguments) {
            Ok(call) => instances.settle(call.await),
            Err(error) => Err(error),
        };
        if let (Err(error), Some(span)) = (&result, &mut span) {
            span.fail(match error {
                CallError::Trapped(_) => "trap",
                CallError::TimedOut(_) => "timeout",
                _ => "refused",
            });
        }
        Ok(result?)
    }

    /// Starts the span of a call, and creates the context of the call under it.
    fn begin(
        &self,
        workload: &Workload,
        caller: Option<&CallContext>,
        function: usize,
    ) -> (Option<Span>, Option<Arc<CallContext>>) {
        let parent = caller.map(CallContext::innermost);
        let mut span = workload.telemetry().start(SpanKind::Server, parent.as_ref(), || self.name(function).into());
        if let Some(span) = &mut span {
            span.set("rpc.service", self.interface.clone());
            span.set("rpc.method", self.functions.get(function).map_or_else(String::new, |it| it.name.clone()));
        }
        let outer = span.as_ref().map(|span| span.context().clone()).or(parent);
        let context = match (outer, caller) {
            (Some(outer), Some(caller)) => Some(caller.child(outer)),
            (Some(outer), None) => Some(CallContext::new(outer, None)),
            (None, _) => None,
        };
        (span, context)
    }

    /// Returns `INTERFACE.FUNCTION`.
    fn name(&self, function: usize) -> String {
        let function = self.functions.get(function).map_or("?", |function| function.name.as_str());
        format!("{}.{function}", self.interface)
    }

    /// Returns the results of a call that failed: an error value, if the manifest asks for it, or else a trap.
    fn failed(&self, function: usize, error: &LinkError) -> wasmtime::Result<Vec<Val>> {
        let name = self.name(function);
        let message = format!("the call of `{name}` in the component `{}` failed: {error}", self.component);
        match self.functions.get(function).and_then(|function| function.failure.as_ref()) {
            Some(failure) => {
                let callee = self.instances.load();
                if callee.as_ref().is_some_and(|instances| instances.workload().admit_failure_line()) {
                    tracing::warn!("{message}");
                }
                Ok(vec![failure.result(&message)])
            }
            None => Err(match error {
                // The caller is overloaded too, and its own caller may try again.
                LinkError::Call(CallError::Overloaded(overloaded)) => {
                    wasmtime::Error::new(*overloaded).context(message)
                }
                // As text: a trap of the callee must not be taken for one of the caller.
                _ => wasmtime::Error::msg(message),
            }),
        }
    }
}

impl fmt::Debug for Callee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Callee");
        debug.field("component", &self.component).field("interface", &self.interface).finish_non_exhaustive()
    }
}

/// Why a call has no results. It is a trap in the caller, or an error value.
#[derive(Debug, thiserror::Error)]
enum LinkError {
    /// The call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The values do not fit into the budget of the caller.
    #[error("its arguments do not fit: {0} (limit: --max-host-memory)")]
    Memory(String),
    /// The runtime is stopping, or has not started the component.
    #[error("the component does not run")]
    Stopped,
}

/// Writes the results of a call.
pub(super) fn write(results: &mut [Val], values: Vec<Val>) {
    for (result, value) in results.iter_mut().zip(values) {
        *result = value;
    }
}

/// A task that is aborted when its owner is dropped.
struct Task(JoinHandle<Result<Vec<Val>, LinkError>>);

impl Future for Task {
    type Output = Result<Vec<Val>, LinkError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|joined| joined.unwrap_or_else(|error| Err(panicked(error))))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Continues the panic of a task. A task that was cancelled belongs to a runtime that is stopping.
fn panicked(error: JoinError) -> LinkError {
    match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => LinkError::Stopped,
    }
}
