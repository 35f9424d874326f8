//! Removes unreferenced chunks, even after the caller was dropped.

use std::time::Duration;

use async_nats::jetstream::context::PublishError;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::stream::Stream;
use futures::future::{BoxFuture, join_all};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::bucket;
use crate::connection::{Connection, REQUEST_TIMEOUT};

/// Maximum queued removals. Further chunks stay in the bucket unreferenced.
const MAX_QUEUED_JOBS: usize = 256;

/// Maximum attempts of a removal.
const MAX_ATTEMPTS: usize = 3;

/// The pending ack of a chunk.
pub(super) type Ack = BoxFuture<'static, Result<PublishAck, PublishError>>;

enum Job {
    /// Removes chunks after the acks of those in flight: a removal that overtakes a chunk would leave it behind.
    Chunks { nuid: String, sent: Vec<Ack>, done: Option<oneshot::Sender<()>> },
    /// Deletes a consumer.
    Consumer(String),
}

/// Sends jobs to one task, which ends when the queue is empty and all `Cleaner`s are dropped.
#[derive(Clone)]
pub(super) struct Cleaner {
    jobs: mpsc::Sender<Job>,
}

impl Cleaner {
    /// Spawns the task.
    pub(super) fn start(connection: Connection, stream: Stream, bucket: String) -> Self {
        let (jobs, waiting) = mpsc::channel(MAX_QUEUED_JOBS);
        tokio::spawn(work(connection, stream, bucket, waiting));
        Self { jobs }
    }

    /// Removes the chunks of an object, and waits a short time for it: the caller's own operation is complete.
    pub(super) async fn remove(&self, nuid: String) {
        let (done, removed) = oneshot::channel();
        let job = Job::Chunks { nuid, sent: Vec::new(), done: Some(done) };
        if self.jobs.try_send(job).is_ok() {
            timeout(REQUEST_TIMEOUT, removed).await.ok();
        }
    }

    /// Removes the chunks of an aborted upload.
    pub(super) fn give_up(&self, nuid: String, sent: Vec<Ack>) {
        self.later(Job::Chunks { nuid, sent, done: None });
    }

    /// Deletes a consumer.
    pub(super) fn forget(&self, consumer: &str) {
        self.later(Job::Consumer(consumer.to_owned()));
    }

    fn later(&self, job: Job) {
        if self.jobs.try_send(job).is_err() {
            tracing::debug!("too much waits to be removed; something stays in the bucket");
        }
    }
}

async fn work(connection: Connection, stream: Stream, bucket: String, mut jobs: mpsc::Receiver<Job>) {
    while let Some(job) = jobs.recv().await {
        match job {
            Job::Chunks { nuid, sent, done } => {
                connection.request(join_all(sent)).await.ok();
                purge(&connection, &stream, &bucket::chunks(&bucket, &nuid)).await;
                done.map(|done| done.send(()));
            }
            Job::Consumer(name) => {
                connection.request(stream.delete_consumer(&name)).await.ok();
            }
        }
    }
}

async fn purge(connection: &Connection, stream: &Stream, subject: &str) {
    for _ in 0..MAX_ATTEMPTS {
        match connection.request(stream.purge().filter(subject).into_future()).await {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => tracing::debug!(%error, "chunks of an object cannot be removed"),
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
