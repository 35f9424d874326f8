//! The limit on what a store's memories and tables may hold.

use wasmtime::ResourceLimiter;

use crate::Limits;
use crate::telemetry::Telemetry;

/// Bounds one store: the sum of its linear memories, the number of its tables, and the elements of each table.
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
        }
    }

    /// The same limiter, which tells `telemetry` what it refuses.
    #[must_use]
    pub fn told_to(mut self, telemetry: Telemetry) -> Self {
        self.telemetry = telemetry;
        self
    }

    /// Linear memory in use, in bytes.
    pub fn memory(&self) -> usize {
        self.memory
    }
}

impl ResourceLimiter for StoreLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let growth = desired.saturating_sub(current);
        let total = self.memory.saturating_add(growth);
        if total > self.max_memory {
            self.telemetry.hit("max-memory");
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
            self.telemetry.hit("max-table-elements");
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
