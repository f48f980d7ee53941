//! Wakers that only remember that they were called.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

/// Set by a wake-up, until it is taken.
#[derive(Clone, Default)]
pub struct Flag(Arc<Woken>);

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Flag {
    /// Sets it.
    pub fn waker(&self) -> Waker {
        Waker::from(self.0.clone())
    }

    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        self.0.0.load(Ordering::Relaxed)
    }

    /// Unsets it; whether it was set.
    pub fn take(&self) -> bool {
        self.0.0.swap(false, Ordering::Relaxed)
    }

    /// Sets it from here.
    pub fn set(&self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}
