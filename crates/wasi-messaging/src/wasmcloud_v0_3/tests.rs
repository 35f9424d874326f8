//! Functions of `wasmcloud:messaging@0.3.0`: bodies are streams, read to their end and within their limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::{pin::Pin, time::Duration};

use bytes::Bytes;
use consumer::HostWithStore as Host;
use tempo_core::Provide as _;
use wasmtime::component::{Destination, StreamProducer, StreamResult};
use wasmtime::{Config, Engine, Store, StoreContextMut};

use super::*;
use crate::testing::{Recorded, Recorder, StoreData, message};

type Access = Accessor<StoreData, WasiMessaging>;

/// Runs `test` in a store whose broker is `broker`.
async fn run(broker: &Recorder, test: impl AsyncFnOnce(&Access) + Send) {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    let mut store = Store::new(&Engine::new(&config).unwrap(), broker.data());
    store
        .run_concurrent(async |accessor| test(&accessor.with_getter::<WasiMessaging>(StoreData::provide)).await)
        .await
        .unwrap();
}

fn guest_error<T>(access: &Access, result: Result<T, TrappableError>) -> types::Error {
    let failure = result.err().unwrap();
    access.with(|mut access| types::Host::convert_error(&mut access.get(), failure)).unwrap()
}

fn stream_of(access: &Access, body: impl Into<Bytes>) -> StreamReader<u8> {
    access.with(|access| StreamReader::new(access, body.into())).unwrap()
}

/// Gives `left` chunks of a kilobyte each, and then waits for ever, or ends.
struct Chunks {
    left: usize,
    ends: bool,
    given: Arc<AtomicUsize>,
}

impl<D> StreamProducer<D> for Chunks {
    type Item = u8;
    type Buffer = Bytes;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: StoreContextMut<'a, D>,
        mut destination: Destination<'a, u8, Bytes>,
        _: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let Some(left) = self.left.checked_sub(1) else {
            return if self.ends { Poll::Ready(Ok(StreamResult::Dropped)) } else { Poll::Pending };
        };
        self.left = left;
        self.given.fetch_add(1, Ordering::SeqCst);
        destination.set_buffer(Bytes::from_static(&[7; 1024]));
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

async fn publish(access: &Access, body: StreamReader<u8>) -> Result<(), TrappableError> {
    WasiMessaging::publish(access, types::BrokerMessage { subject: "a".into(), body, reply_to: None }).await
}

#[tokio::test]
async fn a_body_is_read_to_its_end() {
    let broker = Recorder::default();
    run(&broker, async |access| {
        let given = Arc::new(AtomicUsize::new(0));
        let chunks = Chunks { left: 100, ends: true, given };
        let body = access.with(|access| StreamReader::new(access, chunks)).unwrap();
        let reply_to = Some("answers".to_owned());
        let sent = types::BrokerMessage { subject: "a".into(), body, reply_to: reply_to.clone() };
        WasiMessaging::publish(access, sent).await.unwrap();
        publish(access, stream_of(access, "")).await.unwrap();
        let whole = message("a", "").with_payload(vec![7; 102_400]).with_reply_to(reply_to);
        assert_eq!(broker.take_calls(), [whole, message("a", "")].map(|message| Recorded::Publish(vec![message])));
    })
    .await;
}

#[tokio::test]
async fn bodies_at_the_edge() {
    const MOST: usize = 1 << 20;
    let broker = Recorder::default();
    run(&broker, async |access| {
        for (size, fits) in [(MOST - 1, true), (MOST, true), (MOST + 1, false)] {
            let result = publish(access, stream_of(access, vec![1; size])).await;
            assert_eq!(result.is_ok(), fits, "{size}");
            assert_eq!(broker.take_calls().len(), usize::from(fits), "{size}");
        }
        let result = publish(access, stream_of(access, vec![1; MOST + 1])).await;
        assert!(matches!(guest_error(access, result), types::Error::MessageTooLarge));
    })
    .await;
}

#[tokio::test]
async fn an_endless_body_is_read_no_further_than_it_may_be() {
    let broker = Recorder::default();
    run(&broker, async |access| {
        let given = Arc::new(AtomicUsize::new(0));
        let chunks = Chunks { left: usize::MAX, ends: false, given: given.clone() };
        let body = access.with(|access| StreamReader::new(access, chunks)).unwrap();
        let result = publish(access, body).await;
        assert!(matches!(guest_error(access, result), types::Error::MessageTooLarge));
        let given = given.load(Ordering::SeqCst);
        assert!((1025..1100).contains(&given), "{given} KiB were read of 1024");
    })
    .await;
}

#[tokio::test]
async fn bodies_that_are_on_their_way_are_bounded_together() {
    let broker = Recorder::default();
    run(&broker, async |access| {
        // They take all there is, as long as they do not end.
        let given = Arc::new(AtomicUsize::new(0));
        let mut waiting = Vec::new();
        for _ in 0..32 {
            let chunks = Chunks { left: 1024, ends: false, given: given.clone() };
            let body = access.with(|access| StreamReader::new(access, chunks)).unwrap();
            waiting.push(begin(access, DEFAULT_NAME, body, 0).unwrap());
        }
        while given.load(Ordering::SeqCst) < 32 * 1024 || waiting[0].0.bytes.left() > 0 {
            tokio::task::yield_now().await;
        }
        let result = publish(access, stream_of(access, "x")).await;
        assert!(matches!(guest_error(access, result), types::Error::QuotaExceeded));
        assert_eq!(broker.take_calls(), []);
    })
    .await;
}

#[tokio::test]
async fn an_answer_comes_as_a_stream() {
    let broker = Recorder::default();
    run(&broker, async |access| {
        let answer = message("answer", "!!").with_reply_to("more".to_owned());
        broker.answer(Ok(vec![answer]));
        let body = stream_of(access, "??");
        let types::BrokerMessage { subject, body, reply_to } =
            WasiMessaging::request(access, "a".into(), body, Some(20)).await.unwrap();
        assert_eq!((subject.as_str(), reply_to.as_deref()), ("answer", Some("more")));
        let (_, body) = begin(access, DEFAULT_NAME, body, 0).unwrap();
        assert_eq!(body.collect().await.unwrap(), "!!");
        assert_eq!(broker.take_calls(), [Recorded::Request(message("a", "??"), 1, Duration::from_millis(20))]);
        let unanswered = WasiMessaging::request(access, "a".into(), stream_of(access, ""), None).await;
        assert!(matches!(guest_error(access, unanswered), types::Error::Timeout));
    })
    .await;
}

#[tokio::test]
async fn errors_are_those_of_the_interface() {
    let broker = Recorder::default();
    run(&broker, async |access| {
        let send = async |subject: &str| {
            let body = stream_of(access, "x");
            let sent = types::BrokerMessage { subject: subject.into(), body, reply_to: None };
            guest_error(access, WasiMessaging::publish(access, sent).await)
        };
        assert!(matches!(send("a b").await, types::Error::SubjectInvalid));
        assert!(matches!(send("$SYS.x").await, types::Error::AccessDenied));
        assert!(matches!(send("full").await, types::Error::QuotaExceeded));
        broker.answer(Err(Error::new(ErrorKind::NoResponders, "no consumer takes messages of that topic")));
        let unanswered = WasiMessaging::request(access, "a".into(), stream_of(access, ""), None).await;
        let types::Error::Other(text) = guest_error(access, unanswered) else { panic!("another error") };
        assert_eq!(text, "messaging: no consumer takes messages of that topic");
    })
    .await;
}
