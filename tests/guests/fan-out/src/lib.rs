//! Calls the store `default` twice and the server in the header `second` once, and publishes `work.done`, all on one
//! request. It has no tracing code: the host must trace its operations.

use tempo_sdk_http::{IntoResponse, Request, StatusCode};
use tempo_sdk_keyvalue::Bucket;
use tempo_sdk_messaging::publish;

#[tempo_sdk_http::handler]
async fn main(request: Request) -> impl IntoResponse {
    match fan_out(&request).await {
        Ok(said) => (StatusCode::OK, said),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()),
    }
}

async fn fan_out(request: &Request) -> Result<String, Box<dyn std::error::Error>> {
    let second = request.headers().get("second").ok_or("the header `second` is missing")?.to_str()?.to_owned();
    let bucket = Bucket::open("default").await?;
    bucket.set("asked", second.as_str()).await?;
    let kept = bucket.get_string("asked").await?.ok_or("what was written is gone")?;
    let answer = tempo_sdk_http::get(&kept).await?.into_body().text().await?;
    publish("work.done", &answer).await?;
    Ok(answer)
}
