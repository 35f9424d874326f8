//! Dead letters, and what an operator sees and does.

use tempo_messaging::{ConsumerInfo, ErrorKind};

use super::{client, header, join, message, next, open, publish, refusal, subscription, take, text};
use crate::support::{Server, eventually};

#[tokio::test]
async fn what_is_rejected_is_kept_whole() {
    let server = Server::start();
    let broker = open(&server, "/ORDERS").await;
    let mut consumer = join(&broker, "worker", &["orders.>"]).await;
    let sent = message("orders.new", "bad")
        .with_key("k".to_owned())
        .with_content_type("a/b".to_owned())
        .with_headers(vec![header("Nats-Msg-Id", "mine"), header("traceparent", "00-1-2-01")])
        .with_reply_to("back".to_owned());
    publish(&broker, sent.clone()).await.unwrap();
    next(&mut consumer).await.receipt.retry(std::time::Duration::ZERO).await.unwrap();
    next(&mut consumer).await.receipt.reject("no: 100% ä\nNats-Rollup: all").await.unwrap();
    assert!(take(&mut consumer, 0).await.is_empty());
    let operator = broker.operator().unwrap();
    let letters = operator.dead_letters(None, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].message, sent);
    assert_eq!((&*letters[0].reason, &*letters[0].consumer), ("no: 100% ä\nNats-Rollup: all", "worker"));
    assert_eq!(letters[0].attempts, 2);
    let info = operator.stream().await.unwrap();
    assert_eq!((&*info.name, info.messages, info.dead_letters), ("ORDERS", 1, 1));
    // What a plain client sees.
    let stream = client(&server).await.get_stream("ORDERS-DEAD").await.unwrap();
    assert_eq!(stream.cached_info().config.subjects, ["dead.ORDERS.>"]);
    let raw = stream.get_raw_message(1).await.unwrap();
    assert_eq!((raw.subject.as_str(), &*raw.payload), ("dead.ORDERS.orders.new", &b"bad"[..]));
    let value = |name: &str| raw.headers.get(name).unwrap().to_string();
    assert_eq!((value("Tempo-Dead-Topic"), value("Tempo-Dead-Sequence")), ("orders.new".into(), "1".into()));
    assert_eq!((value("Tempo-Dead-Consumer"), value("Tempo-Dead-Attempts")), ("worker".into(), "2".into()));
    assert_eq!(value("Tempo-Dead-Reason"), "no: 100%25 ä%0ANats-Rollup: all");
}

