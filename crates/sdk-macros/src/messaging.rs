//! `#[handler]` of messages: checks the function's form, so that the messages name the fix, and writes the component's export.

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

/// Expands `#[handler]` on `item`: to the item, and the export or the error beside it, as that of HTTP does.
pub(crate) fn expand(arguments: &TokenStream, item: &TokenStream) -> TokenStream {
    let beside = beside(arguments, item).unwrap_or_else(Error::into_compile_error);
    quote!(#item #beside)
}

fn beside(arguments: &TokenStream, item: &TokenStream) -> Result<TokenStream> {
    let (function, message) = FORM.read(arguments, item)?;
    Ok(export(&function.sig.ident, &message, &returned(&function.sig)))
}

/// The type that the function returns, and nothing where it says nothing.
fn returned(signature: &Signature) -> TokenStream {
    match &signature.output {
        ReturnType::Type(_, output) => output.to_token_stream(),
        ReturnType::Default => quote!(()),
    }
}

/// The export that calls the function. The two calls carry the spans of the types that they constrain, so that a wrong type is
/// reported where it is written.
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
            // The names of a component's exports are more than other linkers bear; there the handler counts as used.
            #[cfg(not(target_family = "wasm"))]
            const _: () = {
                let _ = <Handler as private::Guest>::handle;
            };
        };
    }
}
