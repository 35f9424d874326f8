//! A headless Chromium, controlled over its debugging protocol: JSON over two pipes, with zero-terminated messages.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{PATIENCE, tool};

/// A browser with one page. Dropping it ends the browser.
pub(crate) struct Browser {
    process: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    session: Option<String>,
    last: u64,
    /// Errors of the page.
    complaints: Vec<String>,
    _profile: TempDir,
}

impl Browser {
    /// Starts a browser, with an empty page of a laptop's size.
    pub(crate) fn start() -> Self {
        let profile = tempfile::tempdir().expect("a directory");
        let program = tool("TEMPO_TEST_CHROMIUM", &["chromium", "chromium-headless-shell", "google-chrome"]);
        // It reads from descriptor 3 and writes to descriptor 4, which a shell sets up.
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null"]).arg(program);
        shell.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]);
        shell.args(["--no-first-run", "--disable-background-networking", "--disable-component-update"]);
        shell.args(["--force-color-profile=srgb", "--remote-debugging-pipe"]);
        shell.arg(format!("--user-data-dir={}", profile.path().display()));
        let log = std::fs::File::create(profile.path().join("log")).expect("a log");
        let mut process =
            shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn().expect("Chromium starts");
        let input = process.stdin.take().expect("a pipe");
        let mut output = BufReader::new(process.stdout.take().expect("a pipe"));
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while output.read_until(0, &mut message).is_ok_and(|length| length > 0) {
                message.pop();
                let Ok(read) = serde_json::from_slice(&message) else { return };
                if sender.send(read).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let mut browser =
            Self { process, input, messages, session: None, last: 0, complaints: Vec::new(), _profile: profile };
        let page = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": page["targetId"], "flatten": true });
        browser.session = browser.call("Target.attachToTarget", &attach)["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.call(domain, &json!({}));
        }
        browser.resize(1280, 1000);
        browser
    }

    /// Opens `url`, and waits until its script runs.
    pub(crate) fn open(&mut self, url: &str) {
        let answer = self.call("Page.navigate", &json!({ "url": url }));
        assert!(answer["errorText"].is_null(), "{answer}");
        self.until(&format!("location.href === '{url}' && document.readyState === 'complete'"));
    }

    /// Resizes the page, in CSS pixels.
    pub(crate) fn resize(&mut self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Sets the page's color scheme.
    pub(crate) fn prefer(&mut self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", &features);
    }

    /// Sends the header `name` with each request of the page.
    #[allow(dead_code, reason = "the test of the dashboard's page sends none")]
    pub(crate) fn send_header(&mut self, name: &str, value: &str) {
        self.call("Network.enable", &json!({}));
        self.call("Network.setExtraHTTPHeaders", &json!({ "headers": { name: value } }));
    }

    /// Evaluates the expression `script` in the page.
    pub(crate) fn eval(&mut self, script: &str) -> Value {
        let answer = self.call("Runtime.evaluate", &json!({ "expression": script, "returnByValue": true }));
        assert!(answer["exceptionDetails"].is_null(), "{script}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until `script` is true in the page.
    pub(crate) fn until(&mut self, script: &str) {
        let start = Instant::now();
        while self.eval(script) != json!(true) {
            assert!(start.elapsed() < PATIENCE, "never: {script}\n{}", self.eval("document.body.innerText"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Returns a screenshot of the page (PNG).
    pub(crate) fn picture(&mut self) -> Vec<u8> {
        let answer = self.call("Page.captureScreenshot", &json!({ "format": "png" }));
        let data = answer["data"].as_str().unwrap_or_default();
        base64::engine::general_purpose::STANDARD.decode(data).expect("base64")
    }

    /// Returns the exceptions of the page's script, and requests that the browser blocked.
    pub(crate) fn complaints(&mut self) -> &[String] {
        // Pending events arrive before the response.
        self.eval("0");
        &self.complaints
    }

    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        if self.input.write_all(&bytes).is_err() {
            self.fail(method);
        }
        loop {
            let Ok(mut message) = self.messages.recv_timeout(PATIENCE) else { self.fail(method) };
            if message["id"] == json!(self.last) {
                // Navigation may discard the script's result; it counts as empty.
                assert!(message["error"].is_null() || method == "Runtime.evaluate", "{method}: {message}");
                return message["result"].take();
            }
            let event = message["method"].as_str().unwrap_or_default();
            let entry = &message["params"]["entry"];
            if event == "Runtime.exceptionThrown" || (event == "Log.entryAdded" && entry["level"] == "error") {
                self.complaints.push(message["params"].to_string());
            }
        }
    }

    fn fail(&self, method: &str) -> ! {
        let log = std::fs::read_to_string(self._profile.path().join("log")).unwrap_or_default();
        panic!("Chromium does not answer to {method}:\n{log}");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
