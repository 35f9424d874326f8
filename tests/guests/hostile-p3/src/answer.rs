//! Responses whose heads and bodies do not match.

use std::mem::forget;

use wasip3::filesystem::preopens::get_directories;
use wasip3::filesystem::types::{DescriptorFlags, OpenFlags, PathFlags};
use wasip3::http::types::{ErrorCode, Fields, Request, Response, Trailers};
use wasip3::{wit_future, wit_stream};
use wit_bindgen::{FutureWriter, StreamWriter, spawn_local};

use crate::target::Target;

type End = FutureWriter<Result<Option<Trailers>, ErrorCode>>;

/// `?status=N&length=N&write=N&end=E`: a response with that status, that `Content-Length`, and that many bytes. Without
/// `write` it has no contents. `end` is the end of the body: `leak` never drops the writer of the contents, `leak-end`
/// that of the trailers; by default the guest finishes it.
pub(crate) fn answer(target: &Target) -> Result<Response, ErrorCode> {
    let mut fields = Vec::new();
    if let Some(length) = target.text("length") {
        fields.push(("content-length".to_owned(), length.as_bytes().to_vec()));
    }
    let (end, trailers) = wit_future::new(|| Ok(None));
    let how = target.text("end").unwrap_or_default().to_owned();
    let response = match target.number("write") {
        None => Response::new(list(&fields)?, None, trailers).0,
        Some(size) => {
            let (contents, body) = wit_stream::new();
            let response = Response::new(list(&fields)?, Some(body), trailers).0;
            spawn_local(write(contents, end, vec![b'x'; size], how));
            return with_status(response, target);
        }
    };
    if how == "leak-end" {
        forget(end);
    }
    with_status(response, target)
}

async fn write(mut contents: StreamWriter<u8>, end: End, bytes: Vec<u8>, how: String) {
    contents.write_all(bytes).await;
    match how.as_str() {
        "leak" => forget((contents, end)),
        "leak-end" => forget(end),
        _ => {}
    }
}

fn with_status(response: Response, target: &Target) -> Result<Response, ErrorCode> {
    if let Some(status) = target.text("status").and_then(|status| status.parse().ok()) {
        response.set_status_code(status).map_err(|()| ErrorCode::InternalError(None))?;
    }
    Ok(response)
}

/// Returns the request's body as the response's, unread.
pub(crate) fn pass(request: Request) -> Result<Response, ErrorCode> {
    let (_, taken) = wit_future::new(|| Ok(()));
    let (contents, trailers) = Request::consume_body(request, taken);
    Ok(Response::new(Fields::new(), Some(contents), trailers).0)
}

/// `?path=P`: the content of a file of the first directory, as a stream that the host pipes into the response.
pub(crate) async fn file(target: &Target) -> Result<Response, ErrorCode> {
    let path = target.text("path").unwrap_or_default().to_owned();
    let refused = |error| ErrorCode::InternalError(Some(format!("{error:?}")));
    let (directory, _) = get_directories().into_iter().next().ok_or(ErrorCode::ConfigurationError)?;
    let file = directory.open_at(PathFlags::empty(), path, OpenFlags::empty(), DescriptorFlags::READ).await;
    let (contents, _) = file.map_err(refused)?.read_via_stream(0);
    let (_, trailers) = wit_future::new(|| Ok(None));
    Ok(Response::new(Fields::new(), Some(contents), trailers).0)
}

/// Returns the headers of the request, one per line.
pub(crate) fn headers(request: &Request) -> Result<Response, ErrorCode> {
    let mut lines = Vec::new();
    for (name, value) in request.get_headers().copy_all() {
        lines.extend_from_slice(name.as_bytes());
        lines.extend_from_slice(b": ");
        lines.extend_from_slice(&value);
        lines.push(b'\n');
    }
    text(200, lines)
}

pub(crate) fn text(status: u16, body: Vec<u8>) -> Result<Response, ErrorCode> {
    let (end, trailers) = wit_future::new(|| Ok(None));
    let (contents, reader) = wit_stream::new();
    let response = Response::new(Fields::new(), Some(reader), trailers).0;
    spawn_local(write(contents, end, body, String::new()));
    response.set_status_code(status).map_err(|()| ErrorCode::InternalError(None))?;
    Ok(response)
}

pub(crate) fn list(fields: &[(String, Vec<u8>)]) -> Result<Fields, ErrorCode> {
    Fields::from_list(fields).map_err(|error| ErrorCode::InternalError(Some(error.to_string())))
}
