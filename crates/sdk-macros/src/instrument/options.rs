//! Parses the options of `#[instrument(..)]`.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, Ident, Lit, LitStr, Path, Result, Token, parenthesized};

const ALL: &str = "`name = \"..\"`, `level = \"debug\"`, `skip(..)`, `skip_all`, `fields(..)` and `err`";
const LEVELS: &str =
    "`\"trace\"`, `\"debug\"`, `\"info\"`, `\"warn\"`, `\"error\"` or a constant such as `Level::DEBUG`";

/// The options. Each may be set once.
#[derive(Default)]
pub(super) struct Options {
    pub(super) name: Option<LitStr>,
    pub(super) level: Option<TokenStream>,
    pub(super) skip: Option<Vec<Ident>>,
    pub(super) skip_all: Option<Span>,
    pub(super) fields: Option<Vec<Field>>,
    pub(super) err: Option<Span>,
}

/// One field: `http.route = %route`.
pub(super) struct Field {
    /// The recorded name.
    pub(super) name: LitStr,
    /// The value: an expression in the syntax of `tracing`.
    pub(super) value: TokenStream,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut options = Self::default();
        while !input.is_empty() {
            options.read(input)?;
            if !input.is_empty() {
                input.parse::<Token![,]>().map_err(|error| Error::new(error.span(), "write `,` between options"))?;
            }
        }
        if let (Some(_), Some(all)) = (&options.skip, options.skip_all) {
            return Err(Error::new(all, "`skip_all` leaves out every argument already: remove `skip(..)`"));
        }
        Ok(options)
    }
}

impl Options {
    fn read(&mut self, input: ParseStream<'_>) -> Result<()> {
        if input.peek(LitStr) {
            let name: LitStr = input.parse()?;
            let message = format!("write `name = {}`: the options are {ALL}", name.to_token_stream());
            return Err(Error::new(name.span(), message));
        }
        let option = input.call(Ident::parse_any).map_err(|error| {
            let message = format!("the options of `#[instrument]` are {ALL}");
            Error::new(error.span(), message)
        })?;
        match option.to_string().as_str() {
            "name" => once(&mut self.name, &option, name(&option, input)?),
            "level" => once(&mut self.level, &option, level(&option, input)?),
            "skip" => once(&mut self.skip, &option, skip(&option, input)?),
            "skip_all" => once(&mut self.skip_all, &option, option.span()),
            "fields" => once(&mut self.fields, &option, fields(&option, input)?),
            "err" => once(&mut self.err, &option, alone(&option, input)?),
            other => {
                let message = format!("`#[instrument]` has no option `{other}`: it has {ALL}");
                Err(Error::new(option.span(), message))
            }
        }
    }
}

fn once<T>(place: &mut Option<T>, option: &Ident, value: T) -> Result<()> {
    if place.replace(value).is_some() {
        return Err(Error::new(option.span(), format!("`{option}` is there twice: remove one")));
    }
    Ok(())
}

fn alone(option: &Ident, input: ParseStream<'_>) -> Result<Span> {
    if !input.is_empty() && !input.peek(Token![,]) {
        return Err(input.error(format!("`{option}` takes nothing: write `{option}` alone")));
    }
    Ok(option.span())
}

fn name(option: &Ident, input: ParseStream<'_>) -> Result<LitStr> {
    let wrong = |span| Error::new(span, "the name of a span is a literal: write `name = \"load order\"`");
    input.parse::<Token![=]>().map_err(|_| wrong(option.span()))?;
    input.parse().map_err(|error| wrong(error.span()))
}

