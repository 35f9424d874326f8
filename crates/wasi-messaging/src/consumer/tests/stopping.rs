//! A consumer that stops loses nothing.

use std::time::{Duration, Instant};

use super::broker::{Event, PATIENCE, TestBroker, message};
use super::{Setup, guests, start};

fn given_back(text: &str) -> Event {
    Event::Retried(text.to_owned(), Duration::ZERO)
}

#[tokio::test]
async fn what_runs_is_finished_and_nothing_more_is_fetched() {
    let broker = TestBroker::new(0);
    let running = Setup::new(&broker, guests::wasmcloud_v0_2("")).start(&["t"]).await;
    broker.put_text("p");
    broker.wait_for(Event::Published("p".to_owned())).await;
    let draining = tokio::spawn(running.drain(Instant::now() + PATIENCE));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!draining.is_finished());
    broker.put_text("a");
    broker.open(1);
    draining.await.unwrap();
    let events = broker.events();
    assert!(events.contains(&Event::Acked("p".to_owned())));
    assert!(!events.contains(&Event::Acked("a".to_owned())));
}

/// A queue group of NATS receives messages as long as it has a member.
#[tokio::test]
async fn the_consumer_is_left_while_handlers_run() {
    let broker = TestBroker::new(0);
    let running = Setup::new(&broker, guests::wasmcloud_v0_2("")).start(&["t"]).await;
    broker.put_text("p");
    broker.wait_for(Event::Published("p".to_owned())).await;
    let draining = tokio::spawn(running.drain(Instant::now() + PATIENCE));
    broker.is_left().await;
    assert!(!draining.is_finished());
    broker.open(1);
    draining.await.unwrap();
    assert!(broker.events().contains(&Event::Acked("p".to_owned())));
}

#[tokio::test]
async fn what_others_can_fetch_is_left_to_them_before_the_rest_stops() {
    let (shared, own) = (TestBroker::new(0), TestBroker::new(0));
    own.keep_to_itself();
    let mut setup = Setup::new(&shared, guests::wasmcloud_v0_2(""));
    setup.name("own", std::sync::Arc::new(own.clone()));
    let mut running = setup.start(&["t", "own=t"]).await;
    shared.put_text("a1");
    shared.wait_for(Event::Acked("a1".to_owned())).await;
    running.stop_fetching();
    shared.is_left().await;
    // Not a failure; the other subscription continues.
    shared.put_text("a2");
    own.put_text("a3");
    tokio::select! {
        error = running.failed() => panic!("{error}"),
        _ = own.wait_for(Event::Acked("a3".to_owned())) => {}
    }
    running.drain(Instant::now() + PATIENCE).await;
    own.is_left().await;
    assert!(!shared.events().contains(&Event::Acked("a2".to_owned())));
}

#[tokio::test]
async fn what_has_not_begun_is_given_back_unless_it_was_its_last_attempt() {
    let broker = TestBroker::new(0);
    let setup = Setup::limited(&broker, guests::wasmcloud_v0_2(""), |limits| limits.requests = 4);
    let (workload, state) = setup.workload();
    let mut places = Vec::new();
    for _ in 0..4 {
        places.push(workload.admission().enter().await.unwrap());
    }
    let running = start(workload, &state, &["t;max-deliver=3;ack-wait=100ms"]).await.unwrap();
    broker.put(message("a1"), 1);
    broker.put(message("a2"), 2);
    broker.put(message("a3"), 3);
    for text in ["a1", "a2", "a3"] {
        broker.wait_for(Event::Extended(text.to_owned())).await;
    }
    let draining = tokio::spawn(running.drain(Instant::now() + PATIENCE));
    broker.wait_for(given_back("a1")).await;
    broker.wait_for(given_back("a2")).await;
    drop(places);
    draining.await.unwrap();
    assert!(broker.events().contains(&Event::Acked("a3".to_owned())));
}

#[tokio::test]
async fn what_does_not_end_in_time_is_ended_and_given_back() {
    let broker = TestBroker::new(0);
    let (workload, state) = Setup::new(&broker, guests::wasmcloud_v0_2("")).workload();
    let running = start(workload.clone(), &state, &["t;max-deliver=1"]).await.unwrap();
    broker.put_text("p");
    broker.wait_for(Event::Published("p".to_owned())).await;
    running.drain(Instant::now() + Duration::from_millis(50)).await;
    assert!(broker.events().contains(&given_back("p")));
    assert_eq!(workload.admission().free(), workload.limits().requests, "the guest is gone");
}

#[tokio::test]
async fn a_consumer_that_is_gone_ends_the_runtime_once_its_handlers_have_ended() {
    let broker = TestBroker::new(0);
    let mut running = Setup::new(&broker, guests::wasmcloud_v0_2("")).start(&["t"]).await;
    broker.put_text("p");
    broker.wait_for(Event::Published("p".to_owned())).await;
    broker.close();
    broker.open(1);
    let error = tokio::time::timeout(PATIENCE, running.failed()).await.unwrap();
    assert_eq!(format!("{error:#}"), "a subscription to default has ended: messaging: the stream was deleted");
    assert!(broker.events().contains(&Event::Acked("p".to_owned())));
}
