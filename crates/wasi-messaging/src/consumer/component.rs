//! A component that handles messages: its subscriptions, and the handlers that another version of it replaces.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tempo_backend::Backends;
use tempo_core::Workload;
use tempo_settings::{Error, ErrorKind, Settings};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::disposition::Dispatcher;
use super::fetch::FetchLoop;
use super::handlers::Handlers;
use super::phase::{GIVE_BACK_TIMEOUT, StopPhase, StopPhases};
use super::subscribe::{self, Subscribed};
use crate::{Adoption, Broker, Consumer, MessagingCtx, Subscription};

/// Interval at which idle instances are dropped.
const REAP_INTERVAL: Duration = Duration::from_millis(500);

/// A component whose subscriptions are joined, but whose messages are not fetched yet.
pub(super) struct JoinedComponent {
    handlers: Handlers,
    joined: Vec<Joined>,
}

struct Joined {
    subscribed: Subscribed,
    broker: Arc<dyn Broker>,
    consumer: Box<dyn Consumer>,
}

/// A consumer that its broker keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DurableConsumer {
    /// The name of the broker.
    pub(super) client: String,
    /// The name of the consumer.
    pub(super) name: String,
}

/// A component whose messages are fetched and handled. Dropping it aborts its tasks.
pub(super) struct HandlingComponent {
    handlers: Arc<ArcSwap<Handlers>>,
    /// The name of each broker, the broker and the subscription to it.
    subscriptions: Vec<(String, Arc<dyn Broker>, Subscription)>,
    /// The broker and the name of each consumer that outlives the process.
    pub(super) durables: Vec<DurableConsumer>,
    /// A line for each subscription.
    pub(super) announcements: Vec<String>,
    /// Adopted consumers, with their subscriptions.
    adoptions: Vec<(Adoption, Subscription)>,
    /// Notices of the brokers.
    notices: Vec<String>,
    phases: StopPhases,
    /// One task per subscription, which owns its running handlers. Fails if its consumer no longer exists.
    fetching: JoinSet<Result<(), Error>>,
    _reaper: JoinSet<()>,
}

impl JoinedComponent {
    /// Joins the consumers of all subscriptions that `settings` declare. Returns `None` if there are none.
    ///
    /// # Errors
    ///
    /// A setting is invalid, the component has no handler, or a broker refuses a subscription.
    pub(super) async fn join(
        workload: Workload,
        settings: &Settings,
        state: &MessagingCtx,
    ) -> tempo_settings::Result<Option<Self>> {
        let subscribed = subscribe::read(settings, workload.name())?;
        if subscribed.is_empty() {
            return Ok(None);
        }
        let handlers = Handlers::new(workload)?;
        Ok(Some(Self { handlers, joined: join(state.brokers(), subscribed).await? }))
    }

    /// Returns the name of the component.
    pub(super) fn name(&self) -> &str {
        self.handlers.name()
    }

    /// Fetches messages from now on; those of ordered subscriptions once `previous` resolves, which is the end of the previous
    /// subscriptions.
    pub(super) fn start(self, previous: Option<oneshot::Receiver<()>>) -> HandlingComponent {
        let handlers = Arc::new(ArcSwap::from_pointee(self.handlers));
        let (phases, mut previous) = (StopPhases::default(), previous);
        let (mut announcements, mut adoptions, mut notices) = (Vec::new(), Vec::new(), Vec::new());
        let (mut subscriptions, mut durables) = (Vec::new(), Vec::new());
        let (mut fetching, mut reaper) = (JoinSet::new(), JoinSet::new());
        for Joined { subscribed, broker, consumer } in self.joined {
            let Subscribed { client, subscription, .. } = subscribed;
            let phase = phases.of(&*broker);
            let dispatcher = Dispatcher::new(handlers.clone(), broker.clone(), subscription.clone(), phase.clone());
            let adoption = consumer.adoption().cloned();
            let name = adoption.as_ref().map_or(&*subscription.consumer, |adoption| &*adoption.name);
            if broker.operator().is_some() {
                durables.push(DurableConsumer { client: client.clone(), name: name.to_owned() });
            }
            announcements.push(announce(&client, name, &*broker, &subscription, dispatcher.max_in_flight()));
            notices.extend(consumer.notice());
            adoptions.extend(adoption.map(|adoption| (adoption, subscription.clone())));
            let previous = if subscription.ordered { previous.take() } else { None };
            subscriptions.push((client.clone(), broker, subscription));
            let fetching_one = FetchLoop::new(Arc::new(dispatcher), consumer, phase).run();
            fetching.spawn(async move {
                if let Some(previous) = previous {
                    // An error means that the previous subscriptions were dropped.
                    let _ = previous.await;
                }
                fetching_one.await.map_err(|error| gone(&client, error))
            });
        }
        reaper.spawn(reap_forever(handlers.clone()));
        HandlingComponent {
            handlers,
            subscriptions,
            durables,
            announcements,
            adoptions,
            notices,
            phases,
            fetching,
            _reaper: reaper,
        }
    }
}

