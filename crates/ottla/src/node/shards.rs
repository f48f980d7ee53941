//! Who runs the shards, and the threads that sync their logs.
//!
//! ```text
//!  connections ─► queue ─► the shard, on the thread that found the queue empty ─► sync jobs ─► sync threads
//!                   ▲         └─► the shard's own thread: timers, and what is left by a caller that did its part
//!                   └──────────────── Op::Synced ◄────────────────────────────────────────────────┘
//! ```
//! A produce that meets an idle shard is appended on the thread that decoded it: no wake-up, and its bytes are still in
//! that core's cache. Invariants: one thread at a time runs a shard; an op that was submitted is run by whoever runs the
//! shard then, or by its submitter; nobody runs a shard longer than [`TURNS`] while others keep submitting.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::task::{Wake, Waker};
use std::thread::JoinHandle;

use base::time::MonoTime;
use broker::partition::Slot;
use broker::shard::{Effects, Op, Shard, ShardQueue};
use net::clock::SystemClock;
use storage::sync::SyncJob;

use super::cleaner::CleanerBell;
use super::threads::Parking;

/// Syncs that may be under way on one log directory together.
const SYNC_THREADS: usize = 2;
/// Times that a submitter drains the queue before the shard's own thread goes on with it.
const TURNS: usize = 4;

/// The shards of one log directory.
pub struct ShardThreads {
    drivers: Vec<Arc<Driver>>,
    threads: Vec<JoinHandle<()>>,
}

struct SyncRequest {
    queue: Arc<ShardQueue>,
    slot: Slot,
    job: SyncJob,
}

impl ShardThreads {
    /// Starts `count` shards for log directory number `dir`; `cleaner` is rung when a log is to be compacted.
    ///
    /// # Errors
    /// The operating system gives no more threads.
    pub fn start(dir: usize, count: usize, clock: SystemClock, cleaner: &CleanerBell) -> io::Result<Self> {
        let (syncs, requests) = channel();
        let requests = Arc::new(Mutex::new(requests));
        let mut threads = Vec::new();
        for index in 0..SYNC_THREADS {
            let requests = requests.clone();
            let name = format!("sync-{dir}-{index}");
            threads.push(std::thread::Builder::new().name(name).spawn(move || run_syncs(&requests))?);
        }
        let mut drivers = Vec::new();
        for index in 0..count {
            let driver = Driver::new(syncs.clone(), clock, cleaner.clone());
            drivers.push(driver.clone());
            let name = format!("shard-{dir}-{index}");
            threads.push(std::thread::Builder::new().name(name).spawn(move || driver.run_to_end())?);
        }
        Ok(Self { drivers, threads })
    }

    /// The way into each shard.
    pub fn queues(&self) -> Vec<Arc<ShardQueue>> {
        self.drivers.iter().map(|driver| driver.queue.clone()).collect()
    }

    /// Waits until every shard has done what was submitted.
    pub fn stop(self) {
        for driver in self.drivers {
            driver.queue.close();
            driver.parking.wake();
        }
        // The sync threads end when no driver is left that could ask them for anything.
        for thread in self.threads {
            // A shard that panicked has aborted the process already.
            let _ = thread.join();
        }
    }
}

/// A shard with all that it takes to run it, from whichever thread.
struct Driver {
    queue: Arc<ShardQueue>,
    running: Mutex<Running>,
    /// Where the shard's own thread waits.
    parking: Parking,
    clock: SystemClock,
}

/// What only the thread that runs the shard may touch.
struct Running {
    shard: Shard,
    ops: Vec<Op>,
    effects: Effects,
    syncs: Sender<SyncRequest>,
    cleaner: CleanerBell,
    /// Until when the shard's own thread sleeps.
    asleep_until: Option<MonoTime>,
}

/// What a queue rings when an op comes into it.
struct Doorbell(Weak<Driver>);

impl Wake for Doorbell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(driver) = self.0.upgrade() {
            driver.run_here();
        }
    }
}

impl Driver {
    fn new(syncs: Sender<SyncRequest>, clock: SystemClock, cleaner: CleanerBell) -> Arc<Self> {
        Arc::new_cyclic(|driver| {
            let doorbell = Waker::from(Arc::new(Doorbell(driver.clone())));
            let running = Running {
                shard: Shard::default(),
                ops: Vec::new(),
                effects: Effects::default(),
                syncs,
                cleaner,
                asleep_until: None,
            };
            Self {
                queue: Arc::new(ShardQueue::new(doorbell)),
                running: Mutex::new(running),
                parking: Parking::default(),
                clock,
            }
        })
    }

    /// Runs the shard on the calling thread until its queue is empty, or somebody else runs it, or it is enough.
    fn run_here(&self) {
        for _ in 0..TURNS {
            // Whoever holds the lock looks into the queue once more after it has let go of it.
            let mut running = match self.running.try_lock() {
                Ok(running) => running,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            };
            running.turn(&self.queue, self.clock);
            let earlier = match (running.shard.next_timeout(), running.asleep_until) {
                (Some(next), Some(until)) => next < until,
                (next, None) => next.is_some(),
                (None, Some(_)) => false,
            };
            drop(running);
            if earlier {
                self.parking.wake();
            }
            if self.queue.is_empty() {
                return;
            }
        }
        self.parking.wake();
    }

    /// The shard's own thread: runs it when a timer is due or a submitter left something, until the queue is closed.
    fn run_to_end(&self) {
        self.parking.take_place();
        loop {
            let mut running = self.running();
            let open = running.turn(&self.queue, self.clock);
            let timeout = running.shard.next_timeout();
            running.asleep_until = timeout;
            drop(running);
            if !open {
                return;
            }
            if self.queue.is_empty() {
                self.parking.park(timeout.map(|at| at.since(self.clock.now().mono)));
            }
        }
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// Does what is queued and due; false when the queue is closed and nothing was left in it.
    fn turn(&mut self, queue: &Arc<ShardQueue>, clock: SystemClock) -> bool {
        let open = queue.drain(&mut self.ops);
        let now = clock.now();
        let due = self.shard.next_timeout().is_some_and(|at| at <= now.mono);
        if self.ops.is_empty() && !due {
            return open;
        }
        self.shard.run(&mut self.ops, now, &mut self.effects);
        for (slot, job) in self.effects.syncs.drain(..) {
            let request = SyncRequest { queue: queue.clone(), slot, job };
            self.syncs.send(request).expect("sync threads live as long as a shard can send");
        }
        for replies in self.effects.wakes.drain(..) {
            replies.wake();
        }
        if std::mem::take(&mut self.effects.has_compacted) {
            self.cleaner.ring();
        }
        for failure in self.effects.failures.drain(..) {
            tracing::error!(%failure, "a partition went offline because its disk failed");
        }
        open
    }
}

fn run_syncs(requests: &Mutex<Receiver<SyncRequest>>) {
    loop {
        let request = requests.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(SyncRequest { queue, slot, job }) = request else { return };
        queue.submit_one(Op::Synced(slot, job.run()));
    }
}
