//! An S3 server of these tests. Its properties are described in `tests/integration/support/s3.rs`.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tempo_backend::{BackendContext, BackendScheme as _};
use tempo_blobstore::{Container, S3};
use tempo_settings::{BackendUrl, FlagValue as _, Settings};

/// How long a test waits for what must happen. Nothing is measured with it: it turns a hang into a failure.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often a port is chosen. Another program may take one between its choice and the server's start.
const TRIES: u32 = 10;

/// The account's root, whose signature is not checked. It makes the buckets and the user.
const ROOT: &str = "ROOTROOTROOTROOT";

/// A running server. Dropping it ends it.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    options: String,
    buckets: AtomicUsize,
    _dir: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let start = |_| {
            // Free while this is held, and most likely still free a moment later.
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let mut child = spawn(address, &dir);
            is_ready(address, &mut child).then_some((child, address))
        };
        let started = (0..TRIES).find_map(start);
        let log = || fs::read_to_string(dir.path().join("log")).unwrap_or_default();
        let (child, address) = started.unwrap_or_else(|| panic!("the S3 server did not start: {}", log()));
        let mut server = Self { child, address, options: String::new(), buckets: AtomicUsize::new(0), _dir: dir };
        let user = "Version=2010-05-08&UserName=tempo&Action=";
        server.as_root("iam", "POST", "/", &format!("{user}CreateUser"));
        let policy = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C\
                      %22Action%22%3A%22s3%3A*%22%2C%22Resource%22%3A%22*%22%7D%5D%7D";
        server.as_root("iam", "POST", "/", &format!("{user}PutUserPolicy&PolicyName=all&PolicyDocument={policy}"));
        let answer = server.as_root("iam", "POST", "/", &format!("{user}CreateAccessKey"));
        let (key, secret) = (element(&answer, "AccessKeyId"), element(&answer, "SecretAccessKey"));
        server.options =
            format!("endpoint=http://{address}&allow_http=true&access_key_id={key}&secret_access_key={secret}");
        server
    }

    /// Makes an empty bucket.
    pub(crate) fn make_bucket(&self) -> String {
        let bucket = bucket(self.buckets.fetch_add(1, Relaxed));
        self.as_root("s3", "PUT", &format!("/{bucket}"), "");
        bucket
    }

    /// Waits until no bucket has an object or an upload in parts.
    pub(crate) async fn leaves_nothing(&self) {
        for number in 0..self.buckets.load(Relaxed) {
            self.settles_at(&bucket(number), 0, 0).await;
        }
    }

    /// Opens a container, as a runtime does: a bucket, or a prefix in it.
    pub(crate) async fn open(&self, place: &str) -> Arc<dyn Container> {
        let url = BackendUrl::parse(&format!("s3://{place}?{}", self.options)).unwrap();
        let settings = Settings::default();
        let context = BackendContext::new(&settings);
        S3::open(&url, context).await.unwrap()
    }

    /// Waits until the bucket has so many objects and uploads in parts. A dropped upload is aborted in the background.
    pub(crate) async fn settles_at(&self, bucket: &str, objects: usize, uploads: usize) {
        let start = Instant::now();
        loop {
            let found =
                (self.count(bucket, "?list-type=2", "<Contents>"), self.count(bucket, "?uploads", "<UploadId>"));
            if found == (objects, uploads) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "objects and uploads in parts: {found:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn count(&self, bucket: &str, query: &str, element: &str) -> usize {
        self.as_root("s3", "GET", &format!("/{bucket}{query}"), "").matches(element).count()
    }

    fn as_root(&self, service: &str, method: &str, target: &str, form: &str) -> String {
        let scope = format!("Credential={ROOT}/20200101/us-east-1/{service}/aws4_request");
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\
             Authorization: AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=unchecked\r\n\r\n",
            form.len()
        );
        let answer = ask(self.address, &format!("{head}{form}")).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn bucket(number: usize) -> String {
    format!("bucket{number}")
}

fn ask(address: SocketAddr, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The text of the first element of that name.
fn element(xml: &str, name: &str) -> String {
    let (_, rest) = xml.split_once(&format!("<{name}>")).expect(xml);
    rest.split_once('<').expect(xml).0.to_owned()
}

fn spawn(address: SocketAddr, dir: &tempfile::TempDir) -> Child {
    let named = std::env::var_os("TEMPO_TEST_S3_SERVER").map(PathBuf::from);
    let installed = || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("tools").join("s3-server");
    let packages = named.unwrap_or_else(installed);
    assert!(packages.is_dir(), "there is no S3 server: run `cargo xtask setup`");
    let log = fs::File::create(dir.path().join("log")).unwrap();
    let mut command = Command::new("python3");
    command.args(["-m", "ministack"]).env_clear().current_dir(dir.path());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("PYTHONPATH", packages);
    command.env("HOME", dir.path()).env("TMPDIR", dir.path());
    command.env("BIND_HOST", "127.0.0.1").env("GATEWAY_PORT", address.port().to_string());
    command.env("SERVICES", "s3,iam,sts").env("IOT_MTLS_ENABLED", "0").env("SFTP_ENABLED", "0");
    command.env("DOCKER_HOST", "unix:///nowhere");
    command.env("AUTH", "true").env("AWS_ACCESS_KEY_ID", ROOT).env("AWS_SECRET_ACCESS_KEY", "unchecked");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("python3 starts")
}

/// Waits until the server answers; `false` if it ended instead, because its port is taken.
fn is_ready(address: SocketAddr, child: &mut Child) -> bool {
    let health = "GET /_ministack/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let start = Instant::now();
    loop {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if ask(address, health).is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            return true;
        }
        assert!(start.elapsed() < PATIENCE, "the S3 server does not answer");
        std::thread::sleep(Duration::from_millis(20));
    }
}
