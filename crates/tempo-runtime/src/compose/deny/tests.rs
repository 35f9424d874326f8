//! Tests of deny adapters, made from WIT and called in wasmtime.

use wasmtime::component::{Component, Linker, Val};
use wasmtime::{Config, Engine, Store};
use wit_parser::Resolve;

use super::*;

const WIT: &str = r#"
package acme:time@1.0.0;

interface shared {
    resource handle { get: func() -> u32; }
}

interface clock {
    use shared.{handle};
    enum problem { broken, access-denied, other }
    variant failure { lost(handle), because(string), forbidden(tuple<u8, u64, option<string>>) }
    record detail { code: u16, text: string, more: list<u64> }
    flags zones { east, west }
    resource zone { open: static func(name: string) -> result<zone, problem>; name: func() -> string; }

    by-enum: func(text: string) -> result<string, problem>;
    by-variant: func(handle: borrow<handle>) -> result<list<zone>, failure>;
    by-record: func() -> result<u64, detail>;
    by-string: async func(texts: list<string>) -> result<stream<u8>, string>;
    by-flags: func() -> result<_, zones>;
    bare: func() -> result;
    by-handle: func() -> result<_, zone>;
    plain: func(a: u64, b: f32, c: string) -> u32;
    nothing: func();
}

world guest { import shared; import clock; }
"#;

/// Returns the world `name` of the package `wit`.
pub(super) fn world(wit: &str, name: &str) -> ComponentWorld {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("test.wit", wit).unwrap();
    let world = resolve.select_world(&[package], Some(name)).unwrap();
    ComponentWorld { resolve, world }
}

fn adapter() -> Component {
    let mut config = Config::new();
    config.wasm_component_model_async(true).concurrency_support(true);
    let engine = Engine::new(&config).unwrap();
    let wasm = world(WIT, "guest").deny_adapter(|name| name == "acme:time/clock@1.0.0").unwrap();
    Component::new(&engine, wasm).unwrap()
}

async fn call(name: &str, arguments: &[Val], results: usize) -> wasmtime::Result<Vec<Val>> {
    let component = adapter();
    let mut linker = Linker::new(component.engine());
    let mut shared = linker.instance("acme:time/shared@1.0.0").unwrap();
    let handle = wasmtime::component::ResourceType::host::<u32>();
    shared.resource("handle", handle, |_, _| Ok(())).unwrap();
    let mut store = Store::new(component.engine(), ());
    let instance = linker.instantiate_async(&mut store, &component).await.unwrap();
    let clock = instance.get_export_index(&mut store, None, "acme:time/clock@1.0.0").unwrap();
    let function = instance.get_export_index(&mut store, Some(&clock), name).unwrap();
    let function = instance.get_func(&mut store, function).unwrap();
    let mut values = vec![Val::Bool(false); results];
    function.call_async(&mut store, arguments, &mut values).await?;
    Ok(values)
}

async fn error(name: &str, arguments: &[Val]) -> Option<Val> {
    let results = call(name, arguments, 1).await.unwrap();
    let [Val::Result(Err(error))] = &results[..] else { panic!("{results:?}") };
    error.as_deref().cloned()
}

fn text(text: &str) -> Val {
    Val::String(text.to_owned())
}

const DENIED: &str = "access denied: this component is composed, and `inherit` does not grant it";

#[tokio::test]
async fn a_result_is_an_error_of_its_type() {
    let enumeration = Some(Val::Enum("access-denied".to_owned()));
    assert_eq!(error("by-enum", &[text("x")]).await, enumeration);
    assert_eq!(error("[static]zone.open", &[text("x")]).await, enumeration);
    assert_eq!(error("by-string", &[Val::List(vec![text("x"), text("y")])]).await, Some(text(DENIED)));
    assert_eq!(error("by-flags", &[]).await, Some(Val::Flags(Vec::new())));
    assert_eq!(error("bare", &[]).await, None);
    let fields = [("code", Val::U16(0)), ("text", text(DENIED)), ("more", Val::List(Vec::new()))];
    let record = fields.map(|(name, value)| (name.to_owned(), value)).to_vec();
    assert_eq!(error("by-record", &[]).await, Some(Val::Record(record)));
}

#[tokio::test]
async fn arguments_of_any_size_are_ignored() {
    let long = "x".repeat(3 << 20);
    for _ in 0..2 {
        assert_eq!(error("by-enum", &[text(&long)]).await, Some(Val::Enum("access-denied".to_owned())));
    }
}

#[tokio::test]
async fn what_has_no_error_traps_with_the_name_of_the_function() {
    for (name, arguments) in
        [("plain", vec![Val::U64(1), Val::Float32(2.0), text("x")]), ("nothing", vec![]), ("by-handle", vec![])]
    {
        let results = usize::from(name != "nothing");
        let trap = tempo_core::describe(&call(name, &arguments, results).await.unwrap_err());
        let expected =
            format!("`acme:time/clock@1.0.0.{name}` is denied: the composed link does not `inherit` its grant");
        assert_eq!(trap, expected);
    }
}

/// A case with a resource cannot be created; of the others, the one that reports a denial is.
#[test]
fn the_best_case_of_a_variant_is_chosen() {
    let world = world(WIT, "guest");
    let interfaces = world.resolve.interfaces.iter();
    let (_, clock) = interfaces.into_iter().find(|(_, interface)| interface.name.as_deref() == Some("clock")).unwrap();
    let mut values = value::Values::new(&world.resolve, 0);
    let address = values.add_error(clock.functions["by-variant"].result.as_ref().unwrap()).unwrap();
    // `result`, then `failure`, whose third case is `forbidden`.
    assert_eq!((values.data()[address], values.data()[address + 8]), (1, 2));
}

#[tokio::test]
async fn the_environment_is_empty() {
    let wit = "package wasi:cli@0.2.6;
        interface environment {
            get-environment: func() -> list<tuple<string, string>>;
            initial-cwd: func() -> option<string>;
        }
        world guest { import environment; }";
    let wasm = world(wit, "guest").deny_adapter(|_| true).unwrap();
    let engine = Engine::default();
    let component = Component::new(&engine, wasm).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Linker::new(&engine).instantiate_async(&mut store, &component).await.unwrap();
    let environment = instance.get_export_index(&mut store, None, "wasi:cli/environment@0.2.6").unwrap();
    for (name, expected) in [("get-environment", Val::List(Vec::new())), ("initial-cwd", Val::Option(None))] {
        let function = instance.get_export_index(&mut store, Some(&environment), name).unwrap();
        let function = instance.get_func(&mut store, function).unwrap();
        let mut values = [Val::Bool(false)];
        function.call_async(&mut store, &[], &mut values).await.unwrap();
        assert_eq!(values, [expected], "{name}");
    }
}

#[test]
fn imports_are_classified() {
    let imports = world(WIT, "guest").imports();
    let imports: Vec<_> =
        imports.iter().map(|import| (&*import.name, import.interface.is_some(), import.is_types_only)).collect();
    assert_eq!(imports, [("acme:time/shared@1.0.0", true, false), ("acme:time/clock@1.0.0", true, false)]);
    let types =
        "package acme:t; interface t { record r { a: u8 } } world w { import t; import l: t; import f: func(); }";
    let imports = world(types, "w").imports();
    let imports: Vec<_> =
        imports.iter().map(|import| (&*import.name, import.interface.is_some(), import.is_types_only)).collect();
    assert_eq!(imports, [("acme:t/t", true, true), ("l", true, true), ("f", false, false)]);
}
