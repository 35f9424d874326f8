//! Operators: rejected messages are stored with their reason, and can be replayed or purged.

pub(super) mod moves;

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail, ensure};

use super::messages::same;
use super::{Place, Suite, eventually, expect, expect_silence, next, text};
use crate::{ConsumerInfo, ConsumerMove, DeadLetter, ErrorKind, MESSAGE_ID, Message, Operator, Start};

pub(super) async fn there_is_no_operator(suite: &Suite) -> Result<()> {
    let place = suite.place().await?;
    ensure!(place.broker.operator().is_none(), "there is an operator without dead letters");
    Ok(())
}

fn operator(place: &Place) -> Result<&dyn Operator> {
    place.broker.operator().context("there is no operator")
}

async fn letters(place: &Place) -> Result<Vec<DeadLetter>> {
    Ok(operator(place)?.dead_letters(None, 100).await?)
}

fn failed(place: &Place) -> Message {
    let headers = vec![(MESSAGE_ID.to_owned(), format!("{}-bad", place.word)), ("X-A".to_owned(), "1".to_owned())];
    Message { headers, content_type: Some("text/plain".into()), ..place.keyed("a.b", "a key", "bad") }
}

pub(super) async fn rejected_messages_are_dead_letters(suite: &Suite) -> Result<()> {
    let place = suite.place().await?;
    let mut consumer = place.join("rejecting", &["a.>"]).await?;
    let mut other = place.join("other", &["a.>"]).await?;
    ensure!(letters(&place).await?.is_empty(), "there are dead letters before any message");
    place.publish(vec![failed(&place), place.message("a.b", "good")]).await?;
    next(&mut *consumer).await?.receipt.retry(Duration::ZERO).await?;
    let mut found = super::collect(&mut *consumer, 2).await?;
    found.sort_by_key(text);
    let [bad, good] = <[_; 2]>::try_from(found).ok().context("two messages")?;
    ensure!((text(&bad), text(&good)) == ("bad".into(), "good".into()), "other messages came");
    bad.receipt.reject("it is bad: ä").await.context("reject")?;
    good.receipt.ack().await?;
    expect_silence(&mut *consumer).await.context("after the reject")?;
    let found = letters(&suite.again(&place).await?).await?;
    let [letter] = found.as_slice() else { bail!("{} dead letters", found.len()) };
    same(&letter.message, &failed(&place))?;
    ensure!(letter.attempts == 2, "it was delivered {} times", letter.attempts);
    ensure!(letter.reason == "it is bad: ä", "the reason is {:?}", letter.reason);
    ensure!(letter.consumer == place.subscription("rejecting", &[]).consumer, "{} rejected it", letter.consumer);
    let age = SystemTime::now().duration_since(letter.timestamp).unwrap_or_default();
    ensure!(age < Duration::from_secs(3600), "it was rejected {age:?} ago");
    expect(&mut *other, &["bad", "good"]).await.context("another consumer")
}

/// A guest may give any reason; a broker may truncate it.
pub(super) async fn reasons_have_any_text(suite: &Suite) -> Result<()> {
    let place = suite.place().await?;
    let mut consumer = place.join("lines", &["a"]).await?;
    for reason in ["one\r\n\0two", ""] {
        place.publish(vec![place.message("a", "1")]).await?;
        next(&mut *consumer).await?.receipt.reject(reason).await.with_context(|| format!("{reason:?}"))?;
    }
    let reasons: Vec<String> = letters(&place).await?.into_iter().map(|letter| letter.reason).collect();
    let [first, _] = reasons.as_slice() else { bail!("{reasons:?} instead of two") };
    ensure!(first.contains("one") && first.contains("two"), "{first:?}");
    expect_silence(&mut *consumer).await
}

/// Makes a dead letter of each message.
async fn bury(place: &Place, payloads: &[&str]) -> Result<Vec<u64>> {
    let mut consumer = place.join("burying", &["a"]).await?;
    for payload in payloads {
        place.publish(vec![place.message("a", payload)]).await?;
        next(&mut *consumer).await?.receipt.reject(payload).await?;
    }
    let found = letters(place).await?;
    ensure!(found.iter().map(|letter| &letter.reason).eq(payloads), "not these are the dead letters, in this order");
    Ok(found.iter().map(|letter| letter.sequence).collect())
}

