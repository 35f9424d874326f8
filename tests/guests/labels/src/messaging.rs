//! The brokers.

use std::fmt::Debug;

use wit_bindgen::StreamWriter;

use crate::Outcome;
use crate::bindings::tempo::messaging::types::Message;
use crate::bindings::wasmcloud::{messaging0_2_0, messaging0_3_0};
use crate::bindings::{audit, billing, mail, wit_stream};

/// The timeout of a request, in milliseconds.
const TIMEOUT_MS: u32 = 100;

fn text(error: impl Debug) -> String {
    format!("{error:?}")
}

pub(crate) async fn publish(label: &str, topic: &str, body: Vec<u8>) -> Outcome<()> {
    let topic = topic.to_owned();
    match label {
        "billing" => {
            let message = messaging0_2_0::types::BrokerMessage { subject: topic, body, reply_to: None };
            billing::publish(&message)
        }
        "audit" => {
            let (mut writer, stream) = wit_stream::new();
            let message = messaging0_3_0::types::BrokerMessage { subject: topic, body: stream, reply_to: None };
            wit_bindgen::spawn_local(async move {
                writer.write_all(body).await;
            });
            audit::publish(message).await.map_err(text)
        }
        _ => {
            let results = mail::publish_many("any".to_owned(), vec![message(topic.clone(), body.clone())]).await;
            results.into_iter().collect::<Result<(), _>>().map_err(text)?;
            mail::publish("any".to_owned(), message(topic, body)).await.map_err(text)
        }
    }
}

/// Sends a request that is not answered.
pub(crate) async fn request(label: &str, topic: &str) -> Outcome<Vec<u8>> {
    let topic = topic.to_owned();
    match label {
        "billing" => billing::request(&topic, b"question", TIMEOUT_MS).map(|answer| answer.body),
        "audit" => {
            let (writer, stream) = wit_stream::new();
            drop::<StreamWriter<u8>>(writer);
            let answer = audit::request(topic, stream, Some(TIMEOUT_MS)).await.map_err(text)?;
            Ok(answer.body.collect().await)
        }
        _ => {
            let answer = mail::request("any".to_owned(), message(topic, Vec::new()), TIMEOUT_MS).await;
            answer.map(|answer| answer.payload).map_err(text)
        }
    }
}

fn message(topic: String, payload: Vec<u8>) -> Message {
    Message { topic, key: None, content_type: None, headers: Vec::new(), reply_to: None, payload }
}
