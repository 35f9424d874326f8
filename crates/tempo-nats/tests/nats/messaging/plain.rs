//! Programs that know nothing of Tempo read what it publishes, and the other way round.

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::pull;
use futures::StreamExt as _;

use super::{client, header, join, message, next, open, publish};
use crate::support::{Server, soon};

#[tokio::test]
async fn what_others_publish_is_read() {
    let server = Server::start();
    let broker = open(&server, "/S").await;
    let mut consumer = join(&broker, "c", &["a.>"]).await;
    let jetstream = client(&server).await;
    jetstream.publish("a.b", "bare".into()).await.unwrap().await.unwrap();
    assert_eq!(next(&mut consumer).await.message, message("a.b", "bare"));
    let mut headers = HeaderMap::new();
    headers.append("x-list", "1");
    headers.append("x-list", "2");
    headers.insert("content-type", "text/plain");
    headers.insert("Nats-Msg-Id", "7");
    headers.insert("Nats-Expected-Stream", "S");
    jetstream.publish_with_headers("a.b", headers, vec![0, 255].into()).await.unwrap().await.unwrap();
    let expected = message("a.b", "")
        .with_content_type("text/plain".to_owned())
        .with_headers(vec![header("Nats-Msg-Id", "7"), header("x-list", "1"), header("x-list", "2")])
        .with_payload(vec![0, 255]);
    assert_eq!(next(&mut consumer).await.message, expected);
    // JetStream wants the reply subject for its own answer, and does not keep it.
    jetstream.client().publish_with_reply("a.c", "reply.here", "asks".into()).await.unwrap();
    assert_eq!(next(&mut consumer).await.message, message("a.c", "asks"));
}

#[tokio::test]
async fn what_is_published_is_read_by_others() {
    let server = Server::start();
    let broker = open(&server, "/S?subjects=a.>").await;
    let sent = message("a.b", "payload")
        .with_key("k".to_owned())
        .with_content_type("a/b".to_owned())
        .with_headers(vec![header("x", "1"), header("x", "2")])
        .with_reply_to("back".to_owned());
    publish(&broker, sent).await.unwrap();
    let stream = client(&server).await.get_stream("S").await.unwrap();
    let consumer = stream.create_consumer(pull::Config::default()).await.unwrap();
    let mut messages = consumer.fetch().max_messages(1).messages().await.unwrap();
    let found = soon("a message", messages.next()).await.unwrap().unwrap();
    assert_eq!((found.subject.as_str(), &*found.payload), ("a.b", &b"payload"[..]));
    let headers = found.headers.as_ref().unwrap();
    let value = |name: &str| headers.get(name).map(ToString::to_string);
    assert_eq!(value("Content-Type").as_deref(), Some("a/b"));
    assert_eq!((value("Tempo-Key").as_deref(), value("Tempo-Reply-To").as_deref()), (Some("k"), Some("back")));
    assert_eq!(headers.get_all("x").map(ToString::to_string).collect::<Vec<_>>(), ["1", "2"]);
}

#[tokio::test]
async fn requests_of_both_kinds_meet_on_plain_nats() {
    let server = Server::start();
    let broker = open(&server, "").await;
    let plain = client(&server).await.client();
    let mut requests = plain.subscribe("theirs").await.unwrap();
    // The server answers after it has registered the subscription.
    plain.request("unhandled", "".into()).await.unwrap_err();
    let answering = async {
        let question = requests.next().await.unwrap();
        plain.publish(question.reply.unwrap(), "theirs".into()).await.unwrap();
    };
    let (answers, ()) = tokio::join!(broker.request(message("theirs", "q"), 1, crate::support::PATIENCE), answering);
    assert_eq!(answers.unwrap()[0].payload, "theirs");
    let mut consumer = join(&broker, "c", &["ours"]).await;
    let answering = async {
        let question = next(&mut consumer).await;
        broker.reply(message(&question.message.reply_to.unwrap(), "ours")).await.unwrap();
    };
    let (answer, ()) = tokio::join!(plain.request("ours", "q".into()), answering);
    assert_eq!(answer.unwrap().payload, "ours");
}
