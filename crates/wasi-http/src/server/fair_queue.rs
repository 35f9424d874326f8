//! Fair queueing on a serving thread: the components of an app begin their requests in turns.
//!
//! A thread handles what is ready in the order of arrival. A component that gets many requests at once would delay each request of
//! the others by all of its own. While several components get requests, each of them begins as many in a turn as take a
//! [`TIME_SLICE`], at least one, and a turn ends when the thread has polled for events: a request waits for one turn of the others.
//! The requests of one component begin one after the other, which finds its code in the caches.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};
use tokio::task::yield_now;

/// How long the requests of one component may take in a turn, while others get requests too.
const TIME_SLICE: Duration = Duration::from_micros(120);
/// Maximum number of requests of one component that begin in a turn.
const REQUESTS_A_TURN: u32 = 4;
/// The part of a component's mean that a request changes.
const WEIGHT: u32 = 8;

/// Identifies a component on its serving thread.
pub(crate) type FlowId = usize;

/// The requests of one serving thread that wait for their turn.
#[derive(Debug, Default)]
pub(crate) struct FairQueue {
    turns: Mutex<Turns>,
    /// Wakes the task that begins turns.
    begun: Notify,
}

#[derive(Debug, Default)]
struct Turns {
    flows: BTreeMap<FlowId, Flow>,
    /// Whether a request began in this turn.
    begun: bool,
}

/// The requests of one component.
#[derive(Debug, Default)]
struct Flow {
    /// How long requests take until they are answered or wait: the exponential moving average. None took a time yet at zero.
    mean: Duration,
    /// Those that wait. The caller has a permit for each, which bounds their number.
    waiting: VecDeque<oneshot::Sender<()>>,
    /// Whether requests arrived since the last [`FairQueue::maintain`].
    active: bool,
}

/// When a request begins.
#[derive(Debug)]
enum Turn {
    /// Now: no other component gets requests.
    Alone,
    /// Now, as the first one of a turn.
    First,
    /// When the receiver resolves.
    Later(oneshot::Receiver<()>),
}

impl FairQueue {
    /// Waits for the turn of a request of the component `id`.
    pub(crate) async fn enter(&self, id: FlowId) {
        let turn = self.lock().turn(id);
        match turn {
            Turn::Alone => {}
            Turn::First => self.begun.notify_one(),
            // The sender is dropped with the queue.
            Turn::Later(turn) => turn.await.unwrap_or_default(),
        }
    }

    /// Measures `poll`, the first poll of a request of the component `id` that has entered.
    pub(crate) fn measure<R>(&self, id: FlowId, poll: impl FnOnce() -> R) -> R {
        let begun = Instant::now();
        let polled = poll();
        if let Some(flow) = self.lock().flows.get_mut(&id) {
            flow.took(begun.elapsed());
        }
        polled
    }

    /// Begins turns, until the future is dropped.
    pub(crate) async fn run(&self) {
        loop {
            self.begun.notified().await;
            // Resumes after the thread has polled for events.
            yield_now().await;
            while self.lock().next() {
                yield_now().await;
            }
        }
    }

    /// Forgets components that get no requests. To be called periodically.
    pub(crate) fn maintain(&self) {
        self.lock().flows.retain(|_, flow| std::mem::take(&mut flow.active) || !flow.waiting.is_empty());
    }

