//! The brokers.

use crate::Outcome;
use crate::bindings::tempo::messaging::types::Message;
use crate::bindings::wasmcloud::{messaging0_2_0, messaging0_3_0};
use crate::bindings::{audit, billing, mail, wit_stream};

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
            audit::publish(message).await.map_err(|error| format!("{error:?}"))
        }
        _ => {
            let (key, content_type, headers, reply_to) = (None, None, Vec::new(), None);
            let message = Message { topic, key, content_type, headers, reply_to, payload: body };
            mail::publish("any".to_owned(), message).await.map_err(|error| format!("{error:?}"))
        }
    }
}
