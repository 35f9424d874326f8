//! `Quiescence`: detects that the event loop of a 0.3 guest has no work left, so that an unfinished body stays
//! unfinished.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU8,
    Ordering::{Acquire, Release},
};
use std::task::{Context, Poll, Wake, Waker};

use futures::task::AtomicWaker;
use tempo_core::CpuMeter;
use tokio::sync::oneshot;
use wasmtime::component::{Accessor, AccessorTask};

/// Tasks of the guest are running.
const RUNNING: u8 = 0;
/// The guest's last task has exited, in the current poll of the event loop or in the last one.
const EXITED: u8 = 1;
/// No task was left when this poll began: spawn a probe.
const ARMED: u8 = 2;
/// A probe was spawned in the last poll of [`Quiescence::consumed`].
const PROBING: u8 = 3;
/// The event loop went on after the probe was spawned. The probe is in its queue and has not run.
const QUEUED: u8 = 4;
/// The probe has run, which caused this poll: the next one is the last, or has another cause.
const PROBED: u8 = 5;
/// Nothing is left in the event loop.
const REACHED: u8 = 6;

/// Watches the event loop of one call. Shared by the call and the reader of the response body.
///
/// A body can progress without a task of the guest: the host may be piping a stream into it, which is a future of the
/// event loop. Wasmtime does not expose such futures. But if nothing else is left, it polls the future that drives the
/// loop a last time and returns without checking the loop again. So a probe spawned in this last poll is followed by no other
/// poll of that future. One spawned earlier is, unless the loop yields to the executor, for which it wakes itself. Whether the
/// probe has run decides nothing: it does not while another thread is about to queue a future before it, whose wake follows.
#[derive(Debug, Default)]
pub(crate) struct Quiescence {
    state: AtomicU8,
    reader: AtomicWaker,
}

impl Quiescence {
    /// Drives `event_loop`, in which [`consumed`](Self::consumed) is awaited. The future is large: it is pinned by the
    /// caller, so that it is neither copied nor stored twice.
    pub(crate) async fn drive<R>(&self, mut event_loop: impl Future<Output = R> + Unpin) -> R {
        poll_fn(|cx| {
            self.advance(EXITED, ARMED);
            if !self.is_probing() {
                return Pin::new(&mut event_loop).poll(cx);
            }
            let wakes = Arc::new(Wakes { woken: AtomicBool::new(false), task: cx.waker().clone() });
            let poll = Pin::new(&mut event_loop).poll(&mut Context::from_waker(&wakes.clone().into()));
            if poll.is_pending() && !wakes.woken.load(Acquire) && self.advance(PROBING, REACHED) {
                self.reader.wake();
            }
            poll
        })
        .await
    }

    /// Returns whether the poll that begins determines if work is left.
    fn is_probing(&self) -> bool {
        matches!(self.state.load(Acquire), ARMED | PROBING | QUEUED | PROBED)
    }

    /// Waits in the future that drives the event loop until the response body has been read.
    pub(crate) async fn consumed<T: 'static>(
        self: &Arc<Self>,
        accessor: &Accessor<T>,
        mut consumed: oneshot::Receiver<()>,
        meter: &CpuMeter,
    ) -> wasmtime::Result<()> {
        poll_fn(|cx| {
            if Pin::new(&mut consumed).poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            // With the task's waker, the exit of the last task would cost each request another poll.
            let tasks_exited = accessor.poll_no_interesting_tasks(&mut Context::from_waker(Waker::noop())).is_ready();
            match self.step(tasks_exited) {
                // In the background only a wake-up causes the next poll.
                Step::Exited if meter.is_busy() => cx.waker().wake_by_ref(),
                Step::Spawn => {
                    if let Err(error) = accessor.spawn(Probe(self.clone())) {
                        return Poll::Ready(Err(error));
                    }
                }
                Step::Exited | Step::Wait => {}
            }
            Poll::Pending
        })
        .await
    }

    /// Advances in a poll of the future that drives the event loop.
    fn step(&self, tasks_exited: bool) -> Step {
        if !tasks_exited {
            self.state.store(RUNNING, Release);
            Step::Wait
        } else if self.advance(RUNNING, EXITED) {
            Step::Exited
        } else if self.advance(PROBED, ARMED) || self.advance(PROBING, QUEUED) {
            Step::Wait
        } else if self.advance(ARMED, PROBING) {
            Step::Spawn
        } else {
            Step::Wait
        }
    }

    /// Returns whether one more poll of the call determines if work is left.
    pub(crate) fn has_exited(&self) -> bool {
        self.state.load(Acquire) == EXITED
    }

    /// Resolves when the event loop has no work left.
    pub(crate) fn poll_reached(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.reader.register(cx.waker());
        if self.state.load(Acquire) == REACHED { Poll::Ready(()) } else { Poll::Pending }
    }

    fn advance(&self, from: u8, to: u8) -> bool {
        self.state.compare_exchange(from, to, Release, Acquire).is_ok()
    }
}

