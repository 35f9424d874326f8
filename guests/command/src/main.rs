//! A command-line program as a component: plain Rust, no SDK of Tempo. Each argument is an instruction:
//!
//! - `read=PATH` prints the file, which needs `--dir`;
//! - `exit=N` ends with status N;
//! - any other argument is printed.
//!
//! `tempo run command.wasm --dir .::/data --env NAME=Ada -- hello read=/data/Cargo.toml exit=3`

use std::process::ExitCode;
use std::{env, fs};

fn main() -> ExitCode {
    for (name, value) in env::vars() {
        println!("env {name}={value}");
    }
    for argument in env::args().skip(1) {
        match argument.split_once('=') {
            Some(("read", path)) => match fs::read_to_string(path) {
                Ok(text) => print!("{text}"),
                Err(error) => {
                    eprintln!("cannot read {path}: {error}");
                    return ExitCode::FAILURE;
                }
            },
            Some(("exit", status)) => match status.parse::<u8>() {
                // `ExitCode::from` would do, but the standard library hands every failure to WASI 0.2 as 1.
                Ok(status) => wasip2::cli::exit::exit_with_code(status),
                Err(_) => {
                    eprintln!("exit={status}: expected a number from 0 to 255");
                    return ExitCode::FAILURE;
                }
            },
            _ => println!("arg {argument}"),
        }
    }
    ExitCode::SUCCESS
}
