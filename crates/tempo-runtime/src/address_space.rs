//! The address space that pools of instances reserve, counted before they ask the system for it.

use crate::scan::Shape;

/// Address space that a pool reserves for one memory: what wasmtime reserves on 64-bit machines, and the guard after it.
const MEMORY_BYTES: u64 = (4 << 30) + (32 << 20);
/// Address space of a process, in bytes, less a quarter for everything else: most processors and kernels give it 47 bits.
const PROCESS_BYTES: u64 = 96 << 40;

/// Returns the address space that pools may reserve, all together.
pub(crate) fn limit() -> u64 {
    #[cfg(unix)]
    {
        let limit = rustix::process::getrlimit(rustix::process::Resource::As).current;
        limit.unwrap_or(u64::MAX).min(PROCESS_BYTES)
    }
    #[cfg(not(unix))]
    PROCESS_BYTES
}

/// Returns the address space of a pool for `instances` instances of `shape`, in bytes.
pub(crate) fn of_pool(shape: &Shape, instances: usize) -> u64 {
    let heaps = u64::from(shape.gc_heap);
    let memories = u64::from(shape.memories).saturating_add(heaps).max(1);
    u64::try_from(instances).unwrap_or(u64::MAX).saturating_mul(memories).saturating_mul(MEMORY_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_of_many_components_are_counted() {
        let shape = |memories, gc_heap| Shape { memories, gc_heap, ..Shape::default() };
        assert_eq!(of_pool(&shape(0, false), 1), MEMORY_BYTES);
        assert_eq!(of_pool(&shape(2, true), 10), 30 * MEMORY_BYTES);
        assert!(of_pool(&shape(u32::MAX, true), usize::MAX) == u64::MAX && limit() <= PROCESS_BYTES);
    }
}
