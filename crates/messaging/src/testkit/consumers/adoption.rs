//! Adoption: a subscription takes over an existing consumer with its position, or is refused.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::super::{Place, Suite, expect};
use crate::{Owner, Subscription};

/// Checks that the subscription is refused with an error that contains `parts`.
async fn refused(place: &Place, subscription: &Subscription, parts: &[&str]) -> Result<()> {
    let error = place.broker.subscribe(subscription).await.err().context("it was not refused")?;
    let text = error.to_string();
    ensure!(error.kind() == tempo_settings::ErrorKind::BadConfiguration, "{:?}: {text}", error.kind());
    let missing = parts.iter().find(|part| !text.contains(*part));
    ensure!(missing.is_none(), "{missing:?} is not in {text:?}");
    Ok(())
}

pub(in super::super) async fn adoption_of_topics(suite: &Suite) -> Result<()> {
    let place = suite.place().await?;
    // A consumer that acknowledges nothing, so that all messages stay stored.
    let witness = place.join("witness", &[">"]).await?;
    let mut consumer = place.join("changed", &["a.>"]).await?;
    place.publish(["a.1", "b.1"].map(|topic| place.message(topic, topic)).to_vec()).await?;
    expect(&mut *consumer, &["a.1"]).await?;
    drop(consumer);
    place.publish(["a.2", "a.3", "b.2"].map(|topic| place.message(topic, topic)).to_vec()).await?;
    let again = suite.again(&place).await?;
    for (topics, skipped) in [(&["b.>"][..], "2 messages"), (&["a.2", "b.>"], "1 message"), (&["a.*"], "0 messages")] {
        let subscription = again.subscription("changed", topics);
        let wanted = format!("{}: {skipped} would be skipped", subscription.topics.join(", "));
        refused(&again, &subscription, &[&place.topic("a.>"), &wanted]).await.with_context(|| format!("{topics:?}"))?;
    }
    let mut consumer = again.join("changed", &["a.>", "a.2"]).await?;
    expect(&mut *consumer, &["a.2", "a.3"]).await.context("after the refusals")?;
    drop(consumer);
    let mut consumer = place.join("changed", &["b.>", "a.>"]).await?;
    place.publish(["a.4", "b.3", "c"].map(|topic| place.message(topic, topic)).to_vec()).await?;
    let before: &[&str] = if suite.capabilities.rematches { &["b.1", "b.2"] } else { &[] };
    expect(&mut *consumer, &[before, &["a.4", "b.3"]].concat()).await.context("with more topics")?;
    drop(witness);
    Ok(())
}

pub(in super::super) async fn adoption_of_options(suite: &Suite) -> Result<()> {
    let place = suite.place().await?;
    let mut consumer = place.join("options", &["a"]).await?;
    place.publish(vec![place.message("a", "1")]).await?;
    expect(&mut *consumer, &["1"]).await?;
    drop(consumer);
    place.publish(vec![place.message("a", "2")]).await?;
    let ack_wait = Duration::from_secs(300);
    let changed = Subscription { ack_wait, ordered: true, ..place.subscription("options", &["a"]) };
    for (subscription, message) in [(changed, "2"), (place.subscription("options", &["a"]), "3")] {
        let mut consumer = place.broker.subscribe(&subscription).await?;
        if message == "3" {
            place.publish(vec![place.message("a", "3")]).await?;
        }
        expect(&mut *consumer, &[message]).await?;
    }
    Ok(())
}

/// A subscription to `a` under the name that follows from its owner.
fn owned(place: &Place, app: Option<&str>, component: &str) -> Subscription {
    let owner = Owner { app: app.map(str::to_owned), component: component.to_owned() };
    Subscription { owner: Some(owner.clone()), consumer: owner.consumer(), ..place.subscription("", &["a"]) }
}

pub(in super::super) async fn adoption_by_owner(suite: &Suite) -> Result<()> {
    let place = suite.place().await?;
    let usual = owned(&place, Some(&place.word), "app");
    let other = Owner { app: Some("other".to_owned()), component: "app".to_owned() };
    let chosen = Subscription { owner: Some(other), ..usual.clone() };
    place.broker.subscribe(&chosen).await.context("one under a name of its choice")?;
    place.publish(vec![place.message("a", "1")]).await?;
    let parts = ["belongs to component app of app other", &format!("component app of app {}", place.word)];
    refused(&place, &usual, &parts).await?;
    let third = Owner { app: None, component: "third".to_owned() };
    let chosen = Subscription { owner: Some(third.clone()), ..usual.clone() };
    let mut consumer = place.broker.subscribe(&chosen).await.context("another one under that name")?;
    expect(&mut *consumer, &["1"]).await?;
    refused(&place, &usual, &["belongs to component third, "]).await?;
    // Without a recorded owner, as from earlier versions, the next subscription becomes the owner.
    let unowned = place.subscription("unowned", &["a"]);
    drop(place.broker.subscribe(&unowned).await?);
    let mut usual = owned(&place, Some(&place.word), "unowned");
    drop(place.broker.subscribe(&usual).await.context("a consumer without an owner")?);
    drop(place.broker.subscribe(&usual).await.context("its own consumer")?);
    usual.owner = Some(Owner { app: None, component: unowned.consumer });
    refused(&place, &usual, &[]).await
}

pub(in super::super) async fn adoption_of_an_unnamed_app(suite: &Suite) -> Result<()> {
    let place = suite.place().await?;
    let component = format!("{}-component", place.word);
    let mut consumer = place.broker.subscribe(&owned(&place, None, &component)).await?;
    place.publish(vec![place.message("a", "1")]).await?;
    expect(&mut *consumer, &["1"]).await?;
    drop(consumer);
    place.publish(vec![place.message("a", "2")]).await?;
    for expected in [&["2"][..], &[]] {
        let mut consumer = place.broker.subscribe(&owned(&place, Some("shop"), &component)).await?;
        expect(&mut *consumer, expected).await?;
    }
    let mut consumer = place.broker.subscribe(&owned(&place, Some("other"), &component)).await?;
    let all: &[&str] = if suite.capabilities.rematches { &[] } else { &["1", "2"] };
    expect(&mut *consumer, all).await.context("another app")
}
