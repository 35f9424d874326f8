//! Two services, a backend of each, and a trigger that needs the first.
#![allow(dead_code, reason = "each case uses some of it")]

use std::time::Instant;

use tempo_runtime::tempo_core::{Backend, BootContext, Provide, Running, Service, StoreContext, StoreData, Trigger, Workload};
use tempo_runtime::tempo_settings::{self, Flag, Settings};
use tempo_runtime::wasmtime::component::{HasData, Linker, ResourceTable};

pub struct AcmeTime;
pub struct AcmeDice;

impl HasData for AcmeTime {
    type Data<'a> = &'a u64;
}

impl HasData for AcmeDice {
    type Data<'a> = &'a u64;
}

impl Service for AcmeTime {
    const INTERFACES: &'static [&'static str] = &["acme:time/clock"];
    const PACKAGES: &'static [&'static str] = &["acme:time@1.0.0"];

    type State = u64;

    fn view<'a>(state: &'a mut u64, _: &'a mut ResourceTable) -> &'a u64 {
        state
    }

    fn add_to_linker<T: Provide<Self>>(_: &mut Linker<T>) -> tempo_runtime::wasmtime::Result<()> {
        Ok(())
    }

    fn link(linker: &mut Linker<StoreData>) -> tempo_runtime::wasmtime::Result<()> {
        Self::add_to_linker(linker)
    }
}

impl Service for AcmeDice {
    const INTERFACES: &'static [&'static str] = &["acme:dice/roll"];
    const PACKAGES: &'static [&'static str] = &["acme:dice@1.0.0"];

    type State = u64;

    fn view<'a>(state: &'a mut u64, _: &'a mut ResourceTable) -> &'a u64 {
        state
    }

    fn add_to_linker<T: Provide<Self>>(_: &mut Linker<T>) -> tempo_runtime::wasmtime::Result<()> {
        Ok(())
    }

    fn link(linker: &mut Linker<StoreData>) -> tempo_runtime::wasmtime::Result<()> {
        Self::add_to_linker(linker)
    }
}

pub struct SystemClock;
pub struct LoadedDice;

impl Backend<AcmeTime> for SystemClock {
    fn flags() -> Vec<Flag> {
        Vec::new()
    }

    async fn connect(_: BootContext<'_>) -> tempo_settings::Result<Self> {
        Ok(Self)
    }

    fn state(&self, _: &StoreContext) -> u64 {
        0
    }
}

impl Backend<AcmeDice> for LoadedDice {
    fn flags() -> Vec<Flag> {
        Vec::new()
    }

    async fn connect(_: BootContext<'_>) -> tempo_settings::Result<Self> {
        Ok(Self)
    }

    fn state(&self, _: &StoreContext) -> u64 {
        6
    }
}

/// Calls components at certain times.
pub struct AcmeAlarm;

#[async_trait::async_trait]
impl Trigger for AcmeAlarm {
    type Service = AcmeTime;
    const EXPORTS: &'static [&'static str] = &["acme:time/alarm"];
    fn flags() -> Vec<Flag> {
        Vec::new()
    }

    async fn start(_: Workload, _: &Settings, _: u64) -> tempo_settings::Result<Box<dyn Running>> {
        Ok(Box::new(Idle))
    }
}

struct Idle;

#[async_trait::async_trait]
impl Running for Idle {
    fn announcement(&self) -> String {
        String::new()
    }

    async fn failed(&mut self) -> tempo_settings::Error {
        std::future::pending().await
    }

    async fn drain(self: Box<Self>, _: Instant) {}
}
