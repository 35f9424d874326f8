//! A call into a guest as a future: it runs in the task that polls it, and moves to the background when it is busy.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tempo_telemetry::{CallContext, Telemetry, within};
use tokio::sync::oneshot;
use tokio::time::Sleep;

use crate::admission::PermitSlot;
use crate::instruments::CallInstruments;
use crate::placement::Placement;
use crate::retirement::{EndOfCalls, Retirement};
use crate::{CpuMeter, Interrupted, Permit};

/// A deadline this far ahead stands for one that the clock cannot represent.
const FAR_FUTURE: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// Returns the time `timeout` from now.
pub(crate) fn deadline_after(timeout: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(timeout).unwrap_or_else(|| now + FAR_FUTURE)
}

/// The future of a call. Each poll is metered and has the call's context.
struct Work<R> {
    future: Pin<Box<dyn Future<Output = R> + Send>>,
    meter: Arc<CpuMeter>,
    context: Option<Arc<CallContext>>,
}

impl<R> Work<R> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<R> {
        self.meter.enter();
        let poll = within(self.context.as_ref(), || self.future.as_mut().poll(cx));
        self.meter.leave();
        poll
    }
}

/// Spawns a future onto the background threads, which have a lower priority than the serving threads.
pub type BackgroundSpawner = Arc<dyn Fn(Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync>;

/// A call into a guest.
///
/// The task that needs the result polls it, so a short call costs no task, no queue and no wake-up. A call that computes
/// for a whole epoch tick moves to the background, so that it does not delay other calls. Dropping the call ends the guest,
/// in the background too.
pub struct Call<R> {
    stage: Stage<R>,
    meter: Arc<CpuMeter>,
    permit: PermitSlot,
    environment: Arc<CallEnvironment>,
    deadline: Instant,
    /// The limit that the deadline enforces.
    limit: Interrupted,
    /// Created when the deadline is first polled: most calls never wait.
    timer: Option<CallTimer>,
}

/// The surroundings of all calls of a component.
pub(crate) struct CallEnvironment {
    /// Runs the calls that compute for longer than a tick.
    pub(crate) background: BackgroundSpawner,
    /// Counts timeouts.
    pub(crate) telemetry: Telemetry,
    /// `None` if metrics are disabled.
    pub(crate) instruments: Option<Arc<CallInstruments>>,
    /// Whether the component is replaced.
    pub(crate) retirement: Arc<Retirement>,
    /// Where calls begin. `None` if no other component has calls in the process.
    pub(crate) placement: Option<Placement>,
}

/// What a waiting call waits for besides its guest.
struct CallTimer {
    deadline: Pin<Box<Sleep>>,
    end: EndOfCalls,
}

enum Stage<R> {
    /// Begins in the background when it is first polled.
    Deferred(Work<R>),
    Here(Work<R>),
    Background(oneshot::Receiver<R>),
}

impl<R: Send + 'static> Call<R> {
    pub(crate) fn new(
        future: Pin<Box<dyn Future<Output = R> + Send>>,
        (meter, permit): (Arc<CpuMeter>, PermitSlot),
        environment: Arc<CallEnvironment>,
        deadline: Instant,
    ) -> Self {
        let work = Work { future, meter: meter.clone(), context: None };
        let deferred = environment.placement.as_ref().is_some_and(Placement::begins_in_background);
        let stage = if deferred { Stage::Deferred(work) } else { Stage::Here(work) };
        Self { stage, meter, permit, environment, deadline, limit: Interrupted::Deadline, timer: None }
    }

    /// Runs the call with `context` as the current one.
    pub(crate) fn with_context(mut self, context: Option<Arc<CallContext>>) -> Self {
        if let Stage::Here(work) | Stage::Deferred(work) = &mut self.stage {
            work.context = context;
        }
        self
    }

    /// Sets the deadline to `timeout` from now. A call that exceeds it ends with `limit`.
    pub fn set_timeout(&mut self, timeout: Duration, limit: Interrupted) {
        self.deadline = deadline_after(timeout);
        self.limit = limit;
        if let Some(timer) = &mut self.timer {
            timer.deadline.as_mut().reset(self.deadline.into());
        }
    }

    /// The call is a long one from now on, whose response streams: it runs with `permit`, releases the previous one, and
    /// regains a tenth of the passing time as processor time. Without `permit` it keeps its own.
    pub fn begin_stream(&mut self, permit: impl Into<Option<Permit>>) {
        self.meter.start_refill();
        if let Some(permit) = permit.into() {
            self.permit.replace(Some(permit));
        }
    }

    /// Polls the call itself. If it is pending, the caller must also poll the [deadline](Self::poll_deadline).
    pub fn poll_work(&mut self, cx: &mut Context<'_>) -> Poll<Result<R, Interrupted>> {
        if let Stage::Here(work) = &mut self.stage {
            if let Poll::Ready(result) = work.poll(cx) {
                return Poll::Ready(Ok(result));
            }
            if self.meter.is_busy() {
                self.computed_long();
                self.move_to_background();
            }
        } else if let Stage::Deferred(_) = &self.stage {
            self.move_to_background();
        }
        match &mut self.stage {
            // The channel closes when the background runtime shuts down.
            Stage::Background(receiver) => Pin::new(receiver).poll(cx).map_err(|_| Interrupted::Deadline),
            Stage::Here(_) | Stage::Deferred(_) => Poll::Pending,
        }
    }

    fn move_to_background(&mut self) {
        let (result, receiver) = oneshot::channel();
        if let Stage::Here(work) | Stage::Deferred(work) =
            std::mem::replace(&mut self.stage, Stage::Background(receiver))
        {
            (self.environment.background)(Box::pin(BackgroundCall { work, result: Some(result) }));
        }
    }

    /// Resolves at the deadline, or when the last calls of a replaced component must end.
    pub fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<Interrupted> {
        let timer = self.timer.get_or_insert_with(|| CallTimer {
            deadline: Box::pin(tokio::time::sleep_until(self.deadline.into())),
            end: self.environment.retirement.end_of_calls(),
        });
        let limit = match Pin::new(&mut timer.end).poll(cx) {
            Poll::Ready(()) => Interrupted::Replaced,
            Poll::Pending => {
                ready!(timer.deadline.as_mut().poll(cx));
                self.limit
            }
        };
        self.environment.telemetry.count_limit_hit(limit.flag());
        Poll::Ready(limit)
    }
}

