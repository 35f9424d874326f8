//! `#[handler]` for HTTP: checks the function's form, and generates the component's export.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, Ident, Result, ReturnType, Signature, Type};

use crate::form::Form;

const FORM: Form = Form {
    attribute: "handler",
    path: "tempo_sdk_http::handler",
    function: "a handler",
    argument: "the request",
    example: "`async fn main(request: Request) -> impl IntoResponse`",
};

/// Expands `#[handler]` on `item` to the item, followed by the export or the error. The item is kept in either case, so
/// that an error is reported once and does not make imports unused.
pub(crate) fn expand(arguments: &TokenStream, item: &TokenStream) -> TokenStream {
    let beside = expand_export(arguments, item).unwrap_or_else(Error::into_compile_error);
    quote!(#item #beside)
}

fn expand_export(arguments: &TokenStream, item: &TokenStream) -> Result<TokenStream> {
    let (function, request) = FORM.read(arguments, item)?;
    let response = response(&function.sig)?;
    Ok(export(&function.sig.ident, &request, &response))
}

fn response(signature: &Signature) -> Result<Type> {
    match &signature.output {
        ReturnType::Type(_, response) => Ok((**response).clone()),
        ReturnType::Default => {
            let message = format!(
                "a handler returns the response: write {}, or `-> StatusCode` for an answer without a body",
                FORM.example
            );
            Err(Error::new(signature.ident.span(), message))
        }
    }
}

/// Generates the export that calls the function. The two calls have the spans of the types that they constrain, so that
/// rustc reports a wrong type at its location.
fn export(name: &Ident, request: &Type, response: &Type) -> TokenStream {
    let take = quote_spanned!(request.span()=> ::tempo_sdk_http::__private::request::<#request>(request));
    let answer = quote_spanned!(response.span()=> ::tempo_sdk_http::__private::answer(response).await);
    quote! {
        const _: () = {
            struct Handler;
            impl ::tempo_sdk_http::__private::Guest for Handler {
                async fn handle(
                    request: ::tempo_sdk_http::__private::Request,
                ) -> ::core::result::Result<
                    ::tempo_sdk_http::__private::Response,
                    ::tempo_sdk_http::__private::ErrorCode,
                > {
                    let root = ::tempo_sdk_http::__private::root(&request);
                    let call = async move {
                        let request = #take;
                        let response = #name(request).await;
                        #answer
                    };
                    ::tempo_sdk_http::__private::run(root, call).await
                }
            }
            #[cfg(target_family = "wasm")]
            ::tempo_sdk_http::__private::export!(Handler with_types_in ::tempo_sdk_http::__private::wasip3);
            // Only the component linker accepts the names of the exports. For other targets this marks the handler as
            // used.
            #[cfg(not(target_family = "wasm"))]
            const _: () = {
                let _ = <Handler as ::tempo_sdk_http::__private::Guest>::handle;
            };
        };
    }
}
