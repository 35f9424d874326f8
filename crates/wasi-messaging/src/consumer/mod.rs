//! The message consumer: the trigger that calls components which export a messaging handler, for every message that
//! their subscriptions deliver.

mod disposition;
mod fetch;
mod guest;
mod handlers;
mod heartbeats;
mod lanes;
mod phase;
mod subscribe;
mod telemetry;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tempo_backend::Backends;
use tempo_core::{Running, Trigger, Workload};
use tempo_settings::{Error, ErrorKind, Flag, Settings};
use tokio::task::JoinSet;

use self::disposition::Delivering;
use self::fetch::Fetching;
use self::handlers::Handlers;
use self::phase::{GIVE_BACK, Phase, Phases};
pub(crate) use self::subscribe::is_name;
use self::subscribe::{APP, CONSUMER, SUBSCRIBE, Subscribed};
use crate::{Adoption, Broker, Consumer, MessagingState, Subscription, WasiMessaging};

/// How often instances are looked for that have been idle for long.
const TIDY: Duration = Duration::from_millis(500);

/// The trigger that delivers messages to components which export `tempo:messaging/handler`,
/// `wasi:messaging/incoming-handler` or `wasmcloud:messaging/handler`.
///
/// For each message that is handled at once there is a permit, taken before the message is fetched; a message then waits
/// for one of the places that all triggers of the component share. A handler that fails, traps or takes too long is a
/// delivery to be tried again after a while, which the broker waits for, and at the last attempt a dead letter.
pub struct MessageConsumer;

#[async_trait]
impl Trigger for MessageConsumer {
    type Service = WasiMessaging;

    const EXPORTS: &'static [&'static str] =
        &["tempo:messaging/handler", "wasi:messaging/incoming-handler", "wasmcloud:messaging/handler"];

    fn flags() -> Vec<Flag> {
        vec![SUBSCRIBE, CONSUMER, APP]
    }

    async fn start(workload: Workload, settings: &Settings, state: MessagingState) -> anyhow::Result<Box<dyn Running>> {
        let subscribed = subscribe::read(settings, workload.name())?;
        if subscribed.is_empty() {
            return Ok(Box::new(Unsubscribed { component: workload.name().to_owned() }));
        }
        let handlers = Arc::new(Handlers::new(workload)?);
        let joined = join(state.brokers(), subscribed).await?;
        let phases = Phases::default();
        let (mut announcements, mut adoptions, mut notices) = (Vec::new(), Vec::new(), Vec::new());
        let mut fetching = JoinSet::new();
        for (subscribed, broker, consumer) in joined {
            let Subscribed { client, subscription, .. } = subscribed;
            let phase = phases.of(&*broker);
            let delivering = Delivering::new(handlers.clone(), broker.clone(), subscription.clone(), phase.clone());
            let adoption = consumer.adoption().cloned();
            let name = adoption.as_ref().map_or(&*subscription.consumer, |adoption| &*adoption.name);
            announcements.push(announce(&client, name, &*broker, &subscription, delivering.most()));
            notices.extend(consumer.notice());
            adoptions.extend(adoption.map(|adoption| (adoption, subscription)));
            let fetching_one = Fetching::new(Arc::new(delivering), consumer, phase).run();
            fetching.spawn(async move { fetching_one.await.map_err(|error| gone(&client, &error)) });
        }
        let mut tidying = JoinSet::new();
        tidying.spawn(async move {
            let mut interval = tokio::time::interval(TIDY);
            loop {
                interval.tick().await;
                handlers.tidy();
            }
        });
        let announcement = announcements.join("\n");
        Ok(Box::new(Delivery { announcement, adoptions, notices, phases, fetching, _tidying: tidying }))
    }
}

type Joined = (Subscribed, Arc<dyn Broker>, Box<dyn Consumer>);

