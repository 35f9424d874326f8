//! Real components ask the service, under every name that it has been published under.

use std::sync::Arc;

use tempo_core::{Limits, Provide, Service as _};
use tempo_wasi_config::{ConfigCtx, ConfigView, Configuration, Error, Values, WasiConfig};
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Result, Store};

const INTERFACES: &[&str] = &[
    "wasi:config/store@0.2.0-rc.1",
    "wasi:config/store@0.2.0-draft",
    "wasi:config/store@0.2.0-draft-2024-09-27",
    "wasi:config/runtime@0.2.0-draft",
];

struct StoreData(ConfigCtx);

impl Provide<WasiConfig> for StoreData {
    fn provide(&mut self) -> ConfigView<'_> {
        self.0.view()
    }
}

/// A component that exports the functions it imports.
fn reexport(interface: &str) -> String {
    let error = if interface.contains("/runtime@") { "config-error" } else { "error" };
    format!(
        r#"(component
            (import "{interface}" (instance $config
                (type $raw (variant (case "upstream" string) (case "io" string)))
                (export "{error}" (type $error (eq $raw)))
                (export "get" (func (param "key" string) (result (result (option string) (error $error)))))
                (export "get-all" (func (result (result (list (tuple string string)) (error $error)))))
            ))
            (core module $memory
                (memory (export "memory") 1)
                (global $next (mut i32) (i32.const 1024))
                (func (export "realloc") (param i32 i32 i32 i32) (result i32)
                    (local $at i32)
                    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
                    (global.set $next (i32.add (local.get $at) (local.get 3)))
                    (local.get $at)))
            (core instance $memory (instantiate $memory))
            (alias core export $memory "memory" (core memory $mem))
            (alias core export $memory "realloc" (core func $realloc))
            (core func $get (canon lower (func $config "get") (memory $mem) (realloc $realloc)))
            (core func $all (canon lower (func $config "get-all") (memory $mem) (realloc $realloc)))
            (core module $main
                (import "config" "get" (func $get (param i32 i32 i32)))
                (import "config" "get-all" (func $all (param i32)))
                (func (export "get") (param i32 i32) (result i32)
                    (call $get (local.get 0) (local.get 1) (i32.const 16)) (i32.const 16))
                (func (export "get-all") (result i32) (call $all (i32.const 16)) (i32.const 16)))
            (core instance $main (instantiate $main
                (with "config" (instance (export "get" (func $get)) (export "get-all" (func $all))))))
            (type $raw (variant (case "upstream" string) (case "io" string)))
            (export $error "failure" (type $raw))
            (func $get2 (param "key" string) (result (result (option string) (error $error)))
                (canon lift (core func $main "get") (memory $mem) (realloc $realloc)))
            (func $all2 (result (result (list (tuple string string)) (error $error)))
                (canon lift (core func $main "get-all") (memory $mem) (realloc $realloc)))
            (export "get" (func $get2))
            (export "get-all" (func $all2))
        )"#
    )
}

/// The guest's error, as the host of this test sees it.
#[derive(Debug, PartialEq, wasmtime::component::ComponentType, wasmtime::component::Lift)]
#[component(variant)]
enum ConfigError {
    #[component(name = "upstream")]
    Upstream(String),
    #[component(name = "io")]
    Io(String),
}

type Answer<T> = std::result::Result<T, ConfigError>;

struct Guest {
    store: Store<StoreData>,
    instance: wasmtime::component::Instance,
}

impl Guest {
    async fn new(interface: &str, configuration: impl Configuration) -> Result<Self> {
        let engine = Engine::default();
        let mut linker = Linker::new(&engine);
        WasiConfig::add_to_linker(&mut linker)?;
        let component = Component::new(&engine, reexport(interface))?;
        let state = ConfigCtx::new(Arc::new(configuration), &Limits::default());
        let mut store = Store::new(&engine, StoreData(state));
        let instance = linker.instantiate_async(&mut store, &component).await?;
        Ok(Self { store, instance })
    }

    async fn get(&mut self, key: &str) -> Result<Answer<Option<String>>> {
        let get = self.instance.get_typed_func::<(&str,), (Answer<Option<String>>,)>(&mut self.store, "get")?;
        Ok(get.call_async(&mut self.store, (key,)).await?.0)
    }

    async fn get_all(&mut self) -> Result<Answer<Vec<(String, String)>>> {
        let get_all =
            self.instance.get_typed_func::<(), (Answer<Vec<(String, String)>>,)>(&mut self.store, "get-all")?;
        Ok(get_all.call_async(&mut self.store, ()).await?.0)
    }
}

#[tokio::test]
async fn every_version_reads_the_same_values() {
    for interface in INTERFACES {
        let values: Values = [("greeting", "hello"), ("name", "wörld")].into_iter().collect();
        let mut guest = Guest::new(interface, values).await.unwrap();
        assert_eq!(guest.get("name").await.unwrap(), Ok(Some("wörld".into())), "{interface}");
        assert_eq!(guest.get("absent").await.unwrap(), Ok(None), "{interface}");
        let mut all = guest.get_all().await.unwrap().unwrap();
        all.sort();
        let expected =
            [("greeting", "hello"), ("name", "wörld")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(all, expected, "{interface}");
    }
}

/// A backend whose server is gone.
struct Unreachable;

#[async_trait::async_trait]
impl Configuration for Unreachable {
    async fn get(&self, _: &str) -> std::result::Result<Option<String>, Error> {
        Err(Error::Upstream("gone".into()))
    }

    async fn get_all(&self) -> std::result::Result<Vec<(String, String)>, Error> {
        Err(Error::Io("torn".into()))
    }
}

#[tokio::test]
async fn errors_reach_the_guest_and_do_not_trap_it() {
    for interface in INTERFACES {
        let mut guest = Guest::new(interface, Unreachable).await.unwrap();
        assert_eq!(guest.get("k").await.unwrap(), Err(ConfigError::Upstream("gone".into())), "{interface}");
        assert_eq!(guest.get_all().await.unwrap(), Err(ConfigError::Io("torn".into())), "{interface}");
    }
}

#[tokio::test]
async fn a_prerelease_version_must_match_exactly() {
    assert!(Guest::new("wasi:config/store@0.2.0-rc.2", Values::default()).await.is_err());
}
