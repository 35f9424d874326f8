//! Moves: an operator changes what a subscription may not.

use anyhow::{Context as _, Result, bail, ensure};
use tokio::time::{Instant, sleep};

use super::super::{PATIENCE, POLL, Place, Suite, collect, eventually, expect, expect_silence};
use super::{missing, operator};
use crate::{ConsumerMove, ErrorKind, Moved, Owner, Start, Subscription};

/// Moves a consumer from which nothing fetches any more. A server may take a moment to notice that.
pub(super) async fn moving(place: &Place, consumer: &str, change: ConsumerMove) -> Result<Moved> {
    let name = place.subscription(consumer, &[]).consumer;
    let start = Instant::now();
    loop {
        match operator(place)?.move_consumer(&name, &change).await {
            Err(error) if error.kind() == ErrorKind::Unavailable && start.elapsed() < PATIENCE => sleep(POLL).await,
            moved => return moved.context("move"),
        }
    }
}

/// A broker with two handled and two pending messages, all stored.
async fn prepared(suite: &Suite) -> Result<Place> {
    let place = suite.place().await?;
    drop(place.join("witness", &[">"]).await?);
    let mut consumer = place.join("moving", &["a"]).await?;
    place.publish(["1", "2"].map(|payload| place.message("a", payload)).to_vec()).await?;
    expect(&mut *consumer, &["1", "2"]).await?;
    drop(consumer);
    place.publish(vec![place.message("a", "3"), place.message("b", "b"), place.message("a", "4")]).await?;
    Ok(place)
}

pub(in super::super) async fn moves_of_topics(suite: &Suite) -> Result<()> {
    let place = prepared(suite).await?;
    let topics = Some(vec![place.topic("c")]);
    let moved = moving(&place, "moving", ConsumerMove { topics: topics.clone(), ..ConsumerMove::default() }).await?;
    ensure!(moved.before == [place.topic("a")] && moved.skipped == Some(2), "{moved:?}");
    ensure!(Some(&moved.now.topics) == topics.as_ref() && moved.now.pending == 0, "{moved:?}");
    ensure!(place.join("moving", &["a"]).await.is_err(), "its topics are the old ones");
    place.publish(vec![place.message("c", "c")]).await?;
    expect(&mut *place.join("moving", &["c"]).await?, &["c"]).await
}

pub(in super::super) async fn moves_of_the_position(suite: &Suite) -> Result<()> {
    let place = prepared(suite).await?;
    let start = |start| ConsumerMove { start: Some(start), ..ConsumerMove::default() };
    let moved = moving(&place, "moving", start(Start::New)).await?;
    ensure!((moved.skipped, moved.now.pending) == (Some(2), 0), "{moved:?}");
    place.publish(vec![place.message("a", "5")]).await?;
    let mut consumer = place.join("moving", &["a"]).await?;
    expect(&mut *consumer, &["5"]).await.context("new")?;
    drop(consumer);
    let moved = moving(&place, "moving", start(Start::All)).await?;
    ensure!((moved.skipped, moved.now.pending) == (Some(0), 5), "{moved:?}");
    let mut consumer = place.join("moving", &["a"]).await?;
    let mut sequences = Vec::new();
    for delivery in collect(&mut *consumer, 5).await? {
        sequences.push(delivery.sequence.context("a sequence")?);
        delivery.receipt.ack().await?;
    }
    drop(consumer);
    let fourth = *sequences.get(3).context("the fourth")?;
    moving(&place, "moving", start(Start::Sequence(fourth))).await?;
    expect(&mut *place.join("moving", &["a"]).await?, &["4", "5"]).await.context("from the fourth on")
}

