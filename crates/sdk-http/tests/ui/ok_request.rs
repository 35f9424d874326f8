//! The usual form.
use tempo_sdk_http::{Error, IntoResponse, Request};

#[tempo_sdk_http::handler]
async fn handle(request: Request) -> Result<impl IntoResponse, Error> {
    Ok(format!("{}\n", request.path()))
}

fn main() {}
