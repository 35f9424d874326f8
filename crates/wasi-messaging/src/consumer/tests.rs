//! Real components handle messages from a recording broker.

mod answers;
mod broker;
mod engine;
mod failures;
mod flow;
mod guests;
mod stopping;

use std::sync::Arc;
use std::time::Duration;

use tempo_backend::{Backends, ByteBudget};
use tempo_core::{Limits, Running, ServiceState, StoreData, Trigger as _, WasiCtx, Workload};
use tempo_settings::{Settings, Value, ValueSource};
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine};

use self::broker::TestBroker;
use super::{MessageConsumer, SUBSCRIBE};
use crate::{Broker, MessagingCtx, WasiMessaging};

/// A component under test, before its consumer is started.
struct Setup {
    limits: Limits,
    brokers: Vec<(String, Arc<dyn Broker>)>,
    guest: String,
}

impl Setup {
    fn new(broker: &TestBroker, guest: String) -> Self {
        let mut setup = Self { limits: Limits::default(), brokers: Vec::new(), guest };
        setup.name("default", Arc::new(broker.clone()));
        setup
    }

    /// Configures `broker` under `name`.
    fn name(&mut self, name: &str, broker: Arc<dyn Broker>) {
        self.brokers.push((name.to_owned(), broker));
    }

    fn limited(broker: &TestBroker, guest: String, limit: impl Fn(&mut Limits)) -> Self {
        let mut setup = Self::new(broker, guest);
        limit(&mut setup.limits);
        setup
    }

    /// The component, in an engine whose epoch advances during the test, and the state of its stores.
    fn workload(self) -> (Workload, MessagingCtx) {
        let concurrent = self.guest.contains("async");
        let mut config = Config::new();
        config.epoch_interruption(true).wasm_component_model_async(concurrent).concurrency_support(concurrent);
        let engine = Engine::new(&config).unwrap();
        let weak = engine.weak();
        std::thread::spawn(move || {
            while let Some(engine) = weak.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        let mut linker = Linker::new(&engine);
        <WasiMessaging as tempo_core::Service>::link(&mut linker).unwrap();
        let component = Component::new(&engine, wat::parse_str(self.guest).unwrap()).unwrap();
        let state = MessagingCtx::new(Backends::new(self.brokers), &self.limits);
        let limits = self.limits.clone();
        let carried = state.for_another_store(&ByteBudget::new(limits.host_memory));
        let data = move || {
            let bytes = ByteBudget::new(limits.host_memory);
            let state = ServiceState::new::<WasiMessaging>(carried.for_another_store(&bytes));
            let data = StoreData::new(WasiCtx::builder().build(), &limits, bytes);
            Ok(data.with(state))
        };
        let linked = linker.instantiate_pre(&component).unwrap();
        let workload = Workload::builder("worker", linked, data)
            .concurrent(concurrent)
            .limits(self.limits)
            .tick(Duration::from_millis(2))
            .build();
        (workload, state)
    }

    async fn start(self, subscribe: &[&str]) -> Box<dyn Running> {
        let (workload, state) = self.workload();
        start(workload, &state, subscribe).await.unwrap()
    }
}

async fn start(
    workload: Workload,
    state: &MessagingCtx,
    subscribe: &[&str],
) -> tempo_settings::Result<Box<dyn Running>> {
    let mut settings = Settings::default();
    let value = |text: &&str| Value { text: (*text).to_owned(), source: ValueSource::CommandLine };
    settings.set(&SUBSCRIBE, subscribe.iter().map(value).collect());
    let state = state.for_another_store(&ByteBudget::new(workload.limits().host_memory));
    MessageConsumer::start(workload, &settings, state).await
}

#[tokio::test]
async fn what_is_handled_is_said_and_what_is_not_too() {
    let broker = TestBroker::new(0);
    let mut setup = Setup::limited(&broker, guests::wasmcloud_v0_2(""), |limits| limits.requests = 9);
    setup.name("events", Arc::new(TestBroker::new(0)));
    let (workload, state) = setup.workload();
    let running = start(workload.clone(), &state, &["a.>", "b", "events=c;max-in-flight=8;ordered"]).await.unwrap();
    assert_eq!(
        running.announcement(),
        "handling a.>, b as consumer worker of default (9 at once); each message at most once, as the broker does not store messages\n\
         handling c as consumer worker of events (8 at once, in order); each message at most once, as the broker does not store messages"
    );
    assert!(running.unused().is_none());
    assert_eq!(broker.subscribed().len(), 1);
    let unused = start(workload, &state, &[]).await.unwrap().unused().unwrap();
    assert_eq!(unused.kind(), tempo_settings::ErrorKind::BadConfiguration);
    assert!(unused.to_string().contains("--subscribe"));
}

#[tokio::test]
async fn a_broker_that_is_not_there_or_there_twice_is_refused() {
    let broker = TestBroker::new(0);
    let mut setup = Setup::new(&broker, guests::wasmcloud_v0_2(""));
    let shared: Arc<dyn Broker> = Arc::new(broker);
    setup.name("a", shared.clone());
    setup.name("b", shared);
    let (workload, state) = setup.workload();
    let error = async |subscribe: &[&str]| start(workload.clone(), &state, subscribe).await.err().unwrap().to_string();
    let unknown = error(&["other=a"]).await;
    assert!(unknown.starts_with("--subscribe: no broker of that name is configured"), "{unknown}");
    let twice = error(&["a=t", "b=u"]).await;
    assert!(twice.contains("by another name of the same broker"), "{twice}");
    assert!(start(workload.clone(), &state, &["a=t", "b=u;consumer=other"]).await.is_ok());
}
