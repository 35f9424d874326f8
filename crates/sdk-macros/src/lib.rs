//! The macros of `tempo-sdk-http`, which re-exports them: depend on that crate rather than on this one.

mod handler;

use proc_macro::TokenStream;

/// Makes an `async fn` the HTTP handler of a component.
///
/// The function takes one argument, the request (`tempo_sdk_http::Request`, or any type that implements `FromRequest`), and
/// returns anything that implements `IntoResponse`: a string, `Json`, a status code, a `Response`, or a `Result` of two of
/// these. A component has exactly one handler; use a `Router` inside it to serve several paths.
///
/// The documentation of `tempo-sdk-http` has examples.
#[proc_macro_attribute]
pub fn handler(arguments: TokenStream, item: TokenStream) -> TokenStream {
    handler::expand(arguments.into(), &item.into()).into()
}
