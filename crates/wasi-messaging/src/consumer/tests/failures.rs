//! Failures are retried, and rejected after the last attempt.

use std::time::Duration;

use super::broker::{Event, TestBroker, message};
use super::{Setup, guests};

fn retried(text: &str, seconds: u64) -> Event {
    Event::Retried(text.to_owned(), Duration::from_secs(seconds))
}

/// Waits for the rejection of the message `text` and returns its reason.
async fn reason(broker: &TestBroker, text: &str) -> String {
    let reason = |event: &Event| match event {
        Event::Rejected(rejected, reason) if rejected == text => Some(reason.clone()),
        _ => None,
    };
    let events = broker.until(|events| events.iter().any(|event| reason(event).is_some())).await;
    events.iter().find_map(reason).unwrap()
}

/// Delivers `text` for the first, the second and the last time, and returns why it was given up.
async fn fails(broker: &TestBroker, text: &str) -> String {
    broker.put(message(text), 1);
    broker.wait_for(retried(text, 1)).await;
    broker.put(message(text), 2);
    broker.wait_for(retried(text, 7)).await;
    broker.put(message(text), 3);
    reason(broker, text).await
}

const SUBSCRIBE: &[&str] = &["t;max-deliver=3;backoff=1s/7s"];

#[tokio::test]
async fn a_trap_is_tried_again_and_then_given_up() {
    let broker = TestBroker::new(0);
    let _running = Setup::new(&broker, guests::wasmcloud_v0_2("")).start(SUBSCRIBE).await;
    let reason = fails(&broker, "t").await;
    assert!(reason.starts_with("delivered 3 times; the last time: the component trapped: "), "{reason}");
    assert!(reason.contains("unreachable"), "{reason}");
}

#[tokio::test]
async fn a_handler_without_end_is_tried_again_and_then_given_up() {
    let broker = TestBroker::new(0);
    let setup = Setup::limited(&broker, guests::wasmcloud_v0_2(""), |limits| limits.cpu = Duration::from_millis(20));
    let _running = setup.start(SUBSCRIBE).await;
    let reason = fails(&broker, "l").await;
    assert!(
        reason.starts_with("delivered 3 times; the last time: the request exceeded its processor time"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_handler_that_waits_without_end_is_tried_again_and_then_given_up() {
    let broker = TestBroker::new(0);
    let setup =
        Setup::limited(&broker, guests::wasmcloud_v0_2(""), |limits| limits.request = Duration::from_millis(50));
    let _running = setup.start(SUBSCRIBE).await;
    let reason = fails(&broker, "p").await;
    assert!(reason.starts_with("delivered 3 times; the last time: the request timed out"), "{reason}");
}

#[tokio::test]
async fn an_instance_that_cannot_be_made_is_tried_again_and_then_given_up() {
    let broker = TestBroker::new(0);
    let _running = Setup::new(&broker, guests::wasmcloud_v0_2("unreachable")).start(SUBSCRIBE).await;
    let reason = fails(&broker, "a").await;
    assert!(reason.starts_with("delivered 3 times; the last time: the component trapped: "), "{reason}");
    let broker = TestBroker::new(0);
    let setup = Setup::limited(&broker, guests::wasmcloud_v0_2("(loop $again (br $again))"), |limits| {
        limits.instantiate = Duration::from_millis(20);
        limits.cpu = Duration::from_secs(3600);
    });
    let _running = setup.start(SUBSCRIBE).await;
    let reason = fails(&broker, "a").await;
    assert!(reason.contains("the request timed out"), "{reason}");
}

#[tokio::test]
async fn what_was_delivered_too_often_is_given_up_without_another_attempt() {
    let broker = TestBroker::new(10);
    let _running = Setup::new(&broker, guests::wasmcloud_v0_2("")).start(SUBSCRIBE).await;
    broker.put(message("p"), 4);
    let reason = reason(&broker, "p").await;
    assert_eq!(reason, "delivered 3 times, the last time without an answer");
    assert!(!broker.events().contains(&Event::Published("p".to_owned())));
}

#[tokio::test]
async fn an_ack_that_fails_leaves_the_message_to_be_delivered_again() {
    let broker = TestBroker::new(10);
    let _running = Setup::new(&broker, guests::wasmcloud_v0_2("")).start(SUBSCRIBE).await;
    broker.refuse_acks(true);
    broker.put_text("a1");
    let events = broker.wait_for(Event::Published("refused a1".to_owned())).await;
    broker.refuse_acks(false);
    broker.put_text("a2");
    let after = broker.wait_for(Event::Acked("a2".to_owned())).await;
    assert!(after.len() > events.len());
    let about_it = |event: &&Event| matches!(event, Event::Acked(text) | Event::Retried(text, _) if text == "a1");
    assert_eq!(after.iter().find(about_it), None);
}

#[tokio::test]
async fn a_failure_ends_its_own_call_only() {
    let broker = TestBroker::new(0);
    let _running = Setup::new(&broker, guests::wasmcloud_v0_2("")).start(SUBSCRIBE).await;
    broker.put_text("p");
    broker.wait_for(Event::Published("p".to_owned())).await;
    for number in 0..20 {
        broker.put_text(&format!("t{number}"));
    }
    broker.until(|events| (0..20).all(|number| events.contains(&retried(&format!("t{number}"), 1)))).await;
    broker.open(1);
    broker.wait_for(Event::Acked("p".to_owned())).await;
}
