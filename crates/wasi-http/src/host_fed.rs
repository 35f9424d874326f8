//! Bodies that come from another connection. A guest may hand one on as its response's, and wasmtime then makes of it the
//! body that the server reads: such a body goes on without the guest.

use std::cell::Cell;

thread_local! {
    static POLLS: Cell<u64> = const { Cell::new(0) };
}

/// Counts a poll of such a body.
pub(crate) fn polled() {
    POLLS.set(POLLS.get().wrapping_add(1));
}

/// How many polls there have been on this thread: more than before if what was polled meanwhile is such a body.
pub(crate) fn polls() -> u64 {
    POLLS.get()
}
