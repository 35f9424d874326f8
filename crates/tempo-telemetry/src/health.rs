//! Whether a runtime goes on, and whether it is ready for calls, as its parts say it. Whoever looks after the process asks.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

/// How often a part that does nothing else for it says that it goes on.
const BEAT: Duration = Duration::from_secs(1);

/// How far a runtime has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// It loads the component.
    #[default]
    Starting,
    /// It connects the backends and starts the triggers.
    Connecting,
    /// It serves.
    Ready,
    /// It finishes what runs.
    Stopping,
}

type Reason = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// Whether a runtime goes on and is ready, and if not, why. Cheap to clone; all clones are the same.
#[derive(Clone, Default)]
pub struct Health {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    phase: Phase,
    reasons: Vec<Reason>,
    parts: Vec<Weak<Part>>,
}

/// A part that says from time to time that it goes on.
struct Part {
    name: &'static str,
    since: Instant,
    /// When it last said so, in milliseconds after `since`.
    beat: AtomicU64,
}

/// How a part of a runtime says that it goes on. It is not expected to any more once this is dropped.
pub struct Heartbeat {
    part: Arc<Part>,
}

impl Health {
    /// Takes note of how far the runtime has come.
    pub fn enter(&self, phase: Phase) {
        self.state().phase = phase;
    }

    /// Asks `reason` from now on, too, whenever somebody asks: it says in a few words why the runtime is not ready, or
    /// nothing. It must not block, and what it says is public: no secret, no URL with a password. It stays for as long as
    /// the runtime, so it must not hold what is to end before.
    pub fn add_readiness_check(&self, reason: impl Fn() -> Option<String> + Send + Sync + 'static) {
        self.state().reasons.push(Arc::new(reason));
    }

    /// Why the runtime is not ready, one reason a line, no line twice; nothing if it is.
    pub fn not_ready(&self) -> Option<String> {
        let phase = self.state().phase;
        let phase = match phase {
            Phase::Starting => "starting: the component is being loaded",
            Phase::Connecting => "starting: backends and triggers are being connected",
            Phase::Stopping => "stopping",
            Phase::Ready => {
                // Asked without the lock, which they may take.
                let reasons = self.state().reasons.clone();
                return lines(reasons.iter().filter_map(|reason| reason()));
            }
        };
        Some(phase.to_owned())
    }

    /// Expects from now on that a part goes on, such as `the main loop`: a thread, or what runs on it.
    pub fn heartbeat(&self, name: &'static str) -> Heartbeat {
        let part = Arc::new(Part { name, since: Instant::now(), beat: AtomicU64::new(0) });
        let mut state = self.state();
        state.parts.retain(|part| part.strong_count() > 0);
        state.parts.push(Arc::downgrade(&part));
        Heartbeat { part }
    }

    /// Which parts hang: those that nothing was heard of for longer than `patience`, one a line; nothing if all go on.
    pub fn hangs(&self, patience: Duration) -> Option<String> {
        self.hangs_at(Instant::now(), patience)
    }

    fn hangs_at(&self, now: Instant, patience: Duration) -> Option<String> {
        let parts: Vec<Arc<Part>> = self.state().parts.iter().filter_map(Weak::upgrade).collect();
        let silent = parts.iter().map(|part| (part.name, part.silent_at(now)));
        let hangs = silent.filter(|(_, silent)| *silent > patience);
        lines(hangs.map(|(name, silent)| format!("{name} hangs: nothing was heard of it for {} s", silent.as_secs())))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Several parts may have the same to say: two services of one server.
fn lines(said: impl Iterator<Item = String>) -> Option<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in said {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

impl Part {
    /// By the clock that nobody sets.
    fn beat_at(&self, now: Instant) {
        let after = now.saturating_duration_since(self.since).as_millis();
        self.beat.store(u64::try_from(after).unwrap_or(u64::MAX), Relaxed);
    }

    fn silent_at(&self, now: Instant) -> Duration {
        let beat = Duration::from_millis(self.beat.load(Relaxed));
        now.saturating_duration_since(self.since).saturating_sub(beat)
    }
}

impl Heartbeat {
    /// Says that the part goes on.
    pub fn beat(&self) {
        self.part.beat_at(Instant::now());
    }

    /// Says it every second, for as long as this is polled by what is to go on. Needs a tokio runtime with time.
    pub async fn keep(self) {
        let mut interval = tokio::time::interval(BEAT);
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
        let (reasons, parts) = (state.reasons.len(), state.parts.len());
        f.debug_struct("Health").field("phase", &state.phase).field("reasons", &reasons).field("parts", &parts).finish()
    }
}

impl fmt::Debug for Heartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heartbeat").field("part", &self.part.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[test]
    fn a_runtime_is_ready_when_its_phase_and_its_parts_say_so() {
        let health = Health::default();
        assert!(health.not_ready().unwrap().starts_with("starting"));
        health.enter(Phase::Connecting);
        assert!(health.not_ready().unwrap().contains("connected"));
        health.clone().enter(Phase::Ready);
        assert_eq!(health.not_ready(), None);
        let down = Arc::new(Mutex::new(true));
        // Two services of one server.
        for _ in 0..2 {
            let asked = down.clone();
            health.add_readiness_check(move || asked.lock().unwrap().then(|| "nats://host:4222 is not connected".to_owned()));
        }
        health.add_readiness_check(|| None);
        assert_eq!(health.not_ready().as_deref(), Some("nats://host:4222 is not connected"));
        health.add_readiness_check(|| Some("no disk".to_owned()));
        assert_eq!(health.not_ready().as_deref(), Some("nats://host:4222 is not connected\nno disk"));
        health.enter(Phase::Stopping);
        assert_eq!(health.not_ready().as_deref(), Some("stopping"));
    }

    #[test]
    fn a_part_hangs_that_nothing_was_heard_of_for_too_long() {
        let health = Health::default();
        assert_eq!(health.hangs(Duration::ZERO), None, "nothing is expected of nobody");
        let pulse = health.heartbeat("the main loop");
        let begun = pulse.part.since;
        let after = |seconds| begun + Duration::from_secs(seconds);
        assert_eq!(health.hangs_at(after(10), PATIENCE), None, "the patience begins with the part");
        let hangs = "the main loop hangs: nothing was heard of it for 11 s";
        assert_eq!(health.hangs_at(after(11), PATIENCE).as_deref(), Some(hangs));
        pulse.part.beat_at(after(12));
        assert_eq!(health.hangs_at(after(22), PATIENCE), None);
        assert_eq!(health.hangs_at(after(23), PATIENCE).as_deref(), Some(hangs));
        // One that goes on does not speak for another.
        let other = health.heartbeat("a thread");
        other.part.beat_at(after(40));
        assert_eq!(health.hangs_at(after(40), PATIENCE).unwrap().lines().count(), 1);
        drop(pulse);
        assert_eq!(health.hangs_at(after(40), PATIENCE), None, "one that has ended does not hang");
    }

    #[tokio::test]
    async fn what_is_polled_goes_on() {
        let before = Instant::now().checked_sub(Duration::from_secs(60)).unwrap();
        let part = Arc::new(Part { name: "the main loop", since: before, beat: AtomicU64::new(0) });
        let beating = tokio::spawn(Heartbeat { part: part.clone() }.keep());
        while part.beat.load(Relaxed) < 60_000 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        beating.abort();
    }
}
