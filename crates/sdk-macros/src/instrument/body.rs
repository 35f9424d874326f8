//! Generates the function with its span.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Block, GenericArgument, Ident, ItemFn, PathArguments, ReturnType, Type, TypeParamBound};

use super::options::Options;

/// When the function does its work.
enum WorkTime {
    /// During the call.
    Now,
    /// While its future is polled: an `async fn`.
    Awaited,
    /// While its future is polled: a function that returns `impl Future`.
    Returned,
    /// While its future is polled: a function that returns `Pin<Box<dyn Future>>`, as of `#[async_trait]`.
    Boxed,
}

pub(super) fn write(function: &ItemFn, options: &Options, fields: &[TokenStream]) -> TokenStream {
    let ItemFn { attrs, vis, sig, block } = function;
    let name = options.name.as_ref().map_or_else(|| sig.ident.to_string(), syn::LitStr::value);
    let level = options.level.clone().unwrap_or_else(|| quote!(::tempo_sdk_otel::__private::tracing::Level::INFO));
    let span = quote! {
        ::tempo_sdk_otel::__private::tracing::span!(
            target: ::core::module_path!(), #level, #name #(, #fields)*
        )
    };
    let err = options.err.is_some();
    let work = if sig.asyncness.is_some() { WorkTime::Awaited } else { work(&sig.output) };
    let body = match work {
        WorkTime::Now => now(&span, block, &sig.output, err),
        WorkTime::Awaited => {
            let never = never(&sig.output);
            let future = future(&span, &quote!(async move { #never #block }), err);
            quote!(#future.await)
        }
        WorkTime::Returned => future(&span, &quote!(#block), err),
        WorkTime::Boxed => {
            let future = future(&span, &quote!(#block), err);
            quote!(::std::boxed::Box::pin(#future))
        }
    };
    quote!(#(#attrs)* #vis #sig { #body })
}

/// Returns a hygienic name, which the body can neither see nor shadow.
fn hidden(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

fn now(span: &TokenStream, block: &Block, output: &ReturnType, err: bool) -> TokenStream {
    let (own, entered, result) = (hidden("own"), hidden("entered"), hidden("result"));
    if !err {
        return quote! {
            let #own = #span;
            let #entered = #own.enter();
            #block
        };
    }
    let output = match output {
        ReturnType::Type(_, returned) if is_for_signatures(returned) => quote!(),
        output => quote!(#output),
    };
    let report = report(&own, &result);
    // `return` and `?` leave the closure only; `once` lets it return what it borrowed from an argument.
    quote! {
        let #own = #span;
        let #entered = #own.enter();
        let #result = ::tempo_sdk_otel::__private::once(move || #output #block);
        #report
        #result
    }
}

/// Generates the future that runs the future `work` in the span.
fn future(span: &TokenStream, work: &TokenStream, err: bool) -> TokenStream {
    let (own, inner, result) = (hidden("own"), hidden("inner"), hidden("result"));
    if !err {
        // Creates the span while the arguments are still available.
        return quote! {{
            let #own = #span;
            let #inner = #work;
            ::tempo_sdk_otel::__private::tracing::Instrument::instrument(#inner, #own)
        }};
    }
    let report = report(&own, &result);
    quote! {{
        let #own = #span;
        let #inner = #work;
        ::tempo_sdk_otel::__private::tracing::Instrument::instrument(
            {
                let #own = #own.clone();
                async move {
                    let #result = #inner.await;
                    #report
                    #result
                }
            },
            #own,
        )
    }}
}

/// Generates the report of an error: the span's status, and a log record with the function's module as its target.
fn report(own: &Ident, result: &Ident) -> TokenStream {
    let error = hidden("error");
    quote! {
        if let ::core::option::Option::Some(#error) = ::tempo_sdk_otel::__private::failed(&#own, &#result) {
            ::tempo_sdk_otel::__private::tracing::error!(error = %#error);
        }
    }
}

/// Generates a dead branch that gives an async block its type, which only the signature has.
fn never(output: &ReturnType) -> TokenStream {
    let ReturnType::Type(_, returned) = output else { return quote!() };
    if is_for_signatures(returned) {
        return quote!();
    }
    let never = hidden("never");
    quote! {
        #[allow(unreachable_code, clippy::diverging_sub_expression, clippy::empty_loop, reason = "never runs")]
        if false {
            let #never: #returned = loop {};
            return #never;
        }
    }
}

/// Returns true if the type is valid in a signature only: it contains `impl`, or is `!`.
fn is_for_signatures(kind: &Type) -> bool {
    match kind {
        Type::ImplTrait(_) | Type::Never(_) => true,
        Type::Paren(inner) => is_for_signatures(&inner.elem),
        Type::Group(inner) => is_for_signatures(&inner.elem),
        Type::Reference(inner) => is_for_signatures(&inner.elem),
        Type::Tuple(tuple) => tuple.elems.iter().any(is_for_signatures),
        Type::Path(path) => {
            path.path.segments.iter().any(|segment| generics(&segment.arguments).any(is_for_signatures))
        }
        _ => false,
    }
}

fn work(output: &ReturnType) -> WorkTime {
    let ReturnType::Type(_, returned) = output else { return WorkTime::Now };
    match &**returned {
        Type::ImplTrait(kind) if kind.bounds.iter().any(is_future) => WorkTime::Returned,
        Type::Path(path) => {
            let boxed = path.path.segments.last().filter(|last| last.ident == "Pin").is_some_and(|pin| {
                generics(&pin.arguments).any(|inner| match inner {
                    Type::Path(inner) => inner.path.segments.last().filter(|last| last.ident == "Box").is_some_and(|inner| {
                        generics(&inner.arguments)
                            .any(|object| matches!(object, Type::TraitObject(object) if object.bounds.iter().any(is_future)))
                    }),
                    _ => false,
                })
            });
            if boxed { WorkTime::Boxed } else { WorkTime::Now }
        }
        _ => WorkTime::Now,
    }
}

fn is_future(bound: &TypeParamBound) -> bool {
    matches!(bound, TypeParamBound::Trait(bound) if bound.path.segments.last().is_some_and(|last| last.ident == "Future"))
}

fn generics(arguments: &PathArguments) -> impl Iterator<Item = &Type> {
    let arguments = match arguments {
        PathArguments::AngleBracketed(arguments) => Some(&arguments.args),
        _ => None,
    };
    arguments.into_iter().flatten().filter_map(|argument| match argument {
        GenericArgument::Type(kind) => Some(kind),
        _ => None,
    })
}
