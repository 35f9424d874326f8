//! The functions of `tempo:blobstore`, called in a store as a guest's runtime calls them.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::channel::mpsc;
use futures::sink::SinkExt as _;
use futures::stream::{self, StreamExt as _};
use tempo_blobstore::CHUNK;
use tempo_core::Provide;
use tokio::sync::oneshot;
use wasmtime::component::{
    Accessor, FutureConsumer, FutureReader, Lift, Resource, ResourceTable, Source, StreamConsumer, StreamReader,
    StreamResult,
};
use wasmtime::{Config, Engine, Store, StoreContextMut};
use wit::HostContainerWithStore as Host;

use super::producer::{Producer, ReadOutcome};
use crate::bindings::tempo::tempo::blobstore::store as wit;
use crate::service::OpenContainer;
use crate::testing::{Stub, settle, state};
use crate::{BlobstoreCtx, BlobstoreView, Container, Memory, WasiBlobstore};

const MIB: usize = 1 << 20;

struct StoreData {
    state: BlobstoreCtx,
    table: ResourceTable,
}

impl Provide<WasiBlobstore> for StoreData {
    fn provide(&mut self) -> BlobstoreView<'_> {
        self.state.view(&mut self.table)
    }
}

type Access = Accessor<StoreData, WasiBlobstore>;

/// Runs `test` in a store whose container `one` is `container`.
async fn run(container: Arc<dyn Container>, test: impl AsyncFnOnce(&Access) + Send) {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    let engine = Engine::new(&config).unwrap();
    let data = StoreData { state: state([("one", container)], MIB as u64, MIB), table: ResourceTable::new() };
    let mut store = Store::new(&engine, data);
    store
        .run_concurrent(async |accessor| test(&accessor.with_getter::<WasiBlobstore>(StoreData::provide)).await)
        .await
        .unwrap();
}

async fn one(access: &Access) -> Resource<OpenContainer> {
    WasiBlobstore::open(access, "one".into()).await.unwrap().unwrap()
}

fn again(container: &Resource<OpenContainer>) -> Resource<OpenContainer> {
    Resource::new_borrow(container.rep())
}

fn plain() -> wit::PutOptions {
    wit::PutOptions { if_absent: false, content_type: None, metadata: Vec::new() }
}

fn stream_of(access: &Access, chunks: impl futures::Stream<Item = Bytes> + Send + 'static) -> StreamReader<u8> {
    access.with(|access| Producer::start(access, chunks.map(Ok).boxed())).unwrap().0
}

fn future_of(
    access: &Access,
    completion: impl Future<Output = std::result::Result<(), ()>> + Send + 'static,
) -> FutureReader<std::result::Result<(), ()>> {
    access.with(|access| FutureReader::new(access, async { wasmtime::error::Ok(completion.await) })).unwrap()
}

type Answer<T> = std::result::Result<T, wit::Error>;

async fn put(access: &Access, name: &str, data: impl Into<Bytes>, options: wit::PutOptions) -> Answer<wit::ObjectInfo> {
    let data = data.into();
    let data = stream_of(access, stream::once(async { data }));
    let complete = future_of(access, async { Ok(()) });
    WasiBlobstore::put(access, one(access).await, name.into(), data, complete, options).await.unwrap()
}

/// Sends on what comes, as far as it is let.
struct Collect<T>(mpsc::Sender<T>);

impl<T: Lift + Send + 'static> StreamConsumer<StoreData> for Collect<T> {
    type Item = T;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'_, StoreData>,
        mut source: Source<'_, T>,
        _: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        futures::ready!(self.0.poll_ready(cx)).unwrap();
        let mut item = None;
        source.read(store, &mut item)?;
        if let Some(item) = item {
            self.0.start_send(item).unwrap();
        }
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

struct Last<T>(Option<oneshot::Sender<T>>);

impl<T: Lift + Send + 'static> FutureConsumer<StoreData> for Last<T> {
    type Item = T;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        store: StoreContextMut<'_, StoreData>,
        mut source: Source<'_, T>,
        _: bool,
    ) -> Poll<wasmtime::Result<()>> {
        let mut item = None;
        source.read(store, &mut item)?;
        if let (Some(item), Some(sender)) = (item, self.0.take()) {
            let _ = sender.send(item);
        }
        Poll::Ready(Ok(()))
    }
}

/// The items of a stream, and how it ended.
fn receive<T: Lift + Send + 'static>(
    access: &Access,
    data: StreamReader<T>,
    ending: FutureReader<ReadOutcome>,
) -> (mpsc::Receiver<T>, oneshot::Receiver<ReadOutcome>) {
    let (sender, items) = mpsc::channel(0);
    let (last, end) = oneshot::channel();
    access.with(|mut access| {
        data.pipe(&mut access, Collect(sender)).unwrap();
        ending.pipe(&mut access, Last(Some(last))).unwrap();
    });
    (items, end)
}

async fn get(
    access: &Access,
    name: &str,
    range: Option<wit::ByteRange>,
) -> Answer<(wit::ObjectInfo, Vec<u8>, ReadOutcome)> {
    let (info, data, ending) = WasiBlobstore::get(access, one(access).await, name.into(), range).await.unwrap()?;
    let (items, end) = receive(access, data, ending);
    let bytes = items.collect().await;
    Ok((info, bytes, end.await.unwrap()))
}

