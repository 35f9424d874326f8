//! The handler: it records the message, and then performs the action in its header `act`.

use std::num::ParseIntError;
use std::time::Duration;

use tempo_sdk_http::sleep;
use tempo_sdk_keyvalue::Bucket;
use tempo_sdk_messaging::{HandlerError, Message};

use crate::seen;

/// The header with the handler's actions: one per delivery, separated by commas; the last one applies to all further
/// deliveries. `ACT` or `ACT:VALUE`.
pub(crate) const ACT: &str = "act";

#[tempo_sdk_messaging::handler]
async fn handle(message: Message) -> Result<(), HandlerError> {
    let acts: Vec<&str> = message.header(ACT).unwrap_or("ack").split(',').collect();
    let turn = usize::try_from(message.attempt()).unwrap_or(usize::MAX).saturating_sub(1);
    let act = acts.get(turn).or(acts.last()).copied().unwrap_or_default();
    let (act, value) = act.split_once(':').unwrap_or((act, ""));
    let bucket = Bucket::open("default").await?;
    if act != "count" {
        seen::write(&bucket, &message).await?;
    }
    match act {
        "ack" | "count" => {}
        "sleep" => sleep(duration(value)?).await,
        "fail" => return Err(std::io::Error::other(value).into()),
        "retry" if value.is_empty() => return Err(HandlerError::new("as asked")),
        "retry" => return Err(HandlerError::new("as asked").retry_after(duration(value)?)),
        "reject" => return Err(HandlerError::reject(value)),
        "panic" => panic!("as asked"),
        "spin" => loop {
            std::hint::spin_loop();
        },
        "hang" => std::future::pending().await,
        "reply" => {
            sleep(duration(value)?).await;
            reply(&message).await?;
        }
        "silent" => {}
        other => return Err(HandlerError::reject(format!("no act is called {other:?}"))),
    }
    Ok(seen::done(&bucket, &message).await?)
}

fn duration(milliseconds: &str) -> Result<Duration, ParseIntError> {
    if milliseconds.is_empty() { Ok(Duration::ZERO) } else { milliseconds.parse().map(Duration::from_millis) }
}

/// Replies with the payload, and with every part that a reply may have.
async fn reply(message: &Message) -> Result<(), tempo_sdk_messaging::Error> {
    let Some(mut answer) = message.answer() else { return Ok(()) };
    if let Some(key) = message.key() {
        answer = answer.key(key);
    }
    for (name, value) in message.headers().filter(|(name, _)| name.starts_with("X-")) {
        answer = answer.header(name, value);
    }
    answer.content_type("text/x-answer").bytes(message.bytes()).publish().await
}
