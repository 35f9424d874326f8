//! Functions of `wasi:messaging`, checked by the calls of the broker.

use std::time::Duration;

use tempo_backend::ByteBudget;
use tempo_core::Provide as _;
use wasmtime::component::ResourceTable;

use super::producer::Host as _;
use super::request_reply::{Host as _, HostRequestOptions as _};
use super::types::{Host as _, HostClient as _, HostMessage as _};
use super::*;
use crate::testing::{Recorded, Recorder, message};

/// The same once more: a call takes its handle.
fn again<T>(handle: &Resource<T>) -> Resource<T> {
    Resource::new_borrow(handle.rep())
}

/// What the guest is guest_error.
fn guest_error<T>(view: &mut MessagingView<'_>, result: Result<T, TrappableError>) -> types::Error {
    view.convert_error(result.err().unwrap()).unwrap()
}

async fn connect(view: &mut MessagingView<'_>) -> Resource<Connection> {
    view.connect("default".into()).await.unwrap()
}

async fn made(view: &mut MessagingView<'_>, data: &str) -> Resource<OwnMessage> {
    types::HostMessage::new(view, data.into()).await.unwrap()
}

fn metadata(pairs: &[(&str, &str)]) -> types::Metadata {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn a_message_is_made_piece_by_piece_and_sent() {
    let broker = Recorder::default();
    let mut data = broker.data();
    let mut view = data.provide();
    let view = &mut view;
    let (client, own) = (connect(view).await, made(view, "first").await);
    assert_eq!(view.topic(again(&own)).await.unwrap(), None);
    assert_eq!(view.content_type(again(&own)).await.unwrap(), None);
    assert_eq!(view.metadata(again(&own)).await.unwrap(), None);
    view.set_data(again(&own), b"second".to_vec()).await.unwrap();
    view.set_content_type(again(&own), "text/plain".into()).await.unwrap();
    view.set_metadata(again(&own), metadata(&[("a", "1"), ("b", "2"), ("A", "3")])).await.unwrap();
    view.add_metadata(again(&own), "a".into(), "4".into()).await.unwrap();
    view.add_metadata(again(&own), "c".into(), "5".into()).await.unwrap();
    view.remove_metadata(again(&own), "B".into()).await.unwrap();
    assert_eq!(view.data(again(&own)).await.unwrap(), b"second");
    assert_eq!(view.content_type(again(&own)).await.unwrap().as_deref(), Some("text/plain"));
    assert_eq!(view.metadata(again(&own)).await.unwrap(), Some(metadata(&[("a", "4"), ("c", "5")])));
    view.send(again(&client), "orders.created".into(), own).await.unwrap();
    let expected = message("orders.created", "second")
        .with_content_type("text/plain".to_owned())
        .with_headers(metadata(&[("a", "4"), ("c", "5")]));
    assert_eq!(broker.take_calls(), [Recorded::Publish(vec![expected])]);
    types::HostClient::drop(view, client).await.unwrap();
    assert!(data.table.is_empty(), "a handle was left behind");
}

#[tokio::test]
async fn errors_are_those_of_the_interface() {
    let broker = Recorder::default();
    let mut data = broker.data();
    let mut view = data.provide();
    let view = &mut view;
    let unknown = view.connect("other".into()).await;
    assert!(matches!(guest_error(view, unknown), types::Error::Connection(_)));
    let client = view.connect(String::new()).await.unwrap();
    let own = made(view, "").await;
    let sent = view.send(again(&client), "$SYS.x".into(), own).await;
    assert!(matches!(guest_error(view, sent), types::Error::PermissionDenied(_)));
    let own = made(view, "").await;
    let sent = view.send(again(&client), "a b".into(), own).await;
    let types::Error::Other(text) = guest_error(view, sent) else { panic!("another error") };
    assert_eq!(text, "messaging: the topic is not allowed: spaces and control characters are not allowed");
    let own = made(view, "").await;
    let answers = request_reply::Host::request(view, again(&client), "a".into(), again(&own), None).await;
    assert!(matches!(guest_error(view, answers), types::Error::Timeout));
    view.disconnect(again(&client)).await.unwrap();
    let sent = view.send(again(&client), "a".into(), own).await;
    assert!(matches!(guest_error(view, sent), types::Error::Connection(_)));
    let gone = view.send(client, "a".into(), Resource::new_own(77)).await.err().unwrap();
    assert!(view.convert_error(gone).is_err(), "a handle that is not there is a trap");
}

#[tokio::test]
async fn a_request_waits_as_its_options_say() {
    let broker = Recorder::default();
    let mut data = broker.data();
    let mut view = data.provide();
    let view = &mut view;
    let (client, own) = (connect(view).await, made(view, "?").await);
    let options = request_reply::HostRequestOptions::new(view).await.unwrap();
    view.set_timeout_ms(again(&options), 250).await.unwrap();
    view.set_expected_replies(again(&options), 3).await.unwrap();
    broker.answer(Ok(vec![message("x", "1"), message("x", "2")]));
    let answers = view.request(again(&client), "a".into(), again(&own), Some(options)).await.unwrap();
    assert_eq!(broker.take_calls(), [Recorded::Request(message("a", "?"), 3, Duration::from_millis(250))]);
    let mut texts = Vec::new();
    for answer in answers {
        texts.push(view.data(again(&answer)).await.unwrap());
        types::HostMessage::drop(view, answer).await.unwrap();
    }
    assert_eq!(texts, [b"1", b"2"]);
    broker.answer(Ok(vec![message("x", "1")]));
    assert_eq!(view.request(client, "a".into(), own, None).await.unwrap().len(), 1);
    assert_eq!(broker.take_calls(), [Recorded::Request(message("a", "?"), 1, Duration::from_secs(30))]);
    assert_eq!(data.table.iter_mut().count(), 3, "the client, the message and its answer");
}

#[tokio::test]
async fn a_message_that_came_is_answered_where_it_came_from() {
    let (broker, other) = (Recorder::default(), Recorder::default());
    let mut data = broker.data();
    let mut view = data.provide();
    let came = message("ask", "?").with_reply_to("answers".to_owned()).with_headers(metadata(&[
        ("a", "1"),
        ("Nats-Stream", "S"),
        ("Nats-Msg-Id", "7"),
    ]));
    let request = view.receive(came, Some(Arc::new(other.clone()))).unwrap();
    assert_eq!(view.topic(again(&request)).await.unwrap().as_deref(), Some("ask"));
    let seen = view.metadata(again(&request)).await.unwrap();
    assert_eq!(seen, Some(metadata(&[("a", "1"), ("Nats-Msg-Id", "7")])));
    for answer in ["1", "2"] {
        let own = made(&mut view, answer).await;
        view.reply(again(&request), own).await.unwrap();
    }
    assert_eq!(other.take_calls(), ["1", "2"].map(|answer| Recorded::Reply(message("answers", answer))));
    // A reply to a message without a reply topic.
    let (unasked, own) = (view.receive(message("a", ""), None).unwrap(), made(&mut view, "!").await);
    view.reply(unasked, own).await.unwrap();
    assert_eq!((broker.take_calls(), other.take_calls()), (vec![], vec![]));
}

#[tokio::test]
async fn a_message_that_came_can_be_sent_on_but_not_answered_by_others() {
    let broker = Recorder::default();
    let mut data = broker.data();
    let mut view = data.provide();
    let client = connect(&mut view).await;
    let came = message("a", "p").with_reply_to("answers".to_owned()).with_key("k".to_owned());
    let own = view.receive(came, None).unwrap();
    view.send(client, "b".into(), own).await.unwrap();
    assert_eq!(broker.take_calls(), [Recorded::Publish(vec![message("b", "p").with_key("k".to_owned())])]);
}

#[tokio::test]
async fn what_a_component_holds_is_bounded_and_refused_where_it_is_sent() {
    // What a message takes besides its payload is counted as well.
    const MIB: usize = (1 << 20) - 256;
    let broker = Recorder::default();
    let mut state = broker.state().for_another_store(&ByteBudget::new(2 << 20));
    let mut table = ResourceTable::new();
    let mut view = state.view(&mut table);
    let client = connect(&mut view).await;
    for (bytes, fits) in [(MIB - 1, true), (MIB, true), (MIB + 1, false)] {
        let first = types::HostMessage::new(&mut view, vec![0; MIB]).await.unwrap();
        let own = types::HostMessage::new(&mut view, vec![0; bytes]).await.unwrap();
        types::HostMessage::drop(&mut view, first).await.unwrap();
        let sent = view.send(again(&client), "t".into(), own).await;
        assert_eq!(sent.is_ok(), fits, "{bytes}");
    }
    let first = types::HostMessage::new(&mut view, vec![0; MIB]).await.unwrap();
    for (bytes, fits) in [(MIB - 1, true), (MIB, true), (MIB + 1, false)] {
        let own = types::HostMessage::new(&mut view, Vec::new()).await.unwrap();
        view.set_data(again(&own), vec![0; bytes]).await.unwrap();
        assert_eq!(view.data(again(&own)).await.unwrap().len(), if fits { bytes } else { 0 }, "{bytes}");
        types::HostMessage::drop(&mut view, own).await.unwrap();
    }
    types::HostMessage::drop(&mut view, first).await.unwrap();
    assert_eq!(view.state.bytes().left(), 2 << 20, "all of it is given back");
}

#[tokio::test]
async fn metadata_without_end_is_cut_and_refused() {
    let broker = Recorder::default();
    let mut data = broker.data();
    let mut view = data.provide();
    let client = connect(&mut view).await;
    for (count, allowed) in [(99, true), (100, true), (101, false), (5000, false)] {
        let own = made(&mut view, "").await;
        let names = (0..count).map(|number| (number.to_string(), String::new()));
        if count == 101 {
            for (name, value) in names {
                view.add_metadata(again(&own), name, value).await.unwrap();
            }
        } else {
            view.set_metadata(again(&own), names.collect()).await.unwrap();
        }
        assert_eq!(view.send(again(&client), "a".into(), own).await.is_ok(), allowed, "{count}");
    }
}
