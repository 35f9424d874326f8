//! The function is a method.
use tempo_sdk_http::{IntoResponse, Request};

struct App;

impl App {
    #[tempo_sdk_http::handler]
    async fn handle(&self, _: Request) -> impl IntoResponse {
        "hello"
    }
}

fn main() {}
