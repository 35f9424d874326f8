//! Joins the durable consumer of a subscription: creates, adopts, updates or refuses it.

use async_nats::jetstream::consumer::{self, AckPolicy, DeliverPolicy};
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::stream::{ConsumerCreateStrictErrorKind, Stream};
use tempo_messaging::{Adoption, ConsumerConfig, Refusal, Subscription, topic};
use tempo_settings::Error;

use super::consumer::SHARING;
use super::durable;
use super::stream::{MAX_CREATE_ATTEMPTS, NamedStream};
use crate::connection::ConnectionLost;

/// Maximum lost races against other programs that change the consumer.
const MAX_RACES: usize = 10;

/// An existing consumer, and its configuration after adoption.
struct Found {
    stream: Stream,
    info: consumer::Info,
    adopted: ConsumerConfig,
}

/// Checks whether the subscription would be refused, without changing anything.
pub(super) async fn check(named: &NamedStream, subscription: &Subscription) -> Result<(), Error> {
    find(named, subscription).await.map(drop)
}

/// Creates the consumer, or takes it over.
pub(super) async fn join(
    named: &NamedStream,
    subscription: &Subscription,
) -> Result<(consumer::Info, Option<Adoption>), Error> {
    for _ in 0..MAX_RACES {
        if let Some(found) = find(named, subscription).await? {
            let (info, adoption) = adopt(named, found).await?;
            return Ok((info, Some(adoption)));
        }
        let wanted = ConsumerConfig::new(subscription);
        let config = durable::new(&subscription.consumer, &wanted, DeliverPolicy::All);
        let stream = named.with(&config.filter_subjects, 1).await?;
        if let Some(info) = create(named, &stream, config).await? {
            return Ok((info, None));
        }
    }
    Err(named.unavailable("other programs keep changing the consumer"))
}

/// Creates a consumer; `None` if it exists by now.
pub(super) async fn create(
    named: &NamedStream,
    stream: &Stream,
    config: consumer::Config,
) -> Result<Option<consumer::Info>, Error> {
    let name = config.durable_name.clone().unwrap_or_default();
    let topics = config.filter_subjects.join(", ");
    let config = durable::pulled(config).ok_or_else(|| named.bad_configuration("the consumer is a push consumer"))?;
    let mut attempts = 1..MAX_CREATE_ATTEMPTS;
    loop {
        // Without an answer it may have been created: then the next attempt finds it.
        match named.connection.request(stream.create_consumer_strict(config.clone())).await {
            Ok(Ok(created)) => return Ok(Some(created.cached_info().clone())),
            Ok(Err(error)) if error.kind() == ConsumerCreateStrictErrorKind::AlreadyExists => return Ok(None),
            Ok(Err(error)) if error.kind() == ConsumerCreateStrictErrorKind::TimedOut && attempts.next().is_some() => {}
            Err(ConnectionLost::AwaitingReply) if attempts.next().is_some() => {}
            Ok(Err(error)) => {
                return Err(named.unavailable(format!("the consumer {name} of {topics} cannot be created: {error}")));
            }
            Err(_) => return Err(named.unavailable("the connection was lost")),
        }
    }
}

/// Finds the consumer of the subscription, or the one created before its app had a name.
async fn find(named: &NamedStream, subscription: &Subscription) -> Result<Option<Found>, Error> {
    let Some(stream) = named.find().await? else { return Ok(None) };
    if let Some(info) = info(named, &stream, &subscription.consumer).await? {
        let adopted = judge(named, &stream, &info, subscription).await?;
        return Ok(Some(Found { stream, info, adopted }));
    }
    let Some(name) = subscription.predecessor() else { return Ok(None) };
    let Some(info) = info(named, &stream, name).await? else { return Ok(None) };
    let kept = durable::read(&info.config);
    if !durable::is_ours(&info.config) || !kept.is_predecessor(subscription) {
        return Ok(None);
    }
    let adopted = judge(named, &stream, &info, subscription).await?;
    Ok(Some(Found { stream, info, adopted }))
}