pub(in super::super) async fn moves_to_another_name(suite: &Suite) -> Result<()> {
    let place = prepared(suite).await?;
    let name = Some(place.subscription("renamed", &[]).consumer);
    let moved = moving(&place, "moving", ConsumerMove { name: name.clone(), ..ConsumerMove::default() }).await?;
    ensure!(Some(&moved.now.name) == name.as_ref() && moved.skipped == Some(0), "{moved:?}");
    let names: Vec<String> = operator(&place)?.stream().await?.consumers.into_iter().map(|info| info.name).collect();
    ensure!(names.len() == 2 && names.contains(&moved.now.name), "{names:?}");
    expect(&mut *place.join("renamed", &["a"]).await?, &["3", "4"]).await?;
    let old = place.subscription("moving", &[]).consumer;
    missing(operator(&place)?.move_consumer(&old, &ConsumerMove::default()).await.map(drop), &[])?;
    let taken = ConsumerMove { name: Some(place.subscription("witness", &[]).consumer), ..ConsumerMove::default() };
    missing(operator(&place)?.move_consumer(&moved.now.name, &taken).await.map(drop), &[])
        .context("a name that is taken")
}

pub(in super::super) async fn moves_to_another_owner(suite: &Suite) -> Result<()> {
    let place = prepared(suite).await?;
    let subscription = |component: &str| {
        let owner = Owner { app: Some(place.word.clone()), component: component.to_owned() };
        Subscription { owner: Some(owner), ..place.subscription("moving", &["a"]) }
    };
    drop(place.broker.subscribe(&subscription("other")).await?);
    ensure!(place.broker.subscribe(&subscription("moving")).await.is_err(), "it belongs to another component");
    moving(&place, "moving", ConsumerMove::default()).await?;
    let mut consumer = place.broker.subscribe(&subscription("moving")).await.context("after the move")?;
    expect(&mut *consumer, &["3", "4"]).await
}

/// A program that fetches would continue with topics that its component does not handle, or recreate the consumer.
pub(in super::super) async fn moves_are_refused_while_a_program_fetches(suite: &Suite) -> Result<()> {
    let place = prepared(suite).await?;
    let name = place.subscription("moving", &[]).consumer;
    let is_refused = async |change: ConsumerMove| {
        let moved = operator(&place)?.move_consumer(&name, &change).await;
        Ok(moved.is_err_and(|error| error.kind() == ErrorKind::Unavailable))
    };
    let mut consumer = place.join("moving", &["a"]).await?;
    expect(&mut *consumer, &["3", "4"]).await?;
    let refusals = async {
        // A server may take a moment to notice that a program fetches.
        eventually(async || is_refused(ConsumerMove::default()).await).await?;
        for change in [
            ConsumerMove::default().with_topics(vec![place.topic("b")]),
            ConsumerMove::default().with_start(Start::All),
            ConsumerMove::default().with_name(place.subscription("renamed", &[]).consumer),
        ] {
            ensure!(is_refused(change.clone()).await?, "{change:?} is not refused");
        }
        Ok(())
    };
    tokio::select! {
        found = consumer.fetch(1) => bail!("{} messages came", found?.len()),
        refused = refusals => refused?,
    }
    drop(consumer);
    let moved = moving(&place, "moving", ConsumerMove::default()).await?;
    ensure!(moved.before == [place.topic("a")] && moved.now.topics == moved.before, "{moved:?}");
    expect_silence(&mut *place.join("moving", &["a"]).await?).await
}

/// Messages stay for a consumer that is created later. A new one of the same name begins anew.
pub(in super::super) async fn consumers_are_removed(suite: &Suite) -> Result<()> {
    let place = prepared(suite).await?;
    let name = place.subscription("moving", &[]).consumer;
    let consumer = place.join("moving", &["a"]).await?;
    drop(consumer);
    // A server may take a moment to notice that nothing fetches.
    eventually(async || Ok(operator(&place)?.remove_consumer(&name).await.is_ok())).await?;
    let names: Vec<String> = operator(&place)?.stream().await?.consumers.into_iter().map(|info| info.name).collect();
    ensure!(names == [place.subscription("witness", &[]).consumer], "{names:?}");
    missing(operator(&place)?.remove_consumer(&name).await.map(drop), &[])?;
    let place = suite.again(&place).await?;
    expect(&mut *place.join("moving", &["a"]).await?, &["1", "2", "3", "4"]).await.context("all that is stored")?;
    expect(&mut *place.join("witness", &[">"]).await?, &["1", "2", "3", "b", "4"]).await.context("another consumer")
}
