//! A nats-server of the test's own, and stores on it.

use std::fs;
use std::future::Future;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempo_backend::{BackendContext, BackendScheme as _};
use tempo_keyvalue::KeyValueStore;
use tempo_nats::NatsKeyValue;
use tempo_settings::{BackendUrl, Flag, FlagValue as _, Settings, Value, ValueSource};

/// How long a test waits for what must happen. Nothing is measured with it: it turns a hang into a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A running server, with its files in a directory of its own. Dropping it ends it.
pub(crate) struct Server {
    pub(crate) port: u16,
    dir: tempfile::TempDir,
    child: Child,
}

impl Server {
    /// A server with JetStream.
    pub(crate) fn start() -> Self {
        Self::with("jetstream {}")
    }

    /// A server with this configuration.
    pub(crate) fn with(configuration: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        configure(&dir, configuration);
        let child = spawn(&dir, -1);
        let mut server = Self { port: 0, dir, child };
        server.port = server.await_port();
        server
    }

    /// The URL of a bucket.
    pub(crate) fn url(&self, bucket: &str) -> String {
        format!("nats://127.0.0.1:{}/{bucket}", self.port)
    }

    /// A file beside the server's.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Ends the server as a power cut would, but for what the kernel still has to write.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends the server as an operator would. It first persists its state, but not reliably that of a consumer that has
    /// changed a moment ago: see [`Self::persists_delivery`].
    pub(crate) fn stop(&mut self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).unwrap();
        self.child.wait().unwrap();
    }

    /// Starts the server again, on the same port and files.
    pub(crate) fn restart(&mut self) {
        self.child = spawn(&self.dir, i32::from(self.port));
    }

    /// The same with another configuration.
    pub(crate) fn restart_with(&mut self, configuration: &str) {
        configure(&self.dir, configuration);
        self.restart();
    }

    /// Reloads the server with another configuration, without a restart.
    pub(crate) fn reload(&self, configuration: &str) {
        configure(&self.dir, configuration);
        kill_process(Pid::from_child(&self.child), Signal::HUP).unwrap();
    }

    /// Returns what the server has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Returns true once the server has persisted that it has delivered the message `sequence` to a consumer. It persists the
    /// state of a consumer in the background, and may lose a change that it has not persisted, even if it is stopped.
    pub(crate) fn persists_delivery(&self, stream: &str, consumer: &str, sequence: u64) -> bool {
        let file = format!("jetstream/$G/streams/{stream}/obs/{consumer}/o.dat");
        let state = fs::read(self.dir.path().join(file)).unwrap_or_default();
        // A magic number and a version. Then numbers: two of the ack floor, and the delivered sequences of the consumer and of
        // the stream.
        let mut bytes = state.into_iter().skip(2);
        let mut number = || varint(&mut bytes);
        let (_floor, _consumer) = ((number(), number()), number());
        number().is_some_and(|delivered| delivered >= sequence)
    }

    fn await_port(&mut self) -> u16 {
        let file = self.dir.path().join(format!("nats-server_{}.ports", self.child.id()));
        let start = Instant::now();
        loop {
            let text = fs::read_to_string(&file).unwrap_or_default();
            let mut ports = text.split("://127.0.0.1:").skip(1);
            let digits = ports.next().and_then(|rest| rest.split_once('"'));
            if let Some(port) = digits.and_then(|(digits, _)| digits.parse().ok()) {
                return port;
            }
            assert!(self.child.try_wait().unwrap().is_none(), "nats-server ended: {}", self.log());
            assert!(start.elapsed() < PATIENCE, "nats-server does not say its port: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a number of seven bits a byte, the lowest first.
fn varint(bytes: &mut impl Iterator<Item = u8>) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes.next()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn configure(dir: &tempfile::TempDir, configuration: &str) {
    fs::write(dir.path().join("server.conf"), configuration).unwrap();
}

fn spawn(dir: &tempfile::TempDir, port: i32) -> Child {
    let log = fs::File::options().create(true).append(true).open(dir.path().join("log")).unwrap();
    let mut command = Command::new(program());
    command.args(["--addr", "127.0.0.1", "--port", &port.to_string()]);
    command.arg("--config").arg(dir.path().join("server.conf")).arg("--store_dir").arg(dir.path());
    command.arg("--ports_file_dir").arg(dir.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}

/// The server that `cargo xtask test` names, or that of the path, or that of `cargo xtask setup`.
fn program() -> PathBuf {
    if let Some(named) = std::env::var_os("TEMPO_TEST_NATS_SERVER") {
        return named.into();
    }
    let name = format!("nats-server{}", std::env::consts::EXE_SUFFIX);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("tools").join("bin");
    let mut found = std::env::split_paths(&path).chain([installed]).map(|dir| dir.join(&name));
    found.find(|program| program.is_file()).expect("there is no nats-server: run `cargo xtask setup`")
}

/// Opens a store, with flags as a user would give them.
pub(crate) async fn open_with(url: &str, flags: &[(&str, &str)]) -> tempo_settings::Result<Arc<dyn KeyValueStore>> {
    let known = NatsKeyValue::flags();
    let mut settings = Settings::default();
    for (name, text) in flags {
        let flag: &Flag = known.iter().find(|flag| flag.name == *name).unwrap();
        settings.set(flag, vec![Value { text: (*text).to_owned(), source: ValueSource::CommandLine }]);
    }
    let context = BackendContext::new(&settings);
    NatsKeyValue::open(&BackendUrl::parse(url).unwrap(), context).await
}

pub(crate) async fn open(server: &Server, bucket: &str) -> Arc<dyn KeyValueStore> {
    open_with(&server.url(bucket), &[]).await.unwrap()
}

/// Why a store cannot be opened.
pub(crate) async fn refusal(url: &str, flags: &[(&str, &str)]) -> tempo_settings::Error {
    let error = open_with(url, flags).await.err().expect("the store must not open");
    assert!(!format!("{error:#} {error:?}").contains("s3cret"), "{error:?}");
    error
}

/// Asks again and again until there is an answer, or the patience ends.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "this never happened: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits for something, but not for ever.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("this never happened: {what}"),
    }
}