/// The result of [`Quiescence::step`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Wait,
    /// The last task has exited.
    Exited,
    /// Spawn a probe.
    Spawn,
}

/// Records the wakes of a task during a poll: an event loop that is woken may have returned before it ran the probe.
struct Wakes {
    woken: AtomicBool,
    task: Waker,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Release);
        self.task.wake_by_ref();
    }
}

/// A task that records that it has run.
struct Probe(Arc<Quiescence>);

impl<T: 'static> AccessorTask<T> for Probe {
    async fn run(self, _: &Accessor<T>) -> wasmtime::Result<()> {
        self.0.advance(QUEUED, PROBED);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Drives an event loop that polls the future once for each of `steps`, which it is expected to return, and returns
    /// whether quiescence is reached then.
    fn poll(quiescence: &Quiescence, steps: &[Step], probe_runs: bool) -> bool {
        let event_loop = poll_fn(|_| {
            for (number, step) in steps.iter().enumerate() {
                assert_eq!(quiescence.step(true), *step, "{number}");
                if probe_runs {
                    quiescence.advance(QUEUED, PROBED);
                }
            }
            Poll::<()>::Pending
        });
        let mut driven = std::pin::pin!(quiescence.drive(event_loop));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(driven.as_mut().poll(&mut cx).is_pending());
        quiescence.poll_reached(&mut cx).is_ready()
    }

    #[test]
    fn a_probe_in_the_last_poll_shows_that_nothing_is_left() {
        let quiescence = Quiescence::default();
        assert!(!poll(&quiescence, &[Step::Exited], true));
        // The loop runs the probe, and then polls a last time.
        assert!(poll(&quiescence, &[Step::Spawn, Step::Wait, Step::Wait, Step::Spawn], true));
    }

    #[test]
    fn a_future_of_the_loop_is_work_left() {
        let quiescence = Quiescence::default();
        assert!(!poll(&quiescence, &[Step::Exited], true));
        for _ in 0..3 {
            // The loop runs the probe, and has another future: there is no last poll.
            assert!(!poll(&quiescence, &[Step::Spawn, Step::Wait, Step::Wait], true));
        }
    }

    #[test]
    fn a_probe_that_waits_in_the_queue_shows_nothing() {
        let quiescence = Quiescence::default();
        assert!(!poll(&quiescence, &[Step::Exited], true));
        // Another thread is about to queue a future before the probe, so the loop finds neither.
        assert!(!poll(&quiescence, &[Step::Spawn, Step::Wait], false));
        assert!(!poll(&quiescence, &[Step::Wait], false));
        // Now it finds both, and the other future is the last.
        assert!(poll(&quiescence, &[Step::Wait, Step::Wait, Step::Spawn], true));
    }

    #[test]
    fn a_loop_that_yields_has_work_left() {
        let quiescence = Quiescence::default();
        assert!(!poll(&quiescence, &[Step::Exited], true));
        let event_loop = poll_fn(|cx| {
            assert_eq!(quiescence.step(true), Step::Spawn);
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        let mut cx = Context::from_waker(Waker::noop());
        assert!(std::pin::pin!(quiescence.drive(event_loop)).poll(&mut cx).is_pending());
        assert!(quiescence.poll_reached(&mut cx).is_pending());
    }
}
