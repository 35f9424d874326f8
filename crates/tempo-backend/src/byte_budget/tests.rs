//! Tests of `ByteBudget`: its limit, the order of waiting reservations, and the absence of deadlocks.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;

const TOO_LARGE: OverBudget = OverBudget::TooLarge { limit: 10 };
const EXHAUSTED: OverBudget = OverBudget::Exhausted { limit: 10 };

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn at_the_limit() {
    let budget = ByteBudget::new(10);
    for (bytes, result) in [(9, Ok(9)), (10, Ok(10)), (11, Err(TOO_LARGE)), (usize::MAX, Err(TOO_LARGE))] {
        assert_eq!(budget.hold(bytes).map(|held| held.bytes()), result);
        assert_eq!(budget.try_reserve(bytes).map(|reserved| reserved.bytes()), result);
        assert_eq!(budget.left(), 10, "a dropped reservation is released");
    }
    let held = budget.hold(4).unwrap();
    for (bytes, result) in [(5, Ok(5)), (6, Ok(6)), (7, Err(EXHAUSTED)), (11, Err(TOO_LARGE))] {
        assert_eq!(budget.try_reserve(bytes).map(|reserved| reserved.bytes()), result);
    }
    drop(held);
    assert_eq!(budget.left(), 10);
}

#[test]
fn growing_and_shrinking() {
    let budget = ByteBudget::new(10);
    let mut held = budget.hold(0).unwrap();
    held.try_resize(7).unwrap();
    assert_eq!(held.try_grow(4), Err(EXHAUSTED));
    assert_eq!((held.bytes(), held.available()), (7, 3), "a refused growth changes nothing");
    held.try_resize(2).unwrap();
    held.shrink(100);
    assert_eq!((held.bytes(), budget.left()), (0, 10));
}

#[test]
fn waiting_calls_are_served_in_order() {
    let budget = ByteBudget::new(10);
    let Poll::Ready(Ok(first)) = poll(pin!(budget.reserve(6))) else { panic!("there is nothing to wait for") };
    let mut second = pin!(budget.reserve(6));
    let mut third = pin!(budget.reserve(2));
    assert!(poll(second.as_mut()).is_pending());
    assert!(poll(third.as_mut()).is_pending(), "a smaller one does not overtake");
    assert_eq!(budget.left(), 4, "a waiting reservation has no bytes yet");
    drop(first);
    let Poll::Ready(Ok(second)) = poll(second) else { panic!("the second has its turn") };
    let Poll::Ready(Ok(third)) = poll(third) else { panic!("the third fits beside it") };
    assert_eq!((second.bytes(), third.bytes(), budget.left()), (6, 2, 2));
    drop((second, third));
    assert_eq!((budget.left(), budget.0.waiting.available_permits()), (10, 8));
}

#[test]
fn waiting_reservations_leave_a_quarter_for_those_that_cannot_wait() {
    let budget = ByteBudget::new(100);
    let mut waiting: Vec<_> = (0..10).map(|_| Box::pin(budget.reserve(15))).collect();
    let turns: Vec<_> = waiting.iter_mut().map(|call| poll(call.as_mut())).filter(Poll::is_ready).collect();
    assert_eq!(turns.len(), 5);
    for (bytes, fits) in [(24, true), (25, true), (26, false)] {
        assert_eq!(budget.try_reserve(bytes).is_ok(), fits, "{bytes}");
    }
    drop((waiting, turns));
    assert!(matches!(poll(pin!(budget.reserve(100))), Poll::Ready(Ok(_))), "all of it, if nothing else has any");
    assert_eq!((budget.left(), budget.0.waiting.available_permits()), (100, 75));
}

#[test]
fn a_call_does_not_wait_for_bytes_that_the_guest_holds() {
    let budget = ByteBudget::new(10);
    let held = budget.hold(5).unwrap();
    let call = budget.try_reserve(5).unwrap();
    assert!(matches!(poll(pin!(budget.reserve(6))), Poll::Ready(Err(EXHAUSTED))));
    assert!(matches!(poll(pin!(budget.reserve(11))), Poll::Ready(Err(TOO_LARGE))));
    let mut waiting = pin!(budget.reserve(5));
    assert!(poll(waiting.as_mut()).is_pending());
    drop(call);
    assert!(poll(waiting).is_ready());
    drop(held);
    assert_eq!(budget.left(), 10);
}

#[test]
fn calls_that_grow_do_not_deadlock() {
    let budget = ByteBudget::new(10);
    let mut one = budget.try_reserve(5).unwrap();
    let mut other = budget.try_reserve(5).unwrap();
    {
        let mut growing = pin!(one.grow(5));
        assert!(poll(growing.as_mut()).is_pending());
        assert!(matches!(poll(pin!(other.grow(5))), Poll::Ready(Err(EXHAUSTED))));
        drop(other);
        assert!(matches!(poll(growing), Poll::Ready(Ok(()))));
    }
    assert_eq!(one.bytes(), 10);
    drop(one);
    assert_eq!((budget.left(), budget.0.held.load(Ordering::Relaxed)), (10, 0));
}

#[test]
fn a_cancelled_reservation_reserves_nothing() {
    let budget = ByteBudget::new(10);
    let mut first = budget.try_reserve(8).unwrap();
    {
        let mut waiting = Box::pin(budget.reserve(6));
        assert!(poll(waiting.as_mut()).is_pending());
        let mut growing = Box::pin(first.grow(2));
        assert!(poll(growing.as_mut()).is_pending(), "it waits behind the other");
    }
    drop(first);
    assert_eq!((budget.left(), budget.0.held.load(Ordering::Relaxed)), (10, 0));
}

/// A deterministic sequence of numbers.
fn numbers() -> impl Iterator<Item = usize> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 40).unwrap()
    })
}

#[test]
fn reserved_and_available_bytes_add_up_to_the_limit() {
    let (budget, mut numbers) = (ByteBudget::new(1000), numbers());
    let mut reserved: Vec<Reservation> = Vec::new();
    let mut next = |below: usize| numbers.next().unwrap() % below;
    for _ in 0..10_000 {
        match (next(4), reserved.len()) {
            (0, _) | (_, 0) => reserved.extend(budget.hold(next(300))),
            (1, _) => reserved.extend(budget.try_reserve(next(300))),
            (2, count) => {
                let _ = reserved[next(count)].try_resize(next(300));
            }
            (_, count) => drop(reserved.swap_remove(next(count))),
        }
        let taken: usize = reserved.iter().map(Reservation::bytes).sum();
        assert_eq!(taken + budget.left(), 1000);
        let held: usize = reserved.iter().filter(|taken| taken.held).map(Reservation::bytes).sum();
        assert_eq!(budget.0.held.load(Ordering::Relaxed), held);
    }
}
