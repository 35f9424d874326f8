//! Requests: answers reach the requester only.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use tokio::task::JoinSet;

use super::{PATIENCE, Place, Suite, text};
use crate::{Consumer, ErrorKind, Message};

/// Timeout of requests without answers.
const MOMENT: Duration = Duration::from_millis(700);

/// Answers each request `times` times, with the request's payload and the number of the answer.
async fn answer(place: Place, mut consumer: Box<dyn Consumer>, times: usize) -> Result<()> {
    loop {
        for delivery in consumer.fetch(10).await? {
            let topic = delivery.message.reply_to.clone().context("a request has a reply topic")?;
            for number in 0..times {
                let payload = Bytes::from(format!("{} {number}", text(&delivery)));
                let headers = vec![("X-Answer".to_owned(), number.to_string())];
                let reply = Message { topic: topic.clone(), headers, payload, ..Message::default() };
                place.broker.reply(reply).await.context("reply")?;
            }
            delivery.receipt.ack().await?;
        }
    }
}

async fn answering(suite: &Suite, times: usize) -> Result<(Place, JoinSet<Result<()>>)> {
    let place = suite.place().await?;
    let elsewhere = suite.again(&place).await?;
    let consumer = elsewhere.join("answering", &["ask"]).await?;
    let mut tasks = JoinSet::new();
    tasks.spawn(answer(elsewhere, consumer, times));
    Ok((place, tasks))
}

pub(super) async fn a_request_receives_its_reply(suite: &Suite) -> Result<()> {
    let (place, _tasks) = answering(suite, 1).await?;
    let question = Message { reply_to: Some("ignored".into()), ..place.message("ask", "question") };
    let answers = place.broker.request(question, 1, PATIENCE).await?;
    let [answer] = answers.as_slice() else { bail!("{} answers came", answers.len()) };
    ensure!(answer.payload.as_ref() == b"question 0", "another answer came");
    ensure!(answer.header("x-answer") == Some("0"), "headers of answers are lost: {:?}", answer.headers);
    Ok(())
}

pub(super) async fn a_request_receives_several_replies(suite: &Suite) -> Result<()> {
    let (place, _tasks) = answering(suite, 3).await?;
    let answers = place.broker.request(place.message("ask", "q"), 2, PATIENCE).await.context("fewer than there are")?;
    ensure!(answers.len() == 2, "{} answers came instead of 2", answers.len());
    let answers = place.broker.request(place.message("ask", "q"), 3, PATIENCE).await.context("as many as there are")?;
    let mut texts: Vec<&[u8]> = answers.iter().map(|answer| answer.payload.as_ref()).collect();
    texts.sort_unstable();
    ensure!(texts == [b"q 0", b"q 1", b"q 2"], "{texts:?} came");
    let start = Instant::now();
    let answers = place.broker.request(place.message("ask", "q"), 9, MOMENT).await.context("more than there are")?;
    ensure!((1..=3).contains(&answers.len()), "{} answers came of 3", answers.len());
    ensure!(start.elapsed() >= MOMENT, "it did not wait for more");
    Ok(())
}

pub(super) async fn concurrent_requests_receive_their_replies(suite: &Suite) -> Result<()> {
    let (place, _tasks) = answering(suite, 1).await?;
    let ask = |number: usize| {
        let place = &place;
        async move {
            let question = place.message("ask", &number.to_string());
            let answers = place.broker.request(question, 1, PATIENCE).await?;
            let expected = format!("{number} 0");
            ensure!(answers.first().is_some_and(|answer| answer.payload == expected), "{number} got another's answer");
            Ok(())
        }
    };
    futures::future::try_join_all((0..50).map(ask)).await.map(drop)
}

pub(super) async fn a_request_without_a_reply_times_out(suite: &Suite) -> Result<()> {
    let (place, _tasks) = answering(suite, 0).await?;
    let start = Instant::now();
    match place.broker.request(place.message("ask", "q"), 1, MOMENT).await {
        Ok(answers) => bail!("{} answers came", answers.len()),
        Err(error) => ensure!(error.kind() == ErrorKind::Timeout, "{error:?}"),
    }
    ensure!(start.elapsed() >= MOMENT, "it waited for {:?} only", start.elapsed());
    // The request has ended.
    let late = Message { topic: format!("{}gone", crate::INBOX), ..Message::default() };
    place.broker.reply(late).await.context("an answer after the request has ended")
}

pub(super) async fn a_request_without_a_responder_fails(suite: &Suite) -> Result<()> {
    let place = suite.place().await?;
    // A broker may need a stream for the topic.
    drop(place.join("other", &["other"]).await?);
    let expected = if suite.capabilities.no_responders { ErrorKind::NoResponders } else { ErrorKind::Timeout };
    match place.broker.request(place.message("unhandled", "q"), 1, MOMENT).await {
        Ok(answers) => bail!("{} answers came", answers.len()),
        Err(error) => ensure!(error.kind() == expected, "{error:?}"),
    }
    Ok(())
}
