//! The limits on a store's memories and tables.

use std::sync::Arc;

use tempo_telemetry::Telemetry;
use wasmtime::ResourceLimiter;

use crate::{Limits, LogBudget};

/// Limits one store: the sum of its linear memories and its GC heap, the number of its tables, and the elements of each
/// table.
///
/// wasmtime's `StoreLimits` limits each memory separately, which does not bound a component with many memories.
#[derive(Debug)]
pub struct StoreLimiter {
    max_memory: usize,
    max_tables: usize,
    max_table_elements: usize,
    memory: usize,
    /// Bytes added by the last allowed growth, subtracted again if that growth fails.
    pending: usize,
    telemetry: Telemetry,
    /// Rate-limits the log of refusals. Each kind is logged once a store, because a guest may retry without end.
    log: Option<Arc<LogBudget>>,
    memory_refused: bool,
    elements_refused: bool,
}

impl StoreLimiter {
    /// Creates the limiter of a new store.
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

    /// Counts refusals in `telemetry`.
    #[must_use]
    pub fn with_telemetry(mut self, telemetry: Telemetry) -> Self {
        self.telemetry = telemetry;
        self
    }

    /// Logs refusals, rate-limited by `budget`.
    #[must_use]
    pub fn with_log(mut self, budget: Arc<LogBudget>) -> Self {
        self.log = Some(budget);
        self
    }

    /// Returns whether to log a refusal. `refused`: the store has logged one of its kind before.
    fn should_log(log: Option<&LogBudget>, refused: &mut bool) -> bool {
        !std::mem::replace(refused, true) && log.is_some_and(LogBudget::admit)
    }

    fn component(&self) -> Option<&str> {
        self.log.as_ref().and_then(|budget| budget.component())
    }

    /// Returns the memory in use, in bytes: linear memories and the GC heap.
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
            if Self::should_log(self.log.as_deref(), &mut self.memory_refused) {
                let (requested, max) = (total.div_ceil(1 << 10), self.max_memory >> 10);
                tracing::warn!(
                    component = self.component(),
                    "an instance requested {requested} KiB of memory and may have {max} (limit: --max-memory)"
                );
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
            if Self::should_log(self.log.as_deref(), &mut self.elements_refused) {
                let (max, flag) = (self.max_table_elements, "--max-table-elements");
                tracing::warn!(
                    component = self.component(),
                    "an instance requested {desired} table elements and may have {max} (limit: {flag})"
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
    fn a_refused_or_failed_growth_is_not_charged() {
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
