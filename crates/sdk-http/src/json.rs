//! JSON bodies, with serde.

use bytes::Bytes;
use http::{HeaderValue, header};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Body, Error, ErrorKind, IntoResponse, Response};

/// A response or a body of `T` as JSON, with `content-type: application/json`.
///
/// ```
/// use tempo_sdk_http::{IntoResponse, Json};
///
/// let response = Json(["a", "b"]).into_response();
/// assert_eq!(response.headers()["content-type"], "application/json");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match encode(&self.0) {
            Ok(body) => {
                let mut response = Response::new(Body::from(body));
                let json = HeaderValue::from_static("application/json");
                response.headers_mut().insert(header::CONTENT_TYPE, json);
                response
            }
            Err(error) => error.into_response(),
        }
    }
}

/// Encodes `value` as JSON.
pub(crate) fn encode(value: &impl Serialize) -> Result<Bytes, Error> {
    serde_json::to_vec(value)
        .map(Bytes::from)
        .map_err(|error| Error::new(ErrorKind::Other, "cannot write the value as JSON").with_source(error))
}

/// Decodes `text`; an error has the kind `kind`.
pub(crate) fn decode<T: DeserializeOwned>(text: &[u8], kind: ErrorKind) -> Result<T, Error> {
    serde_json::from_slice(text)
        .map_err(|error| Error::new(kind, format!("not the JSON that is expected here: {error}")))
}
