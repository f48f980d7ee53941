//! A budget of memory that large frames draw on before they are read.
//!
//! Invariant: the bytes handed out never exceed the budget, except that a frame larger than the whole budget may be read
//! when nothing else is out. Waiters are woken in the order they came; a woken one asks again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// Frames up to this size need no permit: the connection's shared buffer holds them.
pub const FREE: usize = 16 * 1024;

/// The budget; clones share it.
#[derive(Clone, Debug)]
pub struct Permits {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    budget: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    taken: usize,
    waiters: VecDeque<Waker>,
}

/// The right to hold so many bytes, given back when dropped.
#[derive(Debug)]
pub struct Permit {
    shared: Arc<Shared>,
    bytes: usize,
}

impl Permits {
    /// A budget of `budget` bytes.
    pub fn new(budget: usize) -> Self {
        Self { shared: Arc::new(Shared { budget, state: Mutex::default() }) }
    }

    /// Bytes handed out at the moment.
    pub fn taken(&self) -> usize {
        self.shared.state().taken
    }

    /// Takes `bytes` from the budget, or keeps `waker` to be woken when some come back.
    pub fn take(&self, bytes: usize, waker: &Waker) -> Option<Permit> {
        let mut state = self.shared.state();
        if state.taken == 0 || state.taken + bytes <= self.shared.budget {
            state.taken += bytes;
            return Some(Permit { shared: self.shared.clone(), bytes });
        }
        if !state.waiters.iter().any(|waiter| waiter.will_wake(waker)) {
            state.waiters.push_back(waker.clone());
        }
        None
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // The guarded section cannot panic half-way, so a poisoned lock still guards a whole state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let waiters = {
            let mut state = self.shared.state();
            state.taken -= self.bytes;
            std::mem::take(&mut state.waiters)
        };
        for waiter in waiters {
            waiter.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn the_budget_holds_and_waiters_are_woken() {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(count.clone());
        let permits = Permits::new(100);
        let first = permits.take(60, &waker).expect("there is room");
        assert!(permits.take(60, &waker).is_none());
        assert!(permits.take(60, &waker).is_none(), "asked twice, waits once");
        drop(first);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        let whole = permits.take(500, &waker).expect("alone, even a larger one may go");
        assert!(permits.take(1, &waker).is_none());
        drop(whole);
        assert_eq!(permits.taken(), 0);
    }
}
