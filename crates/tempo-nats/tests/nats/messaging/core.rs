//! NATS without a stream: what is promised, and what is not.

use std::time::Duration;

use tempo_messaging::ErrorKind;

use super::{header, join, message, next, open, publish, take, text};
use crate::support::{Server, eventually, soon};

#[tokio::test]
async fn one_of_each_group_gets_a_message_once() {
    let server = Server::with("");
    let (one, other) = (open(&server, "").await, open(&server, "/").await);
    let mut members = [join(&one, "group", &["a.>", "a.b", "*.b"]).await, join(&other, "group", &["a.>", "*.b"]).await];
    let mut alone = join(&other, "alone", &["a.b"]).await;
    let sent: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let results = one.publish(sent.iter().map(|text| message("a.b", text)).collect()).await;
    assert!(results.iter().all(Result::is_ok));
    let [first, second] = &mut members;
    let mut found = Vec::new();
    while found.len() < sent.len() {
        let fetching = async {
            tokio::select! { some = first.fetch(9) => some, some = second.fetch(9) => some }
        };
        super::acknowledge(soon("a message", fetching).await.unwrap(), &mut found).await;
    }
    found.extend(take(first, 0).await);
    found.extend(take(second, 0).await);
    found.sort_by_key(|text| text.parse::<u32>().unwrap());
    assert_eq!(found, sent);
    assert_eq!(take(&mut alone, 100).await, sent);
}

#[tokio::test]
async fn all_of_a_message_comes() {
    let server = Server::with("");
    let broker = open(&server, "").await;
    let mut consumer = join(&broker, "c", &["a"]).await;
    let sent = message("a", "payload")
        .with_key("k".to_owned())
        .with_content_type("a/b".to_owned())
        .with_headers(vec![header("Nats-Msg-Id", "7"), header("x", "1"), header("x", "")])
        .with_reply_to("back.there".to_owned());
    publish(&broker, sent.clone()).await.unwrap();
    let delivery = next(&mut consumer).await;
    assert_eq!((delivery.attempt, delivery.sequence), (1, None));
    assert_eq!(delivery.message, sent);
}

#[tokio::test]
async fn nothing_comes_again() {
    let server = Server::with("");
    let broker = open(&server, "").await;
    publish(&broker, message("a", "no subscriber")).await.unwrap();
    let mut consumer = join(&broker, "c", &["a"]).await;
    for n in 0..3 {
        publish(&broker, message("a", &n.to_string())).await.unwrap();
    }
    next(&mut consumer).await.receipt.retry(Duration::ZERO).await.unwrap();
    next(&mut consumer).await.receipt.reject("no").await.unwrap();
    next(&mut consumer).await.receipt.extend().await.unwrap();
    assert!(take(&mut consumer, 0).await.is_empty());
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
    let found = take(&mut consumer, 20).await.len();
    assert!((20..=34).contains(&found), "{found}");
    // There is room again.
    publish(&broker, message("a", "after")).await.unwrap();
    assert_eq!(text(&next(&mut consumer).await), "after");
}

#[tokio::test]
async fn refusals() {
    let server = Server::with("");
    let broker = open(&server, "").await;
    let large = message("a", "").with_payload(vec![0; (1 << 20) + 1]);
    let spaced = message("a", "").with_headers(vec![header("x", "1 ")]);
    let results = broker.publish(vec![large, spaced, message("$SYS.x", ""), message("a", "")]).await;
    let kinds: Vec<Option<ErrorKind>> = results.into_iter().map(|result| result.err().map(|e| e.kind())).collect();
    let expected = [ErrorKind::TooLarge, ErrorKind::InvalidArgument, ErrorKind::AccessDenied].map(Some);
    assert_eq!(kinds, [&expected[..], &[None]].concat());
    let answered = broker.request(message("a", ""), 1, Duration::from_secs(60)).await;
    assert_eq!(answered.unwrap_err().kind(), ErrorKind::NoResponders);
    let mut consumer = join(&broker, "c", &["a"]).await;
    let answered = broker.request(message("a", ""), 1, Duration::from_millis(200)).await;
    assert_eq!(answered.unwrap_err().kind(), ErrorKind::Timeout);
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
    while text(&next(&mut consumer).await) != "back" {}
}

/// JetStream sends a publish ack to the reply subject of any message that a stream stores.
#[tokio::test]
async fn the_word_of_a_stream_is_no_answer() {
    let server = Server::start();
    let (asking, answering) = (open(&server, "").await, open(&server, "").await);
    let mut consumer = join(&answering, "c", &["tasks.*"]).await;
    let jetstream = super::client(&server).await;
    let config = async_nats::jetstream::stream::Config {
        name: "AUDIT".to_owned(),
        subjects: vec!["tasks.>".to_owned()],
        ..Default::default()
    };
    jetstream.create_stream(config).await.unwrap();
    let answers = async {
        for number in 0..20 {
            let delivery = next(&mut consumer).await;
            // The stream is quicker.
            tokio::time::sleep(Duration::from_millis(5)).await;
            let reply_to = delivery.message.reply_to.clone();
            // One that looks like the word of a stream, and is none.
            let text = if number % 2 == 0 { "done".to_owned() } else { r#"{"stream":"OTHER","seq":1}"#.to_owned() };
            answering.reply(message("", &text).with_reply_to(None).with_topic(reply_to.unwrap())).await.unwrap();
        }
    };
    let questions = async {
        for number in 0..20 {
            let answers = asking.request(message("tasks.a", ""), 1, Duration::from_secs(5)).await.unwrap();
            let wanted = if number % 2 == 0 { "done" } else { r#"{"stream":"OTHER","seq":1}"# };
            assert_eq!(answers[0].payload, wanted.as_bytes());
        }
    };
    tokio::join!(answers, questions);
}

/// A stream that did not have the topic when last fetched.
#[tokio::test]
async fn a_question_that_a_stream_takes_in_the_meantime_is_answered() {
    let server = Server::start();
    let asking = open(&server, "/TASKS").await;
    let unanswered = asking.request(message("tasks.a", ""), 1, Duration::from_secs(5)).await;
    assert_eq!(unanswered.unwrap_err().kind(), ErrorKind::NoResponders);
    let answering = open(&server, "/TASKS").await;
    let mut consumer = join(&answering, "c", &["tasks.*"]).await;
    let answer = async {
        let delivery = next(&mut consumer).await;
        let topic = delivery.message.reply_to.clone().unwrap();
        answering.reply(message(&topic, "done")).await.unwrap();
        delivery.receipt.ack().await.unwrap();
    };
    let question = asking.request(message("tasks.a", ""), 1, Duration::from_secs(5));
    let (_, answers) = tokio::join!(answer, question);
    assert_eq!(answers.unwrap()[0].payload, "done".as_bytes());
}
