//! Wakers for threads of the operating system.

use std::sync::{Arc, OnceLock};
use std::task::{Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

/// Parks one thread until somebody wakes it. A wake-up before the park is not lost.
#[derive(Clone, Default)]
pub struct Parking {
    thread: Arc<Parked>,
}

#[derive(Default)]
struct Parked(OnceLock<Thread>);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Before the thread has taken its place there is nothing to wake: it looks before it parks.
        if let Some(thread) = self.0.get() {
            thread.unpark();
        }
    }
}

impl Parking {
    /// Wakes the thread that parks here.
    pub fn waker(&self) -> Waker {
        Waker::from(self.thread.clone())
    }

    /// Wakes it at once.
    pub fn wake(&self) {
        self.thread.wake_by_ref();
    }

    /// The calling thread parks here from now on. It must look for work once after this.
    pub fn take_place(&self) {
        let _ = self.thread.0.set(std::thread::current());
    }

    /// Waits to be woken, or for the time to pass.
    pub fn park(&self, at_most: Option<Duration>) {
        match at_most {
            Some(at_most) => std::thread::park_timeout(at_most),
            None => std::thread::park(),
        }
    }
}
