//! A handler that cannot fail, in a component that handles HTTP requests too.
use tempo_sdk_http::{IntoResponse, Request};
use tempo_sdk_messaging::Message;

#[tempo_sdk_messaging::handler]
async fn handle(message: Message) {
    println!("{message:?}");
}

#[tempo_sdk_http::handler]
async fn main_page(_: Request) -> impl IntoResponse {
    "hello\n"
}

fn main() {}
