//! Accounts for the bytes that the host holds for a guest of `wasi:http`: fields, and properties of requests.
//!
//! `wasmtime-wasi-http` limits each `fields` but not their sum. [`HeldBytes`] is an upper bound: it adds what each call
//! adds, and subtracts what the guest has dropped when it scans the resource table. It scans once the bound has doubled
//! since the last scan, or when the store's budget is used up, so that most requests never scan and dropped bytes cause
//! no refusal.

mod functions;
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
use scan::{address, field_bytes, scan};

use crate::HttpView;

/// Size of the pieces in which a guest's body is copied, in bytes.
pub(crate) const CHUNK_BYTES: usize = 64 << 10;

/// Capacity of the channel of an outgoing body of WASI 0.2, in bytes: two pieces.
pub(crate) const P2_BODY_BYTES: usize = 2 * CHUNK_BYTES;

/// Granularity of reservations, in bytes, so that small additions only cost a comparison.
const RESERVE_STEP: usize = 64 << 10;

/// Minimum growth before a scan, in bytes.
const MIN_SCAN_GROWTH: usize = 1 << 20;

/// The bytes that the host holds in a store's resource table for `wasi:http`, reserved in the store's budget.
#[derive(Debug)]
pub struct HeldBytes {
    reserved: Reservation,
    /// Bytes held at the last scan.
    scanned: usize,
    /// `scanned`, plus all bytes added since: an upper bound of the bytes held.
    held: usize,
}

impl HeldBytes {
    /// Creates the account of an empty store.
    pub fn new(budget: &ByteBudget) -> Self {
        Self { reserved: budget.empty(), scanned: 0, held: 0 }
    }

    /// Admits `bytes` more in `table`. Returns false if the budget has no room.
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
        if added <= self.scanned.max(MIN_SCAN_GROWTH) && self.reserve(bytes) {
            return true;
        }
        self.scanned = scan(table);
        self.held = self.scanned;
        self.reserve(bytes)
    }

    /// Reserves the held bytes and `bytes` more, rounded up if there is room.
    fn reserve(&mut self, bytes: usize) -> bool {
        let held = self.held.saturating_add(bytes);
        let step = held.checked_next_multiple_of(RESERVE_STEP).unwrap_or(held);
        let most = self.reserved.bytes().saturating_add(self.reserved.available());
        let reserved = self.reserved.try_resize(if step <= most { step } else { held }).is_ok();
        if reserved {
            self.held = held;
        }
        reserved
    }

    /// Subtracts bytes that were admitted but not added.
    fn remove(&mut self, bytes: usize) {
        self.held = self.held.saturating_sub(bytes);
        if bytes >= RESERVE_STEP {
            // Shrinking cannot fail.
            let _ = self.reserve(0);
        }
    }

    /// Adds bytes that are held already: the next admission accounts for them.
    fn add(&mut self, bytes: usize) {
        self.held = self.held.saturating_add(bytes);
    }
}

impl HttpView<'_> {
    /// Runs `add`, which adds `bytes` to what the host holds. Returns `None` if they are not admitted.
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

    /// Runs `change`, which adds `bytes` to `fields`. Returns `None` if they are not admitted.
    fn change<R, E>(
        &mut self,
        fields: Resource<FieldMap>,
        bytes: usize,
        change: impl FnOnce(&mut WasiHttpCtxView<'_>, Resource<FieldMap>) -> Result<R, E>,
    ) -> Option<Result<R, E>> {
        let again = Resource::new_borrow(fields.rep());
        let before = self.http.table.get(&again).ok().map(address);
        let result = self.add(bytes, |http| change(http, fields));
        // Clones share their fields until one is changed, which copies all of them.
        if let Ok(map) = self.http.table.get(&again)
            && before != Some(address(map))
        {
            self.held.add(header_bytes(map));
        }
        result
    }
}

/// Runs a setter. It fails if the host may not hold `bytes` more.
fn set<R>(
    mut view: HttpView<'_>,
    bytes: usize,
    set: impl FnOnce(&mut WasiHttpCtxView<'_>) -> wasmtime::Result<Result<R, ()>>,
) -> wasmtime::Result<(Result<R, ()>,)> {
    let mut trap = None;
    let set = |http: &mut WasiHttpCtxView<'_>| {
        set(http).unwrap_or_else(|error| {
            trap = Some(error);
            Err(())
        })
    };
    let result = view.add(bytes, set).unwrap_or(Err(()));
    trap.map_or(Ok((result,)), Err)
}
