//! The limit on what a store's memories and tables may hold.

use std::sync::Arc;

use wasmtime::ResourceLimiter;
use tempo_telemetry::Telemetry;

use crate::{Limits, LogBudget};

/// Bounds one store: the sum of its linear memories and its heap of garbage-collected objects, the number of its tables,
/// and the elements of each table.
///
/// wasmtime's own `StoreLimits` bounds each memory by itself, so a component with many memories would escape it.
#[derive(Debug)]
pub struct StoreLimiter {
    max_memory: usize,
    max_tables: usize,
    max_table_elements: usize,
    memory: usize,
    /// What the growth that is under way has added, in case it fails after it was allowed.
    pending: usize,
    telemetry: Telemetry,
    /// Where refusals are logged, and those that this store has logged: once each, as a guest may ask without end.
    log: Option<Arc<LogBudget>>,
    memory_refused: bool,
    elements_refused: bool,
}

impl StoreLimiter {
    /// The limiter of a new store.
    pub fn new(limits: &Limits) -> Self {
        Self {
            max_memory: limits.memory,
            max_tables: limits.tables,
            max_table_elements: limits.table_elements,
            memory: 0,
            pending: 0,
            telemetry: Telemetry::off(),
            log: None,
            memory_refused: false,
            elements_refused: false,
        }
    }

    /// The same limiter, which tells `telemetry` what it refuses.
    #[must_use]
    pub fn with_telemetry(mut self, telemetry: Telemetry) -> Self {
        self.telemetry = telemetry;
        self
    }

    /// The same limiter, which logs what it refuses, within `budget`.
    #[must_use]
    pub fn logged_within(mut self, budget: Arc<LogBudget>) -> Self {
        self.log = Some(budget);
        self
    }

    /// Whether a refusal is to be logged now, given whether this store has logged one of its kind before.
    fn logs(log: Option<&LogBudget>, refused: &mut bool) -> bool {
        !std::mem::replace(refused, true) && log.is_some_and(|budget| budget.admit().is_some())
    }

    /// Memory in use, in bytes: linear memories and the heap of objects.
    pub fn memory(&self) -> usize {
        self.memory
    }
}

impl ResourceLimiter for StoreLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let growth = desired.saturating_sub(current);
        let total = self.memory.saturating_add(growth);
        if total > self.max_memory {
            self.telemetry.count_limit_hit("max-memory");
            if Self::logs(self.log.as_deref(), &mut self.memory_refused) {
                let (wanted, may) = (total.div_ceil(1 << 10), self.max_memory >> 10);
                tracing::warn!("an instance asked for {wanted} KiB of memory and may have {may} (limit: --max-memory)");
            }
            return Ok(false);
        }
        self.memory = total;
        self.pending = growth;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory = self.memory.saturating_sub(self.pending);
        self.pending = 0;
        Ok(())
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let fits = desired <= self.max_table_elements;
        if !fits {
            self.telemetry.count_limit_hit("max-table-elements");
            if Self::logs(self.log.as_deref(), &mut self.elements_refused) {
                let may = self.max_table_elements;
                let flag = "--max-table-elements";
                tracing::warn!(
                    "an instance asked for a table of {desired} elements and may have {may} (limit: {flag})"
                );
            }
        }
        Ok(fits)
    }

    fn tables(&self) -> usize {
        self.max_tables
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(memory: usize) -> StoreLimiter {
        StoreLimiter::new(&Limits { memory, table_elements: 10, ..Limits::default() })
    }

    #[test]
    fn memories_are_summed() {
        let mut limiter = limiter(100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(!limiter.memory_growing(0, 41, None).unwrap(), "one above the limit");
        assert!(limiter.memory_growing(0, 40, None).unwrap(), "exactly the limit");
        assert_eq!(limiter.memory(), 100);
    }

    #[test]
    fn a_refused_growth_costs_nothing_and_a_failed_one_is_given_back() {
        let mut limiter = limiter(100);
        assert!(!limiter.memory_growing(0, usize::MAX, None).unwrap());
        assert!(limiter.memory_growing(0, 100, None).unwrap());
        limiter.memory_grow_failed(wasmtime::Error::msg("no memory")).unwrap();
        assert_eq!(limiter.memory(), 0);
    }

    #[test]
    fn table_elements_at_the_edge() {
        let mut limiter = limiter(1);
        assert!(limiter.table_growing(0, 9, None).unwrap());
        assert!(limiter.table_growing(0, 10, None).unwrap());
        assert!(!limiter.table_growing(0, 11, None).unwrap());
    }
}
