//! What guests answer, in each of the interfaces.

use std::time::Duration;

use super::broker::{Event, TestBroker, message};
use super::{Setup, guests};
use crate::Message;

const SUBSCRIBE: &[&str] = &["t;max-deliver=2;backoff=7s"];
const BACKOFF: Duration = Duration::from_secs(7);

fn on(topic: &str) -> Message {
    message(topic).with_topic(topic)
}

fn rejected(text: &str, reason: &str) -> Event {
    Event::Rejected(text.to_owned(), reason.to_owned())
}

#[tokio::test]
async fn tempo_says_what_becomes_of_a_message() {
    let broker = TestBroker::new(0);
    let _running = Setup::new(&broker, guests::tempo()).start(SUBSCRIBE).await;
    for text in ["a", "r", "w", "y", "j"] {
        broker.put_text(text);
    }
    broker.wait_for(Event::Acked("a".to_owned())).await;
    broker.wait_for(Event::Retried("r".to_owned(), BACKOFF)).await;
    broker.wait_for(Event::Retried("w".to_owned(), Duration::from_secs(1))).await;
    broker.wait_for(Event::Retried("y".to_owned(), Duration::from_secs(3600))).await;
    broker.wait_for(rejected("j", "t")).await;
    broker.put(message("w"), 2);
    let reason = "delivered 2 times; the last time: its handler requested a retry";
    broker.wait_for(rejected("w", reason)).await;
}

#[tokio::test]
async fn wasmcloud_with_async_functions_rejects_or_asks_for_another_delivery() {
    let broker = TestBroker::new(0);
    let _running = Setup::new(&broker, guests::wasmcloud_v0_3()).start(SUBSCRIBE).await;
    for topic in ["a", "r", "j", "o"] {
        broker.put(on(topic), 1);
    }
    broker.wait_for(Event::Acked("a".to_owned())).await;
    broker.wait_for(Event::Retried("r".to_owned(), BACKOFF)).await;
    broker.wait_for(rejected("j", "its handler rejected it")).await;
    broker.wait_for(rejected("o", "no")).await;
    broker.put(on("r"), 2);
    let reason = "delivered 2 times; the last time: its handler requested a retry";
    broker.wait_for(rejected("r", reason)).await;
}

#[tokio::test]
async fn wasmcloud_with_plain_functions_has_errors_delivered_again() {
    let broker = TestBroker::new(0);
    let _running = Setup::new(&broker, guests::wasmcloud_v0_2("")).start(SUBSCRIBE).await;
    broker.put_text("a");
    broker.put_text("e");
    broker.wait_for(Event::Acked("a".to_owned())).await;
    broker.wait_for(Event::Retried("e".to_owned(), BACKOFF)).await;
    broker.put(message("e"), 2);
    broker.wait_for(rejected("e", "delivered 2 times; the last time: its handler returned an error: no")).await;
}

#[tokio::test]
async fn the_draft_has_errors_delivered_again() {
    let broker = TestBroker::new(0);
    let _running = Setup::new(&broker, guests::draft()).start(SUBSCRIBE).await;
    broker.put(on("done"), 1);
    broker.put(on("failing"), 1);
    broker.wait_for(Event::Acked("done".to_owned())).await;
    broker.wait_for(Event::Retried("failing".to_owned(), BACKOFF)).await;
    broker.put(on("failing"), 2);
    broker.wait_for(rejected("failing", "delivered 2 times; the last time: its handler returned an error: no")).await;
}