    fn lock(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turns {
    /// Returns the turn of a request of the component `id`.
    fn turn(&mut self, id: FlowId) -> Turn {
        let others = self.flows.len() > usize::from(self.flows.contains_key(&id));
        let flow = self.flows.entry(id).or_default();
        flow.active = true;
        if !others && flow.waiting.is_empty() {
            return Turn::Alone;
        }
        if !std::mem::replace(&mut self.begun, true) {
            return Turn::First;
        }
        let (sender, turn) = oneshot::channel();
        flow.waiting.push_back(sender);
        Turn::Later(turn)
    }

    /// Begins the next turn: those components first of which the fewest requests wait. Returns whether a request began.
    fn next(&mut self) -> bool {
        let mut flows: Vec<&mut Flow> = self.flows.values_mut().filter(|flow| !flow.waiting.is_empty()).collect();
        flows.sort_unstable_by_key(|flow| flow.waiting.len());
        self.begun = flows.into_iter().map(Flow::begin).filter(|begun| *begun).count() > 0;
        self.begun
    }
}

impl Flow {
    /// Records the time that a request took. A preempted thread counts as a slice at most.
    fn took(&mut self, time: Duration) {
        let time = time.min(TIME_SLICE);
        if self.mean.is_zero() {
            self.mean = time;
            return;
        }
        self.mean = self.mean.saturating_sub(self.mean / WEIGHT).saturating_add(time / WEIGHT);
    }

    /// Returns the number of requests that take a time slice.
    fn requests_a_turn(&self) -> u32 {
        let fit = TIME_SLICE.as_nanos().checked_div(self.mean.as_nanos());
        fit.map_or(REQUESTS_A_TURN, |fit| fit.clamp(1, REQUESTS_A_TURN.into()).try_into().unwrap_or(REQUESTS_A_TURN))
    }

    /// Begins the next requests. Returns whether there was one.
    fn begin(&mut self) -> bool {
        let (mut begun, most) = (0_u32, self.requests_a_turn());
        while begun < most
            && let Some(turn) = self.waiting.pop_front()
        {
            // A request whose client is gone has no turn.
            if turn.send(()).is_ok() {
                begun = begun.saturating_add(1);
            }
        }
        begun > 0
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use futures::FutureExt as _;
    use futures::future::join_all;

    use super::*;

    fn waiting(turns: &mut Turns, id: FlowId, count: usize) -> Vec<oneshot::Receiver<()>> {
        let later = |turn| match turn {
            Turn::Later(turn) => Some(turn),
            Turn::Alone | Turn::First => None,
        };
        (0..count).filter_map(|_| later(turns.turn(id))).collect()
    }

    fn begun(waiting: &mut [oneshot::Receiver<()>]) -> usize {
        waiting.iter_mut().filter_map(|turn| turn.now_or_never()).count()
    }

    #[test]
    fn a_component_alone_does_not_wait() {
        assert!(waiting(&mut Turns::default(), 1, 100).is_empty());
    }

    #[test]
    fn each_component_begins_some_requests_a_turn() {
        let mut turns = Turns::default();
        assert!(waiting(&mut turns, 1, 1).is_empty());
        let mut many = waiting(&mut turns, 2, 10);
        assert_eq!(many.len(), 9, "the first one of a turn begins at once");
        let mut few = waiting(&mut turns, 1, 2);
        // A client goes away.
        many.remove(0);
        assert!(turns.next());
        assert_eq!((begun(&mut many), begun(&mut few)), (REQUESTS_A_TURN as usize, 2));
        assert!(turns.next());
        assert!(!turns.next());
        assert!(matches!(turns.turn(1), Turn::First));
    }

    #[test]
    fn a_component_begins_as_many_requests_as_take_a_time_slice() {
        let mut flow = Flow::default();
        let mut after = |time, requests| {
            (0..requests).for_each(|_| flow.took(time));
            flow.requests_a_turn()
        };
        assert_eq!(after(TIME_SLICE, 0), REQUESTS_A_TURN);
        assert_eq!(after(Duration::from_secs(1), 1), 1);
        assert_eq!(after(TIME_SLICE / 2, 60), 1, "a little more than half of it");
        assert_eq!(after(TIME_SLICE / 3, 60), 2);
        assert_eq!(after(Duration::ZERO, 60), REQUESTS_A_TURN);
    }

    #[test]
    fn the_first_poll_of_a_request_is_measured() {
        let queue = FairQueue::default();
        assert_eq!(waiting(&mut queue.lock(), 1, 1).len(), 0);
        let sleep = || std::thread::sleep(TIME_SLICE);
        (0..30).for_each(|_| queue.measure(1, sleep));
        queue.measure(2, sleep);
        let turns = queue.lock();
        let requests: Vec<_> = turns.flows.values().map(Flow::requests_a_turn).collect();
        assert_eq!(requests, [1]);
    }

    #[test]
    fn a_component_that_gets_no_requests_is_forgotten() {
        let queue = FairQueue::default();
        let turns = |id| waiting(&mut queue.lock(), id, 2).len();
        assert_eq!((turns(1), turns(2)), (0, 1));
        queue.lock().next();
        queue.maintain();
        queue.maintain();
        assert_eq!(waiting(&mut queue.lock(), 1, 100).len(), 0);
    }

    #[tokio::test]
    async fn a_request_waits_for_one_turn_of_another_component() {
        let (queue, order) = (FairQueue::default(), RefCell::new(Vec::new()));
        let request = async |id| {
            queue.enter(id).await;
            order.borrow_mut().push(id);
        };
        request(1).await;
        let many = join_all((0..100).map(|_| request(2)));
        let requests = async { tokio::join!(many, request(3)) };
        tokio::select! {
            _ = requests => {}
            () = queue.run() => unreachable!("it runs until it is dropped"),
        }
        let order = order.borrow();
        // Those that begin in one turn are polled in any order.
        let before = order.iter().take_while(|id| **id != 3).count();
        assert!(order.len() == 102 && before <= 2 + REQUESTS_A_TURN as usize, "{order:?}");
    }
}
