//! The outgoing client against real servers on the loopback interface.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic, in its helpers too")]

mod addresses;
mod bodies;
mod closed_http2;
mod connections;
mod hooks;
mod limits;
mod support;
mod tls;
