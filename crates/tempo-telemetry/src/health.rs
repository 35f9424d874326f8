//! Liveness and readiness of a runtime, which `/livez` and `/readyz` of the admin endpoint serve.

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

/// Interval between two beats of [`Heartbeat::run`].
const BEAT_INTERVAL: Duration = Duration::from_secs(1);

/// A phase in the life of a runtime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuntimePhase {
    /// The runtime loads the component.
    #[default]
    Starting,
    /// The runtime connects the backends and starts the triggers.
    Connecting,
    /// The triggers serve.
    Ready,
    /// The runtime drains running calls.
    Stopping,
}

/// A check, and the component of an app that it is about.
#[derive(Clone)]
struct ReadinessCheck {
    component: Option<Arc<str>>,
    reason: Arc<dyn Fn() -> Option<String> + Send + Sync>,
    owner: Weak<dyn Any + Send + Sync>,
}

/// Liveness and readiness of a runtime. Cheap to clone; clones share their state.
#[derive(Clone, Default)]
pub struct Health {
    state: Arc<Mutex<State>>,
    /// The component of an app whose checks are added by this handle.
    component: Option<Arc<str>>,
}

#[derive(Default)]
struct State {
    phase: RuntimePhase,
    checks: Vec<ReadinessCheck>,
    threads: Vec<Weak<MonitoredThread>>,
}

/// A thread, or a task on it, whose liveness is monitored.
struct MonitoredThread {
    name: &'static str,
    registered: Instant,
    /// Time of the last beat, in milliseconds after `registered`.
    last_beat: AtomicU64,
}

/// The liveness handle of one thread. Dropping it unregisters the thread.
pub struct Heartbeat {
    thread: Arc<MonitoredThread>,
}

impl Health {
    /// Returns the handle of the component `name` of an app, which shares the state: the reasons of its checks name the
    /// component.
    #[must_use]
    pub fn in_app(&self, name: &str) -> Self {
        Self { state: self.state.clone(), component: Some(name.into()) }
    }

    /// Sets the phase of the runtime.
    pub fn enter(&self, phase: RuntimePhase) {
        self.state().phase = phase;
    }