#[tokio::test]
async fn objects_go_in_and_out() {
    run(Arc::new(Memory::default()), async |access| {
        let options = wit::PutOptions {
            if_absent: true,
            content_type: Some("text/plain".into()),
            metadata: vec![("b".into(), "2".into()), ("a".into(), "1".into())],
        };
        let written = put(access, "n", &b"0123456789"[..], options.clone()).await.unwrap();
        let (info, data, ending) = get(access, "n", None).await.unwrap();
        assert_eq!((data.as_slice(), ending.is_ok()), (&b"0123456789"[..], true));
        assert_eq!((info.size, info.etag.as_str()), (10, written.etag.as_str()));
        assert_eq!(info.content_type.as_deref(), Some("text/plain"));
        assert_eq!(info.metadata, [("a".to_owned(), "1".to_owned()), ("b".into(), "2".into())]);
        let range = wit::ByteRange { offset: 2, length: Some(3) };
        assert_eq!(get(access, "n", Some(range)).await.unwrap().1, b"234");
        assert_eq!(put(access, "n", &b"x"[..], options).await.unwrap_err().kind, wit::ErrorKind::AlreadyExists);

        let container = one(access).await;
        let copied = WasiBlobstore::copy(access, again(&container), "n".into(), "m".into()).await.unwrap().unwrap();
        assert_eq!((copied.name.as_str(), copied.size), ("m", 10));
        WasiBlobstore::delete(access, again(&container), "n".into()).await.unwrap().unwrap();
        assert!(WasiBlobstore::stat(access, again(&container), "n".into()).await.unwrap().unwrap().is_none());
        assert_eq!(get(access, "n", None).await.unwrap_err().kind, wit::ErrorKind::NoSuchObject);
    })
    .await;
}

#[tokio::test]
async fn what_is_not_allowed_is_an_error() {
    run(Arc::new(Memory::default()), async |access| {
        let unknown = WasiBlobstore::open(access, "two".into()).await.unwrap().unwrap_err();
        assert_eq!(unknown.kind, wit::ErrorKind::NoSuchContainer);
        let bad = wit::ErrorKind::InvalidArgument;
        let container = one(access).await;
        for name in [String::new(), "n".repeat(1025)] {
            assert_eq!(put(access, &name, &b"x"[..], plain()).await.unwrap_err().kind, bad);
            assert_eq!(get(access, &name, None).await.unwrap_err().kind, bad);
            let stat = WasiBlobstore::stat(access, again(&container), name.clone()).await.unwrap();
            assert_eq!(stat.unwrap_err().kind, bad);
            let delete = WasiBlobstore::delete(access, again(&container), name.clone()).await.unwrap();
            assert_eq!(delete.unwrap_err().kind, bad);
            let copy = WasiBlobstore::copy(access, again(&container), "n".into(), name).await.unwrap();
            assert_eq!(copy.unwrap_err().kind, bad);
        }
        let options = wit::PutOptions { content_type: Some(" ".into()), ..plain() };
        assert_eq!(put(access, "n", &b"x"[..], options).await.unwrap_err().kind, bad);
    })
    .await;
}

#[tokio::test]
async fn sizes_at_the_edge() {
    for (size, fits) in [(MIB - 1, true), (MIB, true), (MIB + 1, false)] {
        let memory = Arc::new(Memory::default());
        run(memory.clone(), async |access| match put(access, "n", vec![1; size], plain()).await {
            Ok(info) => assert!(fits && info.size == size as u64),
            Err(error) => assert!(!fits && error.kind == wit::ErrorKind::TooLarge),
        })
        .await;
        assert_eq!(memory.stat("n").await.unwrap().is_some(), fits);
    }
}

#[tokio::test]
async fn an_upload_that_its_producer_gives_up_leaves_nothing() {
    let memory = Arc::new(Memory::default());
    run(memory.clone(), async |access| {
        let given_up = async |data, complete| {
            let container = one(access).await;
            let error = WasiBlobstore::put(access, container, "n".into(), data, complete, plain()).await.unwrap();
            assert_eq!(error.unwrap_err().message, "blobstore: the upload was not completed by its producer");
        };
        let half = || stream::once(async { Bytes::from_static(b"half") });
        // After the last byte, before it, and before any.
        given_up(stream_of(access, half()), future_of(access, async { Err(()) })).await;
        given_up(stream_of(access, half().chain(stream::pending())), future_of(access, async { Err(()) })).await;
        given_up(stream_of(access, stream::pending()), future_of(access, async { Err(()) })).await;
        // An ended stream is incomplete until its producer marks it complete.
        let (sender, completion) = oneshot::channel();
        let complete = future_of(access, async { completion.await.unwrap() });
        let (container, data) = (one(access).await, stream_of(access, half()));
        let put = WasiBlobstore::put(access, container, "n".into(), data, complete, plain());
        let (result, ()) = futures::join!(put, async {
            settle().await;
            assert!(memory.stat("n").await.unwrap().is_none());
            sender.send(Ok(())).unwrap();
        });
        assert_eq!(result.unwrap().unwrap().size, 4);
    })
    .await;
}

