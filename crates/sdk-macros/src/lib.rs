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

/// Makes an `async fn` the watcher of a component: it receives the changes of the component's keyvalue buckets.
///
/// The function takes one argument, the change (`tempo_sdk_keyvalue::Change`), and returns nothing. A component has
/// exactly one watcher, and may have handlers too.
///
/// The documentation of `tempo-sdk-keyvalue` has an example.
#[proc_macro_attribute]
pub fn watcher(arguments: TokenStream, item: TokenStream) -> TokenStream {
    watcher::expand(&arguments.into(), &item.into()).into()
}

/// Makes an `async fn` the message handler of a component. `tempo-sdk-messaging` re-exports it as `handler`.
///
/// The function takes one argument, the message (`tempo_sdk_messaging::Message`), and returns nothing or a `Result`
/// whose error decides between retry and rejection. A component has exactly one message handler, and may have an HTTP
/// handler too.
///
/// The documentation of `tempo-sdk-messaging` has examples.
#[proc_macro_attribute]
pub fn messaging_handler(arguments: TokenStream, item: TokenStream) -> TokenStream {
    messaging::expand(&arguments.into(), &item.into()).into()
}

/// Puts a span around each call of a function or method, async or not. `tempo_sdk_otel` re-exports it.
///
/// The span has the function's name, the level `INFO`, and the arguments as its fields: numbers, booleans and strings
/// as values, other types with `Debug`. `self` is not recorded. The options, in any order:
///
/// - `name = "load order"` and `level = "debug"` replace the name and the level.
/// - `skip(password, body)` excludes arguments, `skip_all` all of them.
/// - `fields(order.id = id, customer = %name, parts = ?parts, result)` adds fields: as values, with `Display` (`%`),
///   with `Debug` (`?`), or empty, to be recorded later. A field with the name of an argument replaces it.
/// - `err`, on a function that returns a `Result`: an error sets the span's status, and is logged.
///
/// The documentation of `tempo-sdk-otel` has examples.
#[proc_macro_attribute]
pub fn instrument(arguments: TokenStream, item: TokenStream) -> TokenStream {
    instrument::expand(arguments.into(), &item.into()).into()
}
