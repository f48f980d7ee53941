//! The replies of one connection, in the order of its requests.
//!
//! ```text
//!  tickets   7         8          9         10
//!          | waiting | fulfilled | waiting | fulfilled |      nothing goes out before 7 is fulfilled
//! ```
//! Tickets are the connection's own count ([`Tickets`]); any thread fulfils them ([`Replies`]). The connection is woken when
//! its oldest ticket is fulfilled, unless it is awake and looks anyway before it waits. Invariant: each ticket is fulfilled
//! at most once; a late second answer (after a timeout) is dropped.

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// The connection's own side: which tickets are out, and until when they are waited for.
#[derive(Default)]
pub struct Tickets {
    /// The first ticket without an answer.
    first: u64,
    /// The next ticket to be given.
    next: u64,
    /// Of tickets that are out, oldest first; those that are answered leave late.
    expiring: VecDeque<(Ticket, MonoTime, Arc<dyn Expire>)>,
}

/// Shared by a connection and whoever answers it.
pub struct Replies {
    waker: Waker,
    ring: Mutex<Ring>,
}

#[derive(Default)]
struct Ring {
    /// The ticket of the oldest slot.
    first: u64,
    /// Up to the newest ticket that is fulfilled.
    slots: VecDeque<Option<Reply>>,
    /// The connection was woken, or is at work: it looks before it waits.
    awake: bool,
}

impl Tickets {
    /// The place of the next request.
    pub fn issue(&mut self) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        ticket
    }

    /// Gives a waiting request the moment at which it is given up.
    pub fn expire_at(&mut self, ticket: Ticket, at: MonoTime, request: Arc<dyn Expire>) {
        self.expiring.push_back((ticket, at, request));
    }

    /// Tickets without an answer seen by [`Tickets::look`].
    pub fn outstanding(&self) -> usize {
        (self.next - self.first) as usize
    }

    /// Moves the answers that may go out to the end of `ready`. From here on the connection is woken again when its oldest
    /// ticket is fulfilled.
    pub fn look(&mut self, replies: &Replies, ready: &mut VecDeque<Reply>) {
        let mut ring = replies.ring();
        ring.awake = false;
        while let Some(reply) = ring.slots.front_mut().and_then(Option::take) {
            ring.slots.pop_front();
            ring.first += 1;
            ready.push_back(reply);
        }
        self.first = ring.first;
        drop(ring);
        // An expiring request refers back to the replies: let go of it outside the lock.
        while self.expiring.front().is_some_and(|(ticket, ..)| ticket.0 < self.first) {
            self.expiring.pop_front();
        }
    }

    /// When the first waiting request is given up.
    pub fn next_expiry(&self) -> Option<MonoTime> {
        self.expiring.iter().map(|(_, at, _)| *at).min()
    }

    /// Gives up the requests whose time is over.
    pub fn expire(&mut self, now: MonoTime) {
        self.expiring.retain(|(_, at, request)| {
            let is_over = *at <= now;
            if is_over {
                request.expire();
            }
            !is_over
        });
    }
}

impl Replies {
    /// The replies of a connection that `waker` wakes.
    pub fn new(waker: Waker) -> Arc<Self> {
        Arc::new(Self { waker, ring: Mutex::default() })
    }

