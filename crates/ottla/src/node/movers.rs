//! The threads that copy replicas to other log directories (`num.replica.alter.log.dirs.threads`).
//!
//! Each takes its share of the moves, turn by turn; without one they sleep until the bell rings.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use broker::broker::Broker;
use broker::moves::Turn;
use net::clock::SystemClock;

use super::threads::Parking;

/// Copied of one replica before the next has its turn.
const TURN_BYTES: usize = 1 << 20;

/// The running threads.
pub struct MoverThreads {
    stopping: Arc<AtomicBool>,
    threads: Vec<(Parking, JoinHandle<()>)>,
}

struct Mover {
    broker: Arc<Broker>,
    clock: SystemClock,
    stopping: Arc<AtomicBool>,
    parking: Parking,
    /// The number of this thread, of so many.
    index: usize,
    count: usize,
}

impl MoverThreads {
    /// Starts the threads: as many as are configured, or one for each directory. With a single directory there is nowhere
    /// to move to.
    ///
    /// # Errors
    /// The operating system gives no more threads.
    pub fn start(broker: &Arc<Broker>, clock: SystemClock) -> io::Result<Self> {
        let dirs = broker.log_dirs().len();
        let wanted = broker.config().num_replica_alter_log_dirs_threads;
        let wanted = wanted.and_then(|count| usize::try_from(count).ok()).unwrap_or(dirs);
        let count = if dirs > 1 { wanted.max(1) } else { 0 };
        let stopping = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for index in 0..count {
            let parking = Parking::default();
            broker.moves().add_bell(parking.waker());
            let mover = Mover {
                broker: broker.clone(),
                clock,
                stopping: stopping.clone(),
                parking: parking.clone(),
                index,
                count,
            };
            let name = format!("replica-mover-{index}");
            threads.push((parking, std::thread::Builder::new().name(name).spawn(move || mover.run())?));
        }
        Ok(Self { stopping, threads })
    }

    /// Ends them; moves under way begin anew at the next start.
    pub fn stop(self) {
        self.stopping.store(true, Ordering::Release);
        for (parking, thread) in self.threads {
            parking.wake();
            // A thread that panicked has aborted the process already.
            let _ = thread.join();
        }
    }
}

impl Mover {
    fn run(&self) {
        self.parking.take_place();
        while !self.stopping.load(Ordering::Acquire) {
            let mut moves = self.broker.moves().all();
            moves.retain(|moved| moved.replica().1.0 as usize % self.count == self.index);
            let (mut copied, mut next) = (0, None);
            let turn_bytes = self.turn_bytes();
            for moved in &moves {
                match moved.turn(&self.broker, turn_bytes, self.clock.now()) {
                    Turn::Copied(bytes) => copied += bytes,
                    Turn::Waits(until) => next = next.into_iter().chain(until).min(),
                }
            }
            match self.pause_after(copied) {
                Some(pause) => self.parking.park(Some(pause)),
                None if copied > 0 => {}
                None => self.parking.park(next.map(|next| next.since(self.clock.now().mono))),
            }
        }
    }

    /// So little that a limit is kept, and another one is followed, within a tenth of a second.
    fn turn_bytes(&self) -> usize {
        let rate = self.broker.config().replica_alter_log_dirs_io_max_bytes_per_second;
        let share = rate.and_then(|rate| usize::try_from(rate).ok()).map(|rate| rate / self.count / 10);
        share.map_or(TURN_BYTES, |share| share.clamp(1, TURN_BYTES))
    }

    /// What `replica.alter.log.dirs.io.max.bytes.per.second` asks for after so many bytes; the threads share it.
    fn pause_after(&self, bytes: usize) -> Option<Duration> {
        let rate = self.broker.config().replica_alter_log_dirs_io_max_bytes_per_second?;
        let cost = bytes as f64 * self.count as f64 / (rate.max(1) as f64);
        Duration::try_from_secs_f64(cost).ok().filter(|pause| !pause.is_zero())
    }
}
