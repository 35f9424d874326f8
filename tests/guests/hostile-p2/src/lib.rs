//! A component of WASI 0.2 with hostile behaviour on request. It uses the bindings directly, so that it can violate
//! their rules: no response, a response twice, too late, or incomplete.

mod answer;
mod body;
mod crash;
mod fetch;
mod held;
mod open;
mod resolve;

use std::sync::atomic::{AtomicU64, Ordering};

use answer::{Target, text};
use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

const HOUR: u64 = 3_600_000;

static REQUESTS: AtomicU64 = AtomicU64::new(0);

struct Hostile;

wasip2::http::proxy::export!(Hostile);

impl Guest for Hostile {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        let target = Target::of(&request);
        match target.path.as_str() {
            "/" => text(outparam, 200, "hostile\n"),
            "/panic" => crash::panicking(),
            "/spin" => crash::spin(),
            "/count" => text(outparam, 200, &crash::count(target.number("rounds", 1000))),
            "/hog" => text(outparam, 200, &crash::hog(target.number("mib", u64::MAX))),
            "/never" => loop {
                wait(HOUR);
            },
            "/sleep" => {
                wait(target.number("ms", 100));
                text(outparam, 200, "slept\n");
            }
            "/counter" => text(outparam, 200, &format!("{}\n", REQUESTS.fetch_add(1, Ordering::Relaxed) + 1)),
            "/echo" => body::echo(&request, outparam),
            "/read" => body::read(&request, outparam),
            "/stream" => body::stream(outparam, target.number("chunks", 5), target.number("pause", 50)),
            "/fetch" => fetch::fetch(outparam, &target.text("url")),
            "/ask" => fetch::ask(outparam, &target),
            "/hold-fields" => text(outparam, 200, &held::fields(&target)),
            "/hold-appended" => text(outparam, 200, &held::appended(&target)),
            "/hold-methods" => text(outparam, 200, &held::methods(&target)),
            "/hold-bodies" => text(outparam, 200, &held::bodies(&target)),
            "/hold-reads" => text(outparam, 200, &held::reads(&target)),
            "/hold-writes" => text(outparam, 200, &held::writes(&target)),
            "/hold-listings" => text(outparam, 200, &held::listings(&target)),
            "/hold-lines" => text(outparam, 200, &held::lines(&target)),
            "/overwrite" => text(outparam, 200, &held::overwrite(&target)),
            "/open" => text(outparam, 200, &open::open(&target)),
            "/resolve" => text(outparam, 200, &resolve::resolve(&target.text("name"))),
            // A handler must not drop the outparam unset.
            "/no-response" => drop(outparam),
            "/answer" => body::answer(outparam, &target),
            "/headers" => text(outparam, 200, &body::headers(&request)),
            "/trap-after-head" => body::trap_after_head(outparam),
            _ => text(outparam, 404, "no such path\n"),
        }
    }
}

/// Waits for that many milliseconds.
fn wait(milliseconds: u64) {
    subscribe_duration(milliseconds.saturating_mul(1_000_000)).block();
}
