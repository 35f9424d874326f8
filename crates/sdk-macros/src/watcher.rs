//! `#[watcher]`: checks the function's form, and generates the component's export.

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

/// Expands `#[watcher]` on `item` to the item, followed by the export or the error, as `#[handler]` does.
pub(crate) fn expand(arguments: &TokenStream, item: &TokenStream) -> TokenStream {
    let beside = expand_export(arguments, item).unwrap_or_else(Error::into_compile_error);
    quote!(#item #beside)
}

fn expand_export(arguments: &TokenStream, item: &TokenStream) -> Result<TokenStream> {
    let (function, change) = FORM.read(arguments, item)?;
    returns_nothing(&function.sig)?;
    Ok(export(&function.sig.ident, &change))
}

fn returns_nothing(signature: &Signature) -> Result<()> {
    match &signature.output {
        ReturnType::Default => Ok(()),
        ReturnType::Type(_, output) if matches!(&**output, Type::Tuple(unit) if unit.elems.is_empty()) => Ok(()),
        ReturnType::Type(_, output) => {
            let message = format!("a watcher returns nothing: handle errors inside, and write {}", FORM.example);
            Err(Error::new_spanned(output, message))
        }
    }
}

/// Generates the export that calls the function. The construction of the change has the span of the argument's type, so
/// that rustc reports a wrong type at its location.
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
            // Only the component linker accepts the names of the exports. For other targets this marks the watcher as
            // used.
            #[cfg(not(target_family = "wasm"))]
            const _: () = {
                let _ = <Watcher as private::Guest>::on_set;
                let _ = <Watcher as private::Guest>::on_delete;
            };
        };
    }
}
