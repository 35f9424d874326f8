//! Measures the cost of a span: CPU time of 100,000 calls of a function with `#[instrument]` and two attributes, under
//! a host that discards all telemetry. `cargo xtask build`, then `cargo bench --profile dist -p tempo-sdk-otel`: two
//! thirds of the time are the host's, so the profile is that of the released runtimes.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "it ends by panicking")]

#[path = "../tests/host/mod.rs"]
mod host;

use host::Instance;

/// The allocator of the runtimes: a host call allocates a dozen strings.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SPANS: u64 = 100_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // Most traces have no state.
        let outer = |sampled| host::SpanContext { trace_state: Vec::new(), ..host::outer(sampled) };
        let mut instance = Instance::new(outer(true)).await;
        instance.idle();
        for sampled in [true, false] {
            instance.set_outer(outer(sampled));
            let best = measure(&mut instance).await;
            println!("{}: {best:.3} µs of CPU a span", if sampled { "sampled" } else { "not sampled" });
        }
    });
}

/// Returns the best of twenty runs, in microseconds: other load on the machine only adds time.
async fn measure(instance: &mut Instance) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..20 {
        let start = cpu();
        let call = instance.get(&format!("/spans/{SPANS}")).await;
        let spent = cpu() - start;
        assert_eq!(call.answer.map(|answer| answer.0), Some(200));
        best = best.min(spent as f64 / 1_000.0 / SPANS as f64);
    }
    best
}

/// Returns the CPU time of this thread, which runs the component, in nanoseconds.
fn cpu() -> u64 {
    // The kernel updates the figure when the thread yields.
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux reports the CPU time of a thread");
    text.split(' ').next().unwrap().parse().unwrap()
}
