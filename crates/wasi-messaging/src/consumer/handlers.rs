//! The component as the consumer calls it: under its limits, on instances that are kept for the next message.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use tempo_core::{CallTarget, IdleInstances, Interrupted, Permit, Service, StoreData, WarmInstance, Workload, describe};
use tempo_settings::{Error, ErrorKind};
use tempo_telemetry::{CallContext, Telemetry};
use wasmtime::component::InstancePre;

use super::disposition::Ending;
use super::guest::{Exported, Guest, Order};
use super::telemetry::Handling;
use crate::{Broker, WasiMessaging};

/// The component with its idle instances, shared by all subscriptions.
pub(super) struct Handlers {
    workload: Workload,
    exported: Exported,
    idle: IdleInstances<Guest>,
}

impl Handlers {
    /// # Errors
    ///
    /// The component's handler is of a version that this runtime does not have, or it has no types of ours.
    pub(super) fn new(workload: Workload) -> Result<Self, Error> {
        let component = workload.component();
        let exported = Exported::find(workload.name(), component)?;
        // A handler's message is a type of the package, which the component imports. One that brings the type itself was
        // given no brokers to ask for.
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

    /// How many calls the component may have at once, whatever they are.
    pub(super) fn places(&self) -> usize {
        self.workload.limits().requests
    }

    /// A place to run, however long it takes to get one: nobody else would handle the message any sooner.
    pub(super) async fn place(&self) -> Permit {
        self.workload.admission().wait().await
    }

    /// Drops instances that have been idle for long.
    pub(super) fn tidy(&self) {
        self.idle.reap();
    }

    /// Has an instance handle `order`, which `broker` has delivered. Dropped, it ends the guest.
    pub(super) async fn handle(
        self: &Arc<Self>,
        permit: Permit,
        broker: Arc<dyn Broker>,
        consumer: &str,
        mut order: Order,
    ) -> Ending {
        let telemetry = self.workload.telemetry();
        let (context, mut told) = Handling::begin(telemetry, consumer, order.attempt, &mut order.message);
        let ending = self.call(permit, broker, context, order).await;
        told.ended(&ending);
        ending
    }

    async fn call(
        self: &Arc<Self>,
        permit: Permit,
        broker: Arc<dyn Broker>,
        context: Option<Arc<CallContext>>,
        order: Order,
    ) -> Ending {
        let Some(deadline) = Instant::now().checked_add(self.workload.limits().request) else {
            return failed("the time of the request has no end".to_owned());
        };
        let place = match self.idle.acquire(permit) {
            Ok(place) => place,
            Err(error) => return self.trapped("its store cannot be made", &error),
        };
        let meter = place.meter();
        let handlers = self.clone();
        // Boxed, because it is large and would be copied on its way.
        let work = Box::pin(async move { handlers.run(place, broker, order).await });
        match self.workload.call(meter, deadline, context, work).await {
            Ok(Ok((warm, ending))) => {
                self.idle.park(warm);
                ending
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
        order: Order,
    ) -> wasmtime::Result<(WarmInstance<Guest>, Ending)> {
        let mut warm = match place {
            CallTarget::Warm(warm) => warm,
            CallTarget::Fresh(mut fresh) => {
                let guest = self.workload.instantiated(pin!(self.exported.instantiate(fresh.store()))).await?;
                fresh.with(guest)
            }
        };
        let (store, guest) = warm.parts();
        let ending = guest.handle(store, broker, order).await?;
        Ok((warm, ending))
    }

    fn trapped(&self, what: &str, error: &wasmtime::Error) -> Ending {
        self.workload.telemetry().count_trap();
        let cause = describe(error);
        tracing::error!(component = self.name(), error = cause, "{what} over a message");
        tracing::debug!(component = self.name(), "{error:?}");
        failed(format!("{what}: {cause}"))
    }

    fn interrupted(&self, interrupted: Interrupted) -> Ending {
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

fn failed(why: String) -> Ending {
    Ending::Failed { after: None, why }
}
