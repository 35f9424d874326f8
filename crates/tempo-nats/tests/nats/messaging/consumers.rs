//! Consumers of a stream: what is fetched, given back, forgotten and found again.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::FutureExt as _;
use tempo_messaging::ErrorKind;

use super::{client, join, message, next, open, publish, subscription, take, text};
use crate::support::{Server, eventually, soon};

#[tokio::test]
async fn no_more_than_was_asked_for() {
    let server = Server::start();
    let broker = open(&server, "/S").await;
    let mut consumer = join(&broker, "c", &["a"]).await;
    broker.publish((0..10).map(|n| message("a", &n.to_string())).collect()).await;
    let first = consumer.fetch(4).await.unwrap();
    assert_eq!(first.iter().map(text).collect::<Vec<_>>(), ["0", "1", "2", "3"]);
    let info = async || Some(broker.operator().unwrap().stream().await.unwrap().consumers[0].clone());
    assert_eq!(eventually("counts", info).await.in_flight, 4);
    let rest = consumer.fetch(100).await.unwrap();
    assert_eq!(rest.len(), 6);
    // One who waits hears of what comes, and of no more than there is.
    let waiting = tokio::spawn(async move { consumer.fetch(5).await });
    publish(&broker, message("a", "late")).await.unwrap();
    let late = soon("a message", waiting).await.unwrap().unwrap();
    assert_eq!(late.iter().map(text).collect::<Vec<_>>(), ["late"]);
}

#[tokio::test]
async fn a_fetch_that_is_given_up_loses_nothing() {
    let server = Server::start();
    let broker = open(&server, "/S").await;
    let mut consumer = join(&broker, "c", &["a"]).await;
    let mut found = BTreeSet::new();
    for n in 0..200_u32 {
        publish(&broker, message("a", &n.to_string())).await.unwrap();
        for _ in 0..n % 7 {
            if let Some(deliveries) = consumer.fetch(3).now_or_never() {
                found.extend(deliveries.unwrap().iter().map(|delivery| text(delivery).parse::<u32>().unwrap()));
            }
            tokio::task::yield_now().await;
        }
    }
    while found.len() < 200 {
        let deliveries = soon("a message", consumer.fetch(7)).await.unwrap();
        for delivery in &deliveries {
            assert!(found.insert(text(delivery).parse().unwrap()), "it came twice");
        }
    }
}

#[tokio::test]
async fn one_that_leaves_gives_back_what_it_took() {
    let server = Server::start();
    let broker = open(&server, "/S").await;
    let mut consumer = join(&broker, "c", &["a"]).await;
    // A fetch that was given up: its answer is on its way.
    assert!(consumer.fetch(2).now_or_never().is_none());
    broker.publish(vec![message("a", "1")]).await;
    let taken = async || (broker.operator().unwrap().stream().await.unwrap().consumers[0].in_flight == 1).then_some(());
    eventually("it was delivered", taken).await;
    drop(consumer);
    let again = next(&mut join(&broker, "c", &["a"]).await).await;
    assert_eq!((text(&again), again.attempt), ("1", 2));
}

#[tokio::test]
async fn retries_come_after_their_delay_and_silence_after_the_wait() {
    let server = Server::start();
    let broker = open(&server, "/S").await;
    let brief = subscription("c", &["a"]).with_ack_wait(Duration::from_secs(1));
    let mut consumer = broker.subscribe(&brief).await.unwrap();
    publish(&broker, message("a", "1")).await.unwrap();
    let start = std::time::Instant::now();
    next(&mut consumer).await.receipt.retry(Duration::from_millis(300)).await.unwrap();
    let second = next(&mut consumer).await;
    assert!(start.elapsed() >= Duration::from_millis(300) && second.attempt == 2);
    drop(second);
    let third = next(&mut consumer).await;
    assert_eq!((third.attempt, third.sequence), (3, Some(1)));
    third.receipt.ack().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(take(&mut consumer, 0).await.is_empty());
}

