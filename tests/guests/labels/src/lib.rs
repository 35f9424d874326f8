//! Imports the interfaces of stores several times, under labels: `POST /LABEL/KEY` writes the body, or publishes it on the topic
//! `KEY`, and `GET /LABEL/KEY` reads it, or sends a request. The names that the functions are called with have no meaning.

mod keyvalue;
mod messaging;
mod objects;

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]
    wit_bindgen::generate!({
        path: [
            "../../../wit/blobstore-draft",
            "../../../wit/blobstore",
            "../../../wit/keyvalue-draft",
            "../../../wit/keyvalue-draft2",
            "../../../wit/keyvalue-wasmcloud",
            "../../../wit/messaging",
            "../../../wit/messaging-wasmcloud-0.2",
            "../../../wit/messaging-wasmcloud-0.3",
            "wit",
        ],
        world: "test:labels/labels",
        generate_all,
    });
}

use tempo_sdk_http::{IntoResponse, Method, Request, StatusCode};

/// The error of an operation, as text.
type Outcome<T> = Result<T, String>;

#[tempo_sdk_http::handler]
async fn main(request: Request) -> impl IntoResponse {
    let path = request.path().to_owned();
    let Some((label, key)) = path.strip_prefix('/').and_then(|path| path.split_once('/')) else {
        return (StatusCode::NOT_FOUND, Vec::new());
    };
    let outcome = if request.method() == Method::GET {
        read(label, key).await
    } else {
        match request.into_body().bytes().await {
            Ok(body) => write(label, key, body.to_vec()).await.map(|()| Some(Vec::new())),
            Err(error) => Err(format!("{error:?}")),
        }
    };
    match outcome {
        Ok(Some(value)) => (StatusCode::OK, value),
        Ok(None) => (StatusCode::NOT_FOUND, Vec::new()),
        Err(error) => (StatusCode::FORBIDDEN, error.into_bytes()),
    }
}

async fn read(label: &str, key: &str) -> Outcome<Option<Vec<u8>>> {
    match label {
        "photos" => objects::get_photo(key),
        "archive" => objects::get_archived(key).await,
        "billing" | "audit" | "mail" => messaging::request(label, key).await.map(Some),
        _ => keyvalue::get(label, key).await,
    }
}

async fn write(label: &str, key: &str, value: Vec<u8>) -> Outcome<()> {
    match label {
        "photos" if value.is_empty() => objects::delete_photos(),
        "photos" => objects::put_photo(key, &value),
        "archive" => objects::put_archived(key, value).await,
        "billing" | "audit" | "mail" => messaging::publish(label, key, value).await,
        _ => keyvalue::set(label, key, value).await,
    }
}
