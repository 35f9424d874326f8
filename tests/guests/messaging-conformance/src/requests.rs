//! Requests and replies.

use std::time::Duration;

use futures::future::join_all;
use tempo_sdk_messaging::{ErrorKind, Message};

use crate::scope::{Outcome, Scope, fails, holds, same};

/// A timeout that is sufficient for any reply.
const LONG: Duration = Duration::from_secs(60);

const SHORT: Duration = Duration::from_millis(400);

pub(crate) async fn answered(on: Scope) -> Outcome {
    let answer = on.with_act("question", "reply").bytes("payload").request(LONG).await?;
    same("the answer", answer.bytes(), &b"payload"[..])?;
    same("how it was delivered", answer.delivery(), None)?;
    let seen = on.one("question").await?;
    holds("an answer was expected", seen.reply_to.is_some())?;
    // The host chooses the reply topic.
    let chosen = on.with_act("chosen", "reply").reply_to("my.own").bytes("2").request(LONG).await?;
    same("the answer", chosen.bytes(), &b"2"[..])
}

pub(crate) async fn parts(on: Scope) -> Outcome {
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let question = on.with_act("question", "reply").key("k").content_type("text/x-question").header("X-A", "1");
    let question = question.header("X-A", "2").header("traceparent", traceparent).bytes(vec![0, 255]);
    let answer = question.request(LONG).await?;
    let seen = on.one("question").await?;
    same("the key", seen.key.as_deref(), Some("k"))?;
    same("the media type", seen.content_type.as_deref(), Some("text/x-question"))?;
    holds("the trace comes along", seen.headers.contains(&("traceparent".to_owned(), traceparent.to_owned())))?;
    same("the answer's key", answer.key(), Some("k"))?;
    same("the answer's media type", answer.content_type(), Some("text/x-answer"))?;
    let values: Vec<_> = answer.headers().filter(|(name, _)| *name == "X-A").map(|(_, value)| value).collect();
    same("the answer's headers", values, vec!["1", "2"])?;
    same("the answer", answer.bytes(), &[0, 255][..])
}

/// Each request receives its own reply.
pub(crate) async fn at_once(on: Scope) -> Outcome {
    let questions = (0..50).map(|number| {
        // The earlier ones are replied to later.
        let act = format!("reply:{}", (50 - number) * 4);
        let question = on.with_act("question", &act).bytes(number.to_string());
        async move { (number, question.request(LONG).await) }
    });
    for (number, answer) in join_all(questions).await {
        same("the answer", answer?.text()?, number.to_string())?;
    }
    Ok(())
}

/// A handler receives the request and does not reply.
pub(crate) async fn timeout(on: Scope) -> Outcome {
    fails("a request", on.with_act("question", "silent").request(SHORT).await, &[ErrorKind::Timeout])?;
    on.one("question").await.map(drop)
}

/// A late reply is dropped: the next request receives its own.
pub(crate) async fn late(on: Scope) -> Outcome {
    let question = on.with_act("late", "reply:1500").bytes("late");
    fails("a request", question.request(SHORT).await, &[ErrorKind::Timeout])?;
    for number in 0..5 {
        let answer = on.with_act("question", "reply:400").bytes(number.to_string()).request(LONG).await?;
        same("the answer", answer.text()?, number.to_string())?;
    }
    Ok(())
}

/// The topic has no subscriber.
pub(crate) async fn no_subscriber(on: Scope) -> Outcome {
    let question = Message::new(format!("unsubscribed.{}", on.prefix));
    let kinds = [ErrorKind::Timeout, ErrorKind::NoResponders];
    fails("a request", question.request(SHORT).await, &kinds)
}

/// A timeout of zero is rejected.
pub(crate) async fn bad(on: Scope) -> Outcome {
    let kinds = [ErrorKind::Timeout, ErrorKind::InvalidArgument];
    fails("a request", on.with_act("question", "silent").request(Duration::ZERO).await, &kinds)
}
