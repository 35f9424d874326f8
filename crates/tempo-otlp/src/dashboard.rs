//! A page for development: what the runtime did lately and does now. It is served by the runtime itself, from files that
//! are part of the program, and changes nothing. Other programs may tell it what they do, too.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tempo_settings::Flag;

use crate::admin::Health;
use crate::events::{LIFE, array, events};
use crate::intake::Intake;
use crate::prometheus::Scrape;
use crate::recent::Recent;
use crate::server::{Listener, Pages, Reply};
use crate::token::Token;

/// Where the page of [`Dashboard`] is served.
pub const DASHBOARD: Flag =
    Flag::new("dashboard", "HOST:PORT", "Serve a page for development that shows requests, traces, logs and metrics")
        .bare("127.0.0.1:4000");

/// Longer than any of its pages needs, streams included.
const PATIENCE: Duration = Duration::from_secs(LIFE.as_secs() + 30);

const HTML: &str = include_str!("dashboard/index.html");
const SCRIPT: &str = include_str!("dashboard/app.js");
const STYLE: &str = include_str!("dashboard/style.css");
const ICON: &str = include_str!("dashboard/icon.svg");

/// The page of `--dashboard`. Cheap to clone; all clones are the same.
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
    /// Tells one run of the program from the next, at the same address.
    pub(crate) run: String,
    component: OnceLock<Value>,
}

impl State {
    /// What [`Dashboard::describe`] was told.
    pub(crate) fn component(&self) -> &Value {
        self.component.get().unwrap_or(&Value::Null)
    }
}

impl Dashboard {
    /// A page that shows what `recent` keeps, what `scrape` reads, and `health`.
    pub fn new(recent: Recent, scrape: Scrape, health: Health) -> Self {
        let run = format!("{:x}", std::process::id()) + &format!("{:x}", start_millis());
        Self {
            state: Arc::new(State {
                intake: Intake::new(recent.clone()),
                recent,
                scrape,
                health,
                run,
                component: OnceLock::new(),
            }),
            token: None,
        }
    }

    /// The same, for those who show `token`. Needed wherever others than this machine's users reach the page.
    #[must_use]
    pub fn with_token(mut self, token: Option<Token>) -> Self {
        self.token = token;
        self
    }

    /// Says what runs. The page knows these members, and each may be absent: `component`, its name; `wasi`, the version;
    /// `imports`, a list of `{"name", "satisfied_by", "nearest"}`; `exports`, a list of `{"name", "called_by"}`; and
    /// `grants`, an object of what is granted: a list of texts, or a text, by what kind of thing it is. A second call
    /// changes nothing. Whoever reaches the page can read it: no secrets.
    pub fn describe(&self, component: Value) {
        let _ = self.state.component.set(component);
    }

    /// Whether the page needs a token on `address`: every client that reaches it can read everything.
    pub fn needs_token(address: SocketAddr) -> bool {
        !address.ip().to_canonical().is_loopback()
    }

    /// Where the page that is served on `address` is, with a token that was made for it.
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
        // What comes meanwhile is for the next who asks.
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
    fn patience(&self) -> Duration {
        PATIENCE
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

    fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    fn intake(&self) -> Option<&Intake> {
        Some(&self.state.intake)
    }
}

fn start_millis() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}
