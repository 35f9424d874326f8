//! Checks the form of an exported function, with messages that name the fix.

use proc_macro2::{Span, TokenStream};
use syn::spanned::Spanned;
use syn::{Error, FnArg, ItemFn, Result, Signature, Type};

/// The form of the functions under one attribute, and the terms of its messages.
pub(crate) struct Form {
    /// The attribute's name, as in `#[handler]`.
    pub(crate) attribute: &'static str,
    /// The attribute's path for users.
    pub(crate) path: &'static str,
    /// The noun for the function, with its article.
    pub(crate) function: &'static str,
    /// The noun for its only argument, with its article.
    pub(crate) argument: &'static str,
    /// An example of such a function, which ends the messages.
    pub(crate) example: &'static str,
}

impl Form {
    /// Parses the function under the attribute. Returns it with the type of its only argument.
    pub(crate) fn read(&self, arguments: &TokenStream, item: &TokenStream) -> Result<(ItemFn, Type)> {
        let Self { attribute, path, example, .. } = self;
        if !arguments.is_empty() {
            let message = format!("`#[{attribute}]` takes no options: write `#[{path}]`");
            return Err(Error::new_spanned(arguments, message));
        }
        let function: ItemFn = syn::parse2(item.clone())
            .map_err(|_| Error::new(item.span(), format!("`#[{attribute}]` goes on a function: write {example}")))?;
        self.check(&function.sig)?;
        let argument = self.argument(&function.sig)?;
        Ok((function, argument))
    }

    fn check(&self, signature: &Signature) -> Result<()> {
        let Self { function, example, .. } = self;
        if signature.asyncness.is_none() {
            let message = format!("{function} is an async function: add `async` before `fn`, as in {example}");
            return Err(Error::new(signature.fn_token.span(), message));
        }
        if let Some(qualifier) = qualifier(signature) {
            return Err(Error::new(qualifier, format!("{function} is a plain async function: write {example}")));
        }
        if !signature.generics.params.is_empty() {
            let message = format!("{function} has no generic parameters, as the host calls it: write {example}");
            return Err(Error::new_spanned(&signature.generics, message));
        }
        Ok(())
    }

    fn argument(&self, signature: &Signature) -> Result<Type> {
        let Self { function, argument, example, .. } = self;
        let mut inputs = signature.inputs.iter();
        match (inputs.next(), inputs.next()) {
            (Some(FnArg::Typed(argument)), None) => Ok((*argument.ty).clone()),
            (Some(FnArg::Receiver(receiver)), _) => {
                let message =
                    format!("{function} is a free function, not a method: move it out of the `impl`, as in {example}");
                Err(Error::new_spanned(receiver, message))
            }
            (None, _) => {
                let message = format!("{function} takes {argument} as its only argument: write {example}");
                Err(Error::new(signature.paren_token.span.join(), message))
            }
            (Some(_), Some(_)) => {
                let message =
                    format!("{function} takes {argument} as its only argument: read the rest from it, as in {example}");
                Err(Error::new_spanned(&signature.inputs, message))
            }
        }
    }
}

/// Returns the span of a qualifier that an exported function cannot have.
fn qualifier(signature: &Signature) -> Option<Span> {
    let constness = signature.constness.map(|token| token.span());
    let unsafety = signature.unsafety.map(|token| token.span());
    let abi = signature.abi.as_ref().map(Spanned::span);
    constness.or(unsafety).or(abi)
}
