//! An S3 server per test, with its own store, on a free port of the loopback address. It ends with the test.
//!
//! It is ministack (`xtask/src/setup/s3.rs`), with these properties, by experiment and documentation:
//!
//! - It checks the signature of each user's request, and `If-None-Match` and `If-Match` on PutObject and on
//!   CompleteMultipartUpload, atomically with the write, so that one of several writers succeeds.
//! - It never responds 409 ConditionalRequestConflict, as Amazon does on a concurrent deletion.
//! - It accepts keys above 1,024 bytes, which Amazon does not.
//! - It keeps objects in memory and in files, which a restarted server reads, and multipart uploads only in memory.
//! - It does not check the signature of the account's root, which creates the buckets and the users of the tests.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::guest::target;
use super::{Client, Response, eventually};

/// The number of attempts to choose a port. Another program may take one before the server starts.
const MAX_ATTEMPTS: u32 = 10;

/// The name of the existing bucket.
const BUCKET: &str = "bucket";

/// The access key of the account's root.
const ROOT: &str = "ROOTROOTROOTROOT";

/// A running server. Dropping it kills the process.
pub(crate) struct S3 {
    server: Child,
    address: SocketAddr,
    directory: TempDir,
    /// The access key of the user with full access to the buckets.
    pub(crate) key: String,
    pub(crate) secret: String,
}

impl S3 {
    pub(crate) fn start() -> Self {
        let directory = TempDir::new().unwrap();
        for _ in 0..MAX_ATTEMPTS {
            // Free while the listener exists, and most likely still free a moment later.
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let mut server = spawn(address, &directory);
            if is_ready(address, &mut server) {
                let mut s3 = Self { server, address, directory, key: String::new(), secret: String::new() };
                assert_eq!(s3.as_root("s3", "PUT", &format!("/{BUCKET}"), "").status, 200);
                s3.make_user();
                return s3;
            }
        }
        panic!("the S3 server did not start: {}", said(&directory));
    }

    /// Returns the URL of the bucket for its user.
    pub(crate) fn url(&self) -> String {
        self.url_of(BUCKET, &self.key, &self.secret)
    }

    /// Returns the URL of any bucket for any user.
    pub(crate) fn url_of(&self, bucket: &str, key: &str, secret: &str) -> String {
        let endpoint = self.endpoint();
        format!("s3://{bucket}?endpoint={endpoint}&allow_http=true&access_key_id={key}&secret_access_key={secret}")
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the number of parts that the server has of the bucket's multipart upload.
    pub(crate) fn parts(&self) -> usize {
        let uploads = self.as_root("s3", "GET", &format!("/{BUCKET}?uploads"), "").text();
        let Some(upload) = element(&uploads, "UploadId") else { return 0 };
        let key = element(&uploads, "Key").unwrap();
        let parts = self.as_root("s3", "GET", &format!("/{BUCKET}/{key}?uploadId={upload}"), "").text();
        parts.matches("<PartNumber>").count()
    }

    /// Kills the server.
    pub(crate) fn kill(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }

    /// Restarts the server on the same port and store, with another user.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.server = spawn(self.address, &self.directory);
        assert!(is_ready(self.address, &mut self.server), "the S3 server did not come back: {}", said(&self.directory));
        self.make_user();
    }

    fn make_user(&mut self) {
        let call = |parameters: &str| {
            let form = format!("Version=2010-05-08&UserName=tempo&{parameters}");
            let answer = self.as_root("iam", "POST", "/", &form);
            assert_eq!(answer.status, 200, "{}", answer.text());
            answer.text()
        };
        call("Action=CreateUser");
        let policy = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C\
                      %22Action%22%3A%22s3%3A*%22%2C%22Resource%22%3A%22*%22%7D%5D%7D";
        call(&format!("Action=PutUserPolicy&PolicyName=buckets&PolicyDocument={policy}"));
        let user = call("Action=CreateAccessKey");
        self.key = element(&user, "AccessKeyId").unwrap();
        self.secret = element(&user, "SecretAccessKey").unwrap();
    }

    fn as_root(&self, service: &str, method: &str, target: &str, form: &str) -> Response {
        let mut client = Client::connect(self.address);
        let scope = format!("Credential={ROOT}/20200101/us-east-1/{service}/aws4_request");
        let headers = [
            format!("Authorization: AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=unchecked"),
            format!("Content-Length: {}", form.len()),
            "Content-Type: application/x-www-form-urlencoded".to_owned(),
        ];
        client.start(method, target, &headers.each_ref().map(String::as_str));
        client.send(form);
        client.response()
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns the text of the first element of that name.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once('<').map(|(text, _)| text.to_owned())
}

/// Returns the path of the packages: that of `cargo xtask test`, else that of `cargo xtask setup`.
fn packages() -> PathBuf {
    let named = std::env::var_os("TEMPO_TEST_S3_SERVER").map(PathBuf::from);
    let installed = || Some(target().join("tools/s3-server")).filter(|packages| packages.is_dir());
    named.or_else(installed).expect("no S3 server: run `cargo xtask setup`")
}

fn spawn(address: SocketAddr, directory: &TempDir) -> Child {
    let log = std::fs::File::options().create(true).append(true).open(directory.path().join("log")).unwrap();
    let mut command = Command::new("python3");
    command.args(["-m", "ministack"]).env_clear().current_dir(directory.path());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("PYTHONPATH", packages());
    command.env("HOME", directory.path()).env("TMPDIR", directory.path());
    command.env("BIND_HOST", "127.0.0.1").env("GATEWAY_PORT", address.port().to_string());
    command.env("SERVICES", "s3,iam,sts").env("IOT_MTLS_ENABLED", "0").env("SFTP_ENABLED", "0");
    // Without it the server would search for containers.
    command.env("DOCKER_HOST", "unix:///nowhere");
    command.env("AUTH", "true").env("AWS_ACCESS_KEY_ID", ROOT).env("AWS_SECRET_ACCESS_KEY", "unchecked");
    command.env("S3_PERSIST", "1").env("S3_DATA_DIR", directory.path().join("store"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("python3 starts")
}

/// Waits until the server responds; returns `false` if it exited because its port is in use.
fn is_ready(address: SocketAddr, server: &mut Child) -> bool {
    eventually("the S3 server answers or ends", || {
        if server.try_wait().unwrap().is_some() {
            return Some(false);
        }
        let mut client = Client::try_connect(address).ok()?;
        client.try_send("GET /_ministack/health HTTP/1.1\r\nHost: localhost\r\n\r\n").ok()?;
        (client.try_response().ok()?.status == 200).then_some(true)
    })
}

fn said(directory: &TempDir) -> String {
    std::fs::read_to_string(directory.path().join("log")).unwrap_or_default()
}
