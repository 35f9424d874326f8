//! The smallest component for WASI 0.2, on the bare bindings, as every language's toolchain uses them. For a component
//! of your own, a crate like `wstd` is more convenient.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

const HELLO: &[u8] = b"Hello from Tempo!\n";

struct Hello;

wasip2::http::proxy::export!(Hello);

impl Guest for Hello {
    fn handle(_request: IncomingRequest, outparam: ResponseOutparam) {
        let length = ("content-length".to_owned(), HELLO.len().to_string().into_bytes());
        let headers = Fields::from_list(&[length]).unwrap_or_else(|_| Fields::new());
        let response = OutgoingResponse::new(headers);
        // Writes the body first: it fits the host's buffer, so the write does not wait, and head and body are sent
        // together.
        if let Ok(body) = response.body() {
            write(&body);
            // Fails only if the client has disconnected.
            let _ = OutgoingBody::finish(body, None);
        }
        ResponseOutparam::set(outparam, Ok(response));
    }
}

/// Writes the body, if the host accepts that many bytes at once, as every host does.
fn write(body: &OutgoingBody) {
    if let Ok(stream) = body.write()
        && stream.check_write().is_ok_and(|room| room >= HELLO.len() as u64)
    {
        let _ = stream.write(HELLO);
    }
}
