//! Deserializes machine code: the only module with `unsafe`.
#![allow(unsafe_code, reason = "wasmtime cannot validate machine code; the caller has verified its signature")]

use wasmtime::Engine;
use wasmtime::component::Component;

/// Machine code with a verified signature. Only [`crate::load`] constructs it, after verifying a file.
pub(crate) struct Verified<'a>(pub(crate) &'a [u8]);

/// Loads machine code that this host compiled.
pub(crate) fn deserialize(engine: &Engine, code: &Verified<'_>) -> wasmtime::Result<Component> {
    // SAFETY: `Verified` borrows bytes in memory, which stay unchanged, with a valid HMAC under a key that only this user can
    // read: `Component::serialize` wrote them.
    unsafe { Component::deserialize(engine, code.0) }
}
