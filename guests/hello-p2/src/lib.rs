//! The smallest component for WASI 0.2, over the bindings themselves: what every language's toolchain boils down to. In a
//! component of your own, a crate like `wstd` is more comfortable.

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
        // The body goes first: it fits the host's buffer, so nothing here waits, and head and body leave in one piece.
        if let Ok(body) = response.body() {
            write(&body);
            // An error would mean that the client is gone.
            let _ = OutgoingBody::finish(body, None);
        }
        ResponseOutparam::set(outparam, Ok(response));
    }
}

/// Writes the answer, if the host takes that much at once, as every host does.
fn write(body: &OutgoingBody) {
    if let Ok(stream) = body.write()
        && stream.check_write().is_ok_and(|room| room >= HELLO.len() as u64)
    {
        let _ = stream.write(HELLO);
    }
}
