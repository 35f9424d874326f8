//! Finds the paths in the public items of a module: types, bounds, attributes and re-exports, and no bodies.
//!
//! Without a compiler, the visitor reports too much rather than too little: it takes each `pub` item for reachable, type
//! aliases of any visibility for public, and each identifier in a macro for a path.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Block, Expr, Field, ImplItem, Item, ItemImpl, Visibility};

use super::names::{Names, Unstable};

/// The public items of one module.
pub(super) struct PublicItems<'a> {
    names: Names<'a>,
    unstable: &'a Unstable,
    /// The line and the package of each finding.
    found: Vec<(usize, String)>,
}

impl<'a> PublicItems<'a> {
    /// Returns the line and the package of each name of an `unstable` package in the public items.
    pub(super) fn of(items: &[Item], unstable: &'a Unstable) -> Vec<(usize, String)> {
        let mut public = Self { names: Names::of(items, unstable), unstable, found: Vec::new() };
        items.iter().for_each(|item| public.item(item));
        public.found.sort();
        public.found.dedup();
        public.found
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Mod(module) if !is_test(&module.attrs) => {
                let items = module.content.as_ref().map(|(_, items)| items.as_slice()).unwrap_or_default();
                self.found.extend(Self::of(items, self.unstable));
            }
            Item::Use(import) => {
                let exported = self.names.exported(import);
                let line = import.use_token.span.start().line;
                self.found.extend(exported.into_iter().map(|package| (line, package.to_owned())));
            }
            Item::Type(alias) => self.visit_item_type(alias),
            Item::Macro(item) => self.tokens(&item.mac.tokens),
            Item::Impl(block) if !is_test(&block.attrs) => self.implementation(block),
            Item::Const(item) if is_public(&item.vis) => self.visit_item_const(item),
            Item::Enum(item) if is_public(&item.vis) => self.visit_item_enum(item),
            Item::Fn(item) if is_public(&item.vis) && !is_test(&item.attrs) => self.visit_item_fn(item),
            Item::Static(item) if is_public(&item.vis) => self.visit_item_static(item),
            Item::Struct(item) if is_public(&item.vis) => self.visit_item_struct(item),
            Item::Trait(item) if is_public(&item.vis) => self.visit_item_trait(item),
            Item::Union(item) if is_public(&item.vis) => self.visit_item_union(item),
            _ => {}
        }
    }

    /// An implementation of a trait is public with its type; otherwise each of its items has a visibility.
    fn implementation(&mut self, block: &ItemImpl) {
        if let Some((_, path, _)) = &block.trait_ {
            self.visit_path(path);
        }
        let mut public =
            block.items.iter().filter(|item| block.trait_.is_some() || is_public(visibility(item))).peekable();
        if public.peek().is_some() {
            self.visit_generics(&block.generics);
            self.visit_type(&block.self_ty);
        }
        public.for_each(|item| self.visit_impl_item(item));
    }

    fn tokens(&mut self, tokens: &TokenStream) {
        for token in tokens.clone() {
            match token {
                TokenTree::Ident(ident) => self.name(&ident.to_string(), ident.span()),
                TokenTree::Group(group) => self.tokens(&group.stream()),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }

    fn name(&mut self, first: &str, span: Span) {
        if let Some(package) = self.names.package(first) {
            self.found.push((span.start().line, package.to_owned()));
        }
    }
}

impl<'ast> Visit<'ast> for PublicItems<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        if let Some(first) = path.segments.first() {
            self.name(&first.ident.to_string(), first.ident.span());
        }
        visit::visit_path(self, path);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        visit::visit_attribute(self, attribute);
        if attribute.path().is_ident("derive")
            && let Ok(list) = attribute.meta.require_list()
        {
            self.tokens(&list.tokens);
        }
    }

    fn visit_field(&mut self, field: &'ast Field) {
        // The fields of an enum's variant have no visibility of their own: `visit_variant` visits them.
        if is_public(&field.vis) {
            visit::visit_field(self, field);
        }
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        variant.fields.iter().for_each(|field| self.visit_type(&field.ty));
    }

    fn visit_block(&mut self, _: &'ast Block) {}

    fn visit_expr(&mut self, _: &'ast Expr) {}
}

fn visibility(item: &ImplItem) -> &Visibility {
    match item {
        ImplItem::Const(item) => &item.vis,
        ImplItem::Fn(item) => &item.vis,
        ImplItem::Type(item) => &item.vis,
        _ => &Visibility::Inherited,
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn is_test(attributes: &[Attribute]) -> bool {
    let is_test = |attribute: &Attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    };
    attributes.iter().any(is_test)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(source: &str) -> Vec<usize> {
        let mut unstable = Unstable::default();
        unstable.insert("un-stable", "0.1.0");
        let items = syn::parse_file(source).unwrap().items;
        PublicItems::of(&items, &unstable).into_iter().map(|(line, _)| line).collect()
    }

    #[test]
    fn each_public_place_of_a_type_is_found() {
        for source in [
            "pub use un_stable::Type;",
            "pub(crate) use un_stable::Type;",
            "use un_stable::*;",
            "pub struct A { pub a: Vec<un_stable::Type> }",
            "pub struct A<T: un_stable::Trait>(T);",
            "pub enum A { B { b: un_stable::Type } }",
            "#[derive(un_stable::Derive)] pub struct A;",
            "pub fn a(a: impl un_stable::Trait) {}",
            "pub fn a() -> Option<un_stable::Type> { None }",
            "type A = un_stable::Type;",
            "pub trait A: un_stable::Trait {}",
            "pub trait A { type B: un_stable::Trait; }",
            "impl A { pub fn a(&self) -> un_stable::Type { todo() } }",
            "impl un_stable::Trait for A {}",
            "impl From<un_stable::Type> for A {}",
            "limits! { a: un_stable::Type }",
            "pub mod a { use un_stable as b; pub const A: b::Type = b::A; }",
        ] {
            assert_eq!(lines(source), [1], "{source}");
        }
    }

    #[test]
    fn private_places_are_not() {
        for source in [
            "use un_stable::Type; struct A { a: Type }",
            "pub struct A { a: un_stable::Type }",
            "pub(crate) struct A { pub a: un_stable::Type }",
            "fn a() -> un_stable::Type { todo() }",
            "pub fn a() { un_stable::a(); }",
            "impl A { fn a(&self) -> un_stable::Type { todo() } }",
            "#[cfg(test)] mod tests { pub fn a() -> un_stable::Type { todo() } }",
            "pub fn a() -> std::un_stable::Type { todo() }",
        ] {
            assert_eq!(lines(source), Vec::<usize>::new(), "{source}");
        }
    }
}
