//! How fast messages are handled, beside a plain client doing the same: run with `--ignored --nocapture`. Nothing here is
//! judged by time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{AckPolicy, pull};
use futures::StreamExt as _;
use tempo_wasi_messaging::Broker;
use tokio::task::JoinSet;

use super::{client, join, message, open};
use crate::support::Server;

const MESSAGES: usize = 10_000;
const IN_FLIGHT: usize = 32;

async fn fill(broker: &Arc<dyn Broker>) -> Duration {
    let payload = "x".repeat(256);
    let start = Instant::now();
    for _ in 0..MESSAGES / 1000 {
        let results = broker.publish((0..1000).map(|_| message("a", &payload)).collect()).await;
        assert!(results.iter().all(Result::is_ok));
    }
    start.elapsed()
}

/// Fetches as many as there is room for, and acknowledges each in a task of its own.
async fn through_the_broker(broker: &Arc<dyn Broker>, name: &str) -> Duration {
    let mut consumer = join(broker, name, &["a"]).await;
    let start = Instant::now();
    let (mut tasks, mut taken) = (JoinSet::new(), 0);
    while taken < MESSAGES {
        while tasks.len() >= IN_FLIGHT {
            tasks.join_next().await.unwrap().unwrap();
        }
        while tasks.try_join_next().is_some() {}
        for delivery in consumer.fetch(IN_FLIGHT - tasks.len()).await.unwrap() {
            taken += 1;
            tasks.spawn(async move { delivery.receipt.ack().await.unwrap() });
        }
    }
    tasks.join_all().await;
    start.elapsed()
}

async fn plainly(server: &Server, name: &str) -> Duration {
    let stream = client(server).await.get_stream("S").await.unwrap();
    let config = pull::Config {
        durable_name: Some(name.to_owned()),
        ack_policy: AckPolicy::Explicit,
        max_ack_pending: 65_536,
        ..pull::Config::default()
    };
    let consumer = stream.create_consumer(config).await.unwrap();
    let start = Instant::now();
    let (mut tasks, mut taken) = (JoinSet::new(), 0);
    while taken < MESSAGES {
        while tasks.len() >= IN_FLIGHT {
            tasks.join_next().await.unwrap().unwrap();
        }
        while tasks.try_join_next().is_some() {}
        let mut messages = consumer.fetch().max_messages(IN_FLIGHT - tasks.len()).messages().await.unwrap();
        while let Some(message) = messages.next().await {
            let message = message.unwrap();
            taken += 1;
            tasks.spawn(async move { message.double_ack().await.unwrap() });
        }
    }
    tasks.join_all().await;
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it measures, and proves nothing"]
async fn fetched_and_acknowledged() {
    let server = Server::start();
    let broker = open(&server, "/S?subjects=a").await;
    println!("published {MESSAGES} in {:?}", fill(&broker).await);
    for round in 0..4 {
        let ours = through_the_broker(&broker, &format!("ours-{round}")).await;
        let plain = plainly(&server, &format!("plain-{round}")).await;
        println!("ours {ours:?}, plain {plain:?}: {:.2} of plain", plain.as_secs_f64() / ours.as_secs_f64());
    }
}
