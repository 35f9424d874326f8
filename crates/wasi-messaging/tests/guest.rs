//! Components with the imports of every package, written down from the originals: types that differed would not link.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tempo_backend::Backends;
use tempo_core::{Limits, Provide, Service as _};
use tempo_wasi_messaging::{Broker, Consumer, MemoryBroker, MessagingCtx, MessagingView, Subscription, WasiMessaging};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, Result, Store};

/// Each publishes its topic as the payload, and answers with the case of the result.
const SYNC: [&str; 2] = [include_str!("guest/draft.wat"), include_str!("guest/wasmcloud-0.2.wat")];
const ASYNC: [&str; 2] = [include_str!("guest/tempo.wat"), include_str!("guest/wasmcloud-0.3.wat")];

struct StoreData {
    messaging: MessagingCtx,
    table: ResourceTable,
}

impl Provide<WasiMessaging> for StoreData {
    fn provide(&mut self) -> MessagingView<'_> {
        self.messaging.view(&mut self.table)
    }
}

fn engine(concurrency: bool) -> Result<Engine> {
    let mut config = Config::new();
    config.wasm_component_model_async(concurrency).concurrency_support(concurrency);
    Engine::new(&config)
}

async fn publish(engine: &Engine, component: &str, broker: &MemoryBroker, topic: &str) -> Result<u32> {
    let mut linker = Linker::new(engine);
    WasiMessaging::add_to_linker(&mut linker)?;
    let component = Component::new(engine, wat::parse_str(component)?)?;
    let shared: Arc<dyn Broker> = Arc::new(broker.clone());
    let messaging = MessagingCtx::new(Backends::new([("default".to_owned(), shared)]), &Limits::default());
    let mut store = Store::new(engine, StoreData { messaging, table: ResourceTable::new() });
    let instance = linker.instantiate_async(&mut store, &component).await?;
    let function = instance.get_typed_func::<(&str,), (u32,)>(&mut store, "publish")?;
    Ok(function.call_async(&mut store, (topic,)).await?.0)
}

async fn consumer(broker: &MemoryBroker) -> anyhow::Result<Box<dyn Consumer>> {
    Ok(broker.subscribe(&Subscription::new("test", vec![">".to_owned()])).await?)
}

/// The topic and the payload of the next message.
async fn next(consumer: &mut dyn Consumer) -> anyhow::Result<(String, Vec<u8>)> {
    let fetched = tokio::time::timeout(Duration::from_secs(60), consumer.fetch(1)).await??;
    let delivery = fetched.into_iter().next().context("nothing was fetched")?;
    delivery.receipt.ack().await?;
    Ok((delivery.message.topic, delivery.message.payload.into()))
}

#[tokio::test]
async fn every_package_links_and_publishes() {
    let engine = engine(true).unwrap();
    for component in SYNC.into_iter().chain(ASYNC) {
        let broker = MemoryBroker::default();
        let mut consumer = consumer(&broker).await.unwrap();
        assert_eq!(publish(&engine, component, &broker, "orders.created").await.unwrap(), 0, "{component}");
        let (topic, payload) = next(&mut *consumer).await.unwrap();
        assert_eq!(topic, "orders.created");
        // The body of one of them is a stream that is empty.
        assert!(component == ASYNC[1] || payload == b"orders.created", "{component}");
    }
}

#[tokio::test]
async fn errors_reach_the_guest_and_do_not_trap_it() {
    let engine = engine(true).unwrap();
    for component in SYNC.into_iter().chain(ASYNC) {
        let broker = MemoryBroker::default();
        let mut consumer = consumer(&broker).await.unwrap();
        for topic in ["", "a b", "a.*", "$JS.API.STREAM.DELETE.orders", "a\r\nb"] {
            assert_eq!(publish(&engine, component, &broker, topic).await.unwrap(), 1, "{topic:?} {component}");
        }
        assert_eq!(publish(&engine, component, &broker, "last").await.unwrap(), 0);
        assert_eq!(next(&mut *consumer).await.unwrap().0, "last");
    }
}

#[tokio::test]
async fn an_engine_without_concurrency_gets_the_sync_packages() {
    let engine = engine(false).unwrap();
    for component in SYNC {
        let broker = MemoryBroker::default();
        let mut consumer = consumer(&broker).await.unwrap();
        assert_eq!(publish(&engine, component, &broker, "a").await.unwrap(), 0, "{component}");
        assert_eq!(next(&mut *consumer).await.unwrap().0, "a");
    }
}