impl HandlingComponent {
    /// Returns the name of the component.
    pub(super) fn name(&self) -> String {
        self.handlers.load().name().to_owned()
    }

    /// Returns whether `workload` is the component that handles the messages.
    pub(super) fn is_of(&self, workload: &Workload) -> bool {
        self.handlers.load().workload().is_same(workload)
    }

    /// Returns the handlers of `workload` if its settings declare the same subscriptions to the same brokers: the consumers keep
    /// their place, and only the handlers change.
    ///
    /// # Errors
    ///
    /// A setting is invalid, or the component has no handler.
    pub(super) fn replacement(
        &self,
        workload: &Workload,
        settings: &Settings,
        state: &MessagingCtx,
    ) -> Result<Option<Handlers>, Error> {
        let subscribed = subscribe::read(settings, workload.name())?;
        let handlers = Handlers::new(workload.clone())?;
        let is_same = |(wanted, (client, broker, subscription)): (&Subscribed, &(String, Arc<dyn Broker>, _))| {
            let same_broker = state.brokers().get(client).is_some_and(|other| Arc::ptr_eq(other, broker));
            same_broker && wanted.client == *client && wanted.subscription == *subscription
        };
        let same = subscribed.len() == self.subscriptions.len()
            && subscribed.iter().zip(&self.subscriptions).all(is_same)
            && handlers.max_calls() == self.handlers.load().max_calls();
        Ok(same.then_some(handlers))
    }

    /// Handles further messages with `handlers`.
    pub(super) fn replace(&self, handlers: Handlers) {
        let previous = self.handlers.swap(Arc::new(handlers));
        previous.reap();
    }

    /// Returns the time that running handlers have when the component is stopped.
    pub(super) fn drain_timeout(&self) -> Duration {
        self.handlers.load().workload().limits().drain
    }

    /// Logs adopted consumers and notices of the brokers.
    pub(super) fn log_start(&self) {
        self.adoptions.iter().for_each(|(adoption, subscription)| adoption.log(subscription));
        self.notices.iter().for_each(|notice| tracing::info!("{notice}"));
    }

    /// Resolves when a subscription has ended although it was not stopped.
    pub(super) async fn failed(&mut self) -> Error {
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

    /// Drains the subscriptions that other programs can serve.
    pub(super) fn stop_fetching(&mut self) {
        self.phases.stop_shared();
    }

    /// Stops fetching, and waits for running handlers until `deadline`.
    pub(super) async fn drain(mut self, deadline: Instant) {
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

/// Drops instances that were idle for too long, until the future is dropped.
async fn reap_forever(handlers: Arc<ArcSwap<Handlers>>) {
    let mut interval = tokio::time::interval(REAP_INTERVAL);
    loop {
        interval.tick().await;
        handlers.load().reap();
    }
}

/// Joins the consumers of all subscriptions before any message is fetched.
async fn join(brokers: &Backends<dyn Broker>, subscribed: Vec<Subscribed>) -> tempo_settings::Result<Vec<Joined>> {
    let mut joined: Vec<Joined> = Vec::new();
    for subscribed in subscribed {
        let Some(broker) = brokers.get(&subscribed.client) else {
            return Err(subscribed.no_broker());
        };
        let consumer = &subscribed.subscription.consumer;
        // Two names of one broker would define the consumer twice.
        let twice =
            |known: &Joined| Arc::ptr_eq(&known.broker, broker) && known.subscribed.subscription.consumer == *consumer;
        if joined.iter().any(twice) {
            return Err(subscribed.invalid("the consumer is there already, by another name of the same broker"));
        }
        let consumer = broker.subscribe(&subscribed.subscription).await?;
        joined.push(Joined { subscribed, broker: broker.clone(), consumer });
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
