//! The memory mappings of instances, counted before they ask the system for them: Linux limits those of a process
//! (`vm.max_map_count`), and beyond it instantiating fails.

use tempo_core::Limits;
use tempo_settings::{Error, ErrorKind};

use crate::address_space;
use crate::allocation::Allocation;
use crate::engine::EngineOptions;
use crate::scan::Shape;

/// The file of the limit.
const LIMIT_FILE: &str = "/proc/sys/vm/max_map_count";
/// The mappings of everything else: programs, libraries, threads, code.
const OTHERS: u64 = 2048;

/// Mappings of a linear memory: what precedes its image, the image, what follows it, and the rest that is reserved.
const OF_MEMORY: u64 = 4;
/// Mappings of a stack: itself, and its guard.
const OF_STACK: u64 = 2;

/// Checks that instances of `shape` within the limits do not exceed the limit of the system. A pool that does not fit into the
/// address space passes: it cannot be created, and there is an error for that.
///
/// # Errors
///
/// They do. The error names the values that fit.
pub(crate) fn check(shape: &Shape, options: EngineOptions<'_>) -> Result<(), Error> {
    let pooled = options.allocation == Allocation::Pooling;
    if pooled && address_space::of_pool(shape, options.instances) > address_space::limit() {
        return Ok(());
    }
    check_sum(of_instances(shape, options.instances), options.limits)
}

/// Checks that `needed` mappings do not exceed the limit of the system.
///
/// # Errors
///
/// They do. The error names the values that fit.
pub(crate) fn check_sum(needed: u64, limits: &Limits) -> Result<(), Error> {
    let limit = std::fs::read_to_string(LIMIT_FILE).ok().and_then(|text| text.trim().parse().ok());
    limit.map_or(Ok(()), |limit| check_against(needed, limit, limits))
}

/// Returns the number of mappings that `instances` instances of `shape` have at most.
pub(crate) fn of_instances(shape: &Shape, instances: usize) -> u64 {
    let memories = u64::from(shape.memories).saturating_add(u64::from(shape.gc_heap)).max(1);
    let of_one = memories.saturating_mul(OF_MEMORY).saturating_add(OF_STACK);
    u64::try_from(instances).unwrap_or(u64::MAX).saturating_mul(of_one)
}

fn check_against(needed: u64, limit: u64, limits: &Limits) -> Result<(), Error> {
    let available = limit.saturating_sub(OTHERS);
    if needed <= available {
        return Ok(());
    }
    // A twentieth is for instances that do not become fewer with the limits, such as idle ones.
    let fits = u128::from(available).saturating_mul(95) / 100;
    let fitting = |count: usize| {
        let count = fits.saturating_mul(count as u128).checked_div(needed.into()).unwrap_or(0);
        count.max(1)
    };
    let (requests, lower) = (limits.requests, fitting(limits.requests));
    let (flags, advice) = match limits.max_streams {
        None => (format!("--max-requests {requests}"), format!("--max-requests to {lower}")),
        Some(streams) => (
            format!("--max-requests {requests} and --max-streams {streams}"),
            format!("--max-requests to {lower} and --max-streams to {}", fitting(streams)),
        ),
    };
    let message = format!(
        "the instances of {flags} need up to {needed} memory mappings, and vm.max_map_count of the system is {limit}"
    );
    let advice = format!("lower {advice}, or set vm.max_map_count to {}", needed.saturating_add(OTHERS));
    Err(Error::new(ErrorKind::BadConfiguration, message).with_advice(advice))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mappings_of_instances_are_counted() {
        let shape = Shape { memories: 1, tables: 2, ..Shape::default() };
        assert_eq!(of_instances(&shape, 5000), 30_000, "as measured");
        let large = Shape { memories: u32::MAX, gc_heap: true, ..Shape::default() };
        assert_eq!(of_instances(&large, usize::MAX), u64::MAX);
    }

    #[test]
    fn the_error_names_the_values_that_fit() {
        let limits = |requests, max_streams| {
            let mut limits = Limits::default();
            (limits.requests, limits.max_streams) = (requests, max_streams);
            limits
        };
        assert!(check_against(65_530 - OTHERS, 65_530, &limits(9000, None)).is_ok());
        let error = check_against(126_964, 65_530, &limits(12_000, None)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadConfiguration);
        assert_eq!(
            error.to_string(),
            "the instances of --max-requests 12000 need up to 126964 memory mappings, and vm.max_map_count of the system is \
             65530; lower --max-requests to 5699, or set vm.max_map_count to 129012"
        );
        let error = check_against(126_964, 65_530, &limits(10, Some(20_000))).unwrap_err().to_string();
        assert!(error.contains("lower --max-requests to 4 and --max-streams to 9499, or"), "{error}");
        assert!(check_against(1, 0, &limits(1, None)).is_err());
        let error = check_against(u64::MAX, 65_530, &limits(usize::MAX, Some(1))).unwrap_err().to_string();
        assert!(error.contains("--max-streams to 1, or"), "{error}");
    }
}
