//! The parts of a message: each is delivered unchanged.

use std::collections::BTreeMap;

use crate::handle::ACT;
use crate::scope::{Outcome, Scope, holds, same};
use crate::seen::Payload;

const MIB: usize = 1 << 20;

/// Empty, zeros, every byte, and invalid UTF-8.
pub(crate) async fn bytes(on: Scope) -> Outcome {
    let payloads: [Vec<u8>; 6] =
        [vec![], vec![0], (0..=255).collect(), vec![0xff, 0xfe, 0x80], b"\r\n".to_vec(), vec![7; 70_000]];
    for (number, payload) in payloads.into_iter().enumerate() {
        let name = number.to_string();
        on.message(&name).bytes(payload.clone()).publish().await?;
        same("the payload", on.one(&name).await?.payload, Payload::of(&payload))?;
    }
    Ok(())
}

pub(crate) async fn largest(on: Scope) -> Outcome {
    let payload: Vec<u8> = (0_u8..=250).cycle().take(MIB).collect();
    on.message("large").bytes(payload.clone()).publish().await?;
    same("the payload", on.one("large").await?.payload, Payload::of(&payload))
}

pub(crate) async fn all(on: Scope) -> Outcome {
    let traceparent = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let message = on.message("all").key("customer 7 \u{e4}").content_type("application/json; charset=utf-8");
    let message = message.header(traceparent.0, traceparent.1).header("tracestate", "a=b,c=d").reply_to("some.where");
    message.bytes("{}").publish().await?;
    let seen = on.one("all").await?;
    same("the topic", seen.topic, on.topic("all"))?;
    same("the key", seen.key.as_deref(), Some("customer 7 \u{e4}"))?;
    same("the media type", seen.content_type.as_deref(), Some("application/json; charset=utf-8"))?;
    same("where an answer is expected", seen.reply_to.as_deref(), Some("some.where"))?;
    let mut headers = seen.headers;
    headers.sort();
    let wanted = [traceparent, ("tracestate", "a=b,c=d")];
    same("the headers", headers, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec())
}

/// A part that was not set is absent: it is not an empty text, and the host adds nothing.
pub(crate) async fn none(on: Scope) -> Outcome {
    on.message("none").publish().await?;
    let seen = on.one("none").await?;
    same("the key", seen.key, None::<String>)?;
    same("the media type", seen.content_type, None::<String>)?;
    same("where an answer is expected", seen.reply_to, None::<String>)?;
    same("the headers", seen.headers, Vec::new())
}

/// A name may have several values, which keep their order.
pub(crate) async fn headers(on: Scope) -> Outcome {
    let headers =
        [("X-Several", "1"), ("X-Other", "a"), ("X-Several", "2"), ("X-Several", "1"), ("!#$%&'*+-.^_`|~09az", "odd")];
    let message = headers.iter().fold(on.message("headers"), |message, (name, value)| message.header(*name, *value));
    message.publish().await?;
    let seen = on.one("headers").await?;
    same("the headers", by_name(&seen.headers), by_name(&headers))
}

/// The order and the case of names may change.
fn by_name<T: AsRef<str>>(headers: &[(T, T)]) -> BTreeMap<String, Vec<String>> {
    let mut by_name = BTreeMap::<_, Vec<_>>::new();
    for (name, value) in headers {
        by_name.entry(name.as_ref().to_lowercase()).or_default().push(value.as_ref().to_owned());
    }
    by_name
}

/// Empty, with spaces and colons, not ASCII, long.
pub(crate) async fn header_values(on: Scope) -> Outcome {
    let long = "v".repeat(8_000);
    let values = ["", "a b", "a: b", ":", "\u{e4}\u{1f600}", "a,b;c=\"d\"", "100", "a%20b", long.as_str()];
    for (number, value) in values.into_iter().enumerate() {
        let name = number.to_string();
        on.message(&name).header("X-Value", value).publish().await?;
        let seen = on.one(&name).await?;
        same("the header", seen.headers, vec![("X-Value".to_owned(), value.to_owned())])?;
    }
    Ok(())
}

pub(crate) async fn most_headers(on: Scope) -> Outcome {
    let names: Vec<String> = (0..100).map(|number| format!("X-{number}")).collect();
    let message = names.iter().fold(on.message("most"), |message, name| message.header(name, name.to_lowercase()));
    message.publish().await?;
    let seen = on.one("most").await?;
    same("how many headers there are", seen.headers.len(), 100)?;
    holds("each has its value", seen.headers.iter().all(|(name, value)| name.to_lowercase() == *value))?;
    let longest = "n".repeat(128);
    on.message("long").header(&longest, "v").header(ACT, "ack").publish().await?;
    let seen = on.one("long").await?;
    holds("a name of 128 characters", seen.headers.contains(&(longest, "v".to_owned())))
}

/// Valid topics with unusual characters.
pub(crate) async fn odd_topics(on: Scope) -> Outcome {
    let longest = "t".repeat(255 - on.topic("").len());
    for name in ["a", "A", "a-b_c", "a.b.c.d.e.f", "\u{e4}.\u{1f600}", "a*b", "a>b", "$x", "%", "0", longest.as_str()] {
        on.message(name).bytes(name).publish().await?;
        let seen = on.one(name).await?;
        same("the topic", seen.topic, on.topic(name))?;
        same("the payload", seen.payload, Payload::of(name.as_bytes()))?;
    }
    Ok(())
}
