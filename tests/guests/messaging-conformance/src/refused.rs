//! Rejected messages: the error has a kind and a message, and nothing is delivered.

use std::time::Duration;

use tempo_sdk_messaging::{Client, Draft, ErrorKind, Message};

use crate::scope::{Outcome, Scope, fails, same};

const INVALID: &[ErrorKind] = &[ErrorKind::InvalidArgument];

const SOON: Duration = Duration::from_millis(200);

/// Checks that each of the three functions rejects the message.
async fn refused(what: &str, message: Draft, kinds: &[ErrorKind]) -> Outcome {
    fails(&format!("publish {what}"), message.clone().publish().await, kinds)?;
    let mut results = tempo_sdk_messaging::publish_many([message.clone()]).await;
    same("how many results there are", results.len(), 1)?;
    fails(&format!("publish-many {what}"), results.pop().unwrap_or(Ok(())), kinds)?;
    fails(&format!("request {what}"), message.request(SOON).await, kinds)
}

pub(crate) async fn topics(on: Scope) -> Outcome {
    let long = "t".repeat(256 - on.topic("").len());
    for name in
        ["", ".", "a..b", "a.", "a b", "a\tb", "a\nb", "a\0b", "a\u{a0}b", "*", "a.*", ">", "a.>", long.as_str()]
    {
        refused(&format!("on the topic {name:?}"), on.message(name), INVALID).await?;
    }
    for topic in ["", ".a", "*", ">"] {
        refused(&format!("on the topic {topic:?}"), Message::new(topic), INVALID).await?;
    }
    Ok(())
}

/// Topics of the server, and inboxes that no received message names.
const DENIED: [&str; 6] = ["$JS.API.INFO", "$KV.b.k", "$O.b.C.x", "$SYS.REQ.SERVER.PING", "_INBOX.x", "_INBOX_ann.x.1"];

pub(crate) async fn denied_topics(on: Scope) -> Outcome {
    let kinds = &[ErrorKind::AccessDenied];
    for topic in DENIED {
        refused(&format!("on the topic {topic:?}"), Message::new(topic), kinds).await?;
        let message = on.message("bad").reply_to(topic);
        fails(&format!("an answer on {topic:?}"), message.publish().await, kinds)?;
    }
    same("what came", on.final_attempts("bad").await?, Vec::<u32>::new())
}

pub(crate) async fn headers(on: Scope) -> Outcome {
    let long = "n".repeat(129);
    for name in ["", "a b", "a:", "a\n", "\u{e4}", "(", "\0", long.as_str()] {
        refused(&format!("with the header {name:?}"), on.message("bad").header(name, "v"), INVALID).await?;
    }
    for value in ["\n", "a\r\nX-Injected: 1", "\0", "\u{7f}", "\u{1}"] {
        refused(&format!("with the value {value:?}"), on.message("bad").header("X-A", value), INVALID).await?;
    }
    let many = (0..101).fold(on.message("bad"), |message, number| message.header(format!("X-{number}"), "v"));
    refused("with 101 headers", many, &[ErrorKind::InvalidArgument, ErrorKind::TooLarge]).await?;
    let large =
        (0..3).fold(on.message("bad"), |message, number| message.header(format!("X-{number}"), "v".repeat(6_000)));
    refused("with 18 kB of headers", large, &[ErrorKind::InvalidArgument, ErrorKind::TooLarge]).await?;
    same("what came", on.final_attempts("bad").await?, Vec::<u32>::new())
}

pub(crate) async fn parts(on: Scope) -> Outcome {
    for key in ["", &"k".repeat(256), "a\nb"] {
        refused(&format!("with the key {key:?}"), on.message("bad").key(key), INVALID).await?;
    }
    refused("with a bad media type", on.message("bad").content_type("a\r\nb"), INVALID).await?;
    for topic in ["", "a b", "a.>", "a\r\nb"] {
        let message = on.message("bad").reply_to(topic);
        // A request sets its own reply topic.
        fails(&format!("an answer on {topic:?}"), message.publish().await, INVALID)?;
    }
    same("what came", on.final_attempts("bad").await?, Vec::<u32>::new())
}

/// One byte more than 1 MiB.
pub(crate) async fn too_large(on: Scope) -> Outcome {
    let message = on.message("bad").bytes(vec![1; (1 << 20) + 1]);
    refused("1 MiB and a byte", message, &[ErrorKind::TooLarge]).await?;
    same("what came", on.final_attempts("bad").await?, Vec::<u32>::new())
}

/// Using a name that is not configured fails.
pub(crate) async fn unknown_client(on: Scope) -> Outcome {
    let unknown = &[ErrorKind::NoSuchClient];
    for name in ["nowhere", " ", "Default", "default ", "default\0"] {
        let client = Client::named(name);
        fails("publish", client.publish_message(on.message("a")).await, unknown)?;
        fails("request", client.request_message(on.message("a"), SOON).await, unknown)?;
        let results = client.publish_many([on.message("a"), on.message("b")]).await;
        same("how many results there are", results.len(), 2)?;
        for result in results {
            fails("publish-many", result, unknown)?;
        }
    }
    same("what came", on.final_attempts("a").await?, Vec::<u32>::new())
}
