//! Brokers on a real nats-server.

mod consumers;
mod core;
mod crash;
mod letters;
mod plain;
mod publish;
mod streams;

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use tempo_backend::{BackendContext, BackendScheme as _};
use tempo_messaging::{Broker, Consumer, Delivery, Message, Result, Subscription};
use tempo_nats::NatsMessaging;
use tempo_settings::{BackendUrl, FlagValue as _, Settings};

use crate::support::{Server, soon};

/// Opens a broker at the end of the server's URL: `/STREAM`, or nothing.
async fn try_open(server: &Server, rest: &str) -> tempo_settings::Result<Arc<dyn Broker>> {
    let url = format!("nats://127.0.0.1:{}{rest}", server.port);
    let settings = Settings::default();
    let context = BackendContext::new(&settings);
    NatsMessaging::open(&BackendUrl::parse(&url).unwrap(), context).await
}

async fn open(server: &Server, rest: &str) -> Arc<dyn Broker> {
    try_open(server, rest).await.unwrap()
}

/// A plain client of the same server.
async fn client(server: &Server) -> jetstream::Context {
    jetstream::new(async_nats::connect(format!("127.0.0.1:{}", server.port)).await.unwrap())
}

/// A subscription whose deliveries have all the time that they need.
fn subscription(consumer: &str, topics: &[&str]) -> Subscription {
    let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
    Subscription::new(consumer, topics).with_ack_wait(Duration::from_secs(600))
}

async fn join(broker: &Arc<dyn Broker>, consumer: &str, topics: &[&str]) -> Box<dyn Consumer> {
    broker.subscribe(&subscription(consumer, topics)).await.unwrap()
}

/// Why a subscription is refused.
async fn refusal(broker: &Arc<dyn Broker>, consumer: &str, topics: &[&str]) -> String {
    format!("{:#}", broker.subscribe(&subscription(consumer, topics)).await.err().expect("it must be refused"))
}

fn message(topic: &str, payload: &str) -> Message {
    Message::new(topic, payload.to_owned())
}

fn header(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

async fn publish(broker: &Arc<dyn Broker>, message: Message) -> Result<()> {
    let mut results = broker.publish(vec![message]).await;
    assert_eq!(results.len(), 1);
    results.remove(0)
}

/// The next message of a consumer.
async fn next(consumer: &mut Box<dyn Consumer>) -> Delivery {
    let mut deliveries = soon("a message", consumer.fetch(1)).await.unwrap();
    assert_eq!(deliveries.len(), 1);
    deliveries.remove(0)
}

fn text(delivery: &Delivery) -> &str {
    std::str::from_utf8(&delivery.message.payload).unwrap()
}

/// Acknowledges at least so many messages, and returns their payloads.
async fn take(consumer: &mut Box<dyn Consumer>, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < count {
        acknowledge(soon("a message", consumer.fetch(100)).await.unwrap(), &mut texts).await;
    }
    while let Ok(deliveries) = tokio::time::timeout(Duration::from_millis(300), consumer.fetch(100)).await {
        acknowledge(deliveries.unwrap(), &mut texts).await;
    }
    texts
}

async fn acknowledge(deliveries: Vec<Delivery>, texts: &mut Vec<String>) {
    for delivery in deliveries {
        texts.push(text(&delivery).to_owned());
        delivery.receipt.ack().await.unwrap();
    }
}
