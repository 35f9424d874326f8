//! A handler of messages, over `tempo:messaging`.

use bindings::exports::tempo::messaging::handler::{Delivery, Disposition, Guest};

mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "handler-service" });
    use super::Worker;
    export!(Worker);
}

struct Worker;

impl Guest for Worker {
    /// Handles a message. Its delivery may be repeated, so an effect must be safe to repeat too.
    async fn handle(delivery: Delivery) -> Disposition {
        let topic = &delivery.message.topic;
        match task(&delivery.message.payload) {
            Ok(task) => {
                println!("{topic}: {task}");
                Disposition::Ack
            }
            // A repetition would not help: the message becomes a dead letter.
            Err(reason) => Disposition::Reject(reason),
        }
    }
}

/// Returns the task in a payload. It uses nothing of the host, so a test can call it.
fn task(payload: &[u8]) -> Result<&str, String> {
    match std::str::from_utf8(payload) {
        Ok(text) if !text.trim().is_empty() => Ok(text.trim()),
        Ok(_) => Err("the payload is empty".to_owned()),
        Err(error) => Err(format!("the payload is not text: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_text() {
        assert_eq!(task(b" paint the fence\n"), Ok("paint the fence"));
        assert!(task(b" ").is_err());
        assert!(task(b"\xff").is_err());
    }
}
