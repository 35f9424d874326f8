//! Outgoing requests on the bindings.

use std::mem::forget;

use wasip3::http::client;
use wasip3::http::types::{ErrorCode, Method, Request, Response, Scheme};
use wasip3::{wit_future, wit_stream};
use wit_bindgen::spawn_local;

use crate::answer::{list, text};
use crate::target::Target;

/// `?authority=A[&path=P][&method=M][&length=N][&write=N]`: sends a request and responds with the status, the headers
/// and the body of its response, or with 502 and the error. Without `path` the request has no path, without `write` no
/// contents.
pub(crate) async fn fetch(target: &Target) -> Result<Response, ErrorCode> {
    match send(target).await {
        Ok(answer) => text(200, answer),
        Err(code) => text(502, format!("{code:?}\n").into_bytes()),
    }
}

async fn send(target: &Target) -> Result<Vec<u8>, ErrorCode> {
    let mut fields = Vec::new();
    if let Some(length) = target.text("length") {
        fields.push(("content-length".to_owned(), length.as_bytes().to_vec()));
    }
    let (end, trailers) = wit_future::new(|| Ok(None));
    let (contents, reader) = match target.number("write") {
        None => (None, None),
        Some(size) => {
            let (writer, reader) = wit_stream::new();
            (Some((writer, size)), Some(reader))
        }
    };
    let (request, sent) = Request::new(list(&fields)?, reader, trailers, None);
    forget(sent);
    let refused = |()| ErrorCode::HttpRequestUriInvalid;
    request.set_method(&method(target.text("method").unwrap_or("GET"))).map_err(refused)?;
    request.set_scheme(Some(&Scheme::Http)).map_err(refused)?;
    request.set_authority(target.text("authority")).map_err(refused)?;
    request.set_path_with_query(target.text("path")).map_err(refused)?;
    spawn_local(async move {
        if let Some((mut writer, size)) = contents {
            writer.write_all(vec![b'x'; size]).await;
        }
        drop(end);
    });
    let response = client::send(request).await?;
    let mut answer = format!("{}\n", response.get_status_code()).into_bytes();
    for (name, value) in response.get_headers().copy_all() {
        answer.extend_from_slice(name.as_bytes());
        answer.extend_from_slice(b": ");
        answer.extend_from_slice(&value);
        answer.push(b'\n');
    }
    let (_, taken) = wit_future::new(|| Ok(()));
    let (body, _) = Response::consume_body(response, taken);
    answer.extend(body.collect().await);
    Ok(answer)
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}
