//! A command over WASI 0.3: prints its arguments to standard output. `exit=N` exits with the status N, `fail` with an
//! error, `trap` with a trap, and `fetch=AUTHORITY` sends a request and prints the status of the response. `resolve=NAME` prints
//! the addresses of a name; `connect`, `listen`, `send` and `receive` are those of `guests/command`.

mod network;

use std::process::abort;

use wasip3::cli::{environment, exit, stdout};
use wasip3::exports::cli::run::Guest;
use wasip3::http::client;
use wasip3::http::types::{Fields, Request, Scheme};

struct Command;

wasip3::cli::command::export!(Command);

impl Guest for Command {
    async fn run() -> Result<(), ()> {
        let arguments = environment::get_arguments();
        for argument in arguments.iter().skip(1) {
            if let Some((instruction, value)) = argument.split_once('=')
                && let Some(result) = network(instruction, value).await
            {
                match result {
                    Ok(text) => print(text).await?,
                    Err(error) => {
                        eprintln!("cannot {instruction} {value}: {error}");
                        return Err(());
                    }
                }
                continue;
            }
            match argument.split_once('=') {
                Some(("exit", status)) => exit::exit_with_code(status.parse().map_err(|_| ())?),
                Some(("fetch", authority)) => print(format!("{}\n", fetch(authority).await?)).await?,
                _ if argument == "fail" => return Err(()),
                _ if argument == "trap" => abort(),
                _ => print(format!("arg {argument}\n")).await?,
            }
        }
        Ok(())
    }
}

/// Runs an instruction that uses sockets, or returns `None` if it is another one.
async fn network(instruction: &str, value: &str) -> Option<Result<String, String>> {
    Some(match instruction {
        "resolve" => network::resolve(value).await,
        "connect" => network::connect(value).await,
        "listen" => network::listen(value).await,
        "send" => network::send(value).await,
        "receive" => network::receive(value).await,
        _ => return None,
    })
}

/// Returns the status of the response to a request.
async fn fetch(authority: &str) -> Result<u16, ()> {
    let (end, trailers) = wasip3::wit_future::new(|| Ok(None));
    let (request, _sent) = Request::new(Fields::new(), None, trailers, None);
    drop(end);
    request.set_scheme(Some(&Scheme::Http))?;
    request.set_authority(Some(authority))?;
    request.set_path_with_query(Some("/"))?;
    Ok(client::send(request).await.map_err(drop)?.get_status_code())
}

/// Writes a line with the 0.3 interface: `println!` would use that of 0.2.
async fn print(line: String) -> Result<(), ()> {
    let (mut writer, reader) = wasip3::wit_stream::new();
    let written = stdout::write_via_stream(reader);
    let rest = writer.write_all(line.into_bytes()).await;
    drop(writer);
    written.await.map_err(|_| ())?;
    if rest.is_empty() { Ok(()) } else { Err(()) }
}
