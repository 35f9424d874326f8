//! A component of WASI 0.3 with hostile behaviour on request. It uses the bindings directly, so that it can violate
//! their rules: a body whose length differs from the head, a body without an end, a request without a path.

mod answer;
mod fetch;
mod open;
mod target;

use target::Target;
use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{ErrorCode, Request, Response};

struct Hostile;

wasip3::http::service::export!(Hostile);

impl Guest for Hostile {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let target = Target::of(&request);
        match target.path.as_str() {
            "/answer" => answer::answer(&target),
            "/pass" => answer::pass(request),
            "/file" => answer::file(&target).await,
            "/headers" => answer::headers(&request),
            "/fetch" => fetch::fetch(&target).await,
            "/open" => answer::text(200, open::open(&target).await.into_bytes()),
            "/error" => Err(ErrorCode::ConfigurationError),
            _ => answer::text(200, b"hostile\n".to_vec()),
        }
    }
}
