//! URLs of backends: `[NAME=]URL` of a flag, and the parts that NATS and the clouds read from them.

use std::path::Path;

use tempo_settings::{BackendUrl, FlagValue as _, NamedUrl, Size};

use crate::input::{check_message, texts};
use crate::{Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "backend_urls",
    run,
    seeds,
    tokens: &[
        "nats://",
        "file:",
        "s3://",
        "tls://",
        "//",
        "/",
        ":",
        "@",
        "?",
        "#",
        "&",
        "=",
        ",",
        "%3F",
        "%3f",
        "%25",
        "%40",
        "quota=",
        "10GiB",
        "?subjects=",
        "orders.>",
        "*",
        "memory:",
        "[::1]",
        "a@b",
        "..",
        "é",
    ],
};

/// A secret that no other part of an input contains.
const SECRET: &str = "Zq7Zq7";

/// Parses a flag's value, and a path as the URL of a file.
pub fn run(data: &[u8]) -> Outcome {
    let [text, path] = texts::<2>(data);
    check_file(&path);
    let Some(named) = NamedUrl::parse(&text) else { return Outcome::Refused };
    assert!(!named.name.is_empty() && !named.name.contains(['=', ':']), "{:?}", named.name);
    let written = format!("{}={}:{}", named.name, named.url.scheme(), named.url.reveal());
    assert_eq!(NamedUrl::parse(&written), Some(named.clone()));
    check_display(&named.url);
    match named.url.quota() {
        Ok(quota) => assert_ne!(quota, Some(0)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    check_servers(&named.url);
    check_errors(&named.url);
    Outcome::Accepted
}

/// What precedes an `@`, and what follows a question mark, may be a secret.
fn check_display(url: &BackendUrl) {
    let displayed = url.to_string();
    let shown = displayed.strip_prefix(&format!("{}:", url.scheme())).expect("the scheme");
    if url.scheme() == "file" {
        assert_eq!(shown, url.reveal());
        return;
    }
    let hidden = url.reveal().contains(['@', '?', '#']);
    if !hidden {
        assert_eq!(BackendUrl::parse(&displayed).as_ref(), Some(url));
    }
    assert!(!shown.contains(['@', '?', '#']), "{displayed} shows a secret of {:?}", url.reveal());
    let public = url.reveal().rsplit('@').next().unwrap_or_default().trim_start_matches('/');
    let shown = shown.trim_start_matches('/');
    assert!(shown == "***" || public.starts_with(shown), "{displayed} of {:?}", url.reveal());
}

/// The URL of a path has the path, and no options.
fn check_file(path: &str) {
    match BackendUrl::of_file(Path::new(path)) {
        Ok(url) => assert_eq!((url.path().as_deref(), url.quota()), (Some(Path::new(path)), Ok(None)), "{url}"),
        Err(error) => check_message(&error.to_string()),
    }
}

fn check_servers(url: &BackendUrl) {
    if let Ok((displayed, servers)) = tempo_nats::fuzzing::bucket(url) {
        assert!(servers > 0 && !displayed.contains('@'), "{displayed}");
        let again = BackendUrl::parse(&displayed).expect("a URL");
        assert_eq!(tempo_nats::fuzzing::bucket(&again), Ok((displayed, servers)));
    }
    if let Ok((displayed, subjects)) = tempo_nats::fuzzing::broker(url) {
        let query = if subjects.is_empty() { String::new() } else { format!("?subjects={}", subjects.join(",")) };
        let again = BackendUrl::parse(&format!("{displayed}{query}")).expect("a URL");
        assert_eq!(tempo_nats::fuzzing::broker(&again), Ok((displayed, subjects)));
    }
    if let Ok((bucket, prefix)) = tempo_blobstore::fuzzing::bucket(url) {
        assert!(!bucket.is_empty() && !bucket.contains(['/', '@', ':', '?']) && !prefix.ends_with('/'));
    }
}

/// No message contains what precedes the last `@`.
fn check_errors(url: &BackendUrl) {
    let Some((user, public)) = url.reveal().rsplit_once('@').filter(|_| url.scheme() != "file") else { return };
    let url = BackendUrl::parse(&format!("{}:{user}{SECRET}@{public}", url.scheme())).expect("a URL");
    let displayed = url.to_string();
    let messages = [
        tempo_nats::fuzzing::bucket(&url).err(),
        tempo_nats::fuzzing::broker(&url).err(),
        tempo_blobstore::fuzzing::bucket(&url).err(),
    ];
    let messages = messages.iter().flatten().map(ToString::to_string);
    for text in messages.chain([displayed]) {
        assert!(!text.contains(SECRET), "{text}");
    }
}

fn seeds() -> Vec<Vec<u8>> {
    assert!(Size::parse("10GiB").is_some());
    let urls = [
        "memory:",
        "cache=file:./data?quota=10GiB",
        "file:///var/lib/a%3Fb",
        "nats://ann:p%2Fw%40@a:1,b,[::1]:3/Bucket_1",
        "tls://s3cret@h/b",
        "b=nats://h/ORDERS?subjects=orders.>,billing.*",
        "s3://bucket/a/b/?region=eu&secret_access_key=hunter2",
    ];
    let paths = ["./a?b", "/data", "//data/x", "a%3Fb", "", "a", "é/b c"];
    urls.iter().zip(paths).map(|(url, path)| crate::input::seed(&[url, path])).collect()
}