/// Joins the consumers of all subscriptions. Nothing is fetched before all are joined.
async fn join(brokers: &Backends<dyn Broker>, subscribed: Vec<Subscribed>) -> anyhow::Result<Vec<Joined>> {
    let mut joined: Vec<Joined> = Vec::new();
    for subscribed in subscribed {
        let Some(broker) = brokers.get(&subscribed.client) else {
            return Err(subscribed
                .invalid("no broker of that name is configured; give it with --messaging NAME=URL")
                .into());
        };
        let consumer = &subscribed.subscription.consumer;
        // Two names of one broker: each would define the consumer in its own way.
        let twice = |(other, known, _): &Joined| Arc::ptr_eq(known, broker) && other.subscription.consumer == *consumer;
        if joined.iter().any(twice) {
            return Err(subscribed.invalid("the consumer is there already, by another name of the same broker").into());
        }
        let consumer = broker.subscribe(&subscribed.subscription).await?;
        joined.push((subscribed, broker.clone(), consumer));
    }
    Ok(joined)
}

fn announce(client: &str, consumer: &str, broker: &dyn Broker, subscription: &Subscription, most: usize) -> String {
    let Subscription { topics, ordered, .. } = subscription;
    let order = if *ordered { ", in order" } else { "" };
    // A broker that keeps messages has something to show to an operator.
    let promise = if broker.operator().is_some() { "" } else { "; each message at most once, as nobody keeps it" };
    format!("handling {} as consumer {consumer} of {client} ({most} at once{order}){promise}", topics.join(", "))
}

fn gone(client: &str, error: &crate::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("a subscription to {client} has ended: {error}"))
}

/// A consumer that has been started. Dropping it ends what runs.
struct Delivery {
    announcement: String,
    /// How consumers were taken over, with the subscriptions that did so.
    adoptions: Vec<(Adoption, Subscription)>,
    /// What the brokers say of the consumers.
    notices: Vec<String>,
    phases: Phases,
    /// One task for each subscription, which owns the handlers that it has started. Ends with the reason if its consumer
    /// is gone.
    fetching: JoinSet<Result<(), Error>>,
    _tidying: JoinSet<()>,
}

#[async_trait]
impl Running for Delivery {
    fn announcement(&self) -> String {
        self.announcement.clone()
    }

    fn log_start(&self) {
        self.adoptions.iter().for_each(|(adoption, subscription)| adoption.log(subscription));
        self.notices.iter().for_each(|notice| tracing::info!("{notice}"));
    }

    async fn failed(&mut self) -> anyhow::Error {
        loop {
            match self.fetching.join_next().await {
                Some(Ok(Err(error))) => return error.into(),
                // It was to stop.
                Some(Ok(Ok(()))) if self.phases.have_stopped() => {}
                Some(_) => return anyhow::anyhow!("a subscription has ended"),
                // There is at least one until the first failure, which ends the runtime, or until all have stopped.
                None => std::future::pending().await,
            }
        }
    }

    fn stop_fetching(&mut self) {
        self.phases.stop_shared();
    }

    async fn drain(mut self: Box<Self>, deadline: Instant) {
        self.phases.enter(Phase::Draining);
        let finished = async { while self.fetching.join_next().await.is_some() {} };
        if tokio::time::timeout_at(deadline.into(), finished).await.is_ok() {
            return;
        }
        self.phases.enter(Phase::Abandoning);
        let given_back = async { while self.fetching.join_next().await.is_some() {} };
        // What is left is ended when the tasks are dropped.
        let _ = tokio::time::timeout(GIVE_BACK, given_back).await;
    }
}

/// What runs for a component that handles messages but was given no subscription.
struct Unsubscribed {
    component: String,
}

#[async_trait]
impl Running for Unsubscribed {
    fn announcement(&self) -> String {
        String::new()
    }

    fn unused(&self) -> Option<Error> {
        let message = format!(
            "{}: handles messages, but no subscription says which; give one with --subscribe TOPIC",
            self.component
        );
        Some(Error::new(ErrorKind::BadConfiguration, message))
    }

    async fn failed(&mut self) -> anyhow::Error {
        std::future::pending().await
    }

    async fn drain(self: Box<Self>, _: Instant) {}
}

#[cfg(test)]
mod tests;
