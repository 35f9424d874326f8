//! Measures a consumer, native or Tempo's, from outside.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use async_nats::jetstream::stream::{Config, Stream};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use super::open;

/// The size of a message, in bytes.
const SIZE: usize = 256;

/// The number of concurrent publications.
const AT_ONCE: usize = 256;

/// The timeout of a measurement.
const PATIENCE: Duration = Duration::from_secs(60);

/// Creates the stream, and deletes an earlier one.
pub(crate) async fn prepare(url: &str) -> Result<()> {
    let (_, context, stream) = open(url).await?;
    context.delete_stream(&stream).await.ok();
    let config = Config { name: stream, subjects: vec!["bench.handle".to_owned()], ..Config::default() };
    context.create_stream(config).await?;
    Ok(())
}

/// Waits until `consumer` exists, and returns the stream.
async fn consumer_of(context: &Context, stream: String, consumer: &str) -> Result<Stream> {
    let stream = context.get_stream(stream).await?;
    let started = Instant::now();
    while stream.consumer_info(consumer).await.is_err() {
        ensure!(started.elapsed() < PATIENCE, "there is no consumer {consumer}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The consumer exists shortly before the component is ready.
    tokio::time::sleep(Duration::from_millis(500)).await;
    Ok(stream)
}

/// Publishes `count` messages, and waits until `consumer` has acknowledged all.
pub(crate) async fn drain(url: &str, consumer: &str, count: usize) -> Result<f64> {
    let (_, context, stream) = open(url).await?;
    let stream = consumer_of(&context, stream, consumer).await?;
    let started = Instant::now();
    let mut sent = FuturesUnordered::new();
    for _ in 0..count {
        sent.push(context.publish("bench.handle", Bytes::from(vec![b'.'; SIZE])).await?.into_future());
        if sent.len() >= AT_ONCE {
            sent.next().await.context("nothing was sent")??;
        }
    }
    while let Some(acknowledged) = sent.next().await {
        acknowledged?;
    }
    loop {
        let info = stream.consumer_info(consumer).await?;
        if info.num_pending == 0 && info.num_ack_pending == 0 {
            return Ok(started.elapsed().as_secs_f64());
        }
        ensure!(started.elapsed() < PATIENCE, "{} messages are left", info.num_pending);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Returns the median time from publishing a message to the reply of its handler.
pub(crate) async fn latency(url: &str, consumer: &str, count: usize) -> Result<f64> {
    let (client, context, stream) = open(url).await?;
    consumer_of(&context, stream, consumer).await?;
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await?;
    let mut headers = HeaderMap::new();
    headers.insert("Tempo-Reply-To", inbox.as_str());
    let mut times = Vec::new();
    for _ in 0..count {
        let started = Instant::now();
        context.publish_with_headers("bench.handle", headers.clone(), Bytes::from(vec![b'.'; SIZE])).await?;
        let answer = tokio::time::timeout(PATIENCE, answers.next()).await?;
        answer.context("the connection was closed")?;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    Ok(times.get(times.len() / 2).context("nothing was measured")?.as_secs_f64())
}

/// Publishes `count` messages and, after every `poison`th, one on which the handler traps; waits for the replies of the
/// others.
pub(crate) async fn answered(url: &str, consumer: &str, count: usize, poison: usize) -> Result<f64> {
    let (client, context, stream) = open(url).await?;
    consumer_of(&context, stream, consumer).await?;
    let inbox = client.new_inbox();
    let answers = client.subscribe(inbox.clone()).await?;
    let mut headers = HeaderMap::new();
    headers.insert("Tempo-Reply-To", inbox.as_str());
    let started = Instant::now();
    let publish = async {
        let mut sent = FuturesUnordered::new();
        for number in 1..=count {
            let message = Bytes::from(vec![b'.'; SIZE]);
            sent.push(context.publish_with_headers("bench.handle", headers.clone(), message).await?.into_future());
            if poison > 0 && number % poison == 0 {
                sent.push(context.publish("bench.handle", Bytes::from_static(b"poison")).await?.into_future());
            }
            while sent.len() >= AT_ONCE {
                sent.next().await.context("nothing was sent")??;
            }
        }
        while let Some(acknowledged) = sent.next().await {
            acknowledged?;
        }
        Ok(())
    };
    let answered = async {
        let all = answers.take(count).count();
        let answered = tokio::time::timeout(PATIENCE, all).await?;
        ensure!(answered == count, "{answered} were answered");
        Ok(())
    };
    tokio::try_join!(publish, answered)?;
    Ok(started.elapsed().as_secs_f64())
}
