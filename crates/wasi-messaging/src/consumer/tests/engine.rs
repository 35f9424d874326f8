//! The consumer on the broker that this crate has, which delivers again what failed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::broker::{PATIENCE, message};
use super::{Setup, TestBroker, guests, start};
use crate::{Broker, MemoryBroker, Message, StreamInfo};

/// A component with the broker `default`, and what it publishes on.
fn setup() -> (MemoryBroker, Setup) {
    let broker = MemoryBroker::default();
    let mut setup = Setup::new(&TestBroker::new(0), guests::wasmcloud_v0_2(""));
    setup.brokers.clear();
    setup.name("default", Arc::new(broker.clone()));
    (broker, setup)
}

async fn publish(broker: &MemoryBroker, messages: impl IntoIterator<Item = Message>) {
    let results = broker.publish(messages.into_iter().collect()).await;
    assert!(results.iter().all(Result::is_ok));
}

/// Waits until the broker is as `wanted`.
async fn until(broker: &MemoryBroker, wanted: impl Fn(&StreamInfo) -> bool) {
    let looked = timeout(PATIENCE, async {
        loop {
            let stream = broker.operator().unwrap().stream().await.unwrap();
            if wanted(&stream) {
                return;
            }
            sleep(Duration::from_millis(2)).await;
        }
    });
    if looked.await.is_err() {
        panic!("there is {:?}", broker.operator().unwrap().stream().await);
    }
}

#[tokio::test]
async fn what_fails_every_time_ends_among_the_dead_letters_and_the_rest_is_done() {
    let (broker, setup) = setup();
    let running = setup.start(&["t;max-deliver=3;backoff=1ms;max-in-flight=4"]).await;
    let texts = (0..50).flat_map(|number| [format!("a{number}"), format!("t{number}"), format!("e{number}")]);
    publish(&broker, texts.map(|text| message(&text))).await;
    until(&broker, |stream| stream.messages == 0 && stream.dead_letters == 100).await;
    let letters = broker.operator().unwrap().dead_letters(None, 200).await.unwrap();
    assert!(letters.iter().all(|letter| letter.attempts == 3 && letter.consumer == "worker"));
    let reasons = |letter: &str| {
        let dead = letters.iter().find(|dead| dead.message.payload == letter.as_bytes()).unwrap();
        dead.reason.clone()
    };
    assert_eq!(reasons("e7"), "delivered 3 times; the last time: its handler returned an error: no");
    assert!(reasons("t7").contains("unreachable"));
    running.drain(Instant::now() + PATIENCE).await;
}

#[tokio::test]
async fn what_is_given_back_is_handled_by_the_next_process() {
    let (broker, setup) = setup();
    let (workload, state) = setup.workload();
    let places: Vec<_> = (0..workload.limits().requests).map_while(|_| workload.admission().try_enter()).collect();
    let running = start(workload.clone(), &state, &["t"]).await.unwrap();
    publish(&broker, (0..100).map(|number| message(&format!("a{number}")))).await;
    until(&broker, |stream| stream.consumers.iter().any(|consumer| consumer.in_flight == 32)).await;
    running.drain(Instant::now() + PATIENCE).await;
    until(&broker, |stream| stream.messages == 100).await;
    drop(places);
    let _running = start(workload, &state, &["t"]).await.unwrap();
    until(&broker, |stream| stream.messages == 0 && stream.dead_letters == 0).await;
}

#[tokio::test]
async fn three_thousand_messages_are_handled_within_the_permits() {
    let broker = MemoryBroker::default();
    let request = Duration::from_millis(200);
    let mut setup = Setup::limited(&TestBroker::new(0), guests::wasmcloud_v0_2(""), |limits| limits.request = request);
    setup.brokers.clear();
    setup.name("default", Arc::new(broker.clone()));
    let (workload, state) = setup.workload();
    let _running = start(workload.clone(), &state, &["t;max-in-flight=8;max-deliver=1"]).await.unwrap();
    // Those that never end keep their permits until their time is over.
    let texts = (0..3_000).map(|number| if number < 20 { format!("l{number}") } else { format!("a{number}") });
    publish(&broker, texts.map(|text| message(&text))).await;
    let most = async {
        let mut most = 0;
        loop {
            most = most.max(workload.limits().requests - workload.admission().free());
            let stream = broker.operator().unwrap().stream().await.unwrap();
            if stream.messages == 0 {
                return (most, stream.dead_letters);
            }
            tokio::task::yield_now().await;
        }
    };
    assert_eq!(timeout(PATIENCE, most).await.unwrap(), (8, 20));
}
