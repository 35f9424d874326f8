//! Publishing and requests over core NATS.

use std::time::Instant;

use anyhow::{Result, ensure};
use async_nats::Client;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream;

/// The size of a message, in bytes.
const SIZE: usize = 256;

pub(crate) async fn respond(client: Client) -> Result<()> {
    let mut requests = client.subscribe("bench.request").await?;
    client.flush().await?;
    println!("ready");
    while let Some(request) = requests.next().await {
        if let Some(reply) = request.reply {
            client.publish(reply, request.payload).await?;
        }
    }
    Ok(())
}

/// Publishes `count` messages, and flushes after each `at_once` of them.
pub(crate) async fn publish(client: Client, count: usize, at_once: usize) -> Result<f64> {
    let started = Instant::now();
    for _ in 0..count / at_once {
        for _ in 0..at_once {
            client.publish("bench.publish", Bytes::from(vec![b'.'; SIZE])).await?;
        }
        client.flush().await?;
    }
    Ok(started.elapsed().as_secs_f64())
}

pub(crate) async fn request(client: Client, count: usize, at_once: usize) -> Result<f64> {
    let started = Instant::now();
    let requests = stream::iter(0..count).map(|_| client.request("bench.request", Bytes::from(vec![b'.'; SIZE])));
    let mut requests = requests.buffer_unordered(at_once);
    while let Some(answer) = requests.next().await {
        ensure!(answer?.payload.len() == SIZE, "an answer of another size");
    }
    Ok(started.elapsed().as_secs_f64())
}
