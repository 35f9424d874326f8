//! What the host holds for a guest of `wasi:http`: fields, and what is set of requests.
//!
//! `wasmtime-wasi-http` bounds one `fields` and keeps no account of all of them. The account here is an upper bound: what
//! a call adds is added, and what the guest drops is found when the resource table is scanned. That happens once as much
//! was added as there was at the scan before, or when the store's budget is used up, so that most requests never scan and
//! no refusal is due to what is gone.

mod p2;
mod p3;
mod scan;
#[cfg(test)]
mod tests;

use tempo_backend::{ByteBudget, Reservation};
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi_http::{FieldMap, WasiHttpCtxView};

pub(crate) use p2::add_to_linker as add_p2_to_linker;
pub(crate) use p3::add_to_linker as add_p3_to_linker;
pub(crate) use scan::header_bytes;
use scan::{address, field, scan};

use crate::HttpView;

/// What a guest writes to a body is copied in pieces of this size, in bytes.
pub(crate) const CHUNK: usize = 64 << 10;

/// What the channel of an outgoing body of WASI 0.2 holds: two pieces, in bytes.
pub(crate) const BODY: usize = 2 * CHUNK;

/// The account grows in steps of this size, in bytes, so that small additions cost a comparison.
const STEP: usize = 64 << 10;

/// How much is added before the first scan, in bytes.
const SCAN_AFTER: usize = 1 << 20;

/// The bytes that the host holds in a store's resource table for `wasi:http`, reserved in the store's budget.
#[derive(Debug)]
pub struct HeldBytes {
    reserved: Reservation,
    /// What was held at the last scan.
    scanned: usize,
    /// That, and all that was added since: no less than what is held.
    held: usize,
}

impl HeldBytes {
    /// The account of a store in which nothing is held yet.
    pub fn new(budget: &ByteBudget) -> Self {
        Self { reserved: budget.empty(), scanned: 0, held: 0 }
    }

    /// Whether `bytes` may be added to what `table` holds.
    fn admit(&mut self, table: &mut ResourceTable, bytes: usize) -> bool {
        let held = self.held.saturating_add(bytes);
        if held <= self.reserved.bytes() {
            self.held = held;
            return true;
        }
        self.extend(table, bytes)
    }

    #[cold]
    fn extend(&mut self, table: &mut ResourceTable, bytes: usize) -> bool {
        let added = self.held.saturating_sub(self.scanned);
        if added <= self.scanned.max(SCAN_AFTER) && self.reserve(bytes) {
            return true;
        }
        self.scanned = scan(table);
        self.held = self.scanned;
        self.reserve(bytes)
    }

    /// Reserves what is held and `bytes` more, rounded up if there is room.
    fn reserve(&mut self, bytes: usize) -> bool {
        let held = self.held.saturating_add(bytes);
        let step = held.checked_next_multiple_of(STEP).unwrap_or(held);
        let most = self.reserved.bytes().saturating_add(self.reserved.room());
        let reserved = self.reserved.try_resize(if step <= most { step } else { held }).is_ok();
        if reserved {
            self.held = held;
        }
        reserved
    }

    /// Takes back what was admitted and not added.
    fn remove(&mut self, bytes: usize) {
        self.held = self.held.saturating_sub(bytes);
        if bytes >= STEP {
            // It shrinks, which cannot fail.
            let _ = self.reserve(0);
        }
    }

    /// Adds what is held already: the next addition answers for it.
    fn add(&mut self, bytes: usize) {
        self.held = self.held.saturating_add(bytes);
    }
}

impl HttpView<'_> {
    /// Lets `add` add `bytes` to what the host holds, if they may be added.
    fn add<R, E>(
        &mut self,
        bytes: usize,
        add: impl FnOnce(&mut WasiHttpCtxView<'_>) -> Result<R, E>,
    ) -> Option<Result<R, E>> {
        if !self.held.admit(self.http.table, bytes) {
            return None;
        }
        let result = add(&mut self.http);
        if result.is_err() {
            self.held.remove(bytes);
        }
        Some(result)
    }

    /// Lets `change` add `bytes` to `fields`, if they may be added.
    fn change<R, E>(
        &mut self,
        fields: Resource<FieldMap>,
        bytes: usize,
        change: impl FnOnce(&mut WasiHttpCtxView<'_>, Resource<FieldMap>) -> Result<R, E>,
    ) -> Option<Result<R, E>> {
        let again = Resource::new_borrow(fields.rep());
        let before = self.http.table.get(&again).ok().map(address);
        let result = self.add(bytes, |http| change(http, fields));
        // Clones share their fields until one of them is changed, which copies all of them.
        if let Ok(map) = self.http.table.get(&again)
            && before != Some(address(map))
        {
            self.held.add(header_bytes(map));
        }
        result
    }
}
