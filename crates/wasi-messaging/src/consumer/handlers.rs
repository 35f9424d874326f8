//! Calls the component's handler, within its limits and on reused instances.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use tempo_core::{
    CallTarget, IdleInstances, Interrupted, Permit, Service, StoreData, WarmInstance, Workload, describe,
};
use tempo_settings::{Error, ErrorKind};
use tempo_telemetry::{CallContext, Telemetry};
use wasmtime::component::InstancePre;

use super::disposition::Disposition;
use super::guest::{Attempt, Exported, Guest};
use super::telemetry::ProcessSpan;
use crate::{Broker, WasiMessaging};

/// The component with its idle instances, shared by its subscriptions.
pub(super) struct Handlers {
    workload: Workload,
    exported: Exported,
    idle: IdleInstances<Guest>,
}

impl Handlers {
    /// # Errors
    ///
    /// The component exports a handler of an unknown version, or does not import the message types.
    pub(super) fn new(workload: Workload) -> Result<Self, Error> {
        let component = workload.component();
        let exported = Exported::find(workload.name(), component)?;
        // The message type belongs to a package that the component imports. One that defines the type itself has no
        // brokers.
        if !imports_ours(component) {
            let message = format!("{}: handles messages, but imports no interface of messaging", workload.name());
            return Err(Error::new(ErrorKind::BadComponent, message));
        }
        Ok(Self { exported, idle: IdleInstances::new(workload.clone(), 1), workload })
    }

    pub(super) fn telemetry(&self) -> &Telemetry {
        self.workload.telemetry()
    }

    pub(super) fn name(&self) -> &str {
        self.workload.name()
    }

    /// Maximum concurrent calls of the component.
    pub(super) fn max_calls(&self) -> usize {
        self.workload.limits().requests
    }

    /// Waits for a permit to run, without a timeout: no other program would handle the message sooner.
    pub(super) async fn permit(&self) -> Permit {
        self.workload.admission().wait().await
    }

    /// Drops instances that were idle for too long.
    pub(super) fn reap_idle(&self) {
        self.idle.reap();
    }

    /// Handles `attempt`, which `broker` delivered, on an instance. Dropping the future ends the guest.
    pub(super) async fn handle(
        self: &Arc<Self>,
        permit: Permit,
        broker: Arc<dyn Broker>,
        consumer: &str,
        mut attempt: Attempt,
    ) -> Disposition {
        let telemetry = self.workload.telemetry();
        let (context, mut span) = ProcessSpan::begin(telemetry, consumer, attempt.number, &mut attempt.message);
        let disposition = self.call(permit, broker, context, attempt).await;
        span.ended(&disposition);
        disposition
    }

    async fn call(
        self: &Arc<Self>,
        permit: Permit,
        broker: Arc<dyn Broker>,
        context: Option<Arc<CallContext>>,
        attempt: Attempt,
    ) -> Disposition {
        let Some(deadline) = Instant::now().checked_add(self.workload.limits().request) else {
            return failed("the time of the request has no end".to_owned());
        };
        let place = match self.idle.acquire(permit) {
            Ok(place) => place,
            Err(error) => return self.trapped("its store cannot be made", &error),
        };
        let meter = place.meter();
        let handlers = self.clone();
        // Boxed: a large future that would be copied.
        let work = Box::pin(async move { handlers.run(place, broker, attempt).await });
        match self.workload.call(meter, deadline, context, work).await {
            Ok(Ok((warm, disposition))) => {
                self.idle.park(warm);
                disposition
            }
            Ok(Err(trap)) => match trap.downcast_ref::<Interrupted>() {
                Some(interrupted) => self.interrupted(*interrupted),
                None => self.trapped("the component trapped", &trap),
            },
            Err(interrupted) => self.interrupted(interrupted),
        }
    }

    async fn run(
        &self,
        place: CallTarget<Guest>,
        broker: Arc<dyn Broker>,
        attempt: Attempt,
    ) -> wasmtime::Result<(WarmInstance<Guest>, Disposition)> {
        let mut warm = match place {
            CallTarget::Warm(warm) => warm,
            CallTarget::Fresh(mut fresh) => {
                let guest = self.workload.instantiated(pin!(self.exported.instantiate(fresh.store()))).await?;
                fresh.with(guest)
            }
        };
        let (store, guest) = warm.parts();
        let disposition = guest.handle(store, broker, attempt).await?;
        Ok((warm, disposition))
    }

    fn trapped(&self, what: &str, error: &wasmtime::Error) -> Disposition {
        self.workload.telemetry().count_trap();
        let cause = describe(error);
        tracing::error!(component = self.name(), error = cause, "{what} over a message");
        tracing::debug!(component = self.name(), "{error:?}");
        failed(format!("{what}: {cause}"))
    }

    fn interrupted(&self, interrupted: Interrupted) -> Disposition {
        self.workload.telemetry().count_trap();
        tracing::warn!(component = self.name(), "{interrupted}");
        failed(interrupted.to_string())
    }
}

fn imports_ours(component: &InstancePre<StoreData>) -> bool {
    let ty = component.component().component_type();
    ty.imports(component.engine()).any(|(name, _)| {
        let name = name.split_once('@').map_or(name, |(name, _)| name);
        <WasiMessaging as Service>::INTERFACES.contains(&name)
    })
}

fn failed(why: String) -> Disposition {
    Disposition::Retry { after: None, why }
}
