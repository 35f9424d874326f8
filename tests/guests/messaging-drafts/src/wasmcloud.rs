//! `wasmcloud:messaging@0.2.0`: publishing and requests. The draft's handler receives the messages.

use std::fmt::Debug;

use bindings::wasmcloud::messaging::consumer;
use bindings::wasmcloud::messaging::types::BrokerMessage;

use crate::scope::{Differs, Outcome, Scope, same};
use crate::seen;

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, reason = "generated code")]
    wit_bindgen::generate!({ path: "../../../wit/messaging-wasmcloud-0.2", world: "imports" });
}

impl From<String> for Differs {
    #[track_caller]
    fn from(error: String) -> Self {
        Self::new(error)
    }
}

fn message(subject: &str, body: &[u8]) -> BrokerMessage {
    BrokerMessage { subject: subject.to_owned(), body: body.to_vec(), reply_to: None }
}

pub(crate) fn publish(on: &Scope) -> Outcome {
    let payloads: [Vec<u8>; 4] = [vec![], (0..=255).collect(), vec![7; 70_000], vec![1; 1 << 20]];
    for (number, payload) in payloads.into_iter().enumerate() {
        let topic = on.topic(&number.to_string());
        consumer::publish(&message(&topic, &payload))?;
        same("what came", on.one(&topic)?, seen::parts(Some(&topic), None, &[], &payload))?;
    }
    Ok(())
}

/// The handler replies on that topic, which is another one of the component's subscription, or one without a
/// subscriber.
pub(crate) fn reply_to(on: &Scope) -> Outcome {
    let topic = on.topic("reply");
    let asked = BrokerMessage { reply_to: Some(on.topic("answers")), ..message(&topic, b"x") };
    consumer::publish(&asked)?;
    on.one(&topic).map(drop)
}

pub(crate) fn request(on: &Scope) -> Outcome {
    let answer = consumer::request(&on.topic("reply"), b"question", 60_000)?;
    same("the answer", answer.body, b"question".to_vec())?;
    same("where an answer to it is expected", answer.reply_to, None)
}

/// The package's errors are texts.
fn fails<T: Debug>(what: &str, got: Result<T, String>) -> Outcome {
    match got {
        Err(text) if !text.is_empty() => Ok(()),
        other => Err(Differs::new(format_args!("{what}: {other:?}, and not an error that says why"))),
    }
}

pub(crate) fn timeout(on: &Scope) -> Outcome {
    fails("a request", consumer::request(&on.topic("silent"), b"x", 300).map(drop))
}

pub(crate) fn bad(on: &Scope) -> Outcome {
    for subject in ["", "a..b", "check.a b", "check.*", "check.>"] {
        fails(&format!("publish on {subject:?}"), consumer::publish(&message(subject, b"x")))?;
        fails(&format!("request on {subject:?}"), consumer::request(subject, b"x", 300).map(drop))?;
    }
    for subject in ["$JS.API.INFO", "$SYS.REQ.SERVER.PING", "_INBOX.x"] {
        fails(&format!("publish on {subject:?}"), consumer::publish(&message(subject, b"x")))?;
        fails(&format!("request on {subject:?}"), consumer::request(subject, b"x", 300).map(drop))?;
        let answer = BrokerMessage { reply_to: Some(subject.to_owned()), ..message(&on.topic("bad"), b"x") };
        fails(&format!("publish with the reply-to {subject:?}"), consumer::publish(&answer))?;
    }
    let answer_nowhere = BrokerMessage { reply_to: Some("a b".to_owned()), ..message(&on.topic("bad"), b"x") };
    fails("publish with a bad reply-to", consumer::publish(&answer_nowhere))?;
    let large = vec![1; (1 << 20) + 1];
    fails("publish 1 MiB and a byte", consumer::publish(&message(&on.topic("large"), &large)))?;
    fails("request with 1 MiB and a byte", consumer::request(&on.topic("large"), &large, 300).map(drop))
}
