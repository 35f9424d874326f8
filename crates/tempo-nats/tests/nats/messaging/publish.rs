//! Publishing to a stream, and requests through it.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use tempo_messaging::{ErrorKind, Message};

use super::{client, header, join, message, next, open, publish, take, text};
use crate::support::{PATIENCE, Server};

#[tokio::test]
async fn all_of_a_message_comes_back() {
    let server = Server::start();
    let broker = open(&server, "/S").await;
    let mut consumer = join(&broker, "c", &["a.>"]).await;
    let sent = Message::new("a.ü.$x", (0..=255).collect::<Vec<u8>>())
        .with_key("ключ =,:".to_owned())
        .with_content_type("application/json; q=\"1\"".to_owned())
        .with_headers(vec![header("Nats-Msg-Id", "mine"), header("empty", ""), header("x", "2"), header("x", "ü: 1")])
        .with_reply_to("somewhere.else".to_owned());
    let before = SystemTime::now() - Duration::from_secs(1);
    publish(&broker, sent.clone()).await.unwrap();
    let delivery = next(&mut consumer).await;
    assert_eq!(delivery.message, sent);
    assert_eq!((delivery.attempt, delivery.sequence), (1, Some(1)));
    assert!(before <= delivery.timestamp && delivery.timestamp <= SystemTime::now());
    delivery.receipt.ack().await.unwrap();
    // A message without an id is shown without one.
    publish(&broker, message("a.b", "")).await.unwrap();
    assert_eq!(next(&mut consumer).await.message, message("a.b", ""));
}

#[tokio::test]
async fn what_cannot_be_carried_is_refused_alone() {
    let server = Server::start();
    let broker = open(&server, "/S").await;
    let mut consumer = join(&broker, "c", &["a"]).await;
    let with = |name: &str, value: &str| message("a", "no").with_headers(vec![header(name, value)]);
    let large = message("a", "").with_payload(vec![0; 1 << 20]);
    let messages = vec![
        message("a", "1"),
        with("x", " cut off"),
        with("x", "two\r\nNats-Rollup: all"),
        with("Nats-Rollup", "all"),
        message("$JS.API.STREAM.DELETE.S", "{}"),
        message("elsewhere", "no"),
        large,
        message("a", "2"),
    ];
    let results = broker.publish(messages).await;
    let kinds: Vec<Option<ErrorKind>> = results.into_iter().map(|result| result.err().map(|e| e.kind())).collect();
    let invalid = Some(ErrorKind::InvalidArgument);
    let expected = [
        None,
        invalid,
        invalid,
        invalid,
        Some(ErrorKind::AccessDenied),
        Some(ErrorKind::NoResponders),
        Some(ErrorKind::TooLarge),
        None,
    ];
    assert_eq!(kinds, expected);
    assert_eq!(take(&mut consumer, 2).await, ["1", "2"]);
    for topic in ["$JS.API.STREAM.DELETE.S", "$SYS.REQ.SERVER.PING"] {
        let answered = broker.request(message(topic, ""), 1, Duration::from_secs(1)).await;
        assert_eq!(answered.unwrap_err().kind(), ErrorKind::AccessDenied);
        assert_eq!(broker.reply(message(topic, "")).await.unwrap_err().kind(), ErrorKind::AccessDenied);
    }
    client(&server).await.get_stream("S").await.unwrap();
}

#[tokio::test]
async fn many_at_once_keep_their_order() {
    let server = Server::start();
    let broker = open(&server, "/S").await;
    let mut consumer = join(&broker, "c", &["a"]).await;
    // More than may be in flight, in number and in bytes.
    let large = "x".repeat(100_000);
    let texts: Vec<String> =
        (0..600).map(|n| if n % 30 == 0 { format!("{n} {large}") } else { n.to_string() }).collect();
    let results = broker.publish(texts.iter().map(|text| message("a", text)).collect()).await;
    assert!(results.len() == 600 && results.iter().all(Result::is_ok));
    assert_eq!(take(&mut consumer, 600).await, texts);
    assert!(broker.publish(Vec::new()).await.is_empty());
}