fn level(option: &Ident, input: ParseStream<'_>) -> Result<TokenStream> {
    let wrong = |span| Error::new(span, format!("a level is {LEVELS}: write `level = \"debug\"`"));
    input.parse::<Token![=]>().map_err(|_| wrong(option.span()))?;
    if input.peek(Ident::peek_any) || input.peek(Token![::]) {
        let path: Path = input.parse()?;
        return Ok(path.into_token_stream());
    }
    let literal: Lit = input.parse().map_err(|error| wrong(error.span()))?;
    let Lit::Str(text) = &literal else { return Err(wrong(literal.span())) };
    let level = match text.value().to_ascii_lowercase().as_str() {
        "trace" => quote!(TRACE),
        "debug" => quote!(DEBUG),
        "info" => quote!(INFO),
        "warn" => quote!(WARN),
        "error" => quote!(ERROR),
        _ => return Err(wrong(literal.span())),
    };
    Ok(quote!(::tempo_sdk_otel::__private::tracing::Level::#level))
}

fn skip(option: &Ident, input: ParseStream<'_>) -> Result<Vec<Ident>> {
    let wrong = |span| Error::new(span, "name the arguments to leave out: write `skip(password, body)`");
    if !input.peek(syn::token::Paren) {
        return Err(wrong(option.span()));
    }
    let content;
    parenthesized!(content in input);
    let names = Punctuated::<Ident, Token![,]>::parse_terminated_with(&content, Ident::parse_any)
        .map_err(|error| wrong(error.span()))?;
    let mut skipped: Vec<Ident> = Vec::new();
    for name in names {
        if skipped.contains(&name) {
            return Err(Error::new(name.span(), format!("`{name}` is left out twice: remove one")));
        }
        skipped.push(name);
    }
    Ok(skipped)
}

fn fields(option: &Ident, input: ParseStream<'_>) -> Result<Vec<Field>> {
    if !input.peek(syn::token::Paren) {
        let message = "write the fields in parentheses: `fields(order.id = id, customer = %name)`";
        return Err(Error::new(option.span(), message));
    }
    let content;
    parenthesized!(content in input);
    let mut fields: Vec<Field> = Vec::new();
    for field in Punctuated::<Field, Token![,]>::parse_terminated(&content)? {
        if fields.iter().any(|other| other.name.value() == field.name.value()) {
            let message = format!("the field `{}` is there twice: remove one", field.name.value());
            return Err(Error::new(field.name.span(), message));
        }
        fields.push(field);
    }
    Ok(fields)
}

impl Parse for Field {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name = field_name(input)?;
        let private = quote!(::tempo_sdk_otel::__private);
        if !input.peek(Token![=]) {
            if !input.is_empty() && !input.peek(Token![,]) {
                return Err(input.error("write `=` and a value after the name of a field"));
            }
            return Ok(Self { name, value: quote!(#private::tracing::field::Empty) });
        }
        input.parse::<Token![=]>()?;
        let value = if input.peek(Token![%]) {
            input.parse::<Token![%]>()?;
            let value: Expr = input.parse()?;
            quote!(#private::tracing::field::display(&#value))
        } else if input.peek(Token![?]) {
            input.parse::<Token![?]>()?;
            let value: Expr = input.parse()?;
            quote!(#private::tracing::field::debug(&#value))
        } else {
            let value: Expr = input.parse()?;
            quote!(#value)
        };
        Ok(Self { name, value })
    }
}

/// Parses a field name: `customer`, `order.id` or `"any text"`.
fn field_name(input: ParseStream<'_>) -> Result<LitStr> {
    if input.peek(LitStr) {
        return input.parse();
    }
    let wrong = |error: Error| {
        Error::new(error.span(), "a field has a name: write `fields(order.id = id)` or `fields(\"any text\" = id)`")
    };
    let first = input.call(Ident::parse_any).map_err(wrong)?;
    let mut name = first.unraw().to_string();
    while input.peek(Token![.]) {
        input.parse::<Token![.]>()?;
        let part = input.call(Ident::parse_any).map_err(wrong)?;
        name = format!("{name}.{}", part.unraw());
    }
    Ok(LitStr::new(&name, first.span()))
}
