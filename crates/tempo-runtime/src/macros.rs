//! `runtime!`: a program from a list of services, triggers and tools.

/// Writes a runtime's store data and `main` from a list of its services, each with its backend, its triggers
/// and, if it has any, its tools (`tools: [AcmeClockmaker],`).
///
/// It is sugar over [`Runtime`](crate::Runtime): each service becomes a field of the store's data with its
/// [`Provide`](tempo_core::Provide) implementation, and `main` a chain of calls.
///
/// ```no_run
/// # mod acme {
/// #     use tempo_core::*;
/// #     use wasmtime::component::{HasData, Linker, ResourceTable};
/// #     pub struct AcmeTime;
/// #     impl HasData for AcmeTime { type Data<'a> = &'a u64; }
/// #     impl Service for AcmeTime {
/// #         const INTERFACES: &'static [&'static str] = &["acme:time/clock"];
/// #         const PACKAGES: &'static [&'static str] = &["acme:time@1.0.0"];
/// #         fn add_to_linker<T: Provide<Self>>(_: &mut Linker<T>) -> wasmtime::Result<()> { Ok(()) }
/// #     }
/// #     pub struct SystemClock;
/// #     impl Backend<AcmeTime> for SystemClock {
/// #         fn flags() -> Vec<Flag> { Vec::new() }
/// #         type State = u64;
/// #         async fn connect(_: Boot<'_>) -> anyhow::Result<Self> { Ok(Self) }
/// #         fn state(&self, _: &ByteBudget) -> u64 { 0 }
/// #         fn view<'a>(state: &'a mut u64, _: &'a mut ResourceTable) -> &'a u64 { state }
/// #     }
/// # }
/// use acme::{AcmeTime, SystemClock};
///
/// tempo_runtime::runtime! {
///     name: "acme-runtime",
///     about: "Runs components that need to know Acme's time",
///     services: {
///         time: AcmeTime = SystemClock,
///     },
///     triggers: [],
/// }
/// ```
#[macro_export]
macro_rules! runtime {
    (
        name: $name:literal,
        about: $about:literal,
        services: { $($services:tt)* },
        triggers: [ $($trigger:ty),* $(,)? ] $(,)?
    ) => {
        $crate::__runtime_services! { ($) [$name, $about, [$($trigger),*], []] [] $($services)* }
    };
    (
        name: $name:literal,
        about: $about:literal,
        services: { $($services:tt)* },
        triggers: [ $($trigger:ty),* $(,)? ],
        tools: [ $($tool:ty),* $(,)? ] $(,)?
    ) => {
        $crate::__runtime_services! { ($) [$name, $about, [$($trigger),*], [$($tool),*]] [] $($services)* }
    };
    ($($other:tt)*) => {
        ::core::compile_error!(
            "`runtime!` takes `name: \"..\", about: \"..\", services: { field: Service = Backend, .. }, triggers: [..]` \
             and, if there are any, `tools: [..]`"
        );
    };
}

/// Reads the list of services one by one.
#[doc(hidden)]
#[macro_export]
macro_rules! __runtime_services {
    (($d:tt) $head:tt [$($done:tt)*] $field:ident: $service:ident = $backend:ty, $($rest:tt)*) => {
        $crate::__runtime_services! { ($d) $head [$($done)* [$field $service $backend]] $($rest)* }
    };
    (($d:tt) $head:tt [$($done:tt)*] $field:ident: $service:ident = $backend:ty) => {
        $crate::__runtime_services! { ($d) $head [$($done)* [$field $service $backend]] }
    };
    (($d:tt) $head:tt [$($done:tt)*] $field:ident: $service:ident $($rest:tt)*) => {
        ::core::compile_error!(::core::concat!(
            "the service `", ::core::stringify!($service), "` has no backend: write `",
            ::core::stringify!($field), ": ", ::core::stringify!($service), " = ItsBackend`"
        ));
    };
    (
        ($d:tt)
        [$name:literal, $about:literal, [$($trigger:ty),*], [$($tool:ty),*]]
        [$([$field:ident $service:ident $backend:ty])*]
    ) => {
        $crate::__runtime_once! { ($d) $($service)* }

        /// What a store of this runtime carries.
        struct StoreData {
            base: $crate::Base,
            $( $field: $crate::Slot<$service, $backend>, )*
        }

        impl $crate::StoreData for StoreData {
            fn new(base: $crate::Base) -> Self {
                Self { base, $( $field: ::core::default::Default::default(), )* }
            }

            fn base(&mut self) -> &mut $crate::Base {
                &mut self.base
            }
        }

        impl $crate::wasmtime_wasi::WasiView for StoreData {
            fn ctx(&mut self) -> $crate::wasmtime_wasi::WasiCtxView<'_> {
                $crate::wasmtime_wasi::WasiCtxView { ctx: &mut self.base.wasi, table: &mut self.base.table }
            }
        }

        $(
            impl $crate::tempo_core::Provide<$service> for StoreData {
                fn provide(&mut self) -> <$service as $crate::wasmtime::component::HasData>::Data<'_> {
                    self.$field.view(&mut self.base.table)
                }
            }

            impl $crate::Carry<$service> for StoreData {
                type Backend = $backend;

                fn slot(&mut self) -> &mut $crate::Slot<$service, $backend> {
                    &mut self.$field
                }
            }
        )*

        fn main() -> ::std::process::ExitCode {
            $crate::Runtime::<StoreData>::new($name, ::core::env!("CARGO_PKG_VERSION"), $about)
                $( .service::<$service>() )*
                $( .trigger::<$trigger>() )*
                $( .tool::<$tool>() )*
                .main()
        }
    };
}

/// Refuses a service that is listed twice, with a message that says so.
#[doc(hidden)]
#[macro_export]
macro_rules! __runtime_once {
    (($d:tt)) => {};
    (($d:tt) $first:ident $($rest:ident)*) => {
        const _: () = {
            #[allow(unused_macros, reason = "nothing to compare the last service with")]
            macro_rules! once {
                ($first) => {
                    ::core::compile_error!(::core::concat!(
                        "the service `", ::core::stringify!($first), "` is listed twice: remove one"
                    ));
                };
                ($d other:ident) => {};
            }
            $( once! { $rest } )*
        };
        $crate::__runtime_once! { ($d) $($rest)* }
    };
}
