//! Consumers receive the messages that their topics match; members of one consumer share them.

pub(super) mod adoption;

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use tokio::sync::mpsc;

use super::{Suite, expect, handle};
use crate::Consumer;

/// Number of messages that members share.
const SHARED: usize = 60;

pub(super) async fn topics_match(suite: &Suite) -> Result<()> {
    let place = suite.place().await?;
    let wanted: [(&str, &[&str], &[&str]); 6] = [
        ("exact", &["a.b"], &["a.b"]),
        ("word", &["a.*"], &["a.b", "a.c"]),
        ("rest", &["a.>"], &["a.b", "a.c", "a.b.c"]),
        ("first", &["*.b"], &["a.b", "b.b"]),
        ("inner", &["*.b.*"], &["a.b.c"]),
        ("two", &["a", "b.>"], &["a", "b.b"]),
    ];
    let mut consumers = Vec::new();
    for (name, topics, expected) in wanted {
        consumers.push((name, place.join(name, topics).await?, expected));
    }
    let published = ["a", "a.b", "a.c", "a.b.c", "b.b", "ab", "A.b.c.d"];
    place.publish(published.iter().map(|topic| place.message(topic, topic)).collect()).await?;
    for (name, mut consumer, expected) in consumers {
        expect(&mut *consumer, expected).await.context(name)?;
    }
    Ok(())
}

pub(super) async fn overlapping_topics_deliver_once(suite: &Suite) -> Result<()> {
    let place = suite.place().await?;
    let mut consumer = place.join("merged", &["a.>", "a.b", "*.b"]).await?;
    let topics = ["a.b", "a.c", "c.b"];
    place.publish(topics.iter().map(|topic| place.message(topic, topic)).collect()).await?;
    expect(&mut *consumer, &topics).await
}

/// Acknowledges messages, and reports each.
async fn work(mut consumer: Box<dyn Consumer>, done: mpsc::Sender<String>) -> Result<()> {
    loop {
        for delivery in consumer.fetch(3).await? {
            let payload = super::text(&delivery);
            delivery.receipt.ack().await?;
            done.send(payload).await?;
        }
    }
}

pub(super) async fn members_share_messages(suite: &Suite) -> Result<()> {
    let place = suite.place().await?;
    let elsewhere = suite.again(&place).await?;
    let mut other = place.join("other", &["a.>"]).await?;
    let (done, mut handled) = mpsc::channel(SHARED);
    let mut workers = tokio::task::JoinSet::new();
    for place in [&place, &place, &elsewhere] {
        workers.spawn(work(place.join("shared", &["a.>"]).await?, done.clone()));
    }
    let payloads: BTreeSet<String> = (0..SHARED).map(|number| number.to_string()).collect();
    for payload in &payloads {
        place.publish(vec![place.message("a.b", payload)]).await?;
    }
    let mut found = BTreeSet::new();
    for _ in 0..SHARED {
        let payload = tokio::time::timeout(super::PATIENCE, handled.recv()).await.context("too few were handled")?;
        let payload = payload.context("the workers have stopped")?;
        ensure!(found.insert(payload.clone()), "{payload} came twice");
    }
    ensure!(found == payloads, "others were handled than were published");
    let extra = tokio::time::timeout(super::SILENCE, handled.recv()).await;
    ensure!(extra.is_err(), "more were handled than were published: {extra:?}");
    let all: BTreeSet<String> = handle(&mut *other, SHARED).await?.into_iter().collect();
    ensure!(all == payloads, "another consumer did not get all");
    Ok(())
}

pub(super) async fn stored_messages_reach_new_consumers(suite: &Suite) -> Result<()> {
    let place = suite.place().await?;
    place.publish(vec![place.message("a", "1"), place.message("b", "2"), place.message("a", "3")]).await?;
    let mut consumer = place.join("late", &["a"]).await?;
    place.publish(vec![place.message("a", "4")]).await?;
    expect(&mut *consumer, &["1", "3", "4"]).await?;
    expect(&mut *place.join("later", &["b"]).await?, &["2"]).await
}

pub(super) async fn messages_wait_for_a_member(suite: &Suite) -> Result<()> {
    let place = suite.place().await?;
    let mut consumer = place.join("absent", &["a"]).await?;
    place.publish(vec![place.message("a", "1")]).await?;
    expect(&mut *consumer, &["1"]).await?;
    drop(consumer);
    place.publish(vec![place.message("a", "2")]).await?;
    let again = suite.again(&place).await?;
    expect(&mut *again.join("absent", &["a"]).await?, &["2"]).await
}
