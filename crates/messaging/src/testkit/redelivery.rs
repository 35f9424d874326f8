//! Redelivery: a message is delivered until it is acknowledged, and not afterwards.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::{Suite, collect, expect, expect_silence, next, text};
use crate::Subscription;

/// `ack_wait`, where it matters.
const ACK_WAIT: Duration = Duration::from_secs(1);
/// Number of messages in the check of cancelled fetches.
const MANY: usize = 40;

/// What cannot be done is no error.
pub(super) async fn deliveries_are_at_most_once(suite: &Suite) -> Result<()> {
    let place = suite.place().await?;
    let mut consumer = place.join("once", &["a"]).await?;
    place.publish(["1", "2", "3"].map(|payload| place.message("a", payload)).to_vec()).await?;
    next(&mut *consumer).await?.receipt.retry(Duration::ZERO).await.context("retry")?;
    next(&mut *consumer).await?.receipt.reject("no").await.context("reject")?;
    next(&mut *consumer).await?.receipt.extend().await.context("extend")?;
    expect_silence(&mut *consumer).await
}

pub(super) async fn retries_are_redelivered(suite: &Suite) -> Result<()> {
    let place = suite.place().await?;
    let mut consumer = place.join("retried", &["a"]).await?;
    for delay in [0, 400, 50].map(Duration::from_millis) {
        place.publish(vec![place.message("a", "1")]).await?;
        let first = next(&mut *consumer).await?;
        let since = Instant::now();
        let sequence = first.sequence;
        ensure!(first.attempt == 1, "attempt {} is the first", first.attempt);
        first.receipt.retry(delay).await.context("retry")?;
        let second = next(&mut *consumer).await?;
        ensure!(since.elapsed() >= delay, "it came {:?} after a retry in {delay:?}", since.elapsed());
        ensure!(second.attempt == 2 && second.sequence == sequence, "attempt {} is the second", second.attempt);
        second.receipt.retry(Duration::ZERO).await?;
        let third = next(&mut *consumer).await?;
        ensure!(third.attempt == 3 && third.sequence == sequence, "attempt {} is the third", third.attempt);
        third.receipt.ack().await?;
        expect_silence(&mut *consumer).await.context("after the ack")?;
    }
    Ok(())
}

pub(super) async fn unacknowledged_messages_are_redelivered(suite: &Suite) -> Result<()> {
    let place = suite.place().await?;
    let subscription = Subscription { ack_wait: ACK_WAIT, ..place.subscription("forgotten", &["a"]) };
    let mut consumer = place.broker.subscribe(&subscription).await?;
    let elsewhere = suite.again(&place).await?;
    place.publish(vec![place.message("a", "1")]).await?;
    let first = next(&mut *consumer).await?;
    let mut other = elsewhere.broker.subscribe(&subscription).await?;
    drop(consumer);
    let second = next(&mut *other).await.context("another does not get it")?;
    ensure!((first.attempt, second.attempt) == (1, 2), "attempts {} and {}", first.attempt, second.attempt);
    ensure!(text(&second) == "1" && second.sequence == first.sequence, "it is another message");
    drop(second);
    let third = next(&mut *other).await.context("it does not come again")?;
    ensure!(third.attempt == 3, "attempt {}", third.attempt);
    third.receipt.ack().await?;
    tokio::time::sleep(ACK_WAIT).await;
    expect_silence(&mut *other).await.context("after the ack")
}

/// Retries on machines too busy to extend in time, which is no fault of the broker.
pub(super) async fn extend_prevents_redelivery(suite: &Suite) -> Result<()> {
    let place = suite.place().await?;
    let subscription = Subscription { ack_wait: ACK_WAIT, ..place.subscription("extended", &["a"]) };
    let mut consumer = place.broker.subscribe(&subscription).await?;
    for _ in 0..20 {
        // A cancelled fetch may still be open at the server, and then receives the message.
        let (start, mut last, mut slowest) = (Instant::now(), Instant::now(), Duration::ZERO);
        place.publish(vec![place.message("a", "long")]).await?;
        let delivery = next(&mut *consumer).await?;
        let mut again = Vec::new();
        while start.elapsed() < ACK_WAIT.saturating_mul(2) && again.is_empty() {
            delivery.receipt.extend().await.context("extend")?;
            slowest = slowest.max(last.elapsed());
            last = Instant::now();
            let waited = tokio::time::timeout(ACK_WAIT / 5, consumer.fetch(1)).await;
            again = waited.unwrap_or(Ok(Vec::new()))?;
        }
        slowest = slowest.max(last.elapsed());
        delivery.receipt.ack().await?;
        if slowest < ACK_WAIT / 2 {
            ensure!(again.is_empty(), "it came again while it was worked on");
            return expect_silence(&mut *consumer).await;
        }
    }
    bail!("this machine is too slow for the check")
}

/// Without ordering, a message with a long retry delay blocks no other.
pub(super) async fn a_retry_blocks_no_other_message(suite: &Suite) -> Result<()> {
    let place = suite.place().await?;
    let mut consumer = place.join("others", &["a"]).await?;
    place.publish(["bad", "1", "2", "3"].map(|payload| place.message("a", payload)).to_vec()).await?;
    let bad = next(&mut *consumer).await?;
    ensure!(text(&bad) == "bad", "{} came first", text(&bad));
    bad.receipt.retry(Duration::from_secs(3600)).await?;
    expect(&mut *consumer, &["1", "2", "3"]).await
}

/// Cancels fetches at any time. No message is lost, and no handled message is redelivered.
pub(super) async fn cancelled_fetches_lose_nothing(suite: &Suite) -> Result<()> {
    let place = suite.place().await?;
    let subscription = Subscription { ack_wait: ACK_WAIT, ..place.subscription("given-up", &["a"]) };
    let mut consumer = place.broker.subscribe(&subscription).await?;
    let mut handled: BTreeMap<String, usize> = BTreeMap::new();
    for number in 0..MANY {
        place.publish(vec![place.message("a", &number.to_string())]).await?;
        let moment = Duration::from_micros(u64::try_from(number)?.saturating_mul(40));
        if let Ok(found) = tokio::time::timeout(moment, consumer.fetch(5)).await {
            for delivery in found? {
                let count = handled.entry(text(&delivery)).or_default();
                *count = count.saturating_add(1);
                delivery.receipt.ack().await?;
            }
        }
    }
    if suite.capabilities.redelivers {
        while handled.len() < MANY {
            for delivery in collect(&mut *consumer, 1).await? {
                let count = handled.entry(text(&delivery)).or_default();
                *count = count.saturating_add(1);
                delivery.receipt.ack().await?;
            }
        }
        expect_silence(&mut *consumer).await?;
    }
    ensure!(handled.values().all(|count| *count == 1), "some came again after an ack: {handled:?}");
    Ok(())
}
