//! How many messages are fetched and handled at once, and in which order.

use std::sync::Arc;
use std::time::Duration;

use super::broker::{Event, TestBroker, message};
use super::{Setup, guests, start};
use crate::Message;

fn published(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::Published(_))).count()
}

fn fetched(events: &[Event]) -> Vec<usize> {
    let fetched = |event: &Event| if let Event::Fetched(most) = event { Some(*most) } else { None };
    events.iter().filter_map(fetched).collect()
}

fn acked(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::Acked(_))).count()
}

/// Gives every task that could do something the chance to do it.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
}

#[tokio::test]
async fn the_permit_comes_first_and_no_more_is_fetched_than_there_are_permits() {
    let broker = TestBroker::new(0);
    for number in 0..10 {
        broker.put_text(&format!("p{number}"));
    }
    let _running = Setup::new(&broker, guests::wasmcloud_v0_2("")).start(&["t;max-in-flight=3"]).await;
    broker.until(|events| published(events) == 3).await;
    settle().await;
    assert_eq!(fetched(&broker.events()), [3], "nothing is fetched while all permits are taken");
    broker.open(1);
    broker.until(|events| acked(events) == 1 && published(events) == 4).await;
    settle().await;
    assert_eq!(fetched(&broker.events()), [3, 1]);
    broker.open(9);
    let events = broker.until(|events| acked(events) == 10).await;
    assert!(fetched(&events).iter().all(|most| (1..=3).contains(most)));
}

#[tokio::test]
async fn a_message_waits_for_a_place_and_is_not_refused() {
    let broker = TestBroker::new(0);
    let setup = Setup::limited(&broker, guests::wasmcloud_v0_2(""), |limits| {
        (limits.requests, limits.queue, limits.queue_wait) = (1, 0, Duration::from_millis(1));
    });
    let (workload, state) = setup.workload();
    let place = workload.admission().enter().await.unwrap();
    broker.put_text("p");
    broker.open(1);
    let _running = start(workload, &state, &["t;ack-wait=100ms"]).await.unwrap();
    // The broker has received in-progress acks.
    broker.wait_for(Event::Extended("p".to_owned())).await;
    assert_eq!(published(&broker.events()), 0);
    drop(place);
    broker.wait_for(Event::Acked("p".to_owned())).await;
}

#[tokio::test]
async fn the_ack_follows_the_effects() {
    let broker = TestBroker::new(0);
    let _running = Setup::new(&broker, guests::wasmcloud_v0_2("")).start(&["t"]).await;
    broker.put_text("p");
    broker.wait_for(Event::Published("p".to_owned())).await;
    settle().await;
    assert_eq!(acked(&broker.events()), 0);
    broker.open(1);
    broker.wait_for(Event::Acked("p".to_owned())).await;
}

#[tokio::test]
async fn a_handler_that_takes_long_is_alive() {
    let broker = TestBroker::new(0);
    let _running = Setup::new(&broker, guests::wasmcloud_v0_2("")).start(&["t;ack-wait=100ms"]).await;
    broker.put_text("p");
    let beats = |events: &[Event]| events.iter().filter(|event| **event == Event::Extended("p".to_owned())).count();
    broker.until(|events| beats(events) >= 4).await;
    broker.open(1);
    broker.wait_for(Event::Acked("p".to_owned())).await;
    let before = beats(&broker.events());
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(beats(&broker.events()), before, "what is done with needs no signs of life");
}

#[tokio::test]
async fn a_poisoned_message_keeps_nobody_waiting() {
    let broker = TestBroker::new(0);
    let _running =
        Setup::new(&broker, guests::wasmcloud_v0_2("")).start(&["t;max-in-flight=1;backoff=1h;max-deliver=9"]).await;
    for number in 0..20 {
        broker.put_text(&format!("t{number}"));
        broker.put_text(&format!("a{number}"));
    }
    let events = broker.until(|events| acked(events) == 20).await;
    let retried = |number| Event::Retried(format!("t{number}"), Duration::from_secs(3600));
    assert!((0..20).all(|number| events.contains(&retried(number))));
}

fn keyed(key: &str, text: &str) -> Message {
    message(text).with_key(key.to_owned())
}

#[tokio::test]
async fn messages_of_one_key_are_handled_one_after_the_other_if_ordered() {
    let broker = TestBroker::new(0);
    for text in ["p1", "p2", "p3"] {
        broker.put(keyed("k", text), 1);
    }
    broker.put(keyed("other", "px"), 1);
    broker.put_text("py");
    let _running = Setup::new(&broker, guests::wasmcloud_v0_2("")).start(&["t;ordered"]).await;
    broker.until(|events| published(events) == 3).await;
    settle().await;
    let started = |broker: &TestBroker, text: &str| broker.events().contains(&Event::Published(text.to_owned()));
    assert!(["p1", "px", "py"].into_iter().all(|text| started(&broker, text)));
    assert!(!started(&broker, "p2"));
    broker.open(10);
    let events = broker.until(|events| acked(events) == 5).await;
    let position = |wanted: Event| events.iter().position(|event| *event == wanted).unwrap();
    for (before, after) in [("p1", "p2"), ("p2", "p3")] {
        assert!(position(Event::Acked(before.to_owned())) < position(Event::Published(after.to_owned())));
    }
}

#[tokio::test]
async fn an_instance_serves_as_often_as_it_may_and_forgets_whom_it_answered() {
    let broker = TestBroker::new(100);
    let setup = Setup::limited(&broker, guests::wasmcloud_v0_2(""), |limits| limits.instance_reuse = Some(3));
    let _running = setup.start(&["t;max-in-flight=1"]).await;
    for _ in 0..4 {
        broker.put_text("c");
    }
    let events = broker.until(|events| acked(events) == 4).await;
    let counts: Vec<_> = events.into_iter().filter(|event| matches!(event, Event::Published(_))).collect();
    assert_eq!(counts, ["1", "2", "3", "1"].map(|count| Event::Published(count.to_owned())));
    // An answer goes to the consumer that fetched the message; the next message of the instance asks for none.
    broker.put(message("r").with_reply_to("f".to_owned()), 1);
    broker.wait_for(Event::Replied("f".to_owned(), "r".to_owned())).await;
    broker.put_text("f");
    broker.wait_for(Event::Published("f".to_owned())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_subscriptions_do_not_share_permits() {
    let (one, two) = (TestBroker::new(0), TestBroker::new(10));
    let mut setup = Setup::new(&one, guests::wasmcloud_v0_2(""));
    setup.name("two", Arc::new(two.clone()));
    let _running = setup.start(&["t;max-in-flight=1", "two=t;max-in-flight=1"]).await;
    one.put_text("p");
    one.wait_for(Event::Published("p".to_owned())).await;
    for number in 0..3 {
        two.put_text(&format!("a{number}"));
    }
    two.until(|events| acked(events) == 3).await;
    assert_eq!(acked(&one.events()), 0);
}
