//! `cargo fuzz run --features programs backend_urls`; without cargo-fuzz, see [`tempo_fuzz::replay`].
#![allow(unexpected_cfgs, reason = "cargo-fuzz sets `fuzzing`")]
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    tempo_fuzz::backend_urls::run(data);
});

#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    tempo_fuzz::replay(&tempo_fuzz::backend_urls::TARGET)
}
