//! The native counterpart of the guests `test-messaging-bench` and `test-messaging-handler` on plain async-nats, and
//! the driver of both: `OPERATION URL [ARGUMENT...]`. It prints the measured time in seconds.

use anyhow::{Context as _, Result, bail};
use async_nats::{Client, jetstream};

mod consume;
mod core;
mod drive;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    tokio::runtime::Runtime::new()?.block_on(async {
        let seconds = match arguments.as_slice() {
            ["consume", url] => return consume::run(url).await,
            ["respond", url] => return core::respond(connect(url).await?.0).await,
            ["publish", url, count, at_once] => {
                core::publish(connect(url).await?.0, count.parse()?, at_once.parse()?).await?
            }
            ["request", url, count, at_once] => {
                core::request(connect(url).await?.0, count.parse()?, at_once.parse()?).await?
            }
            ["prepare", url] => return drive::prepare(url).await,
            ["drain", url, consumer, count] => drive::drain(url, consumer, count.parse()?).await?,
            ["answered", url, consumer, count, poison] => {
                drive::answered(url, consumer, count.parse()?, poison.parse()?).await?
            }
            ["latency", url, consumer, count] => drive::latency(url, consumer, count.parse()?).await?,
            _ => bail!("expected OPERATION URL [ARGUMENT...]"),
        };
        println!("{seconds}");
        Ok(())
    })
}

/// Connects to the server of `nats://HOST[/STREAM]`, and returns the stream's name.
async fn connect(url: &str) -> Result<(Client, Option<&str>)> {
    let rest = url.strip_prefix("nats://").context("expected nats://HOST[/STREAM]")?;
    let (server, stream) = rest.split_once('/').map_or((rest, None), |(server, stream)| (server, Some(stream)));
    Ok((async_nats::connect(server).await?, stream))
}

/// Connects, and returns the client with its stream.
async fn open(url: &str) -> Result<(Client, jetstream::Context, String)> {
    let (client, stream) = connect(url).await?;
    let stream = stream.context("expected nats://HOST/STREAM")?.to_owned();
    Ok((client.clone(), jetstream::new(client), stream))
}
