//! The host's grants: environment, files, sockets, randomness.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::{env, fs, io};

use tempo_sdk_http::{IntoResponse, Json, Request, Response, Router, StatusCode};

use crate::{number, text};

pub(crate) fn routes(router: Router) -> Router {
    router
        .get("/env", environment)
        .get("/read", read)
        .post("/write", write)
        .get("/connect", connect)
        .get("/listen", listen)
        .get("/random", random)
}

/// Returns the environment as JSON: pairs of name and value.
async fn environment(_: Request) -> impl IntoResponse {
    Json(env::vars().collect::<Vec<_>>())
}

/// `?path=P`: returns the file's content, or 403 and the error.
async fn read(request: Request) -> Response {
    answer(fs::read(text(&request, "path")))
}

/// `?path=P`: writes the request's body to the file.
async fn write(request: Request) -> Response {
    let path = text(&request, "path");
    match request.into_body().bytes().await {
        Ok(bytes) => answer(fs::write(path, bytes).map(|()| b"written\n".to_vec())),
        Err(error) => error.into_response(),
    }
}

/// `?addr=HOST:PORT`: opens a TCP connection, or returns 403 and the error.
async fn connect(request: Request) -> Response {
    answer(TcpStream::connect(text(&request, "addr")).map(|_| b"connected\n".to_vec()))
}

/// `?addr=IP:PORT`: accepts a connection and returns what it receives, or returns 403 and the error.
async fn listen(request: Request) -> Response {
    answer(TcpListener::bind(text(&request, "addr")).and_then(|listener| {
        let mut received = Vec::new();
        listener.accept()?.0.read_to_end(&mut received)?;
        Ok(received)
    }))
}

fn answer(result: io::Result<Vec<u8>>) -> Response {
    match result {
        Ok(bytes) => bytes.into_response(),
        Err(error) => (StatusCode::FORBIDDEN, format!("{:?}\n", error.kind())).into_response(),
    }
}

/// `?bytes=N`: requests N random bytes in one call; returns the number received.
async fn random(request: Request) -> impl IntoResponse {
    let bytes = wasip3::random::random::get_random_bytes(number(&request, "bytes", 16));
    format!("{}\n", bytes.len())
}
