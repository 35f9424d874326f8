//! Tests of the account: additions, drops, and shared clones.

use wasmtime_wasi_http::WasiHttpCtx;

use super::*;
use crate::{Client, ClientConfig, Hooks, Policy};

struct Guest {
    table: ResourceTable,
    context: WasiHttpCtx,
    hooks: Hooks,
    held: HeldBytes,
}

impl Guest {
    fn new(budget: &ByteBudget) -> Self {
        let client = Client::new(ClientConfig::default(), Policy::new([], []).unwrap()).unwrap();
        let (table, context) = (ResourceTable::new(), WasiHttpCtx::new());
        Self { table, context, hooks: Hooks::new(client), held: HeldBytes::new(budget) }
    }

    fn fields(&mut self) -> Resource<FieldMap> {
        self.table.push(FieldMap::new_mutable(128 << 10)).unwrap()
    }

    /// Appends a field with a value of `length` bytes. Returns false if it was refused.
    fn append(&mut self, fields: &Resource<FieldMap>, length: usize) -> bool {
        let again = Resource::new_borrow(fields.rep());
        let http = WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.context };
        let mut view = HttpView::new(http, &mut self.held);
        let appended = view.change(again, field_bytes("x", length), |http, fields| {
            let fields = http.table.get_mut(&fields).unwrap();
            fields.append(http.hooks, "x".into(), vec![b'v'; length])
        });
        matches!(appended, Some(Ok(_)))
    }

    fn clone(&mut self, fields: &Resource<FieldMap>) -> Resource<FieldMap> {
        let mut copy = self.table.get(fields).unwrap().clone();
        copy.set_mutable(128 << 10);
        self.table.push(copy).unwrap()
    }
}

#[test]
fn bytes_at_the_edge() {
    const LIMIT: usize = 300_000;
    for (last, fits) in [(99_999, true), (100_000, true), (100_001, false)] {
        let budget = ByteBudget::new(LIMIT);
        let mut guest = Guest::new(&budget);
        let (first, second, third) = (guest.fields(), guest.fields(), guest.fields());
        let overhead = field_bytes("x", 0);
        assert!(guest.append(&first, 100_000 - overhead) && guest.append(&second, 100_000 - overhead));
        assert_eq!(guest.append(&third, last - overhead), fits, "{last}");
    }
}

#[test]
fn what_is_dropped_is_found_when_it_is_needed() {
    let budget = ByteBudget::new(300_000);
    let mut guest = Guest::new(&budget);
    for _ in 0..1000 {
        let fields = guest.fields();
        assert!(guest.append(&fields, 100_000));
        guest.table.delete(fields).unwrap();
    }
    let held: Vec<_> = (0..2).map(|_| guest.fields()).collect();
    assert!(held.iter().all(|fields| guest.append(fields, 100_000)));
    let more = guest.fields();
    assert!(!guest.append(&more, 100_000));
    for fields in held {
        guest.table.delete(fields).unwrap();
    }
    assert!(guest.append(&more, 100_000));
    drop(guest);
    assert_eq!(budget.left(), 300_000);
}

#[test]
fn clones_are_counted_once_they_differ() {
    let budget = ByteBudget::new(1 << 20);
    let mut guest = Guest::new(&budget);
    let fields = guest.fields();
    assert!(guest.append(&fields, 100_000));
    let clones: Vec<_> = (0..100).map(|_| guest.clone(&fields)).collect();
    assert!(guest.append(&fields, 10), "those that share count once");
    let changed = clones.iter().filter(|clone| guest.append(clone, 10)).count();
    // The last one is copied before it turns out to be the last.
    assert!((9..=10).contains(&changed), "{changed}");
    assert!(scan(&mut guest.table) <= (1 << 20) + 101_000);
}

#[test]
fn what_fails_is_not_counted() {
    let budget = ByteBudget::new(1 << 20);
    let mut guest = Guest::new(&budget);
    let fields = guest.fields();
    for _ in 0..10 {
        assert!(!guest.append(&fields, 800_000), "more than one map may hold");
        assert!(budget.left() >= (1 << 20) - RESERVE_STEP, "{budget:?}");
    }
}

#[test]
fn other_services_have_the_same_budget() {
    let budget = ByteBudget::new(300_000);
    let mut guest = Guest::new(&budget);
    let others = budget.hold(200_000).unwrap();
    let fields = guest.fields();
    assert!(!guest.append(&fields, 100_000));
    assert!(guest.append(&fields, 99_000));
    drop(others);
    assert!(guest.append(&fields, 20_000));
}
