//! The draft's functions, called as a guest calls them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use tempo_blobstore::CHUNK;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, StreamError};

use super::*;
use crate::bindings::draft::wasi::blobstore::blobstore::{Host as _, ObjectId};
use crate::bindings::draft::wasi::blobstore::container::{HostContainer, HostStreamObjectNames as _};
use crate::bindings::draft::wasi::blobstore::types::{HostIncomingValue as _, HostOutgoingValue};
use crate::service::OpenContainer;
use crate::testing::{Stub, settle, state};
use crate::{BlobstoreCtx, BlobstoreView, Container, Memory};

const MIB: usize = 1 << 20;

struct Host {
    state: BlobstoreCtx,
    table: ResourceTable,
}

fn host() -> Host {
    let memory = || Arc::new(Memory::default()) as Arc<dyn Container>;
    Host { state: state([("one", memory()), ("two", memory())], MIB as u64, MIB), table: ResourceTable::new() }
}

fn stub(stub: &Arc<Stub>) -> Host {
    Host { state: state([("one", stub.clone() as Arc<dyn Container>)], u64::MAX, MIB), table: ResourceTable::new() }
}

fn again<T: 'static>(resource: &Resource<T>) -> Resource<T> {
    Resource::new_borrow(resource.rep())
}

impl Host {
    fn view(&mut self) -> BlobstoreView<'_> {
        self.state.view(&mut self.table)
    }

    async fn open(&mut self, name: &str) -> Resource<OpenContainer> {
        self.view().get_container(name.into()).await.unwrap().unwrap()
    }

    async fn value(&mut self) -> (Resource<OutgoingValue>, Resource<DynOutputStream>) {
        let value = self.view().new_outgoing_value().await.unwrap();
        let body = self.view().outgoing_value_write_body(again(&value)).await.unwrap().unwrap();
        (value, body)
    }

    async fn name(&mut self, container: &Resource<OpenContainer>, name: &str, value: &Resource<OutgoingValue>) {
        self.view().write_data(again(container), name.into(), again(value)).await.unwrap().unwrap();
    }

    fn stream(&mut self, body: &Resource<DynOutputStream>) -> &mut DynOutputStream {
        self.table.get_mut(body).unwrap()
    }

    async fn write(&mut self, body: &Resource<DynOutputStream>, data: &'static [u8]) {
        self.stream(body).blocking_write_and_flush(Bytes::from_static(data)).await.unwrap();
    }

    async fn put(&mut self, container: &Resource<OpenContainer>, name: &str, data: &'static [u8]) {
        let (value, body) = self.value().await;
        self.name(container, name, &value).await;
        self.write(&body, data).await;
        self.view().finish(value).await.unwrap().unwrap();
    }

    async fn get(
        &mut self,
        container: &Resource<OpenContainer>,
        name: &str,
        range: (u64, u64),
    ) -> Result<Vec<u8>, String> {
        let value = self.view().get_data(again(container), name.into(), range.0, range.1).await.unwrap()?;
        self.view().incoming_value_consume_sync(value).await.unwrap()
    }

    async fn body(&mut self, container: &Resource<OpenContainer>, name: &str) -> Resource<DynInputStream> {
        let value = self.view().get_data(again(container), name.into(), 0, u64::MAX).await.unwrap().unwrap();
        self.view().incoming_value_consume_async(value).await.unwrap().unwrap()
    }

    async fn has(&mut self, container: &Resource<OpenContainer>, name: &str) -> bool {
        self.view().has_object(again(container), name.into()).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn the_object_may_be_named_before_the_value_is_written_or_after() {
    let mut host = host();
    let one = host.open("one").await;
    for named_first in [true, false] {
        let (value, body) = host.value().await;
        if named_first {
            host.name(&one, "n", &value).await;
        }
        host.write(&body, b"data").await;
        assert!(!host.has(&one, "n").await, "not before it is finished");
        if !named_first {
            host.name(&one, "n", &value).await;
        }
        // Published guests still have the stream when they finish.
        host.view().finish(value).await.unwrap().unwrap();
        assert!(matches!(host.stream(&body).check_write(), Err(StreamError::Closed)));
        assert_eq!(host.get(&one, "n", (0, u64::MAX)).await.unwrap(), b"data");
        host.view().delete_object(again(&one), "n".into()).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_value_without_an_object_or_without_an_end_becomes_nothing() {
    let mut host = host();
    let one = host.open("one").await;
    let (value, body) = host.value().await;
    host.write(&body, b"data").await;
    assert!(host.view().outgoing_value_write_body(again(&value)).await.unwrap().is_err(), "the stream is there once");
    let error = host.view().finish(value).await.unwrap().unwrap_err();
    assert_eq!(error, "blobstore: the value belongs to no object: call write-data before finish");

    let (value, body) = host.value().await;
    host.name(&one, "n", &value).await;
    assert!(
        host.view().write_data(again(&one), "m".into(), again(&value)).await.unwrap().is_err(),
        "one value, one object"
    );
    host.write(&body, b"data").await;
    HostOutgoingValue::drop(&mut host.view(), value).await.unwrap();
    settle().await;
    assert!(matches!(host.stream(&body).check_write(), Err(StreamError::Closed | StreamError::LastOperationFailed(_))));
    assert!(!host.has(&one, "n").await);
}

#[tokio::test]
async fn a_value_is_bounded_while_it_has_no_object() {
    let mut host = host();
    let one = host.open("one").await;
    let (value, body) = host.value().await;
    for _ in 0..MIB / CHUNK {
        assert_eq!(host.stream(&body).check_write().unwrap(), CHUNK);
        host.stream(&body).write(vec![1; CHUNK].into()).unwrap();
    }
    assert!(matches!(host.stream(&body).check_write(), Err(StreamError::LastOperationFailed(_))));
    host.name(&one, "n", &value).await;
    host.view().finish(value).await.unwrap().unwrap();
    assert_eq!(host.state.bytes.left(), MIB, "what was held is given back");
}

#[tokio::test]
async fn sizes_at_the_edge() {
    for (size, fits) in [(MIB - 1, true), (MIB, true), (MIB + 1, false)] {
        let mut host = host();
        let one = host.open("one").await;
        let (value, body) = host.value().await;
        host.name(&one, "n", &value).await;
        let mut left = size;
        while left > 0
            && let Ok(permit) = host.stream(&body).write_ready().await
        {
            let length = permit.min(left);
            host.stream(&body).write(vec![1; length].into()).unwrap();
            left -= length;
        }
        let result = host.view().finish(value).await.unwrap();
        assert_eq!(result.is_ok(), fits, "{size}: {result:?}");
        assert_eq!(host.has(&one, "n").await, fits);
        if fits {
            assert_eq!(host.get(&one, "n", (0, u64::MAX)).await.unwrap().len(), size);
        }
    }
}

#[tokio::test]
async fn a_slow_backend_slows_the_guest_down() {
    let slow = Stub::new(0, futures::stream::empty());
    let mut host = stub(&slow);
    let one = host.open("one").await;
    let (value, body) = host.value().await;
    host.name(&one, "n", &value).await;
    let mut written = 0;
    loop {
        settle().await;
        match host.stream(&body).check_write().unwrap() {
            0 => break,
            permit => host.stream(&body).write(vec![1; permit].into()).unwrap(),
        }
        written += 1;
        assert!(written < 20, "the guest is never held back");
    }
    slow.allowed.add_permits(1000);
    assert!(host.stream(&body).write_ready().await.unwrap() > 0, "and it goes on");
    host.view().finish(value).await.unwrap().unwrap();
    assert_eq!(slow.completed.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_backend_that_fails_fails_the_stream_and_the_value() {
    let broken = Stub::new(0, futures::stream::empty());
    broken.allowed.close();
    let mut host = stub(&broken);
    let one = host.open("one").await;
    let (value, body) = host.value().await;
    host.name(&one, "n", &value).await;
    host.stream(&body).write(vec![1; CHUNK].into()).unwrap();
    settle().await;
    assert!(matches!(host.stream(&body).check_write(), Err(StreamError::LastOperationFailed(_))));
    assert_eq!(host.view().finish(value).await.unwrap().unwrap_err(), "blobstore: gone");
    assert_eq!(broken.completed.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn offsets_are_inclusive() {
    let mut host = host();
    let one = host.open("one").await;
    host.put(&one, "n", b"0123456789").await;
    let cases: [((u64, u64), &[u8]); 7] = [
        ((0, u64::MAX), b"0123456789"),
        ((0, 9), b"0123456789"),
        ((0, 0), b"0"),
        ((3, 5), b"345"),
        ((9, 20), b"9"),
        ((10, 20), b""),
        ((u64::MAX, u64::MAX), b""),
    ];
    for (range, expected) in cases {
        assert_eq!(host.get(&one, "n", range).await.unwrap(), expected, "{range:?}");
        let value = host.view().get_data(again(&one), "n".into(), range.0, range.1).await.unwrap().unwrap();
        assert_eq!(host.view().size(value).await.unwrap(), expected.len() as u64);
    }
    assert!(host.get(&one, "n", (5, 4)).await.is_err());
    assert_eq!(host.get(&one, "absent", (0, 1)).await.unwrap_err(), "blobstore: there is no such object");
}

#[tokio::test]
async fn what_is_read_at_once_is_bounded() {
    let mut host = host();
    let one = host.open("one").await;
    host.put(&one, "n", b"0123456789").await;
    for (limit, fits) in [(9, false), (10, true), (11, true)] {
        host.state.max_answer = limit;
        assert_eq!(host.get(&one, "n", (0, u64::MAX)).await.is_ok(), fits, "{limit}");
    }
    host.state.max_answer = 1;
    let body = host.body(&one, "n").await;
    let stream = host.table.get_mut(&body).unwrap();
    assert_eq!(stream.blocking_read(4).await.unwrap(), "0123");
    assert_eq!(stream.read(100).unwrap(), "456789");
    assert!(matches!(stream.read(100), Err(StreamError::Closed)));
}

#[tokio::test]
async fn a_torn_object_is_an_error_and_not_a_short_one() {
    let mut host = stub(&Stub::torn());
    let one = host.open("one").await;
    let body = host.body(&one, "n").await;
    let stream = host.table.get_mut(&body).unwrap();
    assert_eq!(stream.blocking_read(100).await.unwrap(), "half");
    assert!(matches!(stream.blocking_read(100).await, Err(StreamError::LastOperationFailed(_))));
    let mut host = stub(&Stub::torn());
    let one = host.open("one").await;
    assert_eq!(host.get(&one, "n", (0, u64::MAX)).await.unwrap_err(), "blobstore: torn");
}

#[tokio::test]
async fn names_are_listed_in_pieces() {
    let mut host = host();
    let one = host.open("one").await;
    for name in ["a", "b", "c", "d", "e"] {
        host.put(&one, name, b"").await;
    }
    let names = host.view().list_objects(again(&one)).await.unwrap().unwrap();
    let read = host.view().read_stream_object_names(again(&names), 2).await.unwrap().unwrap();
    assert_eq!(read, (vec!["a".to_owned(), "b".to_owned()], false));
    assert_eq!(host.view().skip_stream_object_names(again(&names), 2).await.unwrap().unwrap(), (2, false));
    let read = host.view().read_stream_object_names(again(&names), u64::MAX).await.unwrap().unwrap();
    assert_eq!(read, (vec!["e".to_owned()], true));
    assert_eq!(host.view().skip_stream_object_names(again(&names), 9).await.unwrap().unwrap(), (0, true));

    host.view().delete_objects(again(&one), vec!["a".into(), "absent".into(), "e".into()]).await.unwrap().unwrap();
    assert!(host.view().delete_objects(again(&one), vec!["b".into(), String::new()]).await.unwrap().is_err());
    assert!(host.has(&one, "b").await && !host.has(&one, "a").await);
    host.view().clear(again(&one)).await.unwrap().unwrap();
    assert!(!host.has(&one, "b").await);
}

#[tokio::test]
async fn containers_are_those_that_are_configured() {
    let mut host = host();
    assert!(host.view().container_exists("one".into()).await.unwrap().unwrap());
    assert!(!host.view().container_exists("three".into()).await.unwrap().unwrap());
    assert!(host.view().create_container("three".into()).await.unwrap().is_err());
    assert!(host.view().delete_container("three".into()).await.unwrap().is_err());
    let one = host.view().create_container("one".into()).await.unwrap().unwrap();
    host.put(&one, "n", b"data").await;
    assert_eq!(HostContainer::name(&mut host.view(), again(&one)).await.unwrap().unwrap(), "one");
    let info = host.view().object_info(again(&one), "n".into()).await.unwrap().unwrap();
    assert_eq!((info.name.as_str(), info.container.as_str(), info.size), ("n", "one", 4));
    host.view().delete_container("one".into()).await.unwrap().unwrap();
    assert!(!host.has(&one, "n").await);
}

#[tokio::test]
async fn objects_are_copied_and_moved_within_and_between_containers() {
    let mut host = host();
    let (one, two) = (host.open("one").await, host.open("two").await);
    let id = |container: &str, object: &str| ObjectId { container: container.into(), object: object.into() };
    host.put(&one, "n", b"data").await;
    host.view().copy_object(id("one", "n"), id("one", "copy")).await.unwrap().unwrap();
    host.view().copy_object(id("one", "n"), id("two", "copy")).await.unwrap().unwrap();
    assert!(host.has(&one, "n").await && host.has(&one, "copy").await);
    assert_eq!(host.get(&two, "copy", (0, 9)).await.unwrap(), b"data");
    host.view().move_object(id("one", "n"), id("one", "n")).await.unwrap().unwrap();
    assert!(host.has(&one, "n").await, "moved onto itself");
    host.view().move_object(id("one", "n"), id("two", "n")).await.unwrap().unwrap();
    assert!(!host.has(&one, "n").await && host.has(&two, "n").await);
    for (from, to) in [("one", "three"), ("three", "one"), ("one", "two")] {
        assert!(host.view().move_object(id(from, "absent"), id(to, "x")).await.unwrap().is_err(), "{from} {to}");
    }
}
