//! A real component logs, and a real subscriber of `tracing` writes what arrives.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io;
use std::sync::{Arc, Mutex};

use tempo_backend::ByteBudget;
use tempo_core::{Backend as _, BootContext, Limits, Provide, Service as _, StoreContext};
use tempo_settings::Settings;
use tempo_wasi_logging::{LoggingCtx, LoggingView, TracingLog, WasiLogging};
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

struct StoreData(LoggingCtx);

impl Provide<WasiLogging> for StoreData {
    fn provide(&mut self) -> LoggingView<'_> {
        self.0.view()
    }
}

/// A component that logs `message` once with each level.
fn logs(interface: &str, message: &str) -> String {
    let length = message.len();
    let data: String = message.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    format!(
        r#"(component
            (import "{interface}" (instance $logging
                (type $raw (enum "trace" "debug" "info" "warn" "error" "critical"))
                (export "level" (type $level (eq $raw)))
                (export "log" (func (param "level" $level) (param "context" string) (param "message" string)))
            ))
            (core module $memory
                (memory (export "memory") 1)
                (data (i32.const 0) "shop")
                (data (i32.const 16) "{data}"))
            (core instance $memory (instantiate $memory))
            (alias core export $memory "memory" (core memory $mem))
            (core func $log (canon lower (func $logging "log") (memory $mem)))
            (core module $main
                (import "logging" "log" (func $log (param i32 i32 i32 i32 i32)))
                (func (export "run") (local $level i32)
                    (loop $again
                        (call $log (local.get $level) (i32.const 0) (i32.const 4) (i32.const 16) (i32.const {length}))
                        (local.set $level (i32.add (local.get $level) (i32.const 1)))
                        (br_if $again (i32.lt_u (local.get $level) (i32.const 6))))))
            (core instance $main (instantiate $main (with "logging" (instance (export "log" (func $log))))))
            (func (export "run") (canon lift (core func $main "run")))
        )"#
    )
}

#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a subscriber at `level` writes while the component runs.
async fn written(interface: &str, message: &str, level: tracing::Level) -> Vec<String> {
    let output = Output::default();
    let writer = output.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    let (limits, settings) = (Limits::default(), Settings::default());
    let backend = TracingLog::connect(BootContext::new("app", &limits, &settings)).await.unwrap();
    let engine = Engine::default();
    let mut linker = Linker::new(&engine);
    WasiLogging::add_to_linker(&mut linker).unwrap();
    let component = Component::new(&engine, logs(interface, message)).unwrap();
    let mut store = Store::new(&engine, StoreData(backend.state(&StoreContext::new(ByteBudget::new(0)))));
    let instance = linker.instantiate(&mut store, &component).unwrap();
    let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
    tracing::subscriber::with_default(subscriber, || run.call(&mut store, ()).unwrap());
    let bytes = output.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap().lines().map(|line| line.trim().to_owned()).collect()
}

#[tokio::test]
async fn every_level_arrives_under_both_names() {
    for interface in ["wasi:logging/logging@0.1.0-draft", "wasi:logging/logging"] {
        let expected = [
            r#"TRACE guest: hi component="app" context="shop""#,
            r#"DEBUG guest: hi component="app" context="shop""#,
            r#"INFO guest: hi component="app" context="shop""#,
            r#"WARN guest: hi component="app" context="shop""#,
            r#"ERROR guest: hi component="app" context="shop""#,
            r#"ERROR guest: hi component="app" context="shop" critical=true"#,
        ];
        assert_eq!(written(interface, "hi", tracing::Level::TRACE).await, expected, "{interface}");
    }
}

#[tokio::test]
async fn the_subscriber_decides_what_is_written() {
    let lines = written("wasi:logging/logging@0.1.0-draft", "hi", tracing::Level::WARN).await;
    assert_eq!(lines.len(), 3, "{lines:?}");
}

#[tokio::test]
async fn a_message_cannot_forge_a_line() {
    let message = "paid\nERROR host: \x1b[31mrm -rf";
    let lines = written("wasi:logging/logging@0.1.0-draft", message, tracing::Level::TRACE).await;
    assert_eq!(lines.len(), 6, "{lines:?}");
    assert_eq!(lines[2], r#"INFO guest: paid\nERROR host: \u{1b}[31mrm -rf component="app" context="shop""#);
}
