//! The handler: it records the message, and then performs the action in the topic's last token.

use crate::bindings::exports::wasi::messaging::incoming_handler::Guest;
use crate::bindings::wasi::messaging::request_reply::reply;
use crate::bindings::wasi::messaging::types::{Error, Message};
use crate::seen;

pub(crate) struct Handler;

impl Guest for Handler {
    fn handle(message: Message) -> Result<(), Error> {
        let Some(topic) = message.topic() else {
            return Err(Error::Other("a message without a topic came".to_owned()));
        };
        let before = seen::write(&topic, &seen::describe(&message)).map_err(|error| Error::Other(error.to_string()))?;
        match topic.rsplit('.').next() {
            Some("fail") if before == 0 => Err(Error::Other("as asked".to_owned())),
            Some("trap") => {
                assert!(before > 0, "as asked");
                Ok(())
            }
            Some("reply") => {
                let answer = Message::new(&message.data());
                answer.set_content_type("text/x-answer");
                answer.add_metadata("x-of", &topic);
                reply(&message, answer)
            }
            Some("reply-twice") => {
                reply(&message, Message::new(b"1"))?;
                reply(&message, Message::new(b"2"))
            }
            _ => Ok(()),
        }
    }
}
