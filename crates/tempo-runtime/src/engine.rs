//! The wasmtime engine, with a pooling allocator sized by the limits.

use std::fmt;
use std::time::Duration;

use tempo_core::Limits;
use tempo_settings::{Error, ErrorKind};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::allocation::Allocation;
use crate::mappings;
use crate::scan::Shape;

/// Interval of the epoch: the longest time a guest computes before it yields.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Bytes of a memory slot that stay resident after its instance ends. The rest is returned to the system.
const KEEP_RESIDENT_MEMORY: usize = 2 << 20;
/// Bytes of a table slot that stay resident after its instance ends.
const KEEP_RESIDENT_TABLE: usize = 64 << 10;
/// Maximum size of wasmtime's data about one instance, in bytes. Far above the needs of real components.
const MAX_INSTANCE_METADATA: usize = 16 << 20;
/// Minimum number of stacks: a component that consists of several needs one for each call between them.
const MIN_STACKS: u32 = 256;
/// Stack of host functions, in addition to the guest's, in bytes.
const HOST_STACK: usize = 512 << 10;

/// The requirements on an engine.
#[derive(Clone, Copy)]
pub(crate) struct EngineOptions<'a> {
    /// The limits of instances.
    pub limits: &'a Limits,
    /// The target whose processors the engine compiles for; `None` for this machine's processor.
    pub target: Option<&'a str>,
    /// Where memories lie.
    pub allocation: Allocation,
    /// Number of instances that exist at once. 0 reserves no address space.
    pub instances: usize,
}

/// Creates the engine for a component of `shape`.
///
/// A WASI 0.2 component gets an engine without concurrency support, in which calls cost less.
///
/// # Errors
///
/// The initial memory or table of the component exceeds its limit, the pool does not fit into the address space
/// ([`PoolTooLarge`]), or there is no compiler for the target.
pub(crate) fn engine(shape: &Shape, options: EngineOptions<'_>) -> anyhow::Result<Engine> {
    check_initial_sizes(shape, options.limits)?;
    mappings::check(shape, options)?;
    let mut config = config(shape, options)?;
    if options.allocation == Allocation::OnDemand || options.instances == 0 {
        return Engine::new(&config).map_err(|error| unusable(&error).into());
    }
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(shape, options)));
    Engine::new(&config).map_err(|error| {
        tracing::debug!(?error, "no engine with this pool");
        config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
        // The rest of the configuration is usable if it is without the pool.
        Engine::new(&config).map_or_else(|error| unusable(&error).into(), |_| PoolTooLarge(options.instances).into())
    })
}

/// The pool of this many instances does not fit into the address space.
#[derive(Debug)]
pub(crate) struct PoolTooLarge(usize);

impl PoolTooLarge {
    /// Creates the error of a pool of `instances`.
    pub(crate) fn of(instances: usize) -> Self {
        Self(instances)
    }

    /// Returns `advice`, after the flag that makes the pool smaller, if there is one.
    pub(crate) fn advice(&self, advice: &str) -> String {
        if self.0 > 1 { format!("lower --max-requests, or {advice}") } else { advice.to_owned() }
    }
}

impl fmt::Display for PoolTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("the pool of one instance")?,
            instances => write!(f, "the pool of {instances} instances")?,
        }
        f.write_str(" does not fit into the address space")
    }
}

impl std::error::Error for PoolTooLarge {}

fn unusable(error: &wasmtime::Error) -> Error {
    Error::new(ErrorKind::BadConfiguration, format!("the engine cannot be created: {error:#}"))
}

fn config(shape: &Shape, options: EngineOptions<'_>) -> Result<Config, Error> {
    let wasm_stack = options.limits.wasm_stack;
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .wasm_component_model_async(shape.concurrent)
        .wasm_component_model_implements(true)
        .concurrency_support(shape.concurrent)
        .epoch_interruption(true)
        .max_wasm_stack(wasm_stack)
        .async_stack_size(wasm_stack.saturating_add(HOST_STACK));
    options.allocation.configure(&mut config);
    if let Some(target) = options.target {
        compile_for(target, &mut config)?;
    }
    Ok(config)
}

/// Checks that the initial memory and table of the component are within the limits.
///
/// # Errors
///
/// One is not; the error names the flag.
pub(crate) fn check_initial_sizes(shape: &Shape, limits: &Limits) -> Result<(), Error> {
    let within = |needs: u64, limit: usize| needs <= u64::try_from(limit).unwrap_or(u64::MAX);
    if !within(shape.least_memory, limits.memory) {
        let (needs, max) = (shape.least_memory.div_ceil(1 << 10), limits.memory >> 10);
        let message = format!("it needs {needs} KiB of initial memory and may have {max}: raise --max-memory");
        return Err(Error::new(ErrorKind::BadConfiguration, message));
    }
    if !within(shape.least_table, limits.table_elements) {
        let (needs, max) = (shape.least_table, limits.table_elements);
        let message =
            format!("it needs a table of {needs} initial elements and may have {max}: raise --max-table-elements");
        return Err(Error::new(ErrorKind::BadConfiguration, message));
    }
    Ok(())
}

fn compile_for(target: &str, config: &mut Config) -> Result<(), Error> {
    let refused = |why: &str| Error::new(ErrorKind::BadConfiguration, format!("cannot compile for {target:?}: {why}"));
    let own = std::env::consts::ARCH;
    if target.split('-').next() != Some(own) {
        return Err(refused(&format!("this program compiles for {own} only")));
    }
    config.target(target).map(drop).map_err(|error| refused(&error.to_string()))
}

fn pool(shape: &Shape, options: EngineOptions<'_>) -> PoolingAllocationConfig {
    let (limits, instances) = (options.limits, count(options.instances));
    // A store has one GC heap for all its instances; the pool allocates it in the slot of a memory.
    let heaps = if shape.gc_heap { instances } else { 0 };
    let memories = instances.saturating_mul(shape.memories).saturating_add(heaps).max(instances);
    let tables = shape.tables.min(count(limits.tables)).max(1);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_stacks(instances.max(MIN_STACKS))
        .total_core_instances(instances.saturating_mul(shape.core_instances.max(1)))
        .total_memories(memories)
        // At least those of the component, so that its error is that of a component with too many.
        .total_tables(instances.saturating_mul(tables).max(shape.tables))
        .total_gc_heaps(heaps)
        .max_core_instances_per_component(shape.core_instances.max(1))
        .max_memories_per_component(shape.memories.max(1))
        .max_tables_per_component(tables)
        .max_memories_per_module(shape.memories.max(1))
        .max_tables_per_module(shape.tables.max(1))
        .max_memory_size(limits.memory)
        .table_elements(limits.table_elements)
        .max_component_instance_size(MAX_INSTANCE_METADATA)
        .max_core_instance_size(MAX_INSTANCE_METADATA)
        .max_unused_warm_slots(instances)
        .linear_memory_keep_resident(KEEP_RESIDENT_MEMORY)
        .table_keep_resident(KEEP_RESIDENT_TABLE)
        .pagemap_scan(Enabled::Auto);
    pool
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