pub(super) async fn dead_letters_are_replayed(suite: &Suite) -> Result<()> {
    let place = suite.place().await?;
    let mut consumer = place.join("replaying", &["a.>"]).await?;
    place.publish(vec![failed(&place)]).await?;
    next(&mut *consumer).await?.receipt.reject("no").await?;
    let letter = letters(&place).await?.pop().context("a dead letter")?;
    operator(&place)?.replay(letter.sequence).await?;
    let delivery = next(&mut *consumer).await.context("it does not come again")?;
    ensure!(delivery.attempt == 1, "attempt {}", delivery.attempt);
    same(&delivery.message, &failed(&place))?;
    ensure!(letters(&place).await?.is_empty(), "it is still a dead letter");
    // It may be rejected again.
    delivery.receipt.reject("again").await?;
    let again = letters(&place).await?;
    ensure!(again.iter().map(|letter| letter.reason.as_str()).eq(["again"]), "it is no dead letter again");
    expect_silence(&mut *consumer).await?;
    missing(operator(&place)?.replay(letter.sequence).await, &again)?;
    missing(operator(&place)?.replay(u64::MAX).await, &again)
}

/// Unknown sequences are errors, unless the sequence was reassigned.
fn missing(outcome: crate::Result<()>, there: &[DeadLetter]) -> Result<()> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::InvalidArgument => Ok(()),
        other => bail!("{other:?} for what is not there; {} are", there.len()),
    }
}

pub(super) async fn dead_letters_are_purged_and_listed_in_pages(suite: &Suite) -> Result<()> {
    let place = suite.place().await?;
    let sequences = bury(&place, &["1", "2", "3", "4"]).await?;
    let [first, second, third, fourth] = sequences.as_slice() else { bail!("four dead letters") };
    let page = async |after, limit| -> Result<Vec<u64>> {
        let found = operator(&place)?.dead_letters(after, limit).await?;
        Ok(found.iter().map(|letter| letter.sequence).collect())
    };
    ensure!(page(None, 2).await? == [*first, *second], "the first page");
    ensure!(page(Some(*second), 2).await? == [*third, *fourth], "the second page");
    ensure!(page(Some(*fourth), 2).await?.is_empty(), "after the last");
    operator(&place)?.purge(*second).await?;
    ensure!(page(None, 10).await? == [*first, *third, *fourth], "after a purge");
    missing(operator(&place)?.purge(*second).await, &[]).context("what was purged")?;
    missing(operator(&place)?.replay(*second).await, &[]).context("what was purged")?;
    expect_silence(&mut *place.join("burying", &["a"]).await?).await
}

/// An operator removes a dead letter and moves the consumer back, again and again. No deduplication drops the later dead letters.
pub(super) async fn purged_messages_are_dead_letters_again(suite: &Suite) -> Result<()> {
    let place = suite.place().await?;
    // Its pending message stays stored.
    drop(place.join("witness", &["a.>"]).await?);
    place.publish(vec![failed(&place)]).await?;
    for reason in ["first", "second", "third"] {
        let mut consumer = place.join("failing", &["a.>"]).await?;
        next(&mut *consumer).await?.receipt.reject(reason).await?;
        expect_silence(&mut *consumer).await?;
        drop(consumer);
        let found = letters(&place).await?;
        let [letter] = found.as_slice() else { bail!("{} dead letters after the {reason} rejection", found.len()) };
        ensure!(letter.reason == reason, "the reason is {:?} instead of {reason:?}", letter.reason);
        same(&letter.message, &failed(&place))?;
        operator(&place)?.purge(letter.sequence).await?;
        moves::moving(&place, "failing", ConsumerMove::default().with_start(Start::All)).await?;
    }
    Ok(())
}

pub(super) async fn operators_count(suite: &Suite) -> Result<()> {
    let place = suite.place().await?;
    let mut consumer = place.join("counting", &["a"]).await?;
    place.publish(["1", "2", "3", "4", "5"].map(|payload| place.message("a", payload)).to_vec()).await?;
    let first = next(&mut *consumer).await?;
    let second = next(&mut *consumer).await?;
    let name = place.subscription("counting", &[]).consumer;
    let expected = |pending, in_flight, redelivered| {
        let (name, topics) = (name.clone(), vec![place.topic("a")]);
        ConsumerInfo { name, topics, owner: None, pending, in_flight, redelivered }
    };
    let is = async |expected: ConsumerInfo| {
        eventually(async || Ok(operator(&place)?.stream().await?.consumers == [expected.clone()]))
            .await
            .with_context(|| format!("expected {expected:?}"))
    };
    is(expected(3, 2, 0)).await?;
    first.receipt.ack().await?;
    is(expected(3, 1, 0)).await?;
    second.receipt.retry(Duration::ZERO).await?;
    let again = next(&mut *consumer).await?;
    ensure!(again.attempt == 2, "what was delivered before did not come first");
    is(expected(3, 1, 1)).await?;
    again.receipt.reject("no").await?;
    is(expected(3, 0, 0)).await?;
    let stream = operator(&place)?.stream().await?;
    ensure!(stream.dead_letters == 1 && stream.messages >= 3 && !stream.name.is_empty(), "{stream:?}");
    Ok(())
}
