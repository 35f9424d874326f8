//! Publishing, and the messages that a handler receives.

use crate::bindings::wasi::messaging::producer::send;
use crate::bindings::wasi::messaging::request_reply::request;
use crate::bindings::wasi::messaging::types::{Client, Message};
use crate::message::pairs;
use crate::scope::{Outcome, Scope, fails, same};
use crate::seen::parts as described;

const MIB: usize = 1 << 20;

/// Using a name that is not configured fails, and dropping one client does not close another.
pub(crate) fn clients(on: &Scope) -> Outcome {
    for name in ["nowhere", " ", "Default", "default "] {
        fails(&format!("connect {name:?}"), Client::connect(name).map(drop))?;
    }
    let other = Client::connect("default")?;
    other.disconnect()?;
    drop(other);
    let topic = on.topic("after");
    send(&on.client, &topic, Message::new(b"x"))?;
    on.one(&topic).map(drop)
}

/// Empty, zeros, every byte, and invalid UTF-8.
pub(crate) fn bytes(on: &Scope) -> Outcome {
    let payloads: [Vec<u8>; 5] = [vec![], vec![0], (0..=255).collect(), vec![0xff, 0xfe, 0x80], vec![7; 70_000]];
    for (number, payload) in payloads.into_iter().enumerate() {
        let topic = on.topic(&number.to_string());
        send(&on.client, &topic, Message::new(&payload))?;
        same("what came", on.one(&topic)?, described(Some(&topic), None, &[], &payload))?;
    }
    Ok(())
}

pub(crate) fn largest(on: &Scope) -> Outcome {
    let topic = on.topic("largest");
    let payload: Vec<u8> = (0_u8..=250).cycle().take(MIB).collect();
    send(&on.client, &topic, Message::new(&payload))?;
    same("what came", on.one(&topic)?, described(Some(&topic), None, &[], &payload))
}

/// One byte more than 1 MiB.
pub(crate) fn too_large(on: &Scope) -> Outcome {
    fails("send", send(&on.client, &on.topic("large"), Message::new(&vec![1; MIB + 1])))
}

pub(crate) fn parts(on: &Scope) -> Outcome {
    let topic = on.topic("parts");
    let metadata = pairs(&[("customer", "\u{e4} b: c"), ("traceparent", "00-1-2-01"), ("x-empty", "")]);
    let message = Message::new(b"{}");
    message.set_content_type("application/json");
    message.set_metadata(&metadata);
    send(&on.client, &topic, message)?;
    same("what came", on.one(&topic)?, described(Some(&topic), Some("application/json"), &metadata, b"{}"))
}

pub(crate) fn bad_topics(on: &Scope) -> Outcome {
    let long = "t".repeat(256);
    for topic in ["", ".", "a..b", "check.", "check.a b", "check.\n", "check.*", "check.>", long.as_str()] {
        fails(&format!("send on {topic:?}"), send(&on.client, topic, Message::new(b"x")))?;
    }
    for topic in ["$JS.API.INFO", "$SYS.REQ.SERVER.PING", "_INBOX.x"] {
        fails(&format!("send on {topic:?}"), send(&on.client, topic, Message::new(b"x")))?;
        let asked = request(&on.client, topic, &Message::new(b"x"), None).map(drop);
        fails(&format!("request on {topic:?}"), asked)?;
    }
    Ok(())
}

/// An error causes a redelivery.
pub(crate) fn error(on: &Scope) -> Outcome {
    again(on, "fail")
}

pub(crate) fn trap(on: &Scope) -> Outcome {
    again(on, "trap")
}

fn again(on: &Scope, name: &str) -> Outcome {
    let topic = on.topic(name);
    let message = Message::new(b"x");
    message.add_metadata("traceparent", "00-1-2-01");
    send(&on.client, &topic, message)?;
    let wanted = described(Some(&topic), None, &pairs(&[("traceparent", "00-1-2-01")]), b"x");
    same("what came", on.wait(&topic, 2)?, vec![wanted.clone(), wanted])
}
