//! Order: an ordered consumer handles the messages of one key in order, however each is settled.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::{Place, Suite, expect, fetch, next, text};
use crate::{Consumer, Delivery, Subscription};

const KEYS: [&str; 3] = ["one", "two", "three"];
/// Number of messages per key.
const EACH: usize = 6;

async fn ordered(place: &Place) -> Result<Box<dyn Consumer>> {
    let subscription = Subscription { ordered: true, ..place.subscription("ordered", &["a"]) };
    Ok(place.broker.subscribe(&subscription).await?)
}

fn key(delivery: &Delivery) -> String {
    delivery.message.key.clone().unwrap_or_default()
}

/// Retries some messages, rejects others, with two members. No two messages of a key may be in flight, and they must
/// arrive in order.
pub(super) async fn messages_of_a_key_are_in_order(suite: &Suite) -> Result<()> {
    let place = suite.place().await?;
    let mut members = [ordered(&place).await?, ordered(&place).await?];
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for number in 0..EACH {
        for key in KEYS {
            let payload = format!("{key} {number}");
            place.publish(vec![place.keyed("a", key, &payload)]).await?;
            expected.entry(key.to_owned()).or_default().push(payload);
        }
    }
    let mut handled: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut in_hand: Vec<Delivery> = Vec::new();
    let mut count = 0usize;
    while handled.values().map(Vec::len).sum::<usize>() < KEYS.len().saturating_mul(EACH) {
        let member = members.get_mut(count % 2).context("a member")?;
        let found = match in_hand.is_empty() {
            true => fetch(&mut **member, 2).await?,
            false => {
                tokio::time::timeout(Duration::from_millis(50), member.fetch(2)).await.unwrap_or(Ok(Vec::new()))?
            }
        };
        for delivery in found {
            let busy = in_hand.iter().any(|other| key(other) == key(&delivery));
            ensure!(!busy, "{} came while another of its key was in hand", text(&delivery));
            in_hand.push(delivery);
        }
        count = count.saturating_add(1);
        let Some(delivery) = in_hand.pop() else { continue };
        match (delivery.attempt, count % 3) {
            (1, 0) => delivery.receipt.retry(Duration::from_millis(20)).await?,
            (1, 1) => delivery.receipt.retry(Duration::ZERO).await?,
            _ => {
                handled.entry(key(&delivery)).or_default().push(text(&delivery));
                if count.is_multiple_of(5) {
                    delivery.receipt.reject("every fifth").await?;
                } else {
                    delivery.receipt.ack().await?;
                }
            }
        }
    }
    ensure!(handled == expected, "they were handled in another order: {handled:?}");
    Ok(())
}

/// A delayed message blocks neither other keys nor messages without a key.
pub(super) async fn keys_do_not_block_each_other(suite: &Suite) -> Result<()> {
    let place = suite.place().await?;
    let mut consumer = ordered(&place).await?;
    place.publish(vec![place.keyed("a", "one", "first"), place.keyed("a", "one", "second")]).await?;
    let first = next(&mut *consumer).await?;
    ensure!(text(&first) == "first", "{} came first", text(&first));
    first.receipt.retry(Duration::from_secs(3600)).await?;
    place.publish(vec![place.keyed("a", "two", "third"), place.message("a", "fourth")]).await?;
    place.publish(vec![place.keyed("a", "two", "fifth"), place.message("a", "sixth")]).await?;
    expect(&mut *consumer, &["third", "fourth", "fifth", "sixth"]).await
}
