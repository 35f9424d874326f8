//! Measures operations on the default stores: `OPERATION COUNT AT_ONCE` prints the seconds for COUNT of them, AT_ONCE
//! concurrently. The native counterpart is `tests/src/bin/native-storage`: keep the two alike.

use wasip3::cli::environment;
use wasip3::exports::cli::run::Guest;

mod blobs;
mod keyvalue;

struct Command;

wasip3::cli::command::export!(Command);

impl Guest for Command {
    async fn run() -> Result<(), ()> {
        let arguments = environment::get_arguments();
        let number = |index: usize| arguments.get(index).and_then(|text| text.parse::<u64>().ok());
        let (Some(operation), Some(count), Some(at_once)) = (arguments.get(1), number(2), number(3)) else {
            eprintln!("expected get|set|read|write COUNT AT_ONCE, or flood COUNT BYTES");
            return Err(());
        };
        if operation == "flood" {
            println!("{}", keyvalue::flood(count, number(3).unwrap_or(0)).await.map_err(|error| eprintln!("{error}"))?);
            return Ok(());
        }
        let nanoseconds = match operation.as_str() {
            "read" | "write" => blobs::time(operation == "write", count).await.map_err(|error| eprintln!("{error}"))?,
            _ => keyvalue::time(operation == "set", count, at_once).await.map_err(|error| eprintln!("{error}"))?,
        };
        println!("{}", nanoseconds as f64 / 1e9);
        Ok(())
    }
}
