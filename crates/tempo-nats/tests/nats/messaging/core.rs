//! NATS without a stream: what is promised, and what is not.

use std::time::Duration;

use tempo_wasi_messaging::{ErrorKind, Message};

use super::{drain, header, join, message, next, open, publish, text};
use crate::support::{Server, eventually};

#[tokio::test]
async fn one_of_each_group_gets_a_message_once() {
    let server = Server::with("");
    let (one, other) = (open(&server, "").await, open(&server, "/").await);
    let mut members = [join(&one, "group", &["a.>", "a.b", "*.b"]).await, join(&other, "group", &["a.>", "*.b"]).await];
    let mut alone = join(&other, "alone", &["a.b"]).await;
    let sent: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let results = one.publish(sent.iter().map(|text| message("a.b", text)).collect()).await;
    assert!(results.iter().all(Result::is_ok));
    let mut found = drain(&mut members[0]).await;
    found.extend(drain(&mut members[1]).await);
    found.sort_by_key(|text| text.parse::<u32>().unwrap());
    assert_eq!(found, sent);
    assert_eq!(drain(&mut alone).await, sent);
}

#[tokio::test]
async fn all_of_a_message_comes() {
    let server = Server::with("");
    let broker = open(&server, "").await;
    let mut consumer = join(&broker, "c", &["a"]).await;
    let sent = Message {
        key: Some("k".into()),
        content_type: Some("a/b".into()),
        headers: vec![header("Nats-Msg-Id", "7"), header("x", "1"), header("x", "")],
        reply_to: Some("back.there".into()),
        ..message("a", "payload")
    };
    publish(&broker, sent.clone()).await.unwrap();
    let delivery = next(&mut consumer).await;
    assert_eq!((delivery.attempt, delivery.sequence), (1, None));
    assert_eq!(delivery.message, sent);
}

#[tokio::test]
async fn nothing_comes_again() {
    let server = Server::with("");
    let broker = open(&server, "").await;
    publish(&broker, message("a", "nobody is there")).await.unwrap();
    let mut consumer = join(&broker, "c", &["a"]).await;
    for n in 0..3 {
        publish(&broker, message("a", &n.to_string())).await.unwrap();
    }
    next(&mut consumer).await.receipt.retry(Duration::ZERO).await.unwrap();
    next(&mut consumer).await.receipt.reject("no").await.unwrap();
    next(&mut consumer).await.receipt.extend().await.unwrap();
    assert!(drain(&mut consumer).await.is_empty());
    assert!(broker.operator().is_none());
}

#[tokio::test]
async fn what_comes_too_fast_is_lost_and_the_rest_is_not() {
    let server = Server::with("");
    let broker = open(&server, "").await;
    let mut consumer = join(&broker, "c", &["a"]).await;
    let payload = "x".repeat(500_000);
    // Twice what the buffer holds.
    for _ in 0..8 {
        let results = broker.publish((0..8).map(|_| message("a", &payload)).collect()).await;
        assert!(results.iter().all(Result::is_ok));
    }
    let found = drain(&mut consumer).await.len();
    assert!((20..=34).contains(&found), "{found}");
    // There is room again.
    publish(&broker, message("a", "after")).await.unwrap();
    assert_eq!(text(&next(&mut consumer).await), "after");
}

#[tokio::test]
async fn refusals() {
    let server = Server::with("");
    let broker = open(&server, "").await;
    let large = Message { payload: vec![0; (1 << 20) + 1].into(), ..message("a", "") };
    let spaced = Message { headers: vec![header("x", "1 ")], ..message("a", "") };
    let results = broker.publish(vec![large, spaced, message("$SYS.x", ""), message("a", "")]).await;
    let kinds: Vec<Option<ErrorKind>> = results.into_iter().map(|result| result.err().map(|e| e.kind())).collect();
    let expected = [ErrorKind::TooLarge, ErrorKind::InvalidArgument, ErrorKind::AccessDenied].map(Some);
    assert_eq!(kinds, [&expected[..], &[None]].concat());
    let asked = broker.request(message("a", ""), 1, Duration::from_secs(60)).await;
    assert_eq!(asked.unwrap_err().kind(), ErrorKind::NoResponders);
    let mut consumer = join(&broker, "c", &["a"]).await;
    let asked = broker.request(message("a", ""), 1, Duration::from_millis(200)).await;
    assert_eq!(asked.unwrap_err().kind(), ErrorKind::Timeout);
    next(&mut consumer).await;
}

#[tokio::test]
async fn a_consumer_is_there_again_when_the_server_is() {
    let mut server = Server::with("");
    let broker = open(&server, "").await;
    let mut consumer = join(&broker, "c", &["a"]).await;
    server.kill();
    let unavailable = async || {
        let error = publish(&broker, message("a", "lost")).await.err()?;
        assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable), "{error}");
        (error.kind() == ErrorKind::Unavailable).then_some(())
    };
    eventually("the server is away", unavailable).await;
    server.restart();
    eventually("the server is back", async || publish(&broker, message("a", "back")).await.ok()).await;
    assert!(drain(&mut consumer).await.contains(&"back".to_owned()));
}
