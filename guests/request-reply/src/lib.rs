//! A question by HTTP that a handler of messages answers, here or on another machine. Start it with
//! `cargo xtask run request-reply -- --subscribe greetings.hello`, and ask with `curl 'http://127.0.0.1:8080/?name=Ada'`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tempo_sdk_http::{IntoResponse, Request, Response, StatusCode};
use tempo_sdk_messaging::{Error, ErrorKind, HandlerError, Message, request as ask};

const TOPIC: &str = "greetings.hello";

/// How long a client of this component waits at most.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Serialize, Deserialize)]
struct Question {
    name: String,
}

#[derive(Serialize, Deserialize)]
struct Greeting {
    text: String,
}

/// Asks, and answers with what came.
#[tempo_sdk_http::handler]
async fn main(request: Request) -> Result<String, Failure> {
    let name = request.query_value("name").unwrap_or("World".into()).into_owned();
    let timeout =
        request.query_value("timeout-ms").and_then(|ms| ms.parse().ok()).map_or(PATIENCE, Duration::from_millis);
    let answer = ask(TOPIC, &Question { name }, timeout).await?;
    let Greeting { text } = answer.json()?;
    Ok(format!("{text}\n"))
}

/// Answers a question. Nobody asks again with the same message, so there is nothing to retry for: what is no question is
/// rejected.
#[tempo_sdk_messaging::handler]
async fn greet(message: Message) -> Result<(), HandlerError> {
    let Question { name } = message.json().map_err(HandlerError::reject)?;
    message.reply(&Greeting { text: format!("Hello, {name}!") }).await?;
    Ok(())
}

/// What a client is told when no answer came.
struct Failure(Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = match self.0.kind() {
            ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
            ErrorKind::NoResponders | ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, format!("{}\n", self.0)).into_response()
    }
}