#[tokio::test]
async fn a_letter_is_published_again_once_and_removed() {
    let server = Server::start();
    let broker = open(&server, "/S").await;
    let operator = broker.operator().unwrap();
    assert!(operator.dead_letters(None, 10).await.unwrap().is_empty());
    assert_eq!(operator.purge(1).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    let mut consumer = join(&broker, "c", &["a"]).await;
    for n in 1..=3 {
        publish(&broker, message("a", "x").with_headers(vec![header("Nats-Msg-Id", &n.to_string())])).await.unwrap();
        next(&mut consumer).await.receipt.reject("").await.unwrap();
    }
    // The letter as it was before, which a crash between publishing and removing leaves behind.
    let dead = client(&server).await.get_stream("S-DEAD").await.unwrap();
    operator.replay(1).await.unwrap();
    operator.purge(2).await.unwrap();
    let again = next(&mut consumer).await;
    assert_eq!((again.attempt, again.message.header("nats-msg-id")), (1, Some("1")));
    again.receipt.reject("again").await.unwrap();
    let letters = operator.dead_letters(Some(1), 10).await.unwrap();
    let ids: Vec<_> = letters.iter().map(|letter| (letter.sequence, letter.message.header("nats-msg-id"))).collect();
    assert_eq!(ids, [(3, Some("3")), (4, Some("1"))]);
    assert_eq!(operator.dead_letters(None, 1).await.unwrap()[0].sequence, 3);
    for sequence in [1, 2, 5, u64::MAX] {
        assert_eq!(operator.replay(sequence).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert_eq!(operator.purge(sequence).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
    assert_eq!(dead.get_info().await.unwrap().state.messages, 2);
    assert!(take(&mut consumer, 0).await.is_empty());
}

#[tokio::test]
async fn a_repeated_rejection_is_one_letter() {
    let server = Server::start();
    let broker = open(&server, "/S").await;
    // The acknowledgement of the first is lost, so to speak: the message comes to two.
    let brief = subscription("c", &["a"]).with_ack_wait(std::time::Duration::from_secs(1));
    let mut consumer = broker.subscribe(&brief).await.unwrap();
    publish(&broker, message("a", "x")).await.unwrap();
    let (one, other) = (next(&mut consumer).await, next(&mut consumer).await);
    assert_eq!((one.attempt, other.attempt), (1, 2));
    one.receipt.reject("one").await.unwrap();
    other.receipt.reject("other").await.unwrap();
    let letters = broker.operator().unwrap().dead_letters(None, 10).await.unwrap();
    assert_eq!(letters.iter().map(|letter| &*letter.reason).collect::<Vec<_>>(), ["one"]);
}

/// Its sequences begin at 1 again, which must not look like a repetition.
#[tokio::test]
async fn a_stream_that_is_created_again_has_new_letters() {
    let server = Server::start();
    let jetstream = client(&server).await;
    let reject = async |payload: &str| {
        let broker = open(&server, "/S").await;
        let mut consumer = join(&broker, "c", &["a"]).await;
        publish(&broker, message("a", payload)).await.unwrap();
        let delivery = next(&mut consumer).await;
        assert_eq!((text(&delivery), delivery.sequence), (payload, Some(1)));
        delivery.receipt.reject(payload).await.unwrap();
        let letters = broker.operator().unwrap().dead_letters(None, 10).await.unwrap();
        (broker, letters.into_iter().map(|letter| letter.reason).collect::<Vec<_>>())
    };
    assert_eq!(reject("one").await.1, ["one"]);
    jetstream.delete_stream("S").await.unwrap();
    let (broker, letters) = reject("two").await;
    assert_eq!(letters, ["one", "two"]);
    broker.operator().unwrap().replay(1).await.unwrap();
    jetstream.delete_stream("S-DEAD").await.unwrap();
    // The second message, which is the replayed one, becomes the first dead letter of the new stream.
    let mut consumer = join(&broker, "c", &["a"]).await;
    next(&mut consumer).await.receipt.reject("three").await.unwrap();
    broker.operator().unwrap().replay(1).await.unwrap();
    assert_eq!(text(&next(&mut consumer).await), "one");
}

#[tokio::test]
async fn a_message_as_large_as_can_be_has_room_among_the_letters() {
    let server = Server::start();
    let broker = open(&server, "/S").await;
    let mut consumer = join(&broker, "c", &["a"]).await;
    let payload = vec![7; 1 << 20];
    client(&server).await.publish("a", payload.clone().into()).await.unwrap().await.unwrap();
    next(&mut consumer).await.receipt.reject("too large for me").await.unwrap();
    let letters = broker.operator().unwrap().dead_letters(None, 10).await.unwrap();
    assert!(letters[0].message.payload == payload && letters[0].reason == "too large for me");
}

#[tokio::test]
async fn letters_go_where_the_subscription_says() {
    let server = Server::start();
    let broker = open(&server, "/S").await;
    let named = subscription("c", &["a"]).with_dead_letter("TRASH".to_owned());
    let mut consumer = broker.subscribe(&named).await.unwrap();
    publish(&broker, message("a", "x")).await.unwrap();
    next(&mut consumer).await.receipt.reject("no").await.unwrap();
    let jetstream = client(&server).await;
    let trash = jetstream.get_stream("TRASH").await.unwrap();
    assert_eq!(trash.get_raw_message(1).await.unwrap().subject.as_str(), "dead.TRASH.a");
    assert!(jetstream.get_stream("S-DEAD").await.is_err());
    let letters = broker.operator().unwrap().dead_letters(None, 10).await.unwrap();
    assert_eq!((&*letters[0].message.topic, letters.len()), ("a", 1));
    let own = subscription("d", &["a"]).with_dead_letter("S".to_owned());
    assert!(broker.subscribe(&own).await.is_err());
    assert!(refusal(&open(&server, "/T").await, "c", &["dead.TRASH.>"]).await.contains("overlap"));
}

#[tokio::test]
async fn an_operator_sees_how_far_each_consumer_is() {
    let server = Server::start();
    let broker = open(&server, "/S").await;
    let operator = broker.operator().unwrap();
    let empty = operator.stream().await.unwrap();
    assert_eq!((empty.messages, empty.dead_letters, empty.consumers.len()), (0, 0, 0));
    let mut one = join(&broker, "one", &["a"]).await;
    let _other = join(&broker, "other", &["a"]).await;
    for n in 0..4 {
        publish(&broker, message("a", &n.to_string())).await.unwrap();
    }
    next(&mut one).await.receipt.ack().await.unwrap();
    next(&mut one).await.receipt.retry(std::time::Duration::ZERO).await.unwrap();
    let again = next(&mut one).await;
    assert_eq!((again.attempt, text(&again)), (2, "1"));
    let info = |name: &str, pending, in_flight, redelivered| {
        let info = ConsumerInfo::new(name, vec!["a".into()]);
        info.with_pending(pending).with_in_flight(in_flight).with_redelivered(redelivered)
    };
    let expected = [info("one", 2, 1, 1), info("other", 4, 0, 0)];
    let found = async || (operator.stream().await.unwrap().consumers == expected).then_some(());
    eventually("the counts", found).await;
}
