//! Validates messages of guests, which are hostile: rejects what a server would interpret.

use crate::topic::{TopicError, check_topic};
use crate::{Error, ErrorKind, MESSAGE_ID, Message, MessagingLimits, Result};

/// Maximum bytes of a key or media type.
const MAX_TEXT_BYTES: usize = 255;
/// Maximum bytes of a header name.
const MAX_NAME_BYTES: usize = 128;
/// Prefixes of headers of servers and Tempo: a guest could, for example, purge a stream with them.
const RESERVED_PREFIXES: [&str; 2] = ["nats-", "tempo-"];

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

fn too_large(message: String) -> Error {
    Error::new(ErrorKind::TooLarge, message)
}

/// Validates a message of a guest, and renames its id header for servers.
pub(crate) fn message(limits: &MessagingLimits, message: &mut Message) -> Result<()> {
    topic("topic", &message.topic)?;
    message.reply_to.as_deref().map_or(Ok(()), |reply_to| topic("reply-to", reply_to))?;
    message.key.as_deref().map_or(Ok(()), |key| text("key", key))?;
    message.content_type.as_deref().map_or(Ok(()), |content_type| text("content type", content_type))?;
    headers(limits, &mut message.headers)?;
    payload(limits, message.payload.len())
}

/// Validates a topic, which may not be the server's own.
fn topic(what: &str, topic: &str) -> Result<()> {
    check_topic(topic).map_err(|error: TopicError| invalid(format!("the {what} is not allowed: {error}")))?;
    // NATS executes commands on such topics, for example to delete a stream.
    if topic.starts_with('$') {
        let message = format!("the {what} is not allowed: topics that begin with `$` are the server's own");
        return Err(Error::new(ErrorKind::AccessDenied, message));
    }
    Ok(())
}

/// Validates the size of a payload.
pub(crate) fn payload(limits: &MessagingLimits, length: usize) -> Result<()> {
    if length <= limits.payload {
        return Ok(());
    }
    Err(too_large(format!("the payload is larger than {} bytes", limits.payload)))
}

fn text(what: &str, text: &str) -> Result<()> {
    if text.is_empty() || text.len() > MAX_TEXT_BYTES {
        return Err(invalid(format!("a {what} has 1 to {MAX_TEXT_BYTES} bytes")));
    }
    if !is_plain(text) {
        return Err(invalid(format!("a {what} has no control characters, and no spaces at its ends")));
    }
    Ok(())
}

/// Returns whether it survives transport in a header unchanged.
fn is_plain(text: &str) -> bool {
    text.trim() == text && !text.chars().any(char::is_control)
}

fn headers(limits: &MessagingLimits, headers: &mut [(String, String)]) -> Result<()> {
    if headers.len() > limits.headers {
        return Err(too_large(format!("a message has at most {} headers", limits.headers)));
    }
    let bytes = headers.iter().map(|(name, value)| name.len().saturating_add(value.len()));
    if bytes.fold(0, usize::saturating_add) > limits.header_bytes {
        return Err(too_large(format!("all headers together have at most {} bytes", limits.header_bytes)));
    }
    let mut ids: usize = 0;
    for (name, value) in headers {
        header(name, value)?;
        if name.eq_ignore_ascii_case(MESSAGE_ID) {
            MESSAGE_ID.clone_into(name);
            ids = ids.saturating_add(1);
        }
    }
    if ids > 1 {
        return Err(invalid(format!("the header {MESSAGE_ID} is there twice")));
    }
    Ok(())
}

/// Validates a header of a guest.
pub(crate) fn header(name: &str, value: &str) -> Result<()> {
    if !is_name(name) {
        return Err(invalid(format!(
            "the name of a header has 1 to {MAX_NAME_BYTES} ASCII letters, digits and !#$%&'*+-.^_`|~"
        )));
    }
    if is_reserved(name) {
        return Err(invalid(format!("the header {name} is not a component's to set")));
    }
    if !is_plain(value) {
        return Err(invalid(format!("the header {name} has control characters, or spaces at its ends")));
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(token)
}

fn is_reserved(name: &str) -> bool {
    let begins = |prefix: &&str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    let own = RESERVED_PREFIXES.iter().any(begins) && !name.eq_ignore_ascii_case(MESSAGE_ID);
    own || name.eq_ignore_ascii_case("content-type")
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod property;
