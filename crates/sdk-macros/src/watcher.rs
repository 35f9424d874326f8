//! `#[watcher]`: checks the function's form, so that the messages name the fix, and writes the component's export.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, Ident, Result, ReturnType, Signature, Type};

use crate::form::Form;

const FORM: Form = Form {
    attribute: "watcher",
    path: "tempo_sdk_keyvalue::watcher",
    function: "a watcher",
    argument: "the change",
    example: "`async fn changed(change: Change)`",
};

/// Expands `#[watcher]` on `item`: to the item, and the export or the error beside it, as `#[handler]` does.
pub(crate) fn expand(arguments: &TokenStream, item: &TokenStream) -> TokenStream {
    let beside = beside(arguments, item).unwrap_or_else(Error::into_compile_error);
    quote!(#item #beside)
}

fn beside(arguments: &TokenStream, item: &TokenStream) -> Result<TokenStream> {
    let (function, change) = FORM.read(arguments, item)?;
    returns_nothing(&function.sig)?;
    Ok(export(&function.sig.ident, &change))
}

fn returns_nothing(signature: &Signature) -> Result<()> {
    match &signature.output {
        ReturnType::Default => Ok(()),
        ReturnType::Type(_, output) if matches!(&**output, Type::Tuple(unit) if unit.elems.is_empty()) => Ok(()),
        ReturnType::Type(_, output) => {
            let message = format!(
                "a watcher returns nothing, as nobody waits for an answer: deal with errors inside, and write {}",
                FORM.example
            );
            Err(Error::new_spanned(output, message))
        }
    }
}

/// The export that calls the function. The change is made with the span of the type it must have, so that a wrong type is
/// reported where it is written.
fn export(name: &Ident, change: &Type) -> TokenStream {
    let set = quote_spanned!(change.span()=> ::tempo_sdk_keyvalue::__private::change::<#change>(bucket, key, ::core::option::Option::Some(value)));
    let deleted = quote_spanned!(change.span()=> ::tempo_sdk_keyvalue::__private::change::<#change>(bucket, key, ::core::option::Option::None));
    quote! {
        const _: () = {
            use ::tempo_sdk_keyvalue::__private as private;
            struct Watcher;
            impl private::Guest for Watcher {
                async fn on_set(bucket: private::Bucket, key: private::String, value: private::Vec<u8>) {
                    #name(#set).await
                }
                async fn on_delete(bucket: private::Bucket, key: private::String) {
                    #name(#deleted).await
                }
            }
            #[cfg(target_family = "wasm")]
            private::export!(Watcher with_types_in ::tempo_sdk_keyvalue::__private::bindings);
            // The names of a component's exports are more than other linkers bear; there the watcher counts as used.
            #[cfg(not(target_family = "wasm"))]
            const _: () = {
                let _ = <Watcher as private::Guest>::on_set;
                let _ = <Watcher as private::Guest>::on_delete;
            };
        };
    }
}
