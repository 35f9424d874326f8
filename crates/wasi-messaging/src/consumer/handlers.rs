//! Calls the component's handler, within its limits and on reused instances.

use std::sync::Arc;

use tempo_core::{CallError, Instances, Interrupted, Permit, Service, StoreData, Workload};
use tempo_settings::{Error, ErrorKind};
use tempo_telemetry::{Telemetry, within};
use wasmtime::component::InstancePre;

use super::attempt::{Attempt, Disposition};
use super::guest::{Exported, Handling};
use super::telemetry::{ProcessInstruments, ProcessSpan};
use crate::{Broker, WasiMessaging};

/// The component with its instances, shared by its subscriptions.
pub(super) struct Handlers {
    instances: Arc<Instances<Exported>>,
    /// `None` if metrics are disabled.
    instruments: Option<Arc<ProcessInstruments>>,
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
        let instruments = workload.telemetry().instruments();
        Ok(Self { instances: Arc::new(Instances::new(workload, exported, 1)), instruments })
    }

    pub(super) fn workload(&self) -> &Workload {
        self.instances.workload()
    }

    pub(super) fn telemetry(&self) -> &Telemetry {
        self.workload().telemetry()
    }

    pub(super) fn instruments(&self) -> Option<&Arc<ProcessInstruments>> {
        self.instruments.as_ref()
    }

    pub(super) fn name(&self) -> &str {
        self.workload().name()
    }

    /// Maximum concurrent calls of the component.
    pub(super) fn max_calls(&self) -> usize {
        self.workload().limits().requests
    }

    /// Waits for a permit to run, without a timeout: no other program would handle the message sooner.
    pub(super) async fn permit(&self) -> Permit {
        self.workload().admission().wait().await
    }

    /// Drops instances that were idle for too long.
    pub(super) fn reap(&self) {
        self.instances.reap();
    }

    /// Handles `attempt`, which `broker` delivered, on an instance. Dropping the future ends the guest.
    pub(super) async fn handle(
        &self,
        permit: Permit,
        broker: Arc<dyn Broker>,
        consumer: &str,
        mut attempt: Attempt,
    ) -> Disposition {
        let (context, mut span) = ProcessSpan::begin(self, consumer, attempt.number, &mut attempt.message);
        let called = self.instances.run(permit, context.clone(), Handling { broker, attempt }).await;
        let disposition = called.unwrap_or_else(|error| {
            within(context.as_ref(), || error.log(self.workload(), "a message"));
            match error {
                // Its component was replaced.
                CallError::TimedOut(Interrupted::Replaced) => Disposition::GivenBack,
                error => Disposition::Retry { after: None, why: error.to_string() },
            }
        });
        span.ended(&disposition);
        disposition
    }
}

fn imports_ours(component: &InstancePre<StoreData>) -> bool {
    let ty = component.component().component_type();
    ty.imports(component.engine()).any(|(name, _)| {
        let name = name.split_once('@').map_or(name, |(name, _)| name);
        <WasiMessaging as Service>::INTERFACES.contains(&name)
    })
}