async fn info(named: &NamedStream, stream: &Stream, name: &str) -> Result<Option<consumer::Info>, Error> {
    let found = named.connection.request(stream.consumer_info(name)).await;
    match found.map_err(|_| named.unavailable("the connection was lost"))? {
        Ok(info) => Ok(Some(info)),
        Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => Ok(None),
        Err(error) => Err(named.unavailable(format!("the consumer {name} cannot be read: {error}"))),
    }
}

/// Returns the configuration of the consumer after adoption by the subscription.
async fn judge(
    named: &NamedStream,
    stream: &Stream,
    info: &consumer::Info,
    subscription: &Subscription,
) -> Result<ConsumerConfig, Error> {
    let (kept, ours) = (durable::read(&info.config), durable::is_ours(&info.config));
    if !ours {
        check_foreign(&info.config).map_err(|problem| {
            let advice = "name another one with --consumer or consumer=NAME";
            named.bad_configuration(format!("the consumer {} was not made by Tempo and {problem}; {advice}", info.name))
        })?;
    }
    let refusal = match kept.adopt(subscription) {
        Ok(adopted) if ours || adopted.topics == kept.topics => return Ok(adopted),
        Ok(adopted) => Refusal::Topics { kept: kept.topics, wanted: adopted.topics },
        Err(refusal) => refusal,
    };
    let skipped = durable::skipped(&named.connection, stream, info, &subscription.topics, 0).await;
    let made = if ours { "" } else { " (Tempo did not make it, and does not change it)" };
    Err(named.bad_configuration(format!("{}{made}", refusal.explain(&info.name, skipped))))
}

/// Checks whether a consumer that Tempo did not create can be used as it is.
fn check_foreign(config: &consumer::Config) -> Result<(), &'static str> {
    if config.deliver_subject.is_some() {
        return Err("is a push consumer");
    }
    if config.ack_policy != AckPolicy::Explicit || config.headers_only {
        return Err("does not require explicit acks, or delivers headers only");
    }
    Ok(())
}

/// Takes a consumer over, and updates it if Tempo created it.
async fn adopt(named: &NamedStream, found: Found) -> Result<(consumer::Info, Adoption), Error> {
    let Found { stream, info, adopted: now } = found;
    let (name, kept) = (info.name.clone(), durable::read(&info.config));
    named.with(&topic::prune(&now.topics), 1).await?;
    if !durable::is_ours(&info.config) {
        let most = info.config.max_deliver;
        let warning = || format!("the server drops messages after {most} deliveries to this consumer");
        let warnings = (most > 0).then(warning).into_iter().collect();
        return Ok((info, Adoption::new(name, kept.clone(), kept).with_warnings(warnings)));
    }
    if kept == now {
        return Ok((info, Adoption::new(name, kept, now)));
    }
    let mut config = info.config.clone();
    durable::write(&now, &mut config);
    let config = durable::pulled(config).ok_or_else(|| named.bad_configuration("the consumer is a push consumer"))?;
    let updated = named.connection.request(stream.update_consumer(config)).await;
    let updated = updated.map_err(|_| named.unavailable("the connection was lost"))?;
    let updated =
        updated.map_err(|error| named.unavailable(format!("the consumer {name} cannot be updated: {error}")))?;
    let warnings = warnings(&info, &kept, &now);
    Ok((updated.cached_info().clone(), Adoption::new(name, kept, now).with_warnings(warnings)))
}

/// Warns of the effects of an update on other programs and on stored messages.
fn warnings(info: &consumer::Info, kept: &ConsumerConfig, now: &ConsumerConfig) -> Vec<String> {
    let mut warnings = Vec::new();
    if info.num_waiting > 0 && !kept.changes(now).is_empty() {
        warnings.push(format!("programs that run have other settings for this consumer; {SHARING}"));
    }
    if kept.topics != now.topics {
        let last = info.delivered.stream_sequence;
        warnings.push(format!("messages of the new topics up to sequence {last} are not delivered"));
    }
    warnings
}
