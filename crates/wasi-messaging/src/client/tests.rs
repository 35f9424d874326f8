//! Messages of guests reach the right broker, or fail with the right error.

use std::time::Duration;

use tempo_backend::ByteBudget;
use wasmtime::component::ResourceTable;

use super::*;
use crate::testing::{Recorded, Recorder, message};
use crate::{AllowedTopics, MessagingCtx, Result};

/// The client of the state's component, by a name.
fn client(state: &mut MessagingCtx, name: &str) -> Client {
    state.view(&mut ResourceTable::new()).named(name)
}

/// The same while the component handles `message` of `from`.
fn handling(state: &mut MessagingCtx, from: &Recorder, message: &Message, name: &str) -> Client {
    let mut table = ResourceTable::new();
    let mut view = state.view(&mut table);
    view.handling(Arc::new(from.clone()), message);
    view.named(name)
}

fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

#[tokio::test]
async fn every_message_has_a_result_of_its_own_in_order() {
    let broker = Recorder::default();
    let client = client(&mut broker.state(), "");
    let sent = ["a", "*", "full", "_INBOX.1", "b", "$SYS.x"].map(|topic| message(topic, "p"));
    let results = client.publish_many(sent.to_vec()).await.into_iter().map(kind);
    let expected = [
        None,
        Some(ErrorKind::InvalidArgument),
        Some(ErrorKind::QuotaExceeded),
        Some(ErrorKind::AccessDenied),
        None,
        Some(ErrorKind::AccessDenied),
    ];
    assert_eq!(results.collect::<Vec<_>>(), expected);
    let [a, _, full, _, b, _] = sent;
    assert_eq!(broker.take_calls(), [Recorded::Publish(vec![a, full, b])]);
}

#[tokio::test]
async fn nothing_is_asked_of_a_broker_where_nothing_is_left() {
    let broker = Recorder::default();
    let client = client(&mut broker.state(), "");
    assert_eq!(client.publish_many(vec![message("*", "")]).await.len(), 1);
    assert!(client.publish_many(Vec::new()).await.is_empty());
    assert_eq!(broker.take_calls(), []);
}

#[tokio::test]
async fn an_unknown_name_is_an_error() {
    let broker = Recorder::default();
    let client = client(&mut broker.state(), "other");
    assert_eq!(kind(client.publish(message("a", "p")).await), Some(ErrorKind::NoSuchClient));
    assert_eq!(kind(client.ask(message("a", "p"), None).await), Some(ErrorKind::NoSuchClient));
    assert_eq!(broker.take_calls(), []);
}

#[tokio::test]
async fn an_answer_goes_where_the_request_came_from() {
    let (broker, other) = (Recorder::default(), Recorder::default());
    let request = message("ask", "?").with_reply_to("answers.7".to_owned());
    for name in ["default", "", "unknown"] {
        let client = handling(&mut broker.state(), &other, &request, name);
        client.publish(message("answers.7", "!")).await.unwrap();
        assert_eq!(other.take_calls(), [Recorded::Reply(message("answers.7", "!"))], "{name}");
        assert_eq!(broker.take_calls(), [], "{name}");
    }
    // Whatever else it publishes does not.
    let client = handling(&mut broker.state(), &other, &request, "");
    client.publish(message("answers.8", "!")).await.unwrap();
    assert_eq!(
        (broker.take_calls(), other.take_calls()),
        (vec![Recorded::Publish(vec![message("answers.8", "!")])], vec![])
    );
}

#[tokio::test]
async fn whoever_asks_cannot_have_a_component_write_to_the_server() {
    let broker = Recorder::default();
    let request = message("ask", "?").with_reply_to("$JS.API.STREAM.DELETE.orders".to_owned());
    let client = handling(&mut broker.state(), &broker, &request, "");
    let answer = message("$JS.API.STREAM.DELETE.orders", "");
    assert_eq!(kind(client.publish(answer.clone()).await), Some(ErrorKind::AccessDenied));
    assert_eq!(kind(client.reply(answer).await), Some(ErrorKind::AccessDenied));
    assert_eq!(broker.take_calls(), []);
}

/// The results of a message and of a request on `topic`, and of a message with `topic` as its reply topic.
async fn kinds(client: &Client, topic: &'static str) -> [Option<ErrorKind>; 3] {
    let expecting = message("orders.new", "p").with_reply_to(topic.to_owned());
    let published = kind(client.publish(message(topic, "p")).await);
    [published, kind(client.ask(message(topic, "p"), None).await), kind(client.publish(expecting).await)]
}

#[tokio::test]
async fn an_inbox_takes_answers_only() {
    let (broker, other) = (Recorder::default(), Recorder::default());
    let state = &mut broker.state();
    let denied = Some(ErrorKind::AccessDenied);
    for topic in ["_INBOX.a", "_INBOX.a.1", "_INBOX_ann.a", "_R_.a", "_GR_.a"] {
        assert_eq!(kinds(&client(state, ""), topic).await, [denied; 3], "{topic}");
    }
    assert_eq!(broker.take_calls(), []);
    // One that a delivery came from.
    let request = message("ask", "?").with_reply_to("_INBOX.a".to_owned());
    handling(state, &other, &request, "").publish(message("_INBOX.a", "!")).await.unwrap();
    assert_eq!(other.take_calls(), [Recorded::Reply(message("_INBOX.a", "!"))]);
    assert_eq!(kind(handling(state, &other, &request, "").publish(message("_INBOX.b", "!")).await), denied);
    // One that an answer came from.
    state.view(&mut ResourceTable::new()).handled();
    assert_eq!(kind(client(state, "").publish(message("_INBOX.a", "!")).await), denied);
    broker.answer(Ok(vec![message("x", "").with_reply_to("_INBOX.c".to_owned())]));
    client(state, "").ask(message("a", "?"), None).await.unwrap();
    client(state, "").publish(message("_INBOX.c", "!")).await.unwrap();
    assert_eq!(broker.take_calls().pop(), Some(Recorded::Reply(message("_INBOX.c", "!"))));
    assert_eq!(
        kind(client(&mut state.for_another_store(&ByteBudget::new(1000)), "").publish(message("_INBOX.c", "!")).await),
        denied
    );
}