impl<R: Send + 'static> Future for Call<R> {
    type Output = Result<R, Interrupted>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.poll_work(cx) {
            Poll::Pending => self.poll_deadline(cx).map(Err),
            ready => ready,
        }
    }
}

impl<R> fmt::Debug for Call<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let background = matches!(self.stage, Stage::Background(_));
        f.debug_struct("Call")
            .field("deadline", &self.deadline)
            .field("limit", &self.limit)
            .field("background", &background)
            .finish_non_exhaustive()
    }
}

impl<R> Call<R> {
    /// Records that the call has computed for a whole tick.
    fn computed_long(&self) {
        if let Some(placement) = &self.environment.placement {
            placement.computed_long();
        }
    }
}

impl<R> Drop for Call<R> {
    fn drop(&mut self) {
        if self.meter.is_busy() {
            self.computed_long();
        }
        if let Some(instruments) = &self.environment.instruments {
            instruments.cpu_time.add(self.meter.spent().as_secs_f64());
        }
    }
}

/// A call in the background. It ends when its receiver is dropped.
struct BackgroundCall<R> {
    work: Work<R>,
    result: Option<oneshot::Sender<R>>,
}

impl<R> Future for BackgroundCall<R> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.result.as_mut().is_none_or(|result| result.poll_closed(cx).is_ready()) {
            return Poll::Ready(());
        }
        let output = ready!(this.work.poll(cx));
        if let Some(result) = this.result.take() {
            // The receiver may have been dropped concurrently.
            let _ = result.send(output);
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::Tick;
    use crate::{Admission, Limits};

    fn call<R: Send + 'static>(work: impl Future<Output = R> + Send + 'static, tick: Duration) -> Call<R> {
        let meter = Arc::new(CpuMeter::new(Duration::MAX, tick));
        let background: BackgroundSpawner = Arc::new(|future| drop(tokio::spawn(future)));
        let metered = meter.clone();
        let work = async move {
            // Simulates the engine, which reports ticks while the guest runs.
            metered.tick();
            if metered.tick() == Tick::Yield {
                tokio::task::yield_now().await;
            }
            work.await
        };
        let permit = PermitSlot::new(Admission::new(&Limits::default(), Telemetry::off()).try_enter().unwrap());
        let environment = CallEnvironment {
            background,
            telemetry: Telemetry::off(),
            instruments: None,
            retirement: Arc::default(),
            placement: None,
        };
        Call::new(Box::pin(work), (meter, permit), Arc::new(environment), deadline_after(Duration::from_millis(50)))
    }

    #[tokio::test]
    async fn a_call_whose_response_streams_exchanges_its_permit() {
        let admission = Admission::new(&Limits::default(), Telemetry::off());
        let free = admission.free();
        let mut call = call(std::future::pending::<()>(), Duration::MAX);
        call.permit.replace(admission.try_enter());
        assert_eq!(admission.free(), free - 1);
        call.begin_stream(admission.enter_stream().await.unwrap());
        assert_eq!((admission.free(), admission.running()), (free, 1));
        call.set_timeout(Duration::from_millis(1), Interrupted::StreamIdle);
        assert_eq!(call.await, Err(Interrupted::StreamIdle));
        assert_eq!(admission.running(), 0);
    }

    #[tokio::test]
    async fn a_short_call_stays_in_the_task_that_polls_it() {
        let here = tokio::task::try_id();
        assert_eq!(call(async { tokio::task::try_id() }, Duration::MAX).await, Ok(here));
    }

    #[tokio::test]
    async fn a_busy_call_moves_to_the_background() {
        let here = tokio::task::try_id();
        assert_ne!(call(async { tokio::task::try_id() }, Duration::ZERO).await, Ok(here));
    }

    #[tokio::test]
    async fn an_endless_call_is_ended_in_place_and_in_the_background() {
        for tick in [Duration::MAX, Duration::ZERO] {
            let dropped = Arc::new(());
            let held = dropped.clone();
            let endless = async move {
                let _held = held;
                std::future::pending::<()>().await;
            };
            assert_eq!(call(endless, tick).await, Err(Interrupted::Deadline));
            while Arc::strong_count(&dropped) > 1 {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn the_last_calls_of_a_replaced_component_end() {
        let mut call = call(std::future::pending::<()>(), Duration::MAX);
        call.set_timeout(Duration::from_secs(3600), Interrupted::Deadline);
        let retirement = call.environment.retirement.clone();
        let (ended, ()) = tokio::join!(call, crate::Retired(retirement).end_calls_after(Duration::from_millis(1)));
        assert_eq!(ended, Err(Interrupted::Replaced));
    }
}
