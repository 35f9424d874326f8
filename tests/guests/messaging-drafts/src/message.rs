//! The message resource: each part can be set and read.

use crate::bindings::wasi::messaging::types::Message;
use crate::scope::{Outcome, Scope, same};

pub(crate) fn parts(_: &Scope) -> Outcome {
    let message = Message::new(&[0, 255]);
    same("the topic", message.topic(), None)?;
    same("the media type", message.content_type(), None)?;
    same("the data", message.data(), vec![0, 255])?;
    for data in [vec![], vec![1; 100_000], b"text".to_vec()] {
        message.set_data(&data);
        same("the data", message.data(), data)?;
    }
    for content_type in ["text/plain", "application/json; charset=utf-8"] {
        message.set_content_type(content_type);
        same("the media type", message.content_type().as_deref(), Some(content_type))?;
    }
    Ok(())
}

pub(crate) fn metadata(_: &Scope) -> Outcome {
    let message = Message::new(&[]);
    same("the metadata", message.metadata().unwrap_or_default(), Vec::new())?;
    message.add_metadata("a", "1");
    message.add_metadata("b", "");
    message.add_metadata("a", "2");
    same("the metadata", sorted(&message), pairs(&[("a", "2"), ("b", "")]))?;
    message.remove_metadata("b");
    message.remove_metadata("nothing");
    same("the metadata", sorted(&message), pairs(&[("a", "2")]))?;
    message.set_metadata(&pairs(&[("c", "3"), ("d", "4")]));
    same("the metadata", sorted(&message), pairs(&[("c", "3"), ("d", "4")]))?;
    message.set_metadata(&[]);
    same("the metadata", sorted(&message), Vec::new())
}

fn sorted(message: &Message) -> Vec<(String, String)> {
    let mut metadata = message.metadata().unwrap_or_default();
    metadata.sort();
    metadata
}

pub(crate) fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