#[tokio::test]
async fn nothing_is_sent_on_topics_that_were_not_allowed() {
    let (broker, other) = (Recorder::default(), Recorder::default());
    let state = &mut broker.state().with_allowed_topics(AllowedTopics::only([("default", "orders.>")]));
    let (denied, timeout) = (Some(ErrorKind::AccessDenied), Some(ErrorKind::Timeout));
    assert_eq!(kinds(&client(state, ""), "orders.x").await, [None, timeout, None]);
    assert_eq!(broker.take_calls().len(), 3);
    assert_eq!(kinds(&client(state, ""), "billing.x").await, [denied; 3]);
    assert_eq!(broker.take_calls(), []);
    // An answer is request for, so it is no topic of the component's choice.
    let request = message("ask", "?").with_reply_to("billing.x".to_owned());
    handling(state, &other, &request, "").publish(message("billing.x", "!")).await.unwrap();
    assert_eq!(other.take_calls(), [Recorded::Reply(message("billing.x", "!"))]);
    assert_eq!(kind(handling(state, &other, &request, "").publish(message("billing.y", "!")).await), denied);
}

#[tokio::test]
async fn a_message_that_is_passed_on_is_not_taken_for_the_one_that_came() {
    let with_id = |topic, id: &str| message(topic, "p").with_headers(vec![(MESSAGE_ID.into(), id.into())]);
    let state = &mut Recorder::default().state();
    let broker = client(state, "").broker.unwrap();
    let mut table = ResourceTable::new();
    let mut view = state.view(&mut table);
    view.handling(broker, &with_id("in", "7"));
    let client = view.named("");
    for (id, expected) in [("7", "7.out"), ("8", "8")] {
        let mut sent = with_id("out", id);
        client.check(&mut sent).unwrap();
        assert_eq!(sent, with_id("out", expected));
    }
    // Another broker has not seen it yet.
    let other: Arc<dyn Broker> = Arc::new(Recorder::default());
    let mut sent = with_id("out", "7");
    view.client(Some(other), AllowedTopics::default().of("")).check(&mut sent).unwrap();
    assert_eq!(sent, with_id("out", "7"));
}

#[tokio::test]
async fn a_request_has_bounds() {
    let broker = Recorder::default();
    let client = client(&mut broker.state(), "");
    for (replies, allowed) in [(0, false), (1, true), (255, true), (256, true), (257, false), (usize::MAX, false)] {
        if allowed {
            broker.answer(Ok(vec![message("answer", "!")]));
        }
        assert_eq!(client.request(message("a", "?"), replies, None).await.is_ok(), allowed, "{replies}");
        assert_eq!(broker.take_calls().len(), usize::from(allowed), "{replies}");
    }
    for (timeout, milliseconds) in [(Some(0), 1), (Some(20), 20), (Some(u32::MAX), 30_000), (None, 30_000)] {
        broker.answer(Ok(vec![message("answer", "!")]));
        assert_eq!(client.ask(message("a", "?"), timeout).await.unwrap(), message("answer", "!"));
        let expected = Recorded::Request(message("a", "?"), 1, Duration::from_millis(milliseconds));
        assert_eq!(broker.take_calls(), [expected]);
    }
    broker.answer(Ok(Vec::new()));
    assert_eq!(kind(client.ask(message("a", "?"), None).await), Some(ErrorKind::Timeout));
    broker.answer(Err(Error::new(ErrorKind::NoResponders, "no responders")));
    assert_eq!(kind(client.ask(message("a", "?"), None).await), Some(ErrorKind::NoResponders));
}

#[tokio::test]
async fn answers_at_the_edge() {
    const MOST: usize = 16 << 20;
    let broker = Recorder::default();
    let client = client(&mut broker.state(), "");
    for (bytes, fits) in [(MOST - 1, true), (MOST, true), (MOST + 1, false)] {
        let half = |length: usize| Message::default().with_payload(vec![0; length]);
        broker.answer(Ok(vec![half(bytes / 2), half(bytes - bytes / 2)]));
        let result = client.request(message("a", "?"), 2, None).await;
        assert_eq!(kind(result), (!fits).then_some(ErrorKind::TooLarge), "{bytes}");
    }
}

#[tokio::test]
async fn what_is_on_its_way_is_bounded_and_comes_back() {
    let broker = Recorder::default();
    let client = client(&mut broker.state().for_another_store(&ByteBudget::new(16 << 20)), "");
    let megabytes = |count| vec![message("a", "").with_payload(vec![0; 1 << 20]); count];
    // Each takes a little more than its payload.
    for _ in 0..3 {
        assert!(client.publish_many(megabytes(15)).await.iter().all(Result::is_ok));
    }
    let refused = client.publish_many(megabytes(16)).await;
    assert_eq!(refused.len(), 16);
    assert!(refused.into_iter().all(|result| kind(result) == Some(ErrorKind::TooLarge)));
    let held = client.call(&megabytes(15)).unwrap();
    assert_eq!(kind(client.publish(megabytes(1).remove(0)).await), Some(ErrorKind::QuotaExceeded));
    drop(held);
    assert_eq!(kind(client.publish(megabytes(1).remove(0)).await), None);
}
