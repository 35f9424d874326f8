//! Builds a core module, which the test makes a component: the linker of Rust 1.95 does not know labels.

fn main() {
    if std::env::var_os("CARGO_CFG_TARGET_ARCH").is_some_and(|arch| arch == "wasm32") {
        println!("cargo::rustc-link-arg-cdylib=--skip-wit-component");
    }
}
