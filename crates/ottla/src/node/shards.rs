//! The threads that own partitions, and those that sync their logs.
//!
//! ```text
//!  connections ─► queue ─► shard thread ─► sync jobs ─► sync threads (per log directory)
//!                   ▲                                         │
//!                   └──────────────── Op::Synced ◄────────────┘
//! ```

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use broker::partition::Slot;
use broker::shard::{Effects, Op, Shard, ShardQueue};
use net::clock::SystemClock;
use storage::sync::SyncJob;

use super::threads::Parking;

/// Syncs that may be under way on one log directory together.
const SYNC_THREADS: usize = 2;

/// The shards of one log directory.
pub struct ShardThreads {
    queues: Vec<Arc<ShardQueue>>,
    threads: Vec<JoinHandle<()>>,
}

struct SyncRequest {
    queue: Arc<ShardQueue>,
    slot: Slot,
    job: SyncJob,
}

impl ShardThreads {
    /// Starts `count` shards for log directory number `dir`.
    ///
    /// # Errors
    /// The operating system gives no more threads.
    pub fn start(dir: usize, count: usize, clock: SystemClock) -> io::Result<Self> {
        let (syncs, requests) = channel();
        let requests = Arc::new(Mutex::new(requests));
        let mut threads = Vec::new();
        for index in 0..SYNC_THREADS {
            let requests = requests.clone();
            let name = format!("sync-{dir}-{index}");
            threads.push(std::thread::Builder::new().name(name).spawn(move || run_syncs(&requests))?);
        }
        let mut queues = Vec::new();
        for index in 0..count {
            let parking = Parking::default();
            let queue = Arc::new(ShardQueue::new(parking.waker()));
            queues.push(queue.clone());
            let syncs = syncs.clone();
            let name = format!("shard-{dir}-{index}");
            let run = move || run_shard(&queue, &parking, &syncs, clock);
            threads.push(std::thread::Builder::new().name(name).spawn(run)?);
        }
        Ok(Self { queues, threads })
    }

    /// The way into each shard.
    pub fn queues(&self) -> &[Arc<ShardQueue>] {
        &self.queues
    }

    /// Waits until every shard has done what was submitted.
    pub fn stop(self) {
        for queue in &self.queues {
            queue.close();
        }
        for thread in self.threads {
            // A shard that panicked has aborted the process already.
            let _ = thread.join();
        }
    }
}

fn run_shard(queue: &Arc<ShardQueue>, parking: &Parking, syncs: &Sender<SyncRequest>, clock: SystemClock) {
    parking.take_place();
    let mut shard = Shard::default();
    let mut ops: Vec<Op> = Vec::new();
    let mut effects = Effects::default();
    loop {
        let open = queue.drain(&mut ops);
        let now = clock.now();
        let due = shard.next_timeout().is_some_and(|at| at <= now.mono);
        if ops.is_empty() && !due {
            if !open {
                return;
            }
            parking.park(shard.next_timeout().map(|at| at.since(now.mono)));
            continue;
        }
        shard.run(&mut ops, now, &mut effects);
        for (slot, job) in effects.syncs.drain(..) {
            let request = SyncRequest { queue: queue.clone(), slot, job };
            syncs.send(request).expect("sync threads live as long as a shard can send");
        }
        for replies in effects.wakes.drain(..) {
            replies.wake();
        }
        for failure in effects.failures.drain(..) {
            tracing::error!(%failure, "a partition went offline because its disk failed");
        }
    }
}

fn run_syncs(requests: &Mutex<Receiver<SyncRequest>>) {
    loop {
        let request = requests.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(SyncRequest { queue, slot, job }) = request else { return };
        queue.submit_one(Op::Synced(slot, job.run()));
    }
}
