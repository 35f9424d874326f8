//! A handler of wasi:http 0.3 with the crates `wasip3` and `wit-bindgen`, without any Tempo crate.

use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_future, wit_stream};
use wit_bindgen::spawn_local;

struct Hello;

wasip3::http::service::export!(Hello);

impl Guest for Hello {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        let headers = Fields::from_list(&[("content-type".to_owned(), b"text/plain".to_vec())])
            .map_err(|error| ErrorCode::InternalError(Some(error.to_string())))?;
        let (mut writer, body) = wit_stream::new();
        let (trailers_writer, trailers) = wit_future::new(|| Ok(None));
        // The body is written after the response is returned.
        spawn_local(async move {
            // A partial write means that the client has disconnected.
            let _ = writer.write_all(format!("hello from Rust with wasip3: {path}").into_bytes()).await;
            drop(writer);
            drop(trailers_writer);
        });
        Ok(Response::new(headers, Some(body), trailers).0)
    }
}
