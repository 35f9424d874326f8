//! `Dashboard`: a read-only page for development that shows recent and current activity of the runtime. Its files are
//! embedded in the program. It also receives OTLP of other programs.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};
use tempo_otlp::{Health, Listener, Pages, Reply, Scrape};
use tempo_settings::Flag;

use crate::events::{STREAM_LIFETIME, array, events};
use crate::intake::Intake;
use crate::recent::Recent;
use crate::token::Token;

/// The address of [`Dashboard`].
pub const DASHBOARD: Flag =
    Flag::new("dashboard", "HOST:PORT", "Serve a page for development that shows requests, traces, logs and metrics")
        .bare("127.0.0.1:4000")
        .of_process();

/// Timeout of a connection: longer than that of a stream.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(STREAM_LIFETIME.as_secs() + 30);

const HTML: &str = include_str!("page/index.html");
const SCRIPT: &str = include_str!("page/app.js");
const STYLE: &str = include_str!("page/style.css");
const ICON: &str = include_str!("page/icon.svg");

/// The page of `--dashboard`. Clones share their state.
#[derive(Clone, Debug)]
pub struct Dashboard {
    state: Arc<State>,
    token: Option<Token>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) recent: Recent,
    intake: Intake,
    pub(crate) scrape: Scrape,
    pub(crate) health: Health,
    /// Distinguishes runs of the program at the same address.
    pub(crate) run: String,
    component: Mutex<Arc<Value>>,
}

impl State {
    /// Returns the description given to [`Dashboard::describe`].
    pub(crate) fn component(&self) -> Arc<Value> {
        self.component.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Dashboard {
    /// Creates a page that shows `recent`, `scrape` and `health`.
    pub fn new(recent: Recent, scrape: Scrape, health: Health) -> Self {
        let run = format!("{:x}", std::process::id()) + &format!("{:x}", start_millis());
        Self {
            state: Arc::new(State {
                intake: Intake::new(recent.clone()),
                recent,
                scrape,
                health,
                run,
                component: Mutex::new(Arc::new(Value::Null)),
            }),
            token: None,
        }
    }

    /// Requires `token`. Needed if the page is reachable from other machines.
    #[must_use]
    pub fn with_token(mut self, token: Option<Token>) -> Self {
        self.token = token;
        self
    }

    /// Describes the served component. The page reads these optional members: `component`, its name; `wasi`, the
    /// version; `imports`, a list of `{"name", "satisfied_by", "nearest"}`; `exports`, a list of `{"name",
    /// "called_by"}`; and `grants`, an object that maps kinds of grants to a text or a list of texts. A later call
    /// replaces the description. All clients of the page can read it: it must not contain secrets.
    pub fn describe(&self, component: Value) {
        *self.state.component.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(component);
    }

    /// Returns whether the page needs a token on `address`: all its clients can read everything.
    pub fn needs_token(address: SocketAddr) -> bool {
        !address.ip().to_canonical().is_loopback()
    }

    /// Returns the URL of the page on `address`, with the token if it was generated.
    pub fn announcement(&self, address: SocketAddr) -> String {
        let query = self.token.as_ref().map(Token::query).unwrap_or_default();
        format!("dashboard on http://{address}{query}")
    }

    /// Serves the page until dropped. Needs a tokio runtime with I/O and time.
    pub async fn serve(self, listener: Listener) {
        listener.serve(Arc::new(self)).await;
    }

    fn recent(&self) -> String {
        let (mut spans, mut lines, mut seen) = (Vec::new(), Vec::new(), 0);
        // Rows added meanwhile are left for the next request.
        let newest = *self.state.recent.changes().borrow();
        while seen < newest {
            let batch = self.state.recent.after(seen);
            seen = batch.last;
            spans.extend(batch.spans);
            lines.extend(batch.lines);
        }
        format!("{{\"spans\":{},\"lines\":{}}}", array(&spans), array(&lines))
    }
}

impl Pages for Dashboard {
    fn connection_timeout(&self) -> Duration {
        CONNECTION_TIMEOUT
    }

    fn page(&self, path: &str, last_event: Option<&str>) -> Option<Reply> {
        const JSON: &str = "application/json";
        Some(match path {
            "/" => Reply::new("text/html; charset=utf-8", HTML),
            "/app.js" => Reply::new("text/javascript; charset=utf-8", SCRIPT),
            "/style.css" => Reply::new("text/css; charset=utf-8", STYLE),
            "/icon.svg" => Reply::new("image/svg+xml", ICON),
            "/api/component" => Reply::new(JSON, self.state.component().to_string()),
            "/api/metrics" => Reply::new(JSON, json!(self.state.scrape.families()).to_string()),
            "/api/recent" => Reply::new(JSON, self.recent()),
            "/events" => Reply::stream("text/event-stream", events(self.state.clone(), last_event)),
            _ => return None,
        })
    }

    fn authorize(&self, request: &Request<Incoming>) -> Result<Option<HeaderValue>, Reply> {
        let Some(token) = &self.token else { return Ok(None) };
        if !token.authorizes(request) {
            let why = "show the token of --dashboard-token, or of the address that is logged at start";
            return Err(Reply::text(StatusCode::UNAUTHORIZED, why));
        }
        Ok(token.cookie(request))
    }

    fn accepts_post(&self, path: &str) -> bool {
        Intake::accepts_path(path)
    }

    fn post(&self, request: Request<Incoming>) -> BoxFuture<'_, Reply> {
        self.state.intake.handle(request).boxed()
    }
}

fn start_millis() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}