#[tokio::test]
async fn ids_are_the_guests_or_new_ones() {
    let server = Server::start();
    let broker = open(&server, "/S?subjects=a").await;
    let same = message("a", "once").with_headers(vec![header("nats-msg-id", "1")]);
    for _ in 0..2 {
        publish(&broker, same.clone()).await.unwrap();
        publish(&broker, message("a", "each time")).await.unwrap();
    }
    let stream = client(&server).await.get_stream("S").await.unwrap();
    assert_eq!(stream.cached_info().state.messages, 3);
    let mut ids = HashSet::new();
    for sequence in 1..=3 {
        let stored = stream.get_raw_message(sequence).await.unwrap();
        ids.insert(stored.headers.get("Nats-Msg-Id").unwrap().to_string());
        assert_eq!(stored.headers.get("Nats-Expected-Stream").unwrap().as_str(), "S");
    }
    assert!(ids.len() == 3 && ids.contains("1"), "{ids:?}");
}

#[tokio::test]
async fn a_full_stream_and_one_that_was_deleted() {
    let server = Server::start();
    let jetstream = client(&server).await;
    let config = async_nats::jetstream::stream::Config {
        name: "S".into(),
        subjects: vec!["a".into()],
        max_messages: 1,
        discard: async_nats::jetstream::stream::DiscardPolicy::New,
        max_message_size: 100,
        ..Default::default()
    };
    jetstream.create_stream(config).await.unwrap();
    let broker = open(&server, "/S").await;
    assert_eq!(publish(&broker, message("a", &"x".repeat(200))).await.unwrap_err().kind(), ErrorKind::TooLarge);
    let mut consumer = join(&broker, "c", &["a"]).await;
    publish(&broker, message("a", "")).await.ok();
    let mut full = false;
    for _ in 0..2 {
        full = publish(&broker, message("a", "")).await.is_err_and(|error| error.kind() == ErrorKind::QuotaExceeded);
    }
    assert!(full, "a stream with room for one message took three");
    jetstream.delete_stream("S").await.unwrap();
    let gone = async {
        loop {
            if let Err(error) = consumer.fetch(1).await {
                return error;
            }
        }
    };
    assert_eq!(crate::support::soon("an end", gone).await.kind(), ErrorKind::Other);
}

#[tokio::test]
async fn requests_go_through_the_stream_if_it_takes_them() {
    let server = Server::start();
    let broker = open(&server, "/S").await;
    let mut consumer = join(&broker, "c", &["ask.*"]).await;
    let answering = tokio::spawn({
        let broker = broker.clone();
        async move {
            loop {
                let delivery = next(&mut consumer).await;
                let topic = delivery.message.reply_to.clone().unwrap();
                for n in 0..2 {
                    let answer = format!("{} {n}", text(&delivery));
                    let headers = vec![header("n", &n.to_string())];
                    broker.reply(message(&topic, &answer).with_headers(headers)).await.unwrap();
                }
                delivery.receipt.ack().await.unwrap();
            }
        }
    });
    let ask = async |topic: &str, replies, timeout| broker.request(message(topic, "q"), replies, timeout).await;
    let answers = ask("ask.a", 1, PATIENCE).await.unwrap();
    assert_eq!((&*answers[0].payload, answers[0].header("n")), (&b"q 0"[..], Some("0")));
    assert_eq!(ask("ask.a", 2, PATIENCE).await.unwrap().len(), 2);
    assert_eq!(ask("ask.a", 3, Duration::from_millis(500)).await.unwrap().len(), 2);
    assert_eq!(ask("unhandled", 1, PATIENCE).await.unwrap_err().kind(), ErrorKind::NoResponders);
    answering.abort();
    let _ = answering.await;
    assert_eq!(ask("ask.a", 1, Duration::from_millis(300)).await.unwrap_err().kind(), ErrorKind::Timeout);
    // Each question is kept.
    assert_eq!(client(&server).await.get_stream("S").await.unwrap().cached_info().state.messages, 4);
}
