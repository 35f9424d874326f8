//! Request and reply: a message handler, here or on another machine, replies to HTTP clients. Start it with `cargo
//! xtask run request-reply -- --subscribe greetings.hello`, then `curl 'http://127.0.0.1:8080/?name=Ada'`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tempo_sdk_http::{IntoResponse, Request, Response, StatusCode};
use tempo_sdk_messaging::{Error, ErrorKind, HandlerError, Message, request as ask};

const TOPIC: &str = "greetings.hello";

/// The timeout of a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Serialize, Deserialize)]
struct Question {
    name: String,
}

#[derive(Serialize, Deserialize)]
struct Greeting {
    text: String,
}

/// Sends a request, and responds with the reply.
#[tempo_sdk_http::handler]
async fn main(request: Request) -> Result<String, ErrorResponse> {
    let name = request.query_value("name").unwrap_or("World".into()).into_owned();
    let timeout =
        request.query_value("timeout-ms").and_then(|ms| ms.parse().ok()).map_or(REQUEST_TIMEOUT, Duration::from_millis);
    let answer = ask(TOPIC, &Question { name }, timeout).await?;
    let Greeting { text } = answer.json()?;
    Ok(format!("{text}\n"))
}

/// Replies to a request. The requester does not resend the message, so a retry is useless: an invalid question is
/// rejected.
#[tempo_sdk_messaging::handler]
async fn greet(message: Message) -> Result<(), HandlerError> {
    let Question { name } = message.json().map_err(HandlerError::reject)?;
    message.reply(&Greeting { text: format!("Hello, {name}!") }).await?;
    Ok(())
}

/// The error response if no reply arrived.
struct ErrorResponse(Error);

impl From<Error> for ErrorResponse {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for ErrorResponse {
    fn into_response(self) -> Response {
        let status = match self.0.kind() {
            ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
            ErrorKind::NoResponders | ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, format!("{}\n", self.0)).into_response()
    }
}
