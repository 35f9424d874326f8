//! `#[handler]`: checks the function's form, so that the messages name the fix, and writes the component's export.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, FnArg, Ident, ItemFn, Result, ReturnType, Signature, Type};

/// How a handler looks; every message ends with it.
const FORM: &str = "`async fn main(request: Request) -> impl IntoResponse`";

/// Expands `#[handler]` on `item`: to the item, and the export or the error beside it. The item stays in either case, so that
/// a mistake is reported once and does not make imports unused.
pub(crate) fn expand(arguments: TokenStream, item: &TokenStream) -> TokenStream {
    let beside = beside(arguments, item).unwrap_or_else(Error::into_compile_error);
    quote!(#item #beside)
}

fn beside(arguments: TokenStream, item: &TokenStream) -> Result<TokenStream> {
    if !arguments.is_empty() {
        return Err(Error::new_spanned(arguments, "`#[handler]` takes no options: write `#[tempo_sdk_http::handler]`"));
    }
    let function: ItemFn = syn::parse2(item.clone())
        .map_err(|_| Error::new(item.span(), format!("`#[handler]` goes on a function: write {FORM}")))?;
    let (request, response) = check(&function.sig)?;
    Ok(export(&function.sig.ident, &request, &response))
}

/// Checks the signature; returns the types of the request and of the response.
fn check(signature: &Signature) -> Result<(Type, Type)> {
    if signature.asyncness.is_none() {
        let message = format!("a handler is an async function: add `async` before `fn`, as in {FORM}");
        return Err(Error::new(signature.fn_token.span(), message));
    }
    if let Some(qualifier) = qualifier(signature) {
        return Err(Error::new(qualifier, format!("a handler is a plain async function: write {FORM}")));
    }
    if !signature.generics.params.is_empty() {
        let message = format!("a handler has no generic parameters, as the host calls it: write {FORM}");
        return Err(Error::new_spanned(&signature.generics, message));
    }
    Ok((request(signature)?, response(signature)?))
}

/// The span of a qualifier that an exported function cannot have.
fn qualifier(signature: &Signature) -> Option<Span> {
    let constness = signature.constness.map(|token| token.span());
    let unsafety = signature.unsafety.map(|token| token.span());
    let abi = signature.abi.as_ref().map(Spanned::span);
    constness.or(unsafety).or(abi)
}

fn request(signature: &Signature) -> Result<Type> {
    let mut inputs = signature.inputs.iter();
    match (inputs.next(), inputs.next()) {
        (Some(FnArg::Typed(argument)), None) => Ok((*argument.ty).clone()),
        (Some(FnArg::Receiver(receiver)), _) => {
            let message =
                format!("a handler is a free function, not a method: move it out of the `impl`, as in {FORM}");
            Err(Error::new_spanned(receiver, message))
        }
        (None, _) => {
            let message = format!("a handler takes the request as its only argument: write {FORM}");
            Err(Error::new(signature.paren_token.span.join(), message))
        }
        (Some(_), Some(_)) => {
            let message =
                format!("a handler takes the request as its only argument: read the rest from it, as in {FORM}");
            Err(Error::new_spanned(&signature.inputs, message))
        }
    }
}

fn response(signature: &Signature) -> Result<Type> {
    match &signature.output {
        ReturnType::Type(_, response) => Ok((**response).clone()),
        ReturnType::Default => {
            let message = format!(
                "a handler returns the response: write {FORM}, or `-> StatusCode` for an answer without a body"
            );
            Err(Error::new(signature.ident.span(), message))
        }
    }
}

/// The export that calls the function. The two calls carry the spans of the types that they constrain, so that a wrong type is
/// reported where it is written.
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
                    let request = #take;
                    let response = #name(request).await;
                    #answer
                }
            }
            #[cfg(target_family = "wasm")]
            ::tempo_sdk_http::__private::export!(Handler with_types_in ::tempo_sdk_http::__private::wasip3);
            // The names of a component's exports are more than other linkers bear; there the handler counts as used.
            #[cfg(not(target_family = "wasm"))]
            const _: () = {
                let _ = <Handler as ::tempo_sdk_http::__private::Guest>::handle;
            };
        };
    }
}
