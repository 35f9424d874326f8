//! Messages arrive as they were published, once.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;

use super::{Place, Suite, collect, expect, next};
use crate::{MESSAGE_ID, Message};

/// Number of messages published at once.
const MANY: usize = 200;

fn samples(place: &Place) -> Vec<Message> {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let full = Message {
        key: Some("a key: ä \u{1f511}".into()),
        content_type: Some("application/json; charset=utf-8".into()),
        headers: vec![header("traceparent", "00-1-2-01"), header("X-List", "2"), header("X-List", "1")],
        reply_to: Some(place.topic("answers.here")),
        payload: (0..=255).collect::<Vec<u8>>().into(),
        ..place.message("whole", "")
    };
    let odd = Message { headers: vec![header("empty", ""), header("odd", "a: b, c;d=\"e\" ü")], ..full.clone() };
    let large = Message { payload: Bytes::from(vec![0xa5; 500_000]), ..place.message("whole", "") };
    let dotted = place.message("whole.ä.$x-y_z.0", "0");
    vec![full, odd, place.message("whole", ""), large, dotted]
}

pub(super) async fn messages_arrive_as_published(suite: &Suite) -> Result<()> {
    let place = suite.place().await?;
    let mut consumer = place.join("whole", &["whole", "whole.>"]).await?;
    let mut last = 0;
    for (number, message) in samples(&place).into_iter().enumerate() {
        place.publish(vec![message.clone()]).await?;
        let delivery = next(&mut *consumer).await.with_context(|| format!("sample {number}"))?;
        same(&delivery.message, &message).with_context(|| format!("sample {number}"))?;
        ensure!(delivery.attempt == 1, "the first delivery has number {}", delivery.attempt);
        if suite.capabilities.keeps {
            let sequence = delivery.sequence.context("a message that is kept has a sequence")?;
            ensure!(sequence > last, "sequences do not grow");
            last = sequence;
        }
        delivery.receipt.ack().await?;
    }
    Ok(())
}

/// Compares a message with the published one. Only the order of headers with different names may differ, and the id,
/// which brokers add if missing, and replace on replay.
pub(super) fn same(found: &Message, published: &Message) -> Result<()> {
    let headers = |message: &Message| {
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in message.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(MESSAGE_ID)) {
            values.entry(name.to_ascii_lowercase()).or_default().push(value.clone());
        }
        values
    };
    ensure!(headers(found) == headers(published), "headers: {:?}, not {:?}", found.headers, published.headers);
    let rest = |message: &Message| Message { headers: Vec::new(), payload: Bytes::new(), ..message.clone() };
    ensure!(rest(found) == rest(published), "{:?} instead of {:?}", rest(found), rest(published));
    ensure!(found.payload == published.payload, "the payload is another");
    Ok(())
}

pub(super) async fn many_messages_arrive_in_order(suite: &Suite) -> Result<()> {
    let place = suite.place().await?;
    let mut consumer = place.join("many", &["many"]).await?;
    let payloads: Vec<String> = (0..MANY).map(|number| format!("{number:03}")).collect();
    place.publish(payloads.iter().map(|payload| place.message("many", payload)).collect()).await?;
    let deliveries = collect(&mut *consumer, MANY).await?;
    // A single member receives messages published together in order.
    let found: Vec<String> = deliveries.iter().map(super::text).collect();
    ensure!(found == payloads, "{found:?} came");
    for delivery in deliveries {
        delivery.receipt.ack().await?;
    }
    super::expect_silence(&mut *consumer).await?;
    place.publish(Vec::new()).await.context("no message at all")
}

pub(super) async fn messages_with_a_known_id_are_dropped(suite: &Suite) -> Result<()> {
    let place = suite.place().await?;
    let mut consumer = place.join("ids", &["ids"]).await?;
    let message = |id: &str, payload: &str| Message {
        headers: vec![(MESSAGE_ID.to_owned(), format!("{}-{id}", place.word))],
        ..place.message("ids", payload)
    };
    place.publish(vec![message("1", "first"), message("1", "again"), message("2", "other")]).await?;
    expect(&mut *consumer, &["first", "other"]).await?;
    let again = suite.again(&place).await?;
    again.publish(vec![message("1", "handled"), message("3", "last")]).await?;
    expect(&mut *consumer, &["last"]).await
}
