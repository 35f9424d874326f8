//! An operation of the guest has one span, under its name in WIT, however many operations of the backend it takes.

use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::trace::v1::Span;
use tempo_backend::{Backends, ByteBudget};
use tempo_core::Limits;
use tempo_telemetry::{Operations, Origin, Record, Signal, Sink, Telemetry};
use wasmtime::component::ResourceTable;

use crate::atomics::Required;
use crate::{Bucket, KeyValueCtx, KeyValueLimits, KeyValueStore, MemoryStore};

#[derive(Default)]
struct RecordingSink(Mutex<Vec<Span>>);

impl Sink for RecordingSink {
    fn enabled(&self, _: Signal) -> bool {
        true
    }

    fn record(&self, _: Origin<'_>, record: Record<'_>) {
        let Record::Span(span) = record else { panic!("{record:?}") };
        self.0.lock().unwrap().push(span.clone());
    }
}

impl RecordingSink {
    /// Returns the names of the spans since the last call, with the `error.type` of those that failed.
    fn take(&self) -> Vec<String> {
        let spans = std::mem::take(&mut *self.0.lock().unwrap());
        let describe = |span: Span| {
            let attribute = |key: &str| {
                let attribute = span.attributes.iter().find(|attribute| attribute.key == key)?;
                match attribute.value.as_ref()?.value.as_ref()? {
                    any_value::Value::StringValue(text) => Some(text.clone()),
                    other => panic!("{other:?}"),
                }
            };
            let operation = attribute("db.operation.name").unwrap();
            assert_eq!(span.name, format!("{operation} cache"));
            assert_eq!(attribute("db.namespace").unwrap(), "cache");
            attribute("error.type").map_or(operation.clone(), |error| format!("{operation}: {error}"))
        };
        spans.into_iter().map(describe).collect()
    }
}

fn telemetry() -> (Arc<RecordingSink>, Telemetry) {
    let sink = Arc::new(RecordingSink::default());
    let telemetry = Telemetry::builder(sink.clone()).build();
    (sink, telemetry)
}

#[tokio::test]
async fn an_operation_of_the_guest_is_one_span() {
    let (sink, telemetry) = telemetry();
    let limits = KeyValueLimits::new(&Limits::default());
    let bucket = Bucket::new(Arc::new(MemoryStore::default()), limits, ByteBudget::new(32 << 20));
    let mut bucket = bucket.with_operations(Some(Arc::new(Operations::new(&telemetry, "memory", "cache"))));
    let keys = || (0..20).map(|number| number.to_string()).collect::<Vec<_>>();

    bucket.set("k", b"1".to_vec()).await.unwrap();
    bucket.get("k").await.unwrap();
    bucket.exists("k").await.unwrap();
    bucket.delete("k").await.unwrap();
    assert_eq!(sink.take(), ["set", "get", "exists", "delete"]);

    bucket.increment("n", 1u64).await.unwrap();
    bucket.increment("n", -1i64).await.unwrap();
    assert_eq!(sink.take(), ["increment", "increment"]);

    bucket.set_many(keys().into_iter().map(|key| (key, Vec::new())).collect()).await.unwrap();
    bucket.get_many(keys()).await.unwrap();
    bucket.delete_many(keys()).await.unwrap();
    assert_eq!(sink.take(), ["set-many", "get-many", "delete-many"]);

    bucket.list("", None).await.unwrap();
    bucket.list_by_number(1).await.unwrap();
    assert_eq!(sink.take(), ["list-keys", "list-keys"]);

    let version = bucket.cas("n").await.unwrap();
    bucket.write_over("n", b"2".to_vec(), version).await.unwrap();
    bucket.write_over("n", b"3".to_vec(), version).await.unwrap();
    bucket.current("n").await.unwrap();
    let required = Required { version: None, value: Some(b"2".to_vec()) };
    bucket.swap("n", b"4".to_vec(), &required).await.unwrap();
    assert_eq!(sink.take(), ["cas", "swap", "swap", "current", "swap"]);

    bucket.get("").await.unwrap_err();
    bucket.set("n", b"many".to_vec()).await.unwrap();
    bucket.increment("n", 1i64).await.unwrap_err();
    assert_eq!(sink.take(), ["get: invalid_argument", "set", "increment: invalid_argument"]);
}

#[tokio::test]
async fn a_bucket_is_measured_under_the_name_that_the_guest_opens() {
    let (sink, telemetry) = telemetry();
    let store: Arc<dyn KeyValueStore> = Arc::new(MemoryStore::default());
    let stores = Backends::new([("alias".to_owned(), store.clone()), ("cache".to_owned(), store)]);
    let state = KeyValueCtx::new(stores, &Limits::default()).with_telemetry(&telemetry);
    let state = state.for_another_store(&ByteBudget::new(32 << 20));
    let mut table = ResourceTable::new();
    let mut view = state.view(&mut table);
    let handle = view.open("cache").unwrap().unwrap();
    view.bucket(&handle).unwrap().exists("k").await.unwrap();
    assert_eq!(sink.take(), ["exists"]);
}
