//! `Service`: the WIT interfaces of a host; `Provide`: lends a service its state from a store's data.

use wasmtime::component::{HasData, Linker, LinkerInstance, ResourceTable};

use crate::StoreData;

/// One host service: the WIT interfaces it offers, and how they are linked.
///
/// Implemented by a unit type that is also the service's [`HasData`] marker. Its `Data<'a>` is a view that borrows the
/// service's state and, where it needs one, the store's resource table.
///
/// ```
/// use tempo_core::{Provide, Service, StoreData};
/// use wasmtime::component::{HasData, Linker, ResourceTable};
///
/// /// Offers `acme:time/clock`, with one function `now: func() -> u64`.
/// struct AcmeTime;
///
/// impl HasData for AcmeTime {
///     type Data<'a> = &'a u64;
/// }
///
/// impl Service for AcmeTime {
///     const INTERFACES: &'static [&'static str] = &["acme:time/clock"];
///     const PACKAGES: &'static [&'static str] = &["acme:time@1.0.0"];
///
///     type State = u64;
///
///     fn view<'a>(state: &'a mut u64, _: &'a mut ResourceTable) -> &'a u64 {
///         state
///     }
///
///     fn add_to_linker<T: Provide<Self>>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
///         linker.instance("acme:time/clock@1.0.0")?.func_wrap("now", |mut store, (): ()| {
///             Ok((*T::provide(store.data_mut()),))
///         })
///     }
///
///     fn link(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
///         Self::add_to_linker(linker)
///     }
/// }
///
/// # fn main() -> wasmtime::Result<()> {
/// let engine = wasmtime::Engine::default();
/// let mut linker = Linker::new(&engine);
/// AcmeTime::link(&mut linker)?;
/// # Ok(())
/// # }
/// ```
pub trait Service: HasData + Sized + 'static {
    /// The interfaces offered, without versions: `wasi:keyvalue/store`. The linker checks versions.
    const INTERFACES: &'static [&'static str];

    /// The packages offered, with versions: `wasi:keyvalue@0.2.0-draft2`. Used to name the nearest version when a
    /// component imports one that is not offered, never to decide what is linked.
    const PACKAGES: &'static [&'static str];

    /// Those of [`PACKAGES`](Service::PACKAGES) that are linked only when the engine supports concurrency, because
    /// they have async functions. A component that imports one gets such an engine, whichever functions it uses.
    const CONCURRENT_PACKAGES: &'static [&'static str] = &[];

    /// Those of [`INTERFACES`](Service::INTERFACES) that a component may import under labels, each of which is the name of a
    /// store: `import cache: wasi:keyvalue/store@0.2.0-draft2`.
    const LABELLED: &'static [&'static str] = &[];

    /// The service's state in one store.
    type State: Send + 'static;

    /// Lends the service's view of a store's state and resource table.
    fn view<'a>(state: &'a mut Self::State, table: &'a mut ResourceTable) -> Self::Data<'a>;

    /// Adds every function of the service to `linker`.
    ///
    /// Functions with an async WIT type can only be added when the engine supports concurrency; a service that offers
    /// both kinds omits its [`CONCURRENT_PACKAGES`](Service::CONCURRENT_PACKAGES) when the engine does not.
    fn add_to_linker<T: Provide<Self>>(linker: &mut Linker<T>) -> wasmtime::Result<()>;

    /// Adds the functions of `interface` to `instance`, which has the name `label`. They use the store of that name, whichever
    /// the guest passes. `interface` is one of [`LABELLED`](Service::LABELLED), with the version of
    /// [`PACKAGES`](Service::PACKAGES), and the linker allows shadowing: a service may add the functions without a label
    /// first.
    ///
    /// # Errors
    ///
    /// The service does not offer `interface` under labels.
    fn add_label_to_linker<T: Provide<Self>>(
        instance: &mut LinkerInstance<'_, T>,
        interface: &str,
        label: &str,
    ) -> wasmtime::Result<()> {
        let _ = instance;
        Err(wasmtime::format_err!("{interface} cannot be imported under the label `{label}`"))
    }

    /// [`add_to_linker`](Service::add_to_linker) for the stores of a Tempo runtime. Write `Self::add_to_linker(linker)`:
    /// this function is not generic, so the host functions are compiled once, in the crate of the service.
    fn link(linker: &mut Linker<StoreData>) -> wasmtime::Result<()>;

    /// [`add_label_to_linker`](Service::add_label_to_linker) for the stores of a Tempo runtime. A service with
    /// [`LABELLED`](Service::LABELLED) interfaces writes `Self::add_label_to_linker(instance, interface, label)`, for the same
    /// reason.
    fn link_label(instance: &mut LinkerInstance<'_, StoreData>, interface: &str, label: &str) -> wasmtime::Result<()> {
        Self::add_label_to_linker(instance, interface, label)
    }
}

