//! The conformance checks on a real S3 server, as named trials: `blobstore::s3::ranges_are_read`. They are in a program of their
//! own because they need that server: `cargo xtask setup`. All trials share one server.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use libtest_mimic::Arguments;
use support::Server;
use tempo_backend::testkit::trial;
use tempo_blobstore::testkit::{Capabilities, trials};
use tempo_blobstore::{ErrorKind, PutOptions};

/// The server of all trials, started by the first that runs.
static SERVER: Mutex<Option<Arc<Server>>> = Mutex::new(None);

fn server() -> Arc<Server> {
    SERVER.lock().unwrap().get_or_insert_with(|| Arc::new(Server::start())).clone()
}

fn main() -> ExitCode {
    let open = || async {
        let server = server();
        let bucket = server.make_bucket();
        Ok(server.open(&bucket).await)
    };
    let mut trials = trials("blobstore::s3", open, &Capabilities::ALL);
    trials.push(trial("blobstore::s3::a_prefix_bounds_the_length_of_names", || async {
        a_prefix_bounds_the_length_of_names(&server()).await;
        Ok(())
    }));
    trials.push(trial("blobstore::s3::a_large_object_that_must_be_the_first_is_written_where_it_stays", || async {
        a_large_object_that_must_be_the_first_is_written_where_it_stays(&server()).await;
        Ok(())
    }));
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    // Not dropped at the end of the process: it is static.
    let server = SERVER.lock().unwrap().take();
    if let Some(server) = server.filter(|_| !conclusion.has_failed()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(server.leaves_nothing());
    }
    conclusion.exit_code()
}

/// A prefix is a part of the keys, which S3 ends at 1,024 bytes, so names are shorter by it.
async fn a_prefix_bounds_the_length_of_names(server: &Server) {
    let bucket = server.make_bucket();
    let (one, two) = (server.open(&format!("{bucket}/one")).await, server.open(&format!("{bucket}/two")).await);
    for (length, fits) in [(1019, true), (1020, true), (1021, false)] {
        let name = "n".repeat(length);
        let Ok(mut upload) = one.put(&name, PutOptions::default()).await else {
            assert!(!fits, "{length}");
            assert_eq!(one.stat(&name).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
            continue;
        };
        upload.write(Bytes::from_static(b"value")).await.unwrap();
        assert_eq!(upload.complete().await.unwrap().name, name);
        assert!(fits, "{length}");
        assert_eq!(one.list("", None, 9).await.unwrap().len(), 1);
        assert!(two.list("", None, 9).await.unwrap().is_empty());
        assert_eq!(two.stat(&name).await.unwrap(), None);
        one.delete(&name).await.unwrap();
    }
    server.settles_at(&bucket, 0, 0).await;
}

/// Nothing goes over another key, and the second upload fails and leaves no parts.
async fn a_large_object_that_must_be_the_first_is_written_where_it_stays(server: &Server) {
    let bucket = server.make_bucket();
    let container = server.open(&bucket).await;
    let options = || PutOptions::default().with_if_absent(true);
    let mut first = container.put("n", options()).await.unwrap();
    let mut second = container.put("n", options()).await.unwrap();
    for upload in [&mut first, &mut second] {
        upload.write(Bytes::from(vec![1; 6 << 20])).await.unwrap();
    }
    server.settles_at(&bucket, 0, 2).await;
    assert_eq!(first.complete().await.unwrap().size, 6 << 20);
    server.settles_at(&bucket, 1, 1).await;
    assert_eq!(second.complete().await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    server.settles_at(&bucket, 1, 0).await;
    container.delete("n").await.unwrap();
}
