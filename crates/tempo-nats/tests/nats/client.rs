//! Stores and brokers over a connection that the embedder has made.

use std::sync::Arc;

use async_nats::{Client, ConnectOptions};
use bytes::Bytes;
use tempo_blobstore::{Container as _, PutOptions};
use tempo_keyvalue::{Condition, KeyValueStore};
use tempo_messaging::{Broker, Message, Subscription};
use tempo_nats::{NatsBlobstore, NatsKeyValue, NatsMessaging};

use crate::support::{Server, eventually, soon};

async fn client(server: &Server) -> Client {
    let address = format!("127.0.0.1:{}", server.port);
    ConnectOptions::new().retry_on_initial_connect().connect(address).await.unwrap()
}

async fn connected(server: &Server) -> Client {
    let client = client(server).await;
    client.flush().await.unwrap();
    client
}

#[tokio::test]
async fn every_service_works_over_one_client() {
    let server = Server::start();
    let client = connected(&server).await;

    let store = NatsKeyValue::new(client.clone(), "sessions").await.unwrap();
    store.set("user", Bytes::from("ann"), None, Condition::Absent).await.unwrap();
    assert_eq!(store.get("user").await.unwrap().unwrap().value, "ann");

    let container = NatsBlobstore::new(client.clone(), "photos").await.unwrap();
    let mut upload = container.put("cat", PutOptions::default()).await.unwrap();
    upload.write(Bytes::from("purr")).await.unwrap();
    upload.complete().await.unwrap();
    assert_eq!(container.stat("cat").await.unwrap().unwrap().size, 4);

    let stream = NatsMessaging::stream(client.clone(), "ORDERS", ["orders.>".to_owned()]).await.unwrap();
    delivers(stream, "orders.created").await;
    delivers(NatsMessaging::core(client).await.unwrap(), "plain").await;
}

async fn delivers(broker: Arc<dyn Broker>, topic: &str) {
    let mut consumer = broker.subscribe(&Subscription::new("test", vec![topic.to_owned()])).await.unwrap();
    let message = Message::new(topic, Bytes::from("1"));
    broker.publish(vec![message]).await.into_iter().for_each(|result| result.unwrap());
    let fetched = soon("a delivery", consumer.fetch(1)).await.unwrap();
    assert_eq!(fetched[0].message.topic, topic);
}

#[tokio::test]
async fn a_lost_connection_is_noticed_and_found_again() {
    let mut server = Server::start();
    let store = NatsKeyValue::new(connected(&server).await, "sessions").await.unwrap();
    store.set("user", Bytes::from("ann"), None, Condition::Always).await.unwrap();
    server.kill();
    let error = store.get("user").await.unwrap_err();
    assert_eq!(error.kind(), tempo_keyvalue::ErrorKind::Unavailable, "{error}");
    server.restart();
    let entry = eventually("the connection", || async { store.get("user").await.ok() }).await;
    assert_eq!(entry.unwrap().value, "ann");
}

#[tokio::test]
async fn a_malformed_name_is_refused() {
    let server = Server::start();
    let client = connected(&server).await;
    for name in ["", "a.b", "a b", "*"] {
        let error = NatsKeyValue::new(client.clone(), name).await.err().unwrap();
        assert_eq!(error.kind(), tempo_settings::ErrorKind::BadConfiguration, "{name}");
    }
}
