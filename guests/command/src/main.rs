//! A command-line program as a component, in plain Rust without an SDK. Each argument is an instruction:
//!
//! - `read=PATH` prints the file, which needs `--dir`;
//! - `exit=N` exits with the status N;
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
                // Not `ExitCode::from`: the standard library maps every non-zero code to 1 on WASI 0.2.
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