#[tokio::test]
async fn an_early_completion_neither_ends_the_data_nor_completes_the_object() {
    let memory = Arc::new(Memory::default());
    run(memory.clone(), async |access| {
        let (mut sender, chunks) = mpsc::channel(0);
        let (data, complete) = (stream_of(access, chunks), future_of(access, async { Ok(()) }));
        let put = WasiBlobstore::put(access, one(access).await, "n".into(), data, complete, plain());
        let (result, ()) = futures::join!(put, async {
            for chunk in [&b"0123"[..], b"4567", b"89"] {
                // The host reads the completion before the rest of the data.
                settle().await;
                assert!(memory.stat("n").await.unwrap().is_none());
                sender.send(Bytes::from_static(chunk)).await.unwrap();
            }
            settle().await;
            assert!(memory.stat("n").await.unwrap().is_none(), "the data has not ended");
            drop(sender);
        });
        assert_eq!(result.unwrap().unwrap().size, 10);
        assert_eq!(get(access, "n", None).await.unwrap().1, b"0123456789");
    })
    .await;
}

#[tokio::test]
async fn a_torn_object_is_an_error_and_not_a_short_one() {
    run(Stub::torn(), async |access| {
        let (info, data, ending) = get(access, "n", None).await.unwrap();
        assert_eq!((info.size, data.as_slice()), (10, &b"half"[..]));
        let error = ending.unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (wit::ErrorKind::Unavailable, "blobstore: torn"));
    })
    .await;
}

/// Counts the chunks that are taken from it.
fn counted(count: &Arc<AtomicUsize>) -> impl futures::Stream<Item = Bytes> + Send + 'static {
    let count = count.clone();
    stream::repeat_with(move || {
        count.fetch_add(1, Ordering::SeqCst);
        Bytes::from_static(&[7; CHUNK])
    })
}

#[tokio::test]
async fn a_slow_reader_slows_the_backend_down() {
    let count = Arc::new(AtomicUsize::new(0));
    let endless = Stub::new(u64::MAX, counted(&count).map(Ok));
    run(endless, async |access| {
        let (_, data, ending) = WasiBlobstore::get(access, one(access).await, "n".into(), None).await.unwrap().unwrap();
        let (mut items, end) = receive(access, data, ending);
        for _ in 0..3 * CHUNK {
            assert_eq!(items.next().await, Some(7));
        }
        settle().await;
        let taken = count.load(Ordering::SeqCst);
        assert!((3..=5).contains(&taken), "{taken} chunks were read for 3");
        drop((items, end));
    })
    .await;
}

#[tokio::test]
async fn a_slow_backend_slows_the_writer_down() {
    let count = Arc::new(AtomicUsize::new(0));
    let slow = Stub::new(0, stream::empty());
    run(slow.clone(), async |access| {
        let chunks = counted(&count).take(10);
        let (data, complete) = (stream_of(access, chunks), future_of(access, async { Ok(()) }));
        let put = WasiBlobstore::put(access, one(access).await, "n".into(), data, complete, plain());
        let (result, ()) = futures::join!(put, async {
            settle().await;
            let taken = count.load(Ordering::SeqCst);
            assert!(taken <= 5, "{taken} chunks were taken, and none written");
            slow.allowed.add_permits(10);
        });
        assert!(result.unwrap().is_ok());
        assert_eq!((count.load(Ordering::SeqCst), slow.completed.load(Ordering::SeqCst)), (10, 1));
    })
    .await;
}

#[tokio::test]
async fn listings_end_with_their_reason() {
    let memory = Arc::new(Memory::default());
    let filled = async {
        for index in 0..2500 {
            memory.put(&format!("a/{index:04}"), Default::default()).await?.complete().await?;
        }
        memory.put("b", Default::default()).await?.complete().await
    };
    filled.await.unwrap();
    let list = async |access: &Access, prefix: Option<&str>| {
        let container = one(access).await;
        let prefix = prefix.map(str::to_owned);
        let (entries, ending) = access.with(|access| WasiBlobstore::list(access, container, prefix)).unwrap();
        let (items, end) = receive(access, entries, ending);
        let names: Vec<String> = items.map(|entry: wit::Entry| entry.name).collect().await;
        (names, end.await.unwrap())
    };
    run(memory, async |access| {
        let (names, ending) = list(access, Some("a/")).await;
        assert!(ending.is_ok() && names.len() == 2500 && names.is_sorted());
        assert_eq!(list(access, None).await.0.len(), 2501);
        assert_eq!(list(access, Some("c")).await.0, [""; 0]);
        let (names, ending) = list(access, Some(&"a".repeat(1025))).await;
        assert!(names.is_empty() && ending.unwrap_err().kind == wit::ErrorKind::InvalidArgument);
    })
    .await;
    run(Stub::torn(), async |access| {
        assert_eq!(list(access, None).await.1.unwrap_err().kind, wit::ErrorKind::Timeout);
    })
    .await;
}
