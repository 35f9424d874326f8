//! Tests of the composition of two components.

use super::graph::{Dependency, compose};

/// Exports `acme:pricing/quote`, of version 1.2.0.
const CALLEE: &str = r#"(component
    (core module $m (func (export "price") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3))))
    (core instance $i (instantiate $m))
    (func $price (param "pieces" u32) (result u32) (canon lift (core func $i "price")))
    (instance (export "acme:pricing/quote@1.2.0") (export "price" (func $price))))"#;

fn caller(import: &str) -> Vec<u8> {
    wat::parse_str(format!(r#"(component (import "acme:pricing/quote@1.0.0" (instance {import})))"#)).unwrap()
}

fn linked(caller: &[u8], interface: &str) -> Result<Vec<u8>, String> {
    let callee = wat::parse_str(CALLEE).unwrap();
    let dependency = Dependency {
        name: "pricing",
        component: &callee,
        interfaces: vec![interface],
        denied: Vec::new(),
        adapter: None,
    };
    compose("shop", caller, &[dependency])
}

const PRICE: &str = r#"(export "price" (func (param "pieces" u32) (result u32)))"#;

#[test]
fn compatible_versions_are_composed() {
    let composed = linked(&caller(PRICE), "acme:pricing/quote").unwrap();
    let imports = super::deny::ComponentWorld::of(&composed).unwrap().imports();
    assert!(imports.is_empty());
}

#[test]
fn a_difference_of_types_names_both_sides() {
    for (import, expected) in [
        (r#"(export "price" (func (param "pieces" u64) (result u32)))"#, "`price`"),
        (r#"(export "discount" (func))"#, "`discount`"),
    ] {
        let error = linked(&caller(import), "acme:pricing/quote").unwrap_err();
        let sides =
            "the import `acme:pricing/quote@1.0.0` differs from the export `acme:pricing/quote@1.2.0` of `pricing`: ";
        assert!(error.starts_with(sides) && error.contains(expected) && !error.contains('\n'), "{error}");
    }
}

#[test]
fn a_link_needs_an_import_and_an_export() {
    let error = linked(&caller(PRICE), "acme:pricing/discount").unwrap_err();
    assert_eq!(error, "it does not import `acme:pricing/discount`; remove the line");
    let other = wat::parse_str(r#"(component (import "acme:pricing/quote@2.0.0" (instance)))"#).unwrap();
    let error = linked(&other, "acme:pricing/quote").unwrap_err();
    assert_eq!(error, "`pricing` does not export `acme:pricing/quote@2.0.0`");
}