    /// Adds a readiness check, which ends when `owner` is dropped: a reload may replace it. `check` returns `Some(reason)` while
    /// the runtime is not ready.
    ///
    /// `check` must not block. The reason is public: it must hold no secret and no URL with a password.
    pub fn add_readiness_check<O: Send + Sync + 'static>(
        &self,
        owner: &Arc<O>,
        check: impl Fn(&O) -> Option<String> + Send + Sync + 'static,
    ) {
        let weak = Arc::downgrade(owner);
        let owner: Weak<dyn Any + Send + Sync> = weak.clone();
        let reason = Arc::new(move || weak.upgrade().and_then(|owner| check(&owner)));
        let check = ReadinessCheck { component: self.component.clone(), reason, owner };
        let mut state = self.state();
        state.checks.retain(ReadinessCheck::is_alive);
        state.checks.push(check);
    }

    /// Returns the reasons why the runtime is not ready, one a line without duplicates, or `None` if it is ready. Those of a
    /// component [of an app](Self::in_app) begin with its name.
    pub fn not_ready(&self) -> Option<String> {
        let phase = self.state().phase;
        let phase = match phase {
            RuntimePhase::Starting => "starting: the component is being loaded",
            RuntimePhase::Connecting => "starting: backends and triggers are being connected",
            RuntimePhase::Stopping => "stopping",
            RuntimePhase::Ready => {
                // Run without the lock, which a check may take.
                let checks = self.state().checks.clone();
                return unique_lines(checks.iter().filter_map(ReadinessCheck::run));
            }
        };
        Some(phase.to_owned())
    }

    /// Registers a thread, or a task on it, such as `the main loop`. It must beat more often than the timeout of
    /// [`hung_threads`](Self::hung_threads).
    pub fn heartbeat(&self, name: &'static str) -> Heartbeat {
        let thread = Arc::new(MonitoredThread { name, registered: Instant::now(), last_beat: AtomicU64::new(0) });
        let mut state = self.state();
        state.threads.retain(|thread| thread.strong_count() > 0);
        state.threads.push(Arc::downgrade(&thread));
        Heartbeat { thread }
    }

    /// Returns the registered threads without a beat for longer than `timeout`, one a line, or `None` if there are none.
    pub fn hung_threads(&self, timeout: Duration) -> Option<String> {
        self.hung_threads_at(Instant::now(), timeout)
    }

    fn hung_threads_at(&self, now: Instant, timeout: Duration) -> Option<String> {
        let threads: Vec<Arc<MonitoredThread>> = self.state().threads.iter().filter_map(Weak::upgrade).collect();
        let silences = threads.iter().map(|thread| (thread.name, thread.silence_at(now)));
        let hung = silences.filter(|(_, silence)| *silence > timeout);
        unique_lines(hung.map(|(name, silence)| format!("{name} hangs: no heartbeat for {} s", silence.as_secs())))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Joins `reasons` without duplicates: two services of one server report the same reason.
fn unique_lines(reasons: impl Iterator<Item = String>) -> Option<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in reasons {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

impl ReadinessCheck {
    /// Returns whether its owner exists.
    fn is_alive(&self) -> bool {
        self.owner.strong_count() > 0
    }

    /// Returns the reason, if the check fails.
    fn run(&self) -> Option<String> {
        let reason = (self.reason)()?;
        Some(self.component.as_ref().map_or_else(|| reason.clone(), |component| format!("{component}: {reason}")))
    }
}

impl MonitoredThread {
    /// Uses the monotonic clock, which is never set back.
    fn beat_at(&self, now: Instant) {
        let after = now.saturating_duration_since(self.registered).as_millis();
        self.last_beat.store(u64::try_from(after).unwrap_or(u64::MAX), Relaxed);
    }

    /// Returns the time since the last beat.
    fn silence_at(&self, now: Instant) -> Duration {
        let last_beat = Duration::from_millis(self.last_beat.load(Relaxed));
        now.saturating_duration_since(self.registered).saturating_sub(last_beat)
    }
}

impl Heartbeat {
    /// Records that the thread makes progress.
    pub fn beat(&self) {
        self.thread.beat_at(Instant::now());
    }

    /// Beats every second while the monitored thread polls this future. Needs a tokio runtime with time enabled.
    pub async fn run(self) {
        let mut interval = tokio::time::interval(BEAT_INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            self.beat();
        }
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        let (checks, threads) = (state.checks.len(), state.threads.len());
        let mut debug = f.debug_struct("Health");
        debug.field("phase", &state.phase).field("checks", &checks).field("threads", &threads).finish()
    }
}

impl fmt::Debug for Heartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heartbeat").field("thread", &self.thread.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    #[test]
    fn a_runtime_is_ready_if_its_phase_is_and_all_checks_pass() {
        let health = Health::default();
        assert!(health.not_ready().unwrap().starts_with("starting"));
        health.enter(RuntimePhase::Connecting);
        assert!(health.not_ready().unwrap().contains("connected"));
        health.clone().enter(RuntimePhase::Ready);
        assert_eq!(health.not_ready(), None);
        let down = Arc::new(Mutex::new(true));
        // Two services of one server.
        for _ in 0..2 {
            let reason = || "nats://host:4222 is not connected".to_owned();
            health.add_readiness_check(&down, move |down| down.lock().unwrap().then(reason));
        }
        health.add_readiness_check(&down, |_| None);
        assert_eq!(health.not_ready().as_deref(), Some("nats://host:4222 is not connected"));
        health.add_readiness_check(&down, |_| Some("no disk".to_owned()));
        assert_eq!(health.not_ready().as_deref(), Some("nats://host:4222 is not connected\nno disk"));
        health.enter(RuntimePhase::Stopping);
        assert_eq!(health.not_ready().as_deref(), Some("stopping"));
    }

    #[test]
    fn reasons_name_the_components_of_an_app() {
        let (health, owner) = (Health::default(), Arc::new(()));
        health.enter(RuntimePhase::Ready);
        // Both use one server, the first for two services.
        for name in ["api", "api", "worker"] {
            let reason = |(): &()| Some("nats://host:4222 is not connected".to_owned());
            health.in_app(name).add_readiness_check(&owner, reason);
        }
        health.in_app("other").add_readiness_check(&owner, |()| None);
        let expected = "api: nats://host:4222 is not connected\nworker: nats://host:4222 is not connected";
        assert_eq!(health.not_ready().as_deref(), Some(expected));
    }

    #[test]
    fn a_check_ends_with_its_owner() {
        let health = Health::default();
        health.enter(RuntimePhase::Ready);
        for _ in 0..10 {
            let store = Arc::new("no disk");
            health.add_readiness_check(&store, |store| Some((*store).to_owned()));
            assert_eq!(health.not_ready().as_deref(), Some("no disk"));
            drop(store);
            assert_eq!(health.not_ready(), None);
        }
        assert_eq!(health.state().checks.len(), 1);
    }

    #[test]
    fn a_thread_hangs_without_a_beat_for_longer_than_the_timeout() {
        let health = Health::default();
        assert_eq!(health.hung_threads(Duration::ZERO), None, "no thread is registered");
        let heartbeat = health.heartbeat("the main loop");
        let registered = heartbeat.thread.registered;
        let after = |seconds| registered + Duration::from_secs(seconds);
        assert_eq!(health.hung_threads_at(after(10), TIMEOUT), None, "the timeout starts with the registration");
        let hangs = "the main loop hangs: no heartbeat for 11 s";
        assert_eq!(health.hung_threads_at(after(11), TIMEOUT).as_deref(), Some(hangs));
        heartbeat.thread.beat_at(after(12));
        assert_eq!(health.hung_threads_at(after(22), TIMEOUT), None);
        assert_eq!(health.hung_threads_at(after(23), TIMEOUT).as_deref(), Some(hangs));
        // A beat of one thread does not count for another.
        let other = health.heartbeat("a thread");
        other.thread.beat_at(after(40));
        assert_eq!(health.hung_threads_at(after(40), TIMEOUT).unwrap().lines().count(), 1);
        drop(heartbeat);
        assert_eq!(health.hung_threads_at(after(40), TIMEOUT), None, "a thread that has ended does not hang");
    }

    #[tokio::test]
    async fn a_heartbeat_that_is_polled_beats() {
        let registered = Instant::now().checked_sub(Duration::from_secs(60)).unwrap();
        let thread = Arc::new(MonitoredThread { name: "the main loop", registered, last_beat: AtomicU64::new(0) });
        let beating = tokio::spawn(Heartbeat { thread: thread.clone() }.run());
        while thread.last_beat.load(Relaxed) < 60_000 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        beating.abort();
    }
}
