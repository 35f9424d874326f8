//! Runs WebAssembly components with the host services you choose.
//!
//! [`runtime!`] expands a list of services and triggers to a program; [`Runtime`] is the builder that it calls. The
//! program has six commands, and one for each of its tools: `run` serves a component or runs it once, `dev` builds it as well
//! and replaces it when its sources change, `compile` compiles one ahead of time, `compose` makes one of several of an app,
//! `inspect` shows imports and exports, and `schema` prints the JSON Schema of the settings file.
//!
//! A runtime boots in this order, and each step must succeed before the next begins: read the settings; load and
//! validate the component; link its imports; check all types; connect the backends of the imported services; start the
//! triggers whose interfaces it exports.
// docs.rs shows the feature that an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]
// The module `fuzzing` exports internal items.
#![cfg_attr(not(feature = "fuzzing"), allow(unreachable_pub, reason = "only the fuzz targets reach them"))]

mod address_space;
mod allocation;
mod background;
mod boot;
mod cli;
mod command;
mod compose;
mod deserialize;
mod dev;
mod engine;
mod env_file;
mod epoch;
mod file_bytes;
mod found_file;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod granted;
mod grants;
mod guest_output;
mod host_key;
mod inspect;
mod inspect_app;
mod inspect_command;
mod inspect_graph;
mod interfaces;
mod link;
mod links;
mod load;
mod loaded_settings;
mod log;
mod log_format;
mod log_line;
mod log_output;
mod macros;
mod manifest;
mod mappings;
mod mermaid;
mod missing;
mod notices;
mod open_files;
mod output;
mod own_files;
mod precompiled;
mod problems;
mod read_files;
mod registry;
mod release_candidate;
mod reload_metrics;
mod reloads;
#[cfg(feature = "telemetry")]
mod reporting;
#[cfg(not(feature = "telemetry"))]
#[path = "reporting_off.rs"]
mod reporting;
mod runtime;
mod scan;
mod schema;
mod separator;
mod settings_file;
mod signals;
mod sockets;
mod stdout;
mod tls;
mod tool;
mod watch;

pub use macros::Offers;
#[doc(hidden)]
pub use macros::offers;
pub use runtime::Runtime;

// The expansion of `runtime!` refers to these, so that a runtime depends on this crate alone.
pub use {tempo_backend, tempo_core, tempo_settings, wasmtime};
