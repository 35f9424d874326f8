//! The memory mappings of instances, counted before they ask the system for them: Linux limits those of a process
//! (`vm.max_map_count`), and beyond it instantiating fails.

use tempo_core::Limits;
use tempo_settings::{Error, ErrorKind};

use crate::allocation::Allocation;
use crate::engine::EngineOptions;
use crate::scan::Shape;

/// The file of the limit.
const LIMIT_FILE: &str = "/proc/sys/vm/max_map_count";
/// The mappings of everything else: programs, libraries, threads, code.
const OTHERS: u64 = 2048;

/// Mappings of a linear memory in the pool: its image, its heap, and the rest of its slot.
const OF_MEMORY: u64 = 3;
/// Mappings of a table in the pool: its elements, and the rest of its slot.
const OF_TABLE: u64 = 2;
/// Mappings of a stack: itself, and its guard.
const OF_STACK: u64 = 2;

/// Checks that instances of `shape` within the limits do not exceed the limit of the system.
///
/// # Errors
///
/// They do. The error names the values that fit.
pub(crate) fn check(shape: &Shape, options: EngineOptions<'_>) -> Result<(), Error> {
    let needed = of_instances(shape, options.allocation, options.instances);
    check_sum(needed, options.limits)
}

/// Checks that `needed` mappings do not exceed the limit of the system.
///
/// # Errors
///
/// They do. The error names the values that fit.
pub(crate) fn check_sum(needed: u64, limits: &Limits) -> Result<(), Error> {
    let limit = std::fs::read_to_string(LIMIT_FILE).ok().and_then(|text| text.trim().parse().ok());
    limit.map_or(Ok(()), |limit| check_against(needed, limit, limits.requests))
}

/// Returns the number of mappings that `instances` instances of `shape` have at most.
pub(crate) fn of_instances(shape: &Shape, allocation: Allocation, instances: usize) -> u64 {
    let memories = u64::from(shape.memories).saturating_add(u64::from(shape.gc_heap)).max(1);
    let tables = match allocation {
        Allocation::Pooling => u64::from(shape.tables).max(1),
        // On the heap.
        Allocation::OnDemand => 0,
    };
    let of_one =
        memories.saturating_mul(OF_MEMORY).saturating_add(tables.saturating_mul(OF_TABLE)).saturating_add(OF_STACK);
    u64::try_from(instances).unwrap_or(u64::MAX).saturating_mul(of_one)
}

fn check_against(needed: u64, limit: u64, requests: usize) -> Result<(), Error> {
    let available = limit.saturating_sub(OTHERS);
    if needed <= available {
        return Ok(());
    }
    // Nearly all instances are those of requests.
    let available = u128::from(available).saturating_mul(99) / 100;
    let fits = available.saturating_mul(requests as u128).checked_div(needed.into()).unwrap_or(0);
    let message = format!(
        "the instances of --max-requests {requests} need up to {needed} memory mappings, and vm.max_map_count of the system is {limit}"
    );
    let advice =
        format!("lower --max-requests to {fits}, or set vm.max_map_count to {}", needed.saturating_add(OTHERS));
    Err(Error::new(ErrorKind::BadConfiguration, message).with_advice(advice))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mappings_of_instances_are_counted() {
        let shape = Shape { memories: 1, tables: 1, ..Shape::default() };
        assert_eq!(of_instances(&shape, Allocation::Pooling, 5000), 35_000, "as measured");
        assert_eq!(of_instances(&shape, Allocation::OnDemand, 5000), 25_000);
        let large = Shape { memories: u32::MAX, tables: u32::MAX, gc_heap: true, ..Shape::default() };
        assert_eq!(of_instances(&large, Allocation::Pooling, usize::MAX), u64::MAX);
    }

    #[test]
    fn the_error_names_the_values_that_fit() {
        assert!(check_against(65_530 - OTHERS, 65_530, 9000).is_ok());
        let error = check_against(126_964, 65_530, 12_000).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadConfiguration);
        assert_eq!(
            error.to_string(),
            "the instances of --max-requests 12000 need up to 126964 memory mappings, and vm.max_map_count of the system is \
             65530; lower --max-requests to 5939, or set vm.max_map_count to 129012"
        );
        assert!(check_against(1, 0, 1).is_err() && check_against(u64::MAX, 65_530, usize::MAX).is_err());
    }
}
