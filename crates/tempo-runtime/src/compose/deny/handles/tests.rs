//! Denied functions are called with handles, in wasmtime, and each handle is dropped.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use wasmtime::component::{
    Component, Destination, FutureProducer, FutureReader, Linker, Resource, ResourceAny, ResourceType, StreamProducer,
    StreamReader, StreamResult, Val,
};
use wasmtime::{Config, Engine, Store, StoreContextMut};

use super::super::tests::world;

const WIT: &str = r#"
package acme:time@1.0.0;

interface shared { resource handle; }

interface clock {
    use shared.{handle};
    variant choice { number(u64), owned(handle), text(string), pair(tuple<handle, handle>) }
    record both { before: u8, first: handle, second: option<handle> }
    owned: func(a: u64, handle: handle) -> result;
    borrowed: func(handle: borrow<handle>) -> result;
    optional: func(a: option<handle>, b: option<handle>) -> result;
    choices: func(a: choice, b: choice, c: choice) -> result;
    in-results: func(a: result<handle, string>, b: result<u64, handle>) -> result;
    in-lists: func(a: list<both>, b: list<list<handle>>, c: list<u64>) -> result;
    in-memory: func(a: tuple<u64, u64, u64, u64, u64, u64, u64, u64>, b: choice, c: choice, d: both) -> result;
    with-stream: func(a: stream<u8>) -> result;
    with-future: async func(a: option<future<u8>>) -> result;
}

world guest { import shared; import clock; }
"#;

struct Test {
    store: Store<()>,
    dropped: Arc<AtomicUsize>,
}

impl Test {
    /// Returns a handle of a resource that the adapter imports.
    fn handle(&mut self) -> Val {
        let resource = Resource::<u32>::new_own(7);
        Val::Resource(ResourceAny::try_from_resource(resource, &mut self.store).unwrap())
    }

    fn case(&mut self, name: &str) -> Val {
        let payload = match name {
            "number" => Val::U64(u64::MAX),
            "owned" => self.handle(),
            "text" => Val::String("x".to_owned()),
            _ => Val::Tuple(vec![self.handle(), self.handle()]),
        };
        Val::Variant(name.to_owned(), Some(Box::new(payload)))
    }

    fn both(&mut self, second: bool) -> Val {
        let first = ("first".to_owned(), self.handle());
        let second = second.then(|| Box::new(self.handle()));
        Val::Record(vec![("before".to_owned(), Val::U8(1)), first, ("second".to_owned(), Val::Option(second))])
    }

    fn producer(&self) -> Producer {
        Producer(self.dropped.clone())
    }
}

/// Counts its drop.
struct Producer(Arc<AtomicUsize>);

impl Drop for Producer {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl StreamProducer<()> for Producer {
    type Item = u8;
    type Buffer = Option<u8>;

    fn poll_produce<'a>(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: StoreContextMut<'a, ()>,
        _: Destination<'a, u8, Option<u8>>,
        _: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        Poll::Pending
    }
}

impl FutureProducer<()> for Producer {
    type Item = u8;

    fn poll_produce(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: StoreContextMut<'_, ()>,
        _: bool,
    ) -> Poll<wasmtime::Result<Option<u8>>> {
        Poll::Pending
    }
}

/// Calls `name` twice with the arguments that `arguments` creates, and expects `dropped` drops by each call.
async fn drops(name: &str, dropped: usize, arguments: impl Fn(&mut Test) -> Vec<Val>) {
    let mut config = Config::new();
    config.wasm_component_model_async(true).concurrency_support(true);
    let engine = Engine::new(&config).unwrap();
    let wasm = world(WIT, "guest").deny_adapter(|name| name == "acme:time/clock@1.0.0").unwrap();
    let component = Component::new(&engine, wasm).unwrap();
    let mut linker = Linker::new(&engine);
    let count = Arc::new(AtomicUsize::new(0));
    let (ty, counted) = (ResourceType::host::<u32>(), count.clone());
    let drop = move |_: StoreContextMut<'_, ()>, _| {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(())
    };
    linker.instance("acme:time/shared@1.0.0").unwrap().resource("handle", ty, drop).unwrap();
    let mut test = Test { store: Store::new(&engine, ()), dropped: count.clone() };
    let instance = linker.instantiate_async(&mut test.store, &component).await.unwrap();
    let clock = instance.get_export_index(&mut test.store, None, "acme:time/clock@1.0.0").unwrap();
    let function = instance.get_export_index(&mut test.store, Some(&clock), name).unwrap();
    let function = instance.get_func(&mut test.store, function).unwrap();
    for call in 1..=2 {
        let arguments = arguments(&mut test);
        let mut results = [Val::Bool(false)];
        function.call_async(&mut test.store, &arguments, &mut results).await.unwrap();
        assert_eq!(results, [Val::Result(Err(None))], "{name}");
        assert_eq!(count.load(Ordering::Relaxed), dropped * call, "{name}");
    }
}

fn some(value: Val) -> Val {
    Val::Option(Some(Box::new(value)))
}

#[tokio::test]
async fn handles_are_dropped() {
    drops("owned", 1, |test| vec![Val::U64(1), test.handle()]).await;
    // The host still owns what it lends.
    drops("borrowed", 0, |test| vec![test.handle()]).await;
    drops("optional", 1, |test| vec![Val::Option(None), some(test.handle())]).await;
    drops("choices", 3, |test| vec![test.case("pair"), test.case("number"), test.case("owned")]).await;
    drops("choices", 0, |test| vec![test.case("text"), test.case("number"), test.case("text")]).await;
}

#[tokio::test]
async fn handles_within_other_values_are_dropped() {
    let ok = |value| Val::Result(Ok(Some(Box::new(value))));
    let err = |value| Val::Result(Err(Some(Box::new(value))));
    drops("in-results", 2, |test| vec![ok(test.handle()), err(test.handle())]).await;
    drops("in-results", 0, |_| vec![err(Val::String("x".to_owned())), ok(Val::U64(u64::MAX))]).await;
    drops("in-lists", 6, |test| {
        let lists =
            vec![Val::List(vec![test.handle()]), Val::List(vec![]), Val::List(vec![test.handle(), test.handle()])];
        vec![Val::List(vec![test.both(true), test.both(false)]), Val::List(lists), Val::List(vec![Val::U64(1)])]
    })
    .await;
    drops("in-memory", 5, |test| {
        let numbers = Val::Tuple(vec![Val::U64(u64::MAX); 8]);
        vec![numbers, test.case("owned"), test.case("pair"), test.both(true)]
    })
    .await;
}

#[tokio::test]
async fn streams_and_futures_are_dropped() {
    drops("with-stream", 1, |test| {
        let producer = test.producer();
        let stream = StreamReader::new(&mut test.store, producer).unwrap();
        vec![Val::Stream(stream.try_into_stream_any(&mut test.store).unwrap())]
    })
    .await;
    drops("with-future", 1, |test| {
        let producer = test.producer();
        let future = FutureReader::new(&mut test.store, producer).unwrap();
        vec![some(Val::Future(future.try_into_future_any(&mut test.store).unwrap()))]
    })
    .await;
}

/// The types of a hostile component do not keep the host busy.
#[test]
fn huge_types_are_an_error() {
    let wit = "package acme:t; interface i { f: func(a: list<list<list<list<u8, 60000>, 60000>, 60000>, 2>); } \
               world guest { import i; }";
    let error = world(wit, "guest").deny_adapter(|_| true).unwrap_err();
    assert!(error.to_string().contains("too large"), "{error:#}");
}
