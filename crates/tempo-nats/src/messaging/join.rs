//! The durable consumer of a subscription: created, brought up to date, or refused if it is somebody else's and another.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::jetstream::consumer::{self, AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::stream::Stream;
use tempo_core::Error;
use tempo_wasi_messaging::Subscription;

use super::filter;
use super::stream::{MARK, NamedStream};

/// How many messages may be on their way in all replicas. Those that wait to be tried again are among them, so that many
/// must be able to fail before a consumer comes to a halt.
const ON_THEIR_WAY: i64 = 65_536;

/// What a consumer is to be.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) filters: Vec<String>,
    ack_wait: Duration,
    max_ack_pending: i64,
}

impl Wanted {
    pub(super) fn new(subscription: &Subscription) -> Self {
        Self {
            name: subscription.consumer.clone(),
            filters: filter::prune(&subscription.topics),
            ack_wait: subscription.ack_wait,
            // One after the other in all replicas is the order of each key.
            max_ack_pending: if subscription.ordered { 1 } else { ON_THEIR_WAY },
        }
    }

    /// Makes the consumer, or joins it.
    pub(super) async fn join(&self, named: &NamedStream) -> Result<consumer::Info, Error> {
        let stream = named.with(&self.filters, 1).await?;
        let asked = named.connection.ask(stream.consumer_info(&self.name)).await;
        let info = match asked.map_err(|_| named.wrong("the connection was lost"))? {
            Ok(info) => info,
            Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => {
                return self.create(named, &stream, DeliverPolicy::All).await;
            }
            Err(error) => return Err(named.wrong(format!("the consumer {} is not to be had: {error}", self.name))),
        };
        let same = self.is_filtered_by(&info.config);
        if info.config.metadata.contains_key(MARK) {
            let limits = (info.config.ack_wait, info.config.max_ack_pending);
            if same && limits == (self.ack_wait, self.max_ack_pending) {
                return Ok(info);
            }
            return self.create(named, &stream, info.config.deliver_policy).await;
        }
        self.judge(&info.config, same).map_err(|problem| {
            let advice = "name another one with consumer=NAME";
            named.wrong(format!("the consumer {} was not made by Tempo and {problem}; {advice}", self.name))
        })?;
        Ok(info)
    }

    /// How many messages it can give at once.
    pub(super) fn most(&self) -> usize {
        usize::try_from(self.max_ack_pending).unwrap_or(usize::MAX)
    }

    /// Whether somebody else's consumer will do.
    fn judge(&self, config: &consumer::Config, same: bool) -> Result<(), &'static str> {
        if config.deliver_subject.is_some() {
            return Err("pushes its messages");
        }
        if config.ack_policy != AckPolicy::Explicit || config.headers_only {
            return Err("does not have each message acknowledged, or leaves out what is in it");
        }
        if !same {
            return Err("has other filters than the subscription's topics");
        }
        if config.max_deliver > 0 {
            let most = config.max_deliver;
            tracing::warn!(consumer = %self.name, most, "the server gives up messages that this consumer delivered so often");
        }
        Ok(())
    }

    /// Makes the consumer, or changes it.
    pub(super) async fn create(
        &self,
        named: &NamedStream,
        stream: &Stream,
        deliver_policy: DeliverPolicy,
    ) -> Result<consumer::Info, Error> {
        let config = pull::Config {
            durable_name: Some(self.name.clone()),
            deliver_policy,
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.ack_wait,
            max_deliver: -1,
            filter_subjects: self.filters.clone(),
            max_ack_pending: self.max_ack_pending,
            metadata: HashMap::from([(MARK.to_owned(), "messaging".to_owned())]),
            ..pull::Config::default()
        };
        let created = named.connection.ask(stream.create_consumer(config)).await;
        let created = created.map_err(|_| named.wrong("the connection was lost"))?;
        created.map(|consumer| consumer.cached_info().clone()).map_err(|error| {
            let topics = self.filters.join(", ");
            named.wrong(format!("the consumer {} of {topics} cannot be made: {error}", self.name))
        })
    }

    fn is_filtered_by(&self, config: &consumer::Config) -> bool {
        let mut filters = config.filter_subjects.clone();
        if !config.filter_subject.is_empty() {
            filters.push(config.filter_subject.clone());
        }
        if filters.is_empty() {
            filters.push(">".to_owned());
        }
        filter::prune(&filters) == self.filters
    }
}
