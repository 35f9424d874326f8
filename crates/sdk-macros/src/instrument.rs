//! `#[instrument]`: a span around each call of a function.
//!
//! It replaces the attribute of `tracing`, which requires `tracing` in the user's manifest, and only warns of unknown
//! options.

mod arguments;
mod body;
mod options;

use options::Options;
use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Error, ItemFn, Result, ReturnType};

/// Expands `#[instrument]` on `item` to the function with its span, or to the unchanged item followed by the error, so
/// that an error is reported once.
pub(crate) fn expand(input: TokenStream, item: &TokenStream) -> TokenStream {
    match instrument(input, item) {
        Ok(function) => function,
        Err(error) => {
            let error = error.into_compile_error();
            quote!(#item #error)
        }
    }
}

fn instrument(input: TokenStream, item: &TokenStream) -> Result<TokenStream> {
    let function: ItemFn = syn::parse2(item.clone()).map_err(|_| {
        let message = "`#[instrument]` goes on a function or a method that has a body: \
            write `#[tempo_sdk_otel::instrument] async fn load(id: u64)`";
        Error::new(item.span(), message)
    })?;
    if let Some(constness) = function.sig.constness {
        let message = "a `const fn` may run while the program is compiled, where there is no span: remove `const`";
        return Err(Error::new(constness.span(), message));
    }
    let options: Options = syn::parse2(input)?;
    if options.err.is_some() && matches!(function.sig.output, ReturnType::Default) {
        let message = "`err` records the error of a `Result`, and this function returns nothing: remove `err`";
        return Err(Error::new(function.sig.ident.span(), message));
    }
    let fields = arguments::fields(&function.sig, &options)?;
    Ok(body::write(&function, &options, &fields))
}
