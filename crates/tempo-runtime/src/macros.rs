//! `runtime!`: expands a list of services, triggers and tools to a program.

use tempo_core::{NoService, Service, Trigger};

/// Expands to a runtime's `main`, from a list of its services, each with its backend, its triggers and, if it has any, its
/// tools (`tools: [AcmeClockmaker],`).
///
/// It calls the methods of [`Runtime`](crate::Runtime), and checks at compile time that the runtime offers the services that
/// its triggers need.
///
/// ```no_run
/// # mod acme {
/// #     use tempo_core::*;
/// #     use tempo_settings::Flag;
/// #     use wasmtime::component::{HasData, Linker, ResourceTable};
/// #     pub struct AcmeTime;
/// #     impl HasData for AcmeTime { type Data<'a> = &'a u64; }
/// #     impl Service for AcmeTime {
/// #         const INTERFACES: &'static [&'static str] = &["acme:time/clock"];
/// #         const PACKAGES: &'static [&'static str] = &["acme:time@1.0.0"];
/// #         type State = u64;
/// #         fn view<'a>(state: &'a mut u64, _: &'a mut ResourceTable) -> &'a u64 { state }
/// #         fn add_to_linker<T: Provide<Self>>(_: &mut Linker<T>) -> wasmtime::Result<()> { Ok(()) }
/// #         fn link(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> { Self::add_to_linker(linker) }
/// #     }
/// #     pub struct SystemClock;
/// #     impl Backend<AcmeTime> for SystemClock {
/// #         fn flags() -> Vec<Flag> { Vec::new() }
/// #         async fn connect(_: BootContext<'_>) -> tempo_settings::Result<Self> { Ok(Self) }
/// #         fn state(&self, _: &StoreContext) -> u64 { 0 }
/// #     }
/// # }
/// use acme::{AcmeTime, SystemClock};
///
/// tempo_runtime::runtime! {
///     name: "acme-runtime",
///     about: "Runs components that use Acme's time",
///     services: {
///         AcmeTime = SystemClock,
///     },
///     triggers: [],
/// }
/// ```
#[macro_export]
macro_rules! runtime {
    (
        name: $name:literal,
        about: $about:literal,
        services: { $( $service:ident $(= $backend:ty)? ),* $(,)? },
        triggers: [ $( $trigger:ty ),* $(,)? ]
        $(, tools: [ $( $tool:ty ),* $(,)? ] )? $(,)?
    ) => {
        $crate::__runtime_once! { ($) $($service)* }

        /// The runtime as its triggers see it.
        struct Offered;

        $( impl $crate::Offers<$service> for Offered {} )*
        $( const _: () = $crate::offers::<Offered, $trigger>(); )*

        fn main() -> ::std::process::ExitCode {
            $crate::Runtime::new($name, ::core::env!("CARGO_PKG_VERSION"), $about)
                $( .service::<$service, $crate::__backend!($service $(, $backend)?)>() )*
                $( .trigger::<$trigger>() )*
                $( $( .tool::<$tool>() )* )?
                .main()
        }
    };
    ($($other:tt)*) => {
        ::core::compile_error!(
            "`runtime!` takes `name: \"..\", about: \"..\", services: { Service = Backend, .. }, triggers: [..]` and, if \
             there are any, `tools: [..]`"
        );
    };
}

/// The backend of a service, or a compile error if there is none.
#[doc(hidden)]
#[macro_export]
macro_rules! __backend {
    ($service:ident, $backend:ty) => {
        $backend
    };
    ($service:ident) => {
        ::core::compile_error!(::core::concat!(
            "the service `",
            ::core::stringify!($service),
            "` has no backend: write `",
            ::core::stringify!($service),
            " = ItsBackend`"
        ))
    };
}

/// A compile error for a service that is listed twice.
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

/// Implemented by [`runtime!`](crate::runtime!) for each service of the runtime.
#[diagnostic::on_unimplemented(
    message = "this runtime does not provide `{S}`",
    note = "add `{S}` with its backend to the services of `runtime!`"
)]
pub trait Offers<S: Service> {}

impl<O> Offers<NoService> for O {}

/// Compiles only if `O` offers the service that trigger `R` needs.
#[doc(hidden)]
pub const fn offers<O: Offers<R::Service>, R: Trigger>() {}
