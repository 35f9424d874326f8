//! Counts polls of bodies that the host reads from another connection. If a guest returns such a body as its response's,
//! wasmtime passes it to the server, and it produces data without the guest.

use std::cell::Cell;

thread_local! {
    static POLLS: Cell<u64> = const { Cell::new(0) };
}

/// Counts a poll of such a body.
pub(crate) fn count_poll() {
    POLLS.set(POLLS.get().wrapping_add(1));
}

/// Returns the number of polls on this thread. It has grown if a body polled in between is host-fed.
pub(crate) fn polls() -> u64 {
    POLLS.get()
}
