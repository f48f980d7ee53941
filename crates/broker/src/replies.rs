//! The replies of one connection, in the order of its requests.
//!
//! ```text
//!  tickets   7         8          9         10
//!          | waiting | fulfilled | waiting | fulfilled |      nothing goes out before 7 is fulfilled
//! ```
//! Requests are issued by the connection's thread and fulfilled by any; the connection is woken when its oldest ticket is
//! fulfilled, once until it has looked. Invariant: each ticket is fulfilled at most once; a late second answer (after a
//! timeout) is dropped.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use base::time::MonoTime;
use wire::output::Output;

/// What a request comes to.
#[derive(Debug)]
pub enum Reply {
    /// These bytes go out.
    Send(Output),
    /// Nothing goes out: a produce with acks 0.
    Silent,
    /// The connection closes; the text says why.
    Close(String),
}

/// A request that is given up when it takes too long.
pub trait Expire: Send + Sync {
    /// Answers what has not been answered with a timeout, and fulfils the ticket.
    fn expire(&self);
}

/// The place of one request in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

/// Shared by a connection and whoever answers it.
pub struct Replies {
    waker: Waker,
    ring: Mutex<Ring>,
}

#[derive(Default)]
struct Ring {
    /// The ticket of the oldest slot.
    first: u64,
    slots: VecDeque<Slot>,
    /// The connection was woken and has not looked since.
    woken: bool,
}

enum Slot {
    Waiting(Option<(MonoTime, Arc<dyn Expire>)>),
    Fulfilled(Reply),
}

impl Replies {
    /// The replies of a connection that `waker` wakes.
    pub fn new(waker: Waker) -> Arc<Self> {
        Arc::new(Self { waker, ring: Mutex::default() })
    }

    /// The place of the next request.
    pub fn issue(&self) -> Ticket {
        let mut ring = self.ring();
        ring.slots.push_back(Slot::Waiting(None));
        Ticket(ring.first + ring.slots.len() as u64 - 1)
    }

    /// Gives a waiting request the moment at which it is given up.
    pub fn expire_at(&self, ticket: Ticket, at: MonoTime, request: Arc<dyn Expire>) {
        if let Some(Slot::Waiting(expiry)) = self.ring().slot(ticket) {
            *expiry = Some((at, request));
        }
    }

    /// Requests without an answer taken by [`Replies::pop`].
    pub fn outstanding(&self) -> usize {
        self.ring().slots.len()
    }

    /// Answers a request. True when the connection has to be woken, by [`Replies::wake`]: the caller does it after all it
    /// has to answer, so that the connection finds everything at once.
    #[must_use]
    pub fn fulfil(&self, ticket: Ticket, reply: Reply) -> bool {
        let mut ring = self.ring();
        let Some(slot @ Slot::Waiting(_)) = ring.slot(ticket) else { return false };
        let previous = std::mem::replace(slot, Slot::Fulfilled(reply));
        let wake = ticket.0 == ring.first && !ring.woken;
        ring.woken |= wake;
        drop(ring);
        // An expiring request refers back to these replies: let go of it outside the lock.
        drop(previous);
        wake
    }

    /// Wakes the connection.
    pub fn wake(&self) {
        self.waker.wake_by_ref();
    }

    /// Answers a request and wakes the connection if need be: for those that answer one at a time.
    pub fn answer(&self, ticket: Ticket, reply: Reply) {
        if self.fulfil(ticket, reply) {
            self.wake();
        }
    }

    /// The connection looks: from here on a fulfilled oldest ticket wakes it again.
    pub fn looked(&self) {
        self.ring().woken = false;
    }

    /// The answer of the oldest request, if it has one.
    pub fn pop(&self) -> Option<Reply> {
        let mut ring = self.ring();
        match ring.slots.front() {
            Some(Slot::Fulfilled(_)) => {}
            Some(Slot::Waiting(_)) | None => return None,
        }
        ring.first += 1;
        match ring.slots.pop_front() {
            Some(Slot::Fulfilled(reply)) => Some(reply),
            Some(Slot::Waiting(_)) | None => unreachable!("the front was fulfilled, and the lock is held"),
        }
    }

