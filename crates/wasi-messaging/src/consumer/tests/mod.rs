//! Real components handle messages, from a broker that writes down what it is told.

mod answers;
mod broker;
mod engine;
mod failures;
mod flow;
mod guests;
mod stopping;

use std::sync::Arc;
use std::time::Duration;

use tempo_core::{
    ByteBudget, Limits, OpenFiles, Place, Running, Settings, StoreLimiter, Stores, Trigger as _, Value, Workload,
    WorkloadBuilder,
};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine};

use self::broker::TestBroker;
use super::{MessageConsumer, SUBSCRIBE};
use crate::{Broker, MessagingState, MessagingView, WasiMessaging};

/// The data of a store that has the service and nothing else.
struct Data {
    state: MessagingState,
    table: ResourceTable,
    limiter: StoreLimiter,
    open_files: OpenFiles,
}

impl tempo_core::Provide<WasiMessaging> for Data {
    fn provide(&mut self) -> MessagingView<'_> {
        self.state.view(&mut self.table)
    }
}

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

    /// The component, in an engine whose epoch advances for as long as the test runs.
    fn workload(self) -> Workload<Data> {
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
        let mut linker = Linker::<Data>::new(&engine);
        <WasiMessaging as tempo_core::Service>::add_to_linker(&mut linker).unwrap();
        let component = Component::new(&engine, wat::parse_str(self.guest).unwrap()).unwrap();
        let state = MessagingState::new(Stores::new(self.brokers), &self.limits);
        let limits = self.limits.clone();
        let data = move || {
            let (limiter, open_files) = (StoreLimiter::new(&limits), OpenFiles::new(&limits));
            let bytes = ByteBudget::new(limits.host_memory);
            Ok(Data { state: state.for_another_store(&bytes), table: ResourceTable::new(), limiter, open_files })
        };
        Workload::from(WorkloadBuilder {
            name: "worker".into(),
            component: linker.instantiate_pre(&component).unwrap(),
            concurrent,
            limits: self.limits,
            tick: Duration::from_millis(2),
            data: Box::new(data),
            limiter: |data| &mut data.limiter,
            table: |data| &mut data.table,
            open_files: |data| &mut data.open_files,
            background: Arc::new(|future| drop(tokio::spawn(future))),
            telemetry: tempo_core::telemetry::Telemetry::off(),
            health: tempo_core::Health::default(),
        })
    }

    async fn start(self, subscribe: &[&str]) -> Box<dyn Running> {
        start(self.workload(), subscribe).await.unwrap()
    }
}

async fn start(workload: Workload<Data>, subscribe: &[&str]) -> anyhow::Result<Box<dyn Running>> {
    let mut settings = Settings::default();
    let value = |text: &&str| Value { text: (*text).to_owned(), place: Place::CommandLine };
    settings.set(&SUBSCRIBE, subscribe.iter().map(value).collect());
    MessageConsumer::start(workload, &settings).await
}

#[tokio::test]
async fn what_is_handled_is_said_and_what_is_not_too() {
    let broker = TestBroker::new(0);
    let mut setup = Setup::limited(&broker, guests::wasmcloud2(""), |limits| limits.requests = 9);
    setup.name("events", Arc::new(TestBroker::new(0)));
    let workload = setup.workload();
    let running = start(workload.clone(), &["a.>", "b", "events=c;max-in-flight=8;ordered"]).await.unwrap();
    assert_eq!(
        running.announcement(),
        "handling a.>, b as consumer worker of default (9 at once); each message at most once, as nobody keeps it\n\
         handling c as consumer worker of events (8 at once, in order); each message at most once, as nobody keeps it"
    );
    assert!(running.unused().is_none());
    assert_eq!(broker.subscribed().len(), 1);
    let unused = start(workload, &[]).await.unwrap().unused().unwrap();
    assert_eq!(unused.kind(), tempo_core::ErrorKind::BadConfiguration);
    assert!(unused.to_string().contains("--subscribe"));
}

#[tokio::test]
async fn a_broker_that_is_not_there_or_there_twice_is_refused() {
    let broker = TestBroker::new(0);
    let mut setup = Setup::new(&broker, guests::wasmcloud2(""));
    let shared: Arc<dyn Broker> = Arc::new(broker);
    setup.name("a", shared.clone());
    setup.name("b", shared);
    let workload = setup.workload();
    let error = async |subscribe: &[&str]| start(workload.clone(), subscribe).await.err().unwrap().to_string();
    let unknown = error(&["other=a"]).await;
    assert!(unknown.starts_with("--subscribe: no broker of that name is configured"), "{unknown}");
    let twice = error(&["a=t", "b=u"]).await;
    assert!(twice.contains("by another name of the same broker"), "{twice}");
    assert!(start(workload.clone(), &["a=t", "b=u;consumer=other"]).await.is_ok());
}
