//! The stream of a broker, and its consumers: found, created, extended or refused.

use async_nats::jetstream::{consumer, stream};
use tempo_messaging::ErrorKind;

use super::{client, join, message, next, open, publish, refusal, text, try_open};
use crate::support::Server;

#[tokio::test]
async fn a_subscription_creates_the_stream_and_others_extend_it() {
    let server = Server::start();
    let broker = open(&server, "/ORDERS").await;
    let error = publish(&broker, message("orders.new", "lost")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoResponders, "{error}");
    let mut orders = join(&broker, "orders", &["orders.*"]).await;
    let jetstream = client(&server).await;
    let mut found = jetstream.get_stream("ORDERS").await.unwrap();
    let config = found.cached_info().config.clone();
    assert_eq!(config.subjects, ["orders.*"]);
    assert_eq!((config.storage, config.retention), (stream::StorageType::File, stream::RetentionPolicy::Limits));
    assert!(config.max_age.is_zero() && config.metadata.contains_key("tempo"));
    let consumer = found.consumer_info("orders").await.unwrap().config;
    assert_eq!(
        (consumer.durable_name.as_deref(), consumer.ack_policy),
        (Some("orders"), consumer::AckPolicy::Explicit)
    );
    assert!(consumer.max_deliver == -1 && consumer.max_ack_pending >= 1000 && consumer.deliver_subject.is_none());
    // Wider, and another.
    let mut both = join(&open(&server, "/ORDERS").await, "both", &["orders.>", "billing.x", "orders.*"]).await;
    let subjects = &found.info().await.unwrap().config.subjects;
    assert_eq!(*subjects, ["billing.x", "orders.>"]);
    publish(&broker, message("orders.new", "1")).await.unwrap();
    publish(&broker, message("billing.x", "2")).await.unwrap();
    publish(&broker, message("orders.new.eu", "3")).await.unwrap();
    assert_eq!(publish(&broker, message("billing.y", "4")).await.unwrap_err().kind(), ErrorKind::NoResponders);
    assert_eq!(super::take(&mut orders, 1).await, ["1"]);
    assert_eq!(super::take(&mut both, 3).await, ["1", "2", "3"]);
    drop(both);
    // A refused subscription leaves the stream as it is.
    let said = refusal(&broker, "both", &["billing.>"]).await;
    assert!(said.contains("orders.>") && said.contains("billing.>"), "{said}");
    assert_eq!(found.info().await.unwrap().config.subjects, ["billing.x", "orders.>"]);
}

#[tokio::test]
async fn a_publisher_alone_names_the_subjects() {
    let server = Server::start();
    let broker = open(&server, "/LOGS?subjects=logs.>,audit.*").await;
    publish(&broker, message("audit.login", "1")).await.unwrap();
    let mut stream = client(&server).await.get_stream("LOGS").await.unwrap();
    assert_eq!(stream.cached_info().config.subjects, ["audit.*", "logs.>"]);
    // A stream that is there stays as it is.
    open(&server, "/LOGS?subjects=other").await;
    assert_eq!(stream.info().await.unwrap().config.subjects, ["audit.*", "logs.>"]);
}

#[tokio::test]
async fn a_stream_of_somebody_else_is_used_as_it_is() {
    let server = Server::start();
    let jetstream = client(&server).await;
    let config = stream::Config { name: "JOBS".into(), subjects: vec!["jobs.*".into()], ..Default::default() };
    let mut stream = jetstream.create_stream(config).await.unwrap();
    let broker = open(&server, "/JOBS").await;
    let mut consumer = join(&broker, "worker", &["jobs.a"]).await;
    publish(&broker, message("jobs.a", "1")).await.unwrap();
    assert_eq!(text(&next(&mut consumer).await), "1");
    let mut all = join(&broker, "all", &[">"]).await;
    assert_eq!(text(&next(&mut all).await), "1");
    let said = refusal(&broker, "another", &["other.*"]).await;
    assert!(said.starts_with(&format!("nats://127.0.0.1:{}/JOBS: ", server.port)), "{said}");
    assert!(said.contains("other.*") && said.contains("not made by Tempo"), "{said}");
    assert_eq!(stream.info().await.unwrap().config.subjects, ["jobs.*"]);
}

#[tokio::test]
async fn a_consumer_of_somebody_else_is_used_if_it_is_the_same() {
    let server = Server::start();
    let jetstream = client(&server).await;
    let broker = open(&server, "/S?subjects=a.>").await;
    let stream = jetstream.get_stream("S").await.unwrap();
    let config = consumer::pull::Config {
        durable_name: Some("theirs".into()),
        filter_subject: "a.b".into(),
        ..Default::default()
    };
    stream.create_consumer(config).await.unwrap();
    let mut consumer = join(&broker, "theirs", &["a.b"]).await;
    publish(&broker, message("a.b", "1")).await.unwrap();
    next(&mut consumer).await.receipt.ack().await.unwrap();
    let said = refusal(&broker, "theirs", &["a.c"]).await;
    let parts = ["theirs", "topics a.b, and the subscription has a.c", "--consumer", "Tempo did not make it"];
    assert!(parts.iter().all(|part| said.contains(part)), "{said}");
    // More topics would change it.
    assert!(refusal(&broker, "theirs", &["a.>"]).await.contains("has a.>: 0 messages"));
    let kept = stream.consumer_info("theirs").await.unwrap();
    assert_eq!((&*kept.config.filter_subject, kept.ack_floor.stream_sequence), ("a.b", 1));
    let config = consumer::push::Config {
        durable_name: Some("pushes".into()),
        deliver_subject: "there".into(),
        filter_subject: "a.b".into(),
        ..Default::default()
    };
    stream.create_consumer(config).await.unwrap();
    assert!(refusal(&broker, "pushes", &["a.b"]).await.contains("is a push consumer"));
}

#[tokio::test]
async fn what_the_server_refuses_is_said() {
    let server = Server::start();
    let broker = open(&server, "/S?subjects=a.>").await;
    let said = refusal(&open(&server, "/T").await, "c", &["a.b"]).await;
    assert!(said.contains("/T: ") && said.contains("cannot be created") && said.contains("overlap"), "{said}");
    // Topics that overlap are one subscription all the same.
    let mut consumer = join(&broker, "c", &["a.*.c", "a.b.*"]).await;
    publish(&broker, message("a.b.c", "once")).await.unwrap();
    assert_eq!(super::take(&mut consumer, 1).await, ["once"]);
    let plain = Server::with("");
    let said = format!("{:#}", try_open(&plain, "/S").await.err().unwrap());
    assert!(said.contains("--jetstream"), "{said}");
}