    /// Passes over requests at the front that are owed no answer.
    pub fn skip_silent(&self) {
        let mut ring = self.ring();
        while let Some(Slot::Fulfilled(Reply::Silent)) = ring.slots.front() {
            ring.slots.pop_front();
            ring.first += 1;
        }
    }

    /// When the first waiting request is given up.
    pub fn next_expiry(&self) -> Option<MonoTime> {
        let ring = self.ring();
        let expiries = ring.slots.iter().filter_map(|slot| match slot {
            Slot::Waiting(Some((at, _))) => Some(*at),
            Slot::Waiting(None) | Slot::Fulfilled(_) => None,
        });
        expiries.min()
    }

    /// Gives up the requests whose time is over.
    pub fn expire(&self, now: MonoTime) {
        let mut expired = Vec::new();
        for slot in &mut self.ring().slots {
            if let Slot::Waiting(expiry) = slot
                && expiry.as_ref().is_some_and(|(at, _)| *at <= now)
            {
                expired.extend(expiry.take());
            }
        }
        for (_, request) in expired {
            request.expire();
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        // Nothing under the lock panics half-way, so a poisoned one still guards a whole ring.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn slot(&mut self, ticket: Ticket) -> Option<&mut Slot> {
        let index = ticket.0.checked_sub(self.first)?;
        self.slots.get_mut(index as usize)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn send(text: &str) -> Reply {
        let mut output = Output::new();
        output.put_slice(text.as_bytes());
        Reply::Send(output)
    }

    fn popped(replies: &Replies) -> String {
        let mut texts = String::new();
        while let Some(Reply::Send(output)) = replies.pop() {
            texts += std::str::from_utf8(&output.to_bytes().unwrap()).unwrap();
        }
        texts
    }

    #[test]
    fn replies_leave_in_the_order_of_their_requests() {
        let count = Arc::new(Count::default());
        let replies = Replies::new(Waker::from(count.clone()));
        let [a, b, c] = [replies.issue(), replies.issue(), replies.issue()];
        replies.answer(c, send("c"));
        replies.answer(b, send("b"));
        assert_eq!(popped(&replies), "");
        assert_eq!(count.0.load(Ordering::Relaxed), 0, "nothing could go out yet");
        replies.answer(a, send("a"));
        assert_eq!(popped(&replies), "abc");
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(replies.outstanding(), 0);
    }

    #[test]
    fn a_connection_is_woken_once_until_it_looks() {
        let count = Arc::new(Count::default());
        let replies = Replies::new(Waker::from(count.clone()));
        for expect in [1, 1, 2] {
            let ticket = replies.issue();
            replies.answer(ticket, Reply::Silent);
            replies.pop();
            assert_eq!(count.0.load(Ordering::Relaxed), expect);
            if expect == 1 && replies.ring().first == 2 {
                replies.looked();
            }
        }
    }

    #[test]
    fn a_second_answer_is_dropped() {
        let replies = Replies::new(Waker::noop().clone());
        let ticket = replies.issue();
        replies.answer(ticket, send("first"));
        replies.answer(ticket, send("second"));
        assert_eq!(popped(&replies), "first");
        replies.answer(ticket, send("third"));
        assert_eq!(popped(&replies), "");
    }

    struct GivesUp(Arc<Replies>, Ticket);

    impl Expire for GivesUp {
        fn expire(&self) {
            self.0.answer(self.1, send("timed out"));
        }
    }

    #[test]
    fn a_request_is_given_up_at_its_time() {
        let replies = Replies::new(Waker::noop().clone());
        let ticket = replies.issue();
        replies.expire_at(ticket, MonoTime(50), Arc::new(GivesUp(replies.clone(), ticket)));
        assert_eq!(replies.next_expiry(), Some(MonoTime(50)));
        replies.expire(MonoTime(49));
        assert_eq!(popped(&replies), "");
        replies.expire(MonoTime(50));
        assert_eq!(popped(&replies), "timed out");
        assert_eq!(replies.next_expiry(), None);
    }
}
