//! Write HTTP components in ordinary async Rust.
//!
//! A component that handles HTTP requests is a `cdylib` crate with one async function:
//!
//! ```
//! # mod guest {
//! use tempo_sdk_http::{IntoResponse, Request};
//!
//! #[tempo_sdk_http::handler]
//! async fn main(request: Request) -> impl IntoResponse {
//!     format!("You requested {}\n", request.path())
//! }
//! # }
//! # fn main() {}
//! ```
//!
//! Build it with `cargo build --release --target wasm32-wasip2`. The component exports `wasi:http/handler@0.3`, which
//! every host of WASI 0.3 serves.
//!
//! - [`handler`] makes the function the component's export; it returns any type that implements [`IntoResponse`].
//! - [`Request`] is lazy: it fetches a part from the host on first access.
//! - [`Body`] is an [`http_body::Body`] and a stream of [`Bytes`], in both directions. [`Body::bytes`], [`Body::text`] and
//!   [`Body::json`] buffer it. [`Body::channel`] writes one from a task, with trailers.
//! - [`Router`] selects a handler by method and path.
//! - [`get`], [`post`] and [`Client`] send requests. The host decides which addresses are allowed.
//! - `axum` (feature): serves an existing `axum::Router`.
//! - `tower` (feature): serves a tower service, and sends a tower client's requests: gRPC with tonic.
//!
//! # Features
//! - `json` (default): [`Json`], [`Body::json`], [`RequestBuilder::json`].
//! - `axum`: the module `axum`.
//! - `tower`: the module `tower`.
// docs.rs shows the feature that an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
mod channel;
mod client;
mod code;
mod error;
mod fields;
mod incoming;
#[cfg(feature = "json")]
mod json;
mod outgoing;
mod pieces;
mod request;
mod response;
mod router;
mod send;
mod task;

#[doc(hidden)]
pub mod __private;
#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "tower")]
pub mod tower;

pub use body::Body;
pub use bytes::Bytes;
pub use channel::{Closed, Sender};
pub use client::{Client, RequestBuilder, get, post};
pub use error::{Error, ErrorKind};
pub use http::{self, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
#[cfg(feature = "json")]
pub use json::Json;
pub use request::{FromRequest, Request};
pub use response::{IntoResponse, Response};
pub use router::Router;
pub use task::{sleep, spawn};
pub use tempo_sdk_macros::handler;

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
