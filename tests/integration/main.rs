//! The integration tests: the real programs, real components, real connections. `cargo xtask test` builds what they need.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

mod blobstore;
mod blobstore_large;
mod blobstore_s3;
mod command;
mod drain;
mod egress;
mod egress_limits;
mod errors;
mod errors_precompiled;
mod errors_settings;
mod http;
mod http2;
mod http_bodies;
mod http_heads;
mod http_time;
mod inspect;
mod interop;
mod isolation;
mod keyvalue;
mod keyvalue_crash;
mod keyvalue_errors;
mod keyvalue_watch;
mod limits;
mod limits_data;
mod limits_grants;
mod limits_log;
mod limits_time;
mod messages_tool;
mod messaging;
mod messaging_burst;
mod messaging_errors;
mod messaging_fates;
mod messaging_ledger;
mod messaging_restart;
mod otel;
mod overload;
mod precompiled;
mod serve;
mod settings;
mod storage_clients;
mod storage_model;
mod storage_settings;
mod tls;
