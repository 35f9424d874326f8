//! The message consumer: the trigger that calls exported messaging handlers for every delivered message.

mod ack_extension;
mod attempt;
mod disposition;
mod fetch;
mod guest;
mod handlers;
mod lanes;
mod phase;
mod subscribe;
mod telemetry;

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use tempo_backend::{APP, Backends};
use tempo_core::{AppCheck, ComponentOutline, Running, Trigger, Workload};
use tempo_settings::{Error, ErrorKind, Flag, Settings};
use tokio::task::JoinSet;

use self::disposition::Dispatcher;
use self::fetch::FetchLoop;
use self::handlers::Handlers;
use self::phase::{GIVE_BACK_TIMEOUT, StopPhase, StopPhases};
#[cfg(feature = "tool")]
pub(crate) use self::subscribe::is_name;
use self::subscribe::{CONSUMER, SUBSCRIBE, Subscribed};
use crate::{Adoption, Broker, Consumer, MessagingCtx, Subscription, WasiMessaging};

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
        let subscribed = app.iter().filter(|component| component.exports && component.settings.is_set(&SUBSCRIBE));
        let mut check = AppCheck::default();
        check.reachable = subscribed.map(|component| component.name.to_owned()).collect();
        check.advice = Some("add subscribe = [\"TOPIC\"]");
        check
    }

    async fn start(
        workload: Workload,
        settings: &Settings,
        state: MessagingCtx,
    ) -> tempo_settings::Result<Box<dyn Running>> {
        let subscribed = subscribe::read(settings, workload.name())?;
        if subscribed.is_empty() {
            return Ok(Box::new(Unsubscribed { component: workload.name().to_owned() }));
        }
        let handlers = Arc::new(Handlers::new(workload)?);
        let joined = join(state.brokers(), subscribed).await?;
        let phases = StopPhases::default();
        let (mut announcements, mut adoptions, mut notices) = (Vec::new(), Vec::new(), Vec::new());
        let mut fetching = JoinSet::new();
        for (subscribed, broker, consumer) in joined {
            let Subscribed { client, subscription, .. } = subscribed;
            let phase = phases.of(&*broker);
            let dispatcher = Dispatcher::new(handlers.clone(), broker.clone(), subscription.clone(), phase.clone());
            let adoption = consumer.adoption().cloned();
            let name = adoption.as_ref().map_or(&*subscription.consumer, |adoption| &*adoption.name);
            announcements.push(announce(&client, name, &*broker, &subscription, dispatcher.max_in_flight()));
            notices.extend(consumer.notice());
            adoptions.extend(adoption.map(|adoption| (adoption, subscription)));
            let fetching_one = FetchLoop::new(Arc::new(dispatcher), consumer, phase).run();
            fetching.spawn(async move { fetching_one.await.map_err(|error| gone(&client, error)) });
        }
        let mut reaper = JoinSet::new();
        reaper.spawn(handlers.reap_forever());
        let announcement = announcements.join("\n");
        Ok(Box::new(RunningConsumer { announcement, adoptions, notices, phases, fetching, _reaper: reaper }))
    }
}

type Joined = (Subscribed, Arc<dyn Broker>, Box<dyn Consumer>);

/// Joins the consumers of all subscriptions before any message is fetched.
async fn join(brokers: &Backends<dyn Broker>, subscribed: Vec<Subscribed>) -> tempo_settings::Result<Vec<Joined>> {
    let mut joined: Vec<Joined> = Vec::new();
    for subscribed in subscribed {
        let Some(broker) = brokers.get(&subscribed.client) else {
            return Err(subscribed.invalid("no broker of that name is configured; give it with --messaging NAME=URL"));
        };
        let consumer = &subscribed.subscription.consumer;
        // Two names of one broker would define the consumer twice.
        let twice = |(other, known, _): &Joined| Arc::ptr_eq(known, broker) && other.subscription.consumer == *consumer;
        if joined.iter().any(twice) {
            return Err(subscribed.invalid("the consumer is there already, by another name of the same broker"));
        }
        let consumer = broker.subscribe(&subscribed.subscription).await?;
        joined.push((subscribed, broker.clone(), consumer));
    }
    Ok(joined)
}

fn announce(client: &str, consumer: &str, broker: &dyn Broker, subscription: &Subscription, most: usize) -> String {
    let Subscription { topics, ordered, .. } = subscription;
    let order = if *ordered { ", in order" } else { "" };
    // Persistent brokers have an operator interface.
    let promise = if broker.operator().is_some() {
        ""
    } else {
        "; each message at most once, as the broker does not store messages"
    };
    format!("handling {} as consumer {consumer} of {client} ({most} at once{order}){promise}", topics.join(", "))
}

fn gone(client: &str, error: crate::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("a subscription to {client} has ended")).with_source(error)
}

/// A running consumer. Dropping it aborts its tasks.
struct RunningConsumer {
    announcement: String,
    /// Adopted consumers, with their subscriptions.
    adoptions: Vec<(Adoption, Subscription)>,
    /// Notices of the brokers.
    notices: Vec<String>,
    phases: StopPhases,
    /// One task per subscription, which owns its running handlers. Fails if its consumer no longer exists.
    fetching: JoinSet<Result<(), Error>>,
    _reaper: JoinSet<()>,
}

#[async_trait]
impl Running for RunningConsumer {
    fn announcement(&self) -> String {
        self.announcement.clone()
    }

    fn log_start(&self) {
        self.adoptions.iter().for_each(|(adoption, subscription)| adoption.log(subscription));
        self.notices.iter().for_each(|notice| tracing::info!("{notice}"));
    }

    async fn failed(&mut self) -> Error {
        loop {
            match self.fetching.join_next().await {
                Some(Ok(Err(error))) => return error,
                // It was stopped.
                Some(Ok(Ok(()))) if self.phases.have_stopped() => {}
                Some(_) => return Error::internal("a subscription has ended"),
                // A task exists until the first failure, which ends the runtime, or until all have stopped.
                None => std::future::pending().await,
            }
        }
    }

    fn stop_fetching(&mut self) {
        self.phases.stop_shared();
    }

    async fn drain(mut self: Box<Self>, deadline: Instant) {
        self.phases.enter(StopPhase::Draining);
        let finished = async { while self.fetching.join_next().await.is_some() {} };
        if tokio::time::timeout_at(deadline.into(), finished).await.is_ok() {
            return;
        }
        self.phases.enter(StopPhase::Abandoning);
        let given_back = async { while self.fetching.join_next().await.is_some() {} };
        // Remaining handlers end when their tasks are dropped.
        let _ = tokio::time::timeout(GIVE_BACK_TIMEOUT, given_back).await;
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
        let message =
            format!("{}: handles messages, but has no subscription; give one with --subscribe TOPIC", self.component);
        Some(Error::new(ErrorKind::BadConfiguration, message))
    }

    async fn failed(&mut self) -> Error {
        std::future::pending().await
    }

    async fn drain(self: Box<Self>, _: Instant) {}
}

#[cfg(test)]
mod tests;
