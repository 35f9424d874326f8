//! The function is a method.
use tempo_sdk_messaging::{Error, Message};

struct Orders;

impl Orders {
    #[tempo_sdk_messaging::handler]
    async fn handle(&self, message: Message) -> Result<(), Error> {
        drop(message);
        Ok(())
    }
}

fn main() {}
