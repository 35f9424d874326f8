//! The message consumer: the trigger that calls exported messaging handlers for every delivered message.

mod ack_extension;
mod app_check;
mod attempt;
mod component;
mod disposition;
mod fetch;
mod guest;
mod handlers;
mod lanes;
mod phase;
mod running;
mod subscribe;
mod telemetry;

use std::time::Instant;

use async_trait::async_trait;
use futures::future::try_join_all;
use tempo_backend::APP;
use tempo_core::{AppCheck, AppComponent, ComponentOutline, Running, Trigger, Workload};
use tempo_settings::{Error, ErrorKind, Flag, Settings};

use self::component::JoinedComponent;
use self::running::RunningConsumer;
#[cfg(feature = "tool")]
pub(crate) use self::subscribe::is_name;
use self::subscribe::{CONSUMER, SUBSCRIBE};
use crate::{MessagingCtx, WasiMessaging};

/// The trigger that delivers messages to components which export `tempo:messaging/handler`,
/// `wasi:messaging/incoming-handler` or `wasmcloud:messaging/handler`.
///
/// A message is fetched only once a permit of its subscription is free, and then waits for a permit that the
/// component's triggers share. A handler that fails, traps or times out is retried after a pause by the broker; after
/// the last attempt the message becomes a dead letter.
#[derive(Clone, Copy, Debug)]
pub struct MessageConsumer;

#[async_trait]
impl Trigger for MessageConsumer {
    type Service = WasiMessaging;

    const EXPORTS: &'static [&'static str] =
        &["tempo:messaging/handler", "wasi:messaging/incoming-handler", "wasmcloud:messaging/handler"];

    fn flags() -> Vec<Flag> {
        vec![SUBSCRIBE, CONSUMER, APP]
    }

    fn check(app: &[ComponentOutline<'_>]) -> AppCheck {
        app_check::check(app)
    }

    async fn start(
        workload: Workload,
        settings: &Settings,
        state: MessagingCtx,
    ) -> tempo_settings::Result<Box<dyn Running>> {
        let name = workload.name().to_owned();
        let joined = JoinedComponent::join(workload, settings, &state).await?;
        Ok(match joined {
            Some(joined) => Box::new(RunningConsumer::start(vec![joined])),
            None => Box::new(Unsubscribed { component: name }),
        })
    }

    async fn start_app(components: Vec<AppComponent<WasiMessaging>>) -> tempo_settings::Result<Vec<Box<dyn Running>>> {
        let exporting = components.into_iter().filter(|component| component.exports);
        let joining = exporting.map(|AppComponent { workload, settings, state, .. }| async move {
            let name = workload.name().to_owned();
            Ok::<_, Error>(JoinedComponent::join(workload, &settings, &state).await?.ok_or(name))
        });
        let (mut joined, mut running): (_, Vec<Box<dyn Running>>) = (Vec::new(), Vec::new());
        for component in try_join_all(joining).await? {
            match component {
                Ok(component) => joined.push(component),
                Err(name) => running.push(Box::new(Unsubscribed { component: name })),
            }
        }
        if !joined.is_empty() {
            running.insert(0, Box::new(RunningConsumer::start(joined)));
        }
        Ok(running)
    }
}

/// Runs for a component with a handler but without subscriptions.
struct Unsubscribed {
    component: String,
}

#[async_trait]
impl Running for Unsubscribed {
    fn announcement(&self) -> String {
        String::new()
    }

    fn unused(&self) -> Option<Error> {
        Some(unsubscribed(&self.component))
    }

    async fn failed(&mut self) -> Error {
        std::future::pending().await
    }

    async fn drain(self: Box<Self>, _: Instant) {}
}

/// The error of a component with a handler but without subscriptions.
fn unsubscribed(component: &str) -> Error {
    let message = format!("{component}: handles messages, but has no subscription; give one with --subscribe TOPIC");
    Error::new(ErrorKind::BadConfiguration, message)
}

#[cfg(test)]
mod tests;
