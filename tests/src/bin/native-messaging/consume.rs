//! A JetStream consumer that handles 32 messages concurrently: a reply if one is expected, then a double ack.

use anyhow::Result;
use async_nats::jetstream::consumer::pull;
use futures::StreamExt as _;

use super::open;

/// The number of concurrent messages.
const AT_ONCE: usize = 32;

pub(crate) async fn run(url: &str) -> Result<()> {
    let (client, context, stream) = open(url).await?;
    let config = pull::Config {
        durable_name: Some("native".to_owned()),
        filter_subject: "bench.handle".to_owned(),
        ..pull::Config::default()
    };
    let consumer = context.get_stream(stream).await?.create_consumer(config).await?;
    println!("ready");
    let messages = consumer.stream().max_messages_per_batch(512).messages().await?;
    messages
        .for_each_concurrent(AT_ONCE, |message| {
            let client = client.clone();
            // One task per message, to use all cores.
            let handled = tokio::spawn(async move {
                let message = message?;
                let reply_to = message.headers.as_ref().and_then(|headers| headers.get("Tempo-Reply-To"));
                if let Some(reply_to) = reply_to {
                    client.publish(reply_to.as_str().to_owned(), message.payload.clone()).await?;
                }
                message.double_ack().await
            });
            async move {
                if let Ok(Err(error)) = handled.await {
                    eprintln!("{error}");
                }
            }
        })
        .await;
    Ok(())
}