/// Implemented by a store's data for each service whose state it holds.
///
/// [`provide`](Provide::provide) is the getter that `bindgen!`'s `add_to_linker::<T, S>(linker, T::provide)` expects.
/// [`StoreData`] implements it for every service. An embedder with store data of its own implements it for the services that
/// it offers:
///
/// ```
/// # use tempo_core::{Service, StoreData};
/// # use wasmtime::component::{HasData, ResourceTable};
/// # struct AcmeTime;
/// # impl HasData for AcmeTime {
/// #     type Data<'a> = &'a u64;
/// # }
/// # impl Service for AcmeTime {
/// #     const INTERFACES: &'static [&'static str] = &["acme:time/clock"];
/// #     const PACKAGES: &'static [&'static str] = &["acme:time@1.0.0"];
/// #     type State = u64;
/// #     fn view<'a>(state: &'a mut u64, _: &'a mut ResourceTable) -> &'a u64 {
/// #         state
/// #     }
/// #     fn add_to_linker<T: Provide<Self>>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
/// #         linker.instance("acme:time/clock@1.0.0")?.func_wrap("now", |mut store, (): ()| {
/// #             Ok((*T::provide(store.data_mut()),))
/// #         })
/// #     }
/// #     fn link(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
/// #         Self::add_to_linker(linker)
/// #     }
/// # }
/// use tempo_core::Provide;
/// use wasmtime::component::{Component, Linker};
/// use wasmtime::{Engine, Store};
///
/// /// The data of a store in another embedding.
/// struct Game {
///     started: u64,
/// }
///
/// impl Provide<AcmeTime> for Game {
///     fn provide(&mut self) -> &u64 {
///         &self.started
///     }
/// }
///
/// # fn main() -> wasmtime::Result<()> {
/// let engine = Engine::default();
/// let mut linker = Linker::<Game>::new(&engine);
/// AcmeTime::add_to_linker(&mut linker)?;
///
/// // A component whose function `now` calls the imported one.
/// let component = Component::new(&engine, wat::parse_str(
///     r#"(component
///         (import "acme:time/clock@1.0.0" (instance $clock (export "now" (func (result u64)))))
///         (core func $now (canon lower (func $clock "now")))
///         (core module $m
///             (import "host" "now" (func $now (result i64)))
///             (export "now" (func $now)))
///         (core instance $i (instantiate $m (with "host" (instance (export "now" (func $now))))))
///         (func (export "now") (result u64) (canon lift (core func $i "now"))))"#,
/// )?)?;
/// let mut store = Store::new(&engine, Game { started: 7 });
/// let instance = linker.instantiate(&mut store, &component)?;
/// let now = instance.get_typed_func::<(), (u64,)>(&mut store, "now")?;
/// assert_eq!(now.call(&mut store, ())?, (7,));
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "this runtime does not provide `{S}`",
    note = "add `{S}` with its backend to the services of `runtime!`, or implement `Provide<{S}>` for the store's data"
)]
pub trait Provide<S: Service>: Send + 'static {
    /// Lends the service's state for the duration of one host call.
    fn provide(&mut self) -> S::Data<'_>;
}

/// The service of a trigger that needs none.
#[derive(Clone, Copy, Debug)]
pub struct NoService;

impl HasData for NoService {
    type Data<'a> = ();
}

impl Service for NoService {
    const INTERFACES: &'static [&'static str] = &[];
    const PACKAGES: &'static [&'static str] = &[];

    type State = ();

    fn view<'a>(_: &'a mut (), _: &'a mut ResourceTable) {}

    fn add_to_linker<T: Provide<Self>>(_: &mut Linker<T>) -> wasmtime::Result<()> {
        Ok(())
    }

    fn link(_: &mut Linker<StoreData>) -> wasmtime::Result<()> {
        Ok(())
    }
}