    /// Answers a request. True when the connection has to be woken, by [`Replies::wake`]: the caller does it after all it
    /// has to answer, so that the connection finds everything at once.
    #[must_use]
    pub fn fulfil(&self, ticket: Ticket, reply: Reply) -> bool {
        let mut ring = self.ring();
        let Some(index) = ticket.0.checked_sub(ring.first) else { return false };
        let index = index as usize;
        if ring.slots.len() <= index {
            ring.slots.resize_with(index + 1, || None);
        }
        if ring.slots[index].is_some() {
            return false;
        }
        ring.slots[index] = Some(reply);
        index == 0 && !std::mem::replace(&mut ring.awake, true)
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

    /// The connection is at work and will [`Tickets::look`]: until then nobody wakes it.
    pub fn stay_awake(&self) {
        self.ring().awake = true;
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        // Nothing under the lock panics half-way, so a poisoned one still guards a whole ring.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn looked(tickets: &mut Tickets, replies: &Replies) -> String {
        let mut ready = VecDeque::new();
        tickets.look(replies, &mut ready);
        let text = |reply| match reply {
            Reply::Send(output) => String::from_utf8(output.to_bytes().unwrap().to_vec()).unwrap(),
            Reply::Silent => "-".to_owned(),
            Reply::Close(reason) => reason,
        };
        ready.into_iter().map(text).collect()
    }

    fn connection() -> (Arc<Count>, Tickets, Arc<Replies>) {
        let count = Arc::new(Count::default());
        let replies = Replies::new(Waker::from(count.clone()));
        (count, Tickets::default(), replies)
    }

    #[test]
    fn replies_leave_in_the_order_of_their_requests() {
        let (count, mut tickets, replies) = connection();
        let [a, b, c, _d] = [tickets.issue(), tickets.issue(), tickets.issue(), tickets.issue()];
        replies.answer(c, send("c"));
        replies.answer(b, Reply::Silent);
        assert_eq!(looked(&mut tickets, &replies), "");
        assert_eq!(count.0.load(Ordering::Relaxed), 0, "nothing could go out yet");
        replies.answer(a, send("a"));
        assert_eq!(looked(&mut tickets, &replies), "a-c");
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(tickets.outstanding(), 1);
    }

    #[test]
    fn a_connection_is_woken_once_until_it_looks() {
        let (count, mut tickets, replies) = connection();
        for (looks, expect) in [(true, 1), (false, 2), (true, 2), (true, 3)] {
            let ticket = tickets.issue();
            replies.answer(ticket, Reply::Silent);
            assert_eq!(count.0.load(Ordering::Relaxed), expect);
            if looks {
                looked(&mut tickets, &replies);
            }
        }
    }

    #[test]
    fn a_connection_at_work_is_not_woken() {
        let (count, mut tickets, replies) = connection();
        let [a, b] = [tickets.issue(), tickets.issue()];
        replies.stay_awake();
        replies.answer(a, send("a"));
        assert_eq!(looked(&mut tickets, &replies), "a");
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        replies.answer(b, send("b"));
        assert_eq!(count.0.load(Ordering::Relaxed), 1, "it had looked");
    }

    #[test]
    fn a_second_answer_is_dropped() {
        let (_, mut tickets, replies) = connection();
        let ticket = tickets.issue();
        replies.answer(ticket, send("first"));
        replies.answer(ticket, send("second"));
        assert_eq!(looked(&mut tickets, &replies), "first");
        replies.answer(ticket, send("third"));
        assert_eq!(looked(&mut tickets, &replies), "");
    }

    struct GivesUp(Arc<Replies>, Ticket);

    impl Expire for GivesUp {
        fn expire(&self) {
            self.0.answer(self.1, send("timed out"));
        }
    }

    #[test]
    fn a_request_is_given_up_at_its_time() {
        let (_, mut tickets, replies) = connection();
        for at in [MonoTime(50), MonoTime(40)] {
            let ticket = tickets.issue();
            tickets.expire_at(ticket, at, Arc::new(GivesUp(replies.clone(), ticket)));
        }
        assert_eq!(tickets.next_expiry(), Some(MonoTime(40)));
        tickets.expire(MonoTime(49));
        assert_eq!(tickets.next_expiry(), Some(MonoTime(50)));
        assert_eq!(looked(&mut tickets, &replies), "");
        tickets.expire(MonoTime(50));
        assert_eq!(looked(&mut tickets, &replies), "timed outtimed out");
        assert_eq!(tickets.next_expiry(), None);
    }
}
