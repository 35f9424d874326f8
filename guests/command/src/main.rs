//! A command-line program as a component, in plain Rust without an SDK. Each argument is an instruction:
//!
//! - `read=PATH` prints the file, which needs `--dir`;
//! - `connect=HOST:PORT` (TCP) and `send=HOST:PORT` (UDP) send a line and print the response, which needs `--allow-socket`;
//! - `listen=ADDR:PORT` (TCP) and `receive=ADDR:PORT` (UDP) print what one client sends, and send it back, which needs
//!   `--allow-listen`;
//! - `exit=N` exits with the status N;
//! - any other argument is printed.
//!
//! `tempo run command.wasm --dir .::/data --env NAME=Ada -- hello read=/data/Cargo.toml exit=3`

mod network;

use std::process::ExitCode;
use std::{env, fs};

fn main() -> ExitCode {
    for (name, value) in env::vars() {
        println!("env {name}={value}");
    }
    for argument in env::args().skip(1) {
        let (instruction, value) = argument.split_once('=').unwrap_or(("", &argument));
        let text = match instruction {
            "read" => fs::read_to_string(value),
            "connect" => network::connect(value),
            "listen" => network::listen(value),
            "send" => network::send(value),
            "receive" => network::receive(value),
            "exit" => match value.parse::<u8>() {
                // Not `ExitCode::from`: the standard library maps every non-zero code to 1 on WASI 0.2.
                Ok(status) => {
                    wasip2::cli::exit::exit_with_code(status);
                    Ok(String::new())
                }
                Err(_) => {
                    eprintln!("exit={value}: expected a number from 0 to 255");
                    return ExitCode::FAILURE;
                }
            },
            _ => Ok(format!("arg {argument}\n")),
        };
        match text {
            Ok(text) => print!("{text}"),
            Err(error) => {
                eprintln!("cannot {instruction} {value}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
