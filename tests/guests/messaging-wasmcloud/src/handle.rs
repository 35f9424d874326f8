//! The handler: it records the message, and then performs the action in the subject's last token.

use std::hash::{DefaultHasher, Hash, Hasher};

use tempo_sdk_keyvalue::{Bucket, Error};

use crate::bindings::exports::wasmcloud::messaging::handler::Guest;
use crate::bindings::wasmcloud::messaging::types::{BrokerMessage, HandleMessageError};
use crate::send::publish;

pub(crate) struct Handler;

impl Guest for Handler {
    async fn handle_message(message: BrokerMessage) -> Result<(), HandleMessageError> {
        handle(message).await.unwrap_or_else(|error| Err(HandleMessageError::Other(error.to_string())))
    }
}

async fn handle(message: BrokerMessage) -> Result<Result<(), HandleMessageError>, Error> {
    let BrokerMessage { subject, body, reply_to } = message;
    let act = subject.rsplit('.').next().unwrap_or_default();
    let bucket = Bucket::open("default").await?;
    // A handler need not read the body.
    let data = if act == "unread" { Vec::new() } else { body.collect().await };
    let count = bucket.increment(format!("count {subject}"), 1).await?;
    let expects = reply_to.is_some();
    bucket.set(format!("seen {subject} {count}"), describe(&data, expects)).await?;
    Ok(match act {
        "retry" if count == 1 => Err(HandleMessageError::Retry),
        "trap" => {
            assert!(count > 1, "as asked");
            Ok(())
        }
        "reject" => Err(HandleMessageError::Reject),
        "other" => Err(HandleMessageError::Other("as asked".to_owned())),
        "reply" => match reply_to {
            Some(topic) => publish(&topic, None, &[&data]).await.map_err(|_| HandleMessageError::Retry),
            None => Ok(()),
        },
        _ => Ok(()),
    })
}

/// Formats a message as comparable text.
pub(crate) fn describe(data: &[u8], expects_an_answer: bool) -> String {
    let mut hasher = DefaultHasher::new();
    data.hash(&mut hasher);
    let begin: String = String::from_utf8_lossy(data).chars().take(40).collect();
    format!("{} bytes {begin:?} {:x}, expects an answer: {expects_an_answer}", data.len(), hasher.finish())
}
