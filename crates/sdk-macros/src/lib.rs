//! The attributes of the `tempo-sdk-*` crates, which re-export them: depend on those crates rather than on this one.

mod form;
mod handler;
mod instrument;
mod messaging;
mod watcher;

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
    handler::expand(&arguments.into(), &item.into()).into()
}

/// Makes an `async fn` the one that hears of the changes of a component's keyvalue buckets.
///
/// The function takes one argument, the change (`tempo_sdk_keyvalue::Change`), and returns nothing. A component has exactly
/// one watcher, and may have a handler beside it.
///
/// The documentation of `tempo-sdk-keyvalue` has an example.
#[proc_macro_attribute]
pub fn watcher(arguments: TokenStream, item: TokenStream) -> TokenStream {
    watcher::expand(&arguments.into(), &item.into()).into()
}

/// Makes an `async fn` the one that messages are delivered to. `tempo-sdk-messaging` re-exports it as `handler`.
///
/// The function takes one argument, the message (`tempo_sdk_messaging::Message`), and returns a `Result` whose error decides
/// what becomes of the message, or nothing. A component has exactly one, and may have a handler of HTTP requests beside it.
///
/// The documentation of `tempo-sdk-messaging` has examples.
#[proc_macro_attribute]
pub fn messaging_handler(arguments: TokenStream, item: TokenStream) -> TokenStream {
    messaging::expand(&arguments.into(), &item.into()).into()
}

/// Puts a span around each call of a function or method, async or not. `tempo_sdk_otel` re-exports it.
///
/// The span is named after the function, of the level `INFO`, and has the arguments as its fields: numbers, booleans and
/// strings as they are, all else by `Debug`. `self` is not recorded. The options, in any order:
///
/// - `name = "load order"` and `level = "debug"` instead of these.
/// - `skip(password, body)` leaves arguments out, `skip_all` all of them.
/// - `fields(order.id = id, customer = %name, parts = ?parts, result)` adds fields: values as they are, by `Display` (`%`), by
///   `Debug` (`?`), or to be recorded later. One with the name of an argument takes its place.
/// - `err`, on a function that returns a `Result`: an error sets the status of the span, and is written to the log.
///
/// The documentation of `tempo-sdk-otel` has examples.
#[proc_macro_attribute]
pub fn instrument(arguments: TokenStream, item: TokenStream) -> TokenStream {
    instrument::expand(arguments.into(), &item.into()).into()
}
