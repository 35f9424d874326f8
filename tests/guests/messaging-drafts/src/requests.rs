//! Requests and replies.

use crate::bindings::wasi::messaging::request_reply::{RequestOptions, request};
use crate::bindings::wasi::messaging::types::{Error, Message};
use crate::message::pairs;
use crate::scope::{Differs, Outcome, Scope, holds, same};
use crate::seen;

fn options(timeout: u32, replies: u32) -> RequestOptions {
    let options = RequestOptions::new();
    options.set_timeout_ms(timeout);
    options.set_expected_replies(replies);
    options
}

/// Returns the data of all replies.
fn data(answers: &[Message]) -> Vec<Vec<u8>> {
    answers.iter().map(Message::data).collect()
}

/// One reply, with and without options.
pub(crate) fn answered(on: &Scope) -> Outcome {
    let topic = on.topic("reply");
    for options in [None, Some(options(60_000, 1))] {
        let question = Message::new(b"question");
        question.add_metadata("traceparent", "00-1-2-01");
        let answers = request(&on.client, &topic, &question, options)?;
        let [answer] = answers.as_slice() else {
            return Err(Differs::new(format_args!("{} answers, and not one", answers.len())));
        };
        same("the answer", answer.data(), b"question".to_vec())?;
        same("its media type", answer.content_type().as_deref(), Some("text/x-answer"))?;
        holds("its metadata", answer.metadata().unwrap_or_default().contains(&("x-of".to_owned(), topic.clone())))?;
        // The guest still owns the request.
        same("the question", question.data(), b"question".to_vec())?;
    }
    let wanted = seen::parts(Some(&topic), None, &pairs(&[("traceparent", "00-1-2-01")]), b"question");
    same("what came", on.wait(&topic, 2)?, vec![wanted.clone(), wanted])
}

/// As many replies as expected, in their order.
pub(crate) fn several(on: &Scope) -> Outcome {
    let topic = on.topic("reply-twice");
    let answers = request(&on.client, &topic, &Message::new(b"x"), Some(options(60_000, 2)))?;
    same("the answers", data(&answers), vec![b"1".to_vec(), b"2".to_vec()])
}

/// No reply is an error.
pub(crate) fn timeout(on: &Scope) -> Outcome {
    match request(&on.client, &on.topic("silent"), &Message::new(b"x"), Some(options(300, 1))) {
        Err(Error::Timeout) => Ok(()),
        other => Err(Differs::new(format_args!("{other:?}, and not a timeout"))),
    }
}

/// If fewer replies than expected arrive, the call returns those at the timeout.
pub(crate) fn too_many(on: &Scope) -> Outcome {
    let answers = request(&on.client, &on.topic("reply"), &Message::new(b"x"), Some(options(1_500, 3)))?;
    same("the answers", data(&answers), vec![b"x".to_vec()])
}