#[tokio::test]
async fn an_ordered_subscription_delivers_one_at_a_time() {
    let server = Server::start();
    let broker = open(&server, "/S").await;
    let ordered = subscription("c", &["a"]).with_ordered(true);
    let mut members = [broker.subscribe(&ordered).await.unwrap(), broker.subscribe(&ordered).await.unwrap()];
    broker.publish((0..20).map(|n| message("a", &n.to_string())).collect()).await;
    let [one, other] = &mut members;
    for n in 0..20 {
        let deliveries = tokio::select! {
            found = one.fetch(5) => found,
            found = other.fetch(5) => found,
        };
        let [delivery] = <[_; 1]>::try_from(deliveries.unwrap()).ok().unwrap();
        assert_eq!(text(&delivery), n.to_string());
        if delivery.attempt == 1 && n % 5 == 0 {
            delivery.receipt.retry(Duration::from_millis(20)).await.unwrap();
            let again = tokio::select! { again = next(one) => again, again = next(other) => again };
            assert_eq!(text(&again), n.to_string());
            again.receipt.ack().await.unwrap();
        } else {
            delivery.receipt.ack().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_consumer_that_the_server_forgot_goes_on_where_it_was() {
    let server = Server::start();
    let broker = open(&server, "/S").await;
    let mut consumer = join(&broker, "c", &["a"]).await;
    for n in 0..5 {
        publish(&broker, message("a", &n.to_string())).await.unwrap();
    }
    assert_eq!(take(&mut consumer, 5).await.len(), 5);
    drop(consumer);
    // How far it is, is known from the start.
    let mut consumer = join(&broker, "c", &["a"]).await;
    let stream = client(&server).await.get_stream("S").await.unwrap();
    for waits in [false, true] {
        let fetching = async { soon("a message", consumer.fetch(9)).await.unwrap() };
        let forgetting = async {
            if waits {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            stream.delete_consumer("c").await.unwrap();
            publish(&broker, message("a", if waits { "waiting" } else { "not" })).await.unwrap();
        };
        let (found, ()) = if waits {
            tokio::join!(fetching, forgetting)
        } else {
            forgetting.await;
            (fetching.await, ())
        };
        let texts: Vec<&str> = found.iter().map(text).collect();
        assert!(texts.contains(&if waits { "waiting" } else { "not" }) && !texts.contains(&"4"), "{texts:?}");
        for delivery in found {
            delivery.receipt.ack().await.unwrap();
        }
    }
}

/// A cluster may not agree on a consumer in time, and then answers nothing.
#[tokio::test]
async fn a_consumer_whose_creation_is_not_answered_is_asked_for_again() {
    let denying = |subjects: &str| {
        let user = format!("{{ user: u, password: p, permissions: {{ publish: {{ deny: [{subjects}] }} }} }}");
        format!("jetstream {{}}, no_auth_user: u, authorization {{ users: [{user}] }}")
    };
    let server = Server::with(&denying("\"$JS.API.CONSUMER.CREATE.S.>\""));
    let broker = open(&server, "/S").await;
    let joining = tokio::spawn({
        let broker = broker.clone();
        async move { join(&broker, "c", &["a"]).await }
    });
    let denied = async || server.log().contains("$JS.API.CONSUMER.CREATE.S.").then_some(());
    eventually("the server has denied the first request", denied).await;
    server.reload(&denying(""));
    let mut consumer = soon("the consumer", joining).await.unwrap();
    publish(&broker, message("a", "1")).await.unwrap();
    assert_eq!(take(&mut consumer, 1).await, ["1"]);
}

#[tokio::test]
async fn words_are_said_again_when_the_server_is_back() {
    let mut server = Server::start();
    let broker = open(&server, "/S").await;
    let mut consumer = join(&broker, "c", &["a"]).await;
    for text in ["acked", "rejected", "retried"] {
        publish(&broker, message("a", text)).await.unwrap();
    }
    let mut deliveries = consumer.fetch(3).await.unwrap().into_iter();
    let mut receipt = || deliveries.next().unwrap().receipt;
    let (acked, rejected, retried) = (receipt(), receipt(), receipt());
    // A server that forgets that it delivered takes words about nothing, and delivers the message for the first time.
    let persisted = async || server.persists_delivery("S", "c", 3).then_some(());
    eventually("the deliveries are persisted", persisted).await;
    server.stop();
    let words = tokio::spawn(async move {
        let (reject, retry) = (rejected.reject("no"), retried.retry(Duration::ZERO));
        let (one, other, third) = tokio::join!(acked.ack(), reject, retry);
        one.and(other).and(third)
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    server.restart();
    soon("an answer", words).await.unwrap().unwrap();
    let again = next(&mut consumer).await;
    assert_eq!((text(&again), again.attempt), ("retried", 2));
    again.receipt.ack().await.unwrap();
    assert!(take(&mut consumer, 0).await.is_empty());
    assert_eq!(broker.operator().unwrap().dead_letters(None, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_publisher_waits_for_its_server_and_then_says_that_it_is_away() {
    let mut server = Server::start();
    let broker = open(&server, "/S").await;
    let mut consumer = join(&broker, "c", &["a"]).await;
    server.kill();
    let waiting = tokio::spawn({
        let broker = broker.clone();
        async move { publish(&broker, message("a", "waited")).await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    server.restart();
    waiting.await.unwrap().unwrap();
    assert_eq!(take(&mut consumer, 1).await, ["waited"]);
    server.kill();
    let unavailable = async || {
        let error = publish(&broker, message("a", "never")).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable), "{error}");
        (error.kind() == ErrorKind::Unavailable).then_some(())
    };
    eventually("the server is away", unavailable).await;
}
