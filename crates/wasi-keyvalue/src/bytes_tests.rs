//! What calls under way hold: at the limit and on both sides of it, and those that wait for each other's end.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use tempo_backend::ByteBudget;
use tempo_core::Limits;
use tokio::sync::Semaphore;

use crate::{Bucket, Change, Condition, Entry, Error, ErrorKind, KeyValueLimits, KeyValueStore, Result, Version};

/// A store that answers as often as it is allowed to, always with 100 bytes.
struct Slow(Semaphore);

impl Slow {
    async fn turn(&self) -> Result<()> {
        let turn = self.0.acquire().await.map_err(|_| Error::new(ErrorKind::Other, "closed"))?;
        turn.forget();
        Ok(())
    }
}

#[async_trait]
impl KeyValueStore for Slow {
    async fn get(&self, _: &str) -> Result<Option<Entry>> {
        self.turn().await?;
        Ok(Some(Entry::new(vec![1; 100], 1)))
    }

    async fn set(&self, _: &str, _: Bytes, _: Option<Duration>, _: Condition) -> Result<Version> {
        self.turn().await.map(|()| 2)
    }

    async fn delete(&self, _: &str) -> Result<()> {
        self.turn().await
    }

    async fn keys(&self, _: &str, _: Option<&str>, _: usize) -> Result<Vec<String>> {
        self.turn().await.map(|()| Vec::new())
    }

    async fn watch(&self) -> Result<BoxStream<'static, Result<Change>>> {
        Err(Error::new(ErrorKind::Other, "not watched"))
    }
}

fn bucket(turns: usize, budget: &ByteBudget, value: usize) -> (Arc<Slow>, Bucket) {
    let store = Arc::new(Slow(Semaphore::new(turns)));
    let limits = KeyValueLimits { value, ..KeyValueLimits::new(&Limits::default()) };
    (store.clone(), Bucket::new(store, limits, budget.clone()))
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn arguments_at_the_edge() {
    let budget = ByteBudget::new(1000);
    let (_store, bucket) = bucket(0, &budget, 1 << 20);
    let begun: Vec<_> = (0..9).map(|_| Box::pin(bucket.set("k", vec![0; 99]))).collect();
    let begun: Vec<_> = begun
        .into_iter()
        .map(|mut call| {
            assert!(poll(call.as_mut()).is_pending());
            call
        })
        .collect();
    for (bytes, fits) in [(98, true), (99, true), (100, false)] {
        let mut last = pin!(bucket.set("k", vec![0; bytes]));
        match poll(last.as_mut()) {
            Poll::Pending => assert!(fits, "{bytes}"),
            Poll::Ready(result) => {
                assert_eq!(result.unwrap_err().kind(), ErrorKind::QuotaExceeded);
                assert!(!fits, "{bytes}");
            }
        }
    }
    drop(begun);
    assert_eq!(budget.left(), 1000, "a call that is given up gives its bytes back");
}

#[test]
fn batches_count_as_a_whole() {
    let budget = ByteBudget::new(1000);
    let (_store, bucket) = bucket(usize::MAX >> 4, &budget, 1 << 20);
    let pairs = |bytes: usize| (0..5).map(|_| ("k".to_owned(), vec![0; bytes])).collect::<Vec<_>>();
    // Each pair takes 32 bytes besides its key and its value.
    for (bytes, fits) in [(166, true), (167, true), (168, false)] {
        let Poll::Ready(result) = poll(pin!(bucket.set_many(pairs(bytes)))) else { panic!("it does not wait") };
        assert_eq!(result.map_err(|error| error.kind()), if fits { Ok(()) } else { Err(ErrorKind::QuotaExceeded) });
    }
    assert_eq!(budget.left(), 1000);
}

#[test]
fn reads_wait_for_reads_and_not_for_what_the_guest_holds() {
    let budget = ByteBudget::new(1000);
    // A read takes the largest value beforehand, but no more than a quarter of the budget.
    let (store, bucket) = bucket(0, &budget, 240);
    let bucket = bucket.waiting();
    let mut reads: Vec<_> = (0..6).map(|_| Box::pin(bucket.get("k"))).collect();
    assert!(reads.iter_mut().all(|read| poll(read.as_mut()).is_pending()));
    assert!(budget.left() >= 250, "three wait, and writes have room");
    assert!(poll(pin!(bucket.set("k", vec![0; 200]))).is_pending(), "a write is not refused");
    store.0.add_permits(6);
    for read in &mut reads {
        let Poll::Ready(value) = poll(read.as_mut()) else { panic!("it has its turn") };
        assert_eq!(value.unwrap().unwrap().len(), 100);
    }
    drop(reads);
    assert_eq!(budget.left(), 1000);
    let held = budget.hold(800).unwrap();
    let Poll::Ready(refused) = poll(pin!(bucket.get("k"))) else { panic!("it would wait for ever") };
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::QuotaExceeded);
    drop(held);
}

#[test]
fn where_the_guest_stands_still_nothing_waits() {
    let budget = ByteBudget::new(1000);
    let (_store, bucket) = bucket(0, &budget, 240);
    let mut reads: Vec<_> = (0..4).map(|_| Box::pin(bucket.get("k"))).collect();
    assert!(reads.iter_mut().all(|read| poll(read.as_mut()).is_pending()));
    let Poll::Ready(refused) = poll(pin!(bucket.get("k"))) else { panic!("it does not wait") };
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::QuotaExceeded);
}
