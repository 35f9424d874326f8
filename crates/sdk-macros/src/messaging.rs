//! `#[handler]` for messages: checks the function's form, and generates the component's export.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, Ident, Result, ReturnType, Signature, Type};

use crate::form::Form;

const FORM: Form = Form {
    attribute: "handler",
    path: "tempo_sdk_messaging::handler",
    function: "a handler",
    argument: "the message",
    example: "`async fn handle(message: Message) -> Result<(), HandlerError>`",
};

/// Expands `#[handler]` on `item` to the item, followed by the export or the error, as for HTTP.
pub(crate) fn expand(arguments: &TokenStream, item: &TokenStream) -> TokenStream {
    let beside = expand_export(arguments, item).unwrap_or_else(Error::into_compile_error);
    quote!(#item #beside)
}

fn expand_export(arguments: &TokenStream, item: &TokenStream) -> Result<TokenStream> {
    let (function, message) = FORM.read(arguments, item)?;
    Ok(export(&function.sig.ident, &message, &returned(&function.sig)))
}

/// Returns the function's return type, or `()` if the signature has none.
fn returned(signature: &Signature) -> TokenStream {
    match &signature.output {
        ReturnType::Type(_, output) => output.to_token_stream(),
        ReturnType::Default => quote!(()),
    }
}

/// Generates the export that calls the function. The two calls have the spans of the types that they constrain, so that
/// rustc reports a wrong type at its location.
fn export(name: &Ident, message: &Type, returned: &TokenStream) -> TokenStream {
    let take = quote_spanned!(message.span()=> ::tempo_sdk_messaging::__private::message::<#message>(delivery));
    let end = quote_spanned!(returned.span()=> ::tempo_sdk_messaging::__private::disposition::<#returned>(returned));
    quote! {
        const _: () = {
            use ::tempo_sdk_messaging::__private as private;
            struct Handler;
            impl private::Guest for Handler {
                async fn handle(delivery: private::Delivery) -> private::Disposition {
                    let root = private::root(&delivery);
                    root.run(async move {
                        let message = #take;
                        let returned = #name(message).await;
                        #end
                    })
                    .await
                }
            }
            #[cfg(target_family = "wasm")]
            private::export!(Handler with_types_in ::tempo_sdk_messaging::__private::bindings);
            // Only the component linker accepts the names of the exports. For other targets this marks the handler as
            // used.
            #[cfg(not(target_family = "wasm"))]
            const _: () = {
                let _ = <Handler as private::Guest>::handle;
            };
        };
    }
}
