//! JSON payloads, with serde.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};

use crate::{Client, Draft, Error, ErrorKind, Message};

const JSON: &str = "application/json";

/// Publishes `value` as JSON on `topic`, with the client `default`. Returns once the broker has accepted the message.
///
/// ```no_run
/// # async fn example() -> Result<(), tempo_sdk_messaging::Error> {
/// #[derive(serde::Serialize)]
/// struct Order<'a> {
///     id: &'a str,
/// }
///
/// tempo_sdk_messaging::publish("orders.created", &Order { id: "7" }).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Returns the host's error; see [`ErrorKind`]. Returns [`InvalidArgument`](ErrorKind::InvalidArgument) if `value` has
/// no JSON form, such as a map with keys that are not strings.
pub async fn publish<T: Serialize + ?Sized>(topic: impl Into<String>, value: &T) -> Result<(), Error> {
    Message::new(topic).json(value)?.publish().await
}

/// Publishes `value` as JSON on `topic`, with the client `default`, and waits for the first reply, for at most
/// `timeout`.
///
/// ```no_run
/// # async fn example() -> Result<(), tempo_sdk_messaging::Error> {
/// use std::time::Duration;
///
/// let answer = tempo_sdk_messaging::request("prices.of", "tea", Duration::from_secs(2)).await?;
/// let price: u32 = answer.json()?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`Draft::request`] and [`publish`].
pub async fn request<T: Serialize + ?Sized>(
    topic: impl Into<String>,
    value: &T,
    timeout: Duration,
) -> Result<Message, Error> {
    Message::new(topic).json(value)?.request(timeout).await
}

impl Client {
    /// Publishes `value` as JSON on `topic`.
    ///
    /// # Errors
    /// As the function [`publish`].
    pub async fn publish<T: Serialize + ?Sized>(&self, topic: impl Into<String>, value: &T) -> Result<(), Error> {
        self.publish_message(Message::new(topic).json(value)?).await
    }

    /// Publishes `value` as JSON on `topic`, and waits for the first reply, for at most `timeout`.
    ///
    /// # Errors
    /// As the function [`request`].
    pub async fn request<T: Serialize + ?Sized>(
        &self,
        topic: impl Into<String>,
        value: &T,
        timeout: Duration,
    ) -> Result<Message, Error> {
        self.request_message(Message::new(topic).json(value)?, timeout).await
    }
}

impl Draft {
    /// Sets the payload to `value` as JSON, and the media type to `application/json`.
    ///
    /// # Errors
    /// Returns [`InvalidArgument`](ErrorKind::InvalidArgument) if `value` has no JSON form, such as a map with keys
    /// that are not strings.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Result<Self, Error> {
        let payload = serde_json::to_vec(value).map_err(|error| {
            Error::new(ErrorKind::InvalidArgument, format!("the value cannot be written as JSON: {error}"))
        })?;
        Ok(self.content_type(JSON).bytes(payload))
    }
}

impl Message {
    /// Decodes the payload as JSON, regardless of the message's media type.
    ///
    /// # Errors
    /// Returns [`Decode`](ErrorKind::Decode) if the payload is not the JSON of a `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(self.bytes()).map_err(|error| {
            Error::new(ErrorKind::Decode, format!("the payload is not the JSON that is expected here: {error}"))
        })
    }

    /// Replies with `value` as JSON. Does nothing if the message has no reply topic. See [`answer`](Self::answer) for
    /// other replies.
    ///
    /// # Errors
    /// As the function [`publish`].
    pub async fn reply<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), Error> {
        match self.answer() {
            Some(answer) => answer.json(value)?.publish().await,
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn json_is_written_and_read() -> Result<(), Error> {
        let message = Message::from(Message::new("a").json(&["a", "b"][..])?);
        assert_eq!(message.content_type(), Some("application/json"));
        assert_eq!(message.bytes(), br#"["a","b"]"#);
        assert_eq!(message.json::<Vec<String>>()?, ["a", "b"]);
        assert_eq!(message.json::<u32>().map_err(|error| error.kind()), Err(ErrorKind::Decode));
        let no_json = Message::new("a").json(&BTreeMap::from([(vec![1], 1)]));
        assert_eq!(no_json.map(drop).map_err(|error| error.kind()), Err(ErrorKind::InvalidArgument));
        Ok(())
    }
}
