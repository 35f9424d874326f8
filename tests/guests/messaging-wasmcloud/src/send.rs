//! Publishing: the body is a stream, which the host reads during the call.

use futures::future::join;
use wit_bindgen::StreamWriter;

use crate::bindings::wasmcloud::messaging::consumer;
use crate::bindings::wasmcloud::messaging::types::{BrokerMessage, Error};
use crate::bindings::wit_stream;

/// Writes `pieces`, and drops the writer to end the body.
async fn write(mut body: StreamWriter<u8>, pieces: &[&[u8]]) {
    for piece in pieces {
        // A host may stop reading early.
        if !body.write_all(piece.to_vec()).await.is_empty() {
            return;
        }
    }
}

pub(crate) async fn publish(subject: &str, reply_to: Option<String>, pieces: &[&[u8]]) -> Result<(), Error> {
    let (writer, body) = wit_stream::new();
    let message = BrokerMessage { subject: subject.to_owned(), body, reply_to };
    join(consumer::publish(message), write(writer, pieces)).await.0
}

/// Returns the body of the reply and its reply topic.
pub(crate) async fn request(
    subject: &str,
    pieces: &[&[u8]],
    timeout: Option<u32>,
) -> Result<(Vec<u8>, Option<String>), Error> {
    let (writer, body) = wit_stream::new();
    let answer = join(consumer::request(subject.to_owned(), body, timeout), write(writer, pieces)).await.0?;
    Ok((answer.body.collect().await, answer.reply_to))
}
