//! The fields of a span from the arguments of its function.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{Error, FnArg, Ident, LitStr, Pat, Result, Signature, Type};

use super::options::{Field, Options};

/// The types that `tracing` records as values.
const VALUES: &[&str] = &[
    "bool", "str", "String", "u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "u128", "i128", "usize", "isize",
    "f32", "f64",
];

/// Returns the fields of the span: the arguments that are not skipped, and those of `fields(..)`.
pub(super) fn fields(signature: &Signature, options: &Options) -> Result<Vec<TokenStream>> {
    let arguments = arguments(signature);
    let skipped = options.skip.as_deref().unwrap_or_default();
    if let Some(unknown) = skipped.iter().find(|name| *name != "self" && !arguments.iter().any(|(own, _)| own == *name))
    {
        let message = format!("there is no argument `{unknown}` to leave out: remove it from `skip(..)`");
        return Err(Error::new(unknown.span(), message));
    }
    let written = options.fields.as_deref().unwrap_or_default();
    let is_written = |name: &Ident| written.iter().any(|field| *name == field.name.value());
    let recorded =
        arguments.iter().filter(|(name, _)| options.skip_all.is_none() && !skipped.contains(name) && !is_written(name));
    let own = recorded.map(|(name, is_value)| of_argument(name, *is_value));
    let written = written.iter().map(|Field { name, value }| quote!(#name = #value));
    // Declared empty: the generated code records it on an error.
    let status =
        options.err.map(|_| quote!("otel.status_description" = ::tempo_sdk_otel::__private::tracing::field::Empty));
    Ok(own.chain(written).chain(status).collect())
}

fn of_argument(name: &Ident, is_value: bool) -> TokenStream {
    let text = LitStr::new(&name.unraw().to_string(), name.span());
    if is_value {
        quote!(#text = #name)
    } else {
        // With the span of the argument, so that rustc reports a missing `Debug` there.
        let value = quote_spanned!(name.span()=> ::tempo_sdk_otel::__private::argument(&#name));
        quote!(#text = #value)
    }
}

/// Returns the names that the arguments bind, and whether each is a value of `tracing`. The receiver is excluded: a
/// service would record the same for all its spans.
fn arguments(signature: &Signature) -> Vec<(Ident, bool)> {
    let mut names = Vec::new();
    for input in &signature.inputs {
        if let FnArg::Typed(argument) = input {
            bound(&argument.pat, is_value(&argument.ty), &mut names);
        }
    }
    names
}

fn bound(pattern: &Pat, is_value: bool, names: &mut Vec<(Ident, bool)>) {
    match pattern {
        Pat::Ident(pattern) => names.push((pattern.ident.clone(), is_value)),
        Pat::Reference(pattern) => bound(&pattern.pat, is_value, names),
        Pat::Paren(pattern) => bound(&pattern.pat, is_value, names),
        Pat::Tuple(pattern) => pattern.elems.iter().for_each(|part| bound(part, false, names)),
        Pat::TupleStruct(pattern) => pattern.elems.iter().for_each(|part| bound(part, false, names)),
        Pat::Slice(pattern) => pattern.elems.iter().for_each(|part| bound(part, false, names)),
        Pat::Struct(pattern) => pattern.fields.iter().for_each(|field| bound(&field.pat, false, names)),
        _ => {}
    }
}

fn is_value(kind: &Type) -> bool {
    match kind {
        Type::Reference(reference) => is_value(&reference.elem),
        Type::Paren(inner) => is_value(&inner.elem),
        Type::Group(inner) => is_value(&inner.elem),
        Type::Path(path) if path.qself.is_none() => {
            let last = path.path.segments.last().filter(|segment| segment.arguments.is_empty());
            last.is_some_and(|segment| VALUES.iter().any(|value| segment.ident == value))
        }
        _ => false,
    }
}
