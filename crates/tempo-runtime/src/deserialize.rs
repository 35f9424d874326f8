//! The one place that turns bytes into native code.
#![allow(unsafe_code, reason = "wasmtime cannot check machine code; the caller has checked who made it")]

use wasmtime::Engine;
use wasmtime::component::Component;

/// Machine code whose origin was verified. Only [`crate::load`] makes one, after checking a file's signature.
pub struct Verified<'a>(pub(crate) &'a [u8]);

/// Loads machine code that this host compiled.
pub fn deserialize(engine: &Engine, code: &Verified<'_>) -> wasmtime::Result<Component> {
    // SAFETY: `Verified` holds bytes in memory, which nobody can change under us, that carry a valid HMAC under a key
    // that only this user can read: `Component::serialize` wrote them.
    unsafe { Component::deserialize(engine, code.0) }
}
