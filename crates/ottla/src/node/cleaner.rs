//! The threads that compact logs (`log.cleaner.*`).
//!
//! ```text
//!  a shard gets a compacted log ─► bell ─► look at every compacted log ─► the dirtiest ─► job, here ─► swaps, in its shard
//!                                           ▲    └ none is due: log.cleaner.backoff.ms                  │
//!                                           └───────────────────────────────────────────────────────────┘
//! ```
//! Invariants: a log is compacted by one thread at a time; without a compacted log the threads sleep until the bell rings;
//! a log whose compaction failed is left alone until the next start, or until it is made anew.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use base::time::Now;
use broker::broker::Broker;
use broker::log_dirs::LogDirs;
use broker::partition::{PartitionHandle, Replica};
use broker::shard::Op;
use net::clock::SystemClock;
use storage::clean::{
    CleanError, CleanMemory, CleanRound, CleanStats, Cleanable, Pace, UnsyncedSegment, dirtiest,
};
use storage::log::Log;

use self::metrics::Round;

mod metrics;
mod pace;

pub use self::metrics::CleanerMetrics;
use self::pace::{Throttle, Throttled};

/// The least wait before a look: a log is told of before it can be found.
const LOOK_AFTER: Duration = Duration::from_millis(10);

/// Rung when a log is to be compacted that was not before.
#[derive(Clone, Default)]
pub struct CleanerBell(Arc<Bell>);

#[derive(Default)]
struct Bell {
    state: Mutex<State>,
    changed: Condvar,
    /// Held by the thread that looks for a log.
    looking: Mutex<()>,
}

#[derive(Default)]
struct State {
    stopping: bool,
    /// There may be a compacted log, and this is when to look next; `None` while there is none.
    look_at: Option<Instant>,
    rung: bool,
    in_progress: HashSet<Replica>,
    uncleanable: BTreeMap<Replica, PathBuf>,
}

/// The running threads.
pub struct CleanerThreads {
    bell: CleanerBell,
    threads: Vec<JoinHandle<()>>,
}

/// What each thread needs.
#[derive(Clone)]
struct Cleaner {
    bell: CleanerBell,
    broker: Arc<Broker>,
    dirs: Arc<LogDirs>,
    clock: SystemClock,
    throttle: Arc<Throttle>,
    metrics: Arc<CleanerMetrics>,
    /// The number of this thread, of so many.
    index: usize,
    count: usize,
}

impl CleanerBell {
    /// Has the threads look.
    pub fn ring(&self) {
        let mut state = self.state();
        state.rung = true;
        self.0.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopping(&self) -> bool {
        self.state().stopping
    }

    /// Waits for so long, or until the threads are told to end; whether they were not.
    fn pause(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut state = self.state();
        while !state.stopping {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            let waited = self.0.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }
}

impl CleanerThreads {
    /// Starts `log.cleaner.threads` threads, none if `log.cleaner.enable` is off.
    ///
    /// # Errors
    /// The operating system gives no more threads.
    pub fn start(
        bell: CleanerBell,
        broker: Arc<Broker>,
        dirs: Arc<LogDirs>,
        clock: SystemClock,
        metrics: Arc<CleanerMetrics>,
    ) -> io::Result<Self> {
        let config = broker.config();
        let count = match config.log_cleaner_enable {
            true => usize::try_from(config.log_cleaner_threads).unwrap_or(0),
            false => 0,
        };
        let throttle = Arc::new(Throttle::default());
        let mut threads = Vec::new();
        for index in 0..count {
            let cleaner = Cleaner {
                bell: bell.clone(),
                broker: broker.clone(),
                dirs: dirs.clone(),
                clock,
                throttle: throttle.clone(),
                metrics: metrics.clone(),
                index,
                count,
            };
            let name = format!("log-cleaner-{index}");
            threads.push(thread::Builder::new().name(name).spawn(move || cleaner.run())?);
        }
        Ok(Self { bell, threads })
    }

    /// Ends what is under way and the threads.
    pub fn stop(self) {
        self.bell.state().stopping = true;
        self.bell.0.changed.notify_all();
        for thread in self.threads {
            // A thread that panicked has aborted the process already.
            let _ = thread.join();
        }
    }
}

impl Cleaner {
    fn run(&self) {
        while self.wait_for_look() {
            while let Some((handle, plan)) = self.choose() {
                let partition = handle.shared.replica();
                let ended = self.clean(&handle, &plan);
                self.bell.state().in_progress.remove(&partition);
                match ended {
                    Ok(()) => {}
                    Err(CleanError::Aborted) if self.bell.is_stopping() => return,
                    // Whatever the log has become, it is looked at again.
                    Err(CleanError::Aborted) => break,
                    Err(error) => self.give_up(&handle, &error),
                }
            }
        }
    }

    /// Waits until it is time to look; false when the thread is to end.
    fn wait_for_look(&self) -> bool {
        let backoff = self.broker.config().log_cleaner_backoff_ms;
        let backoff = Duration::from_millis(u64::try_from(backoff).unwrap_or(0)).max(LOOK_AFTER);
        let mut state = self.bell.state();
        loop {
            if state.stopping {
                return false;
            }
            if std::mem::take(&mut state.rung) && state.look_at.is_none() {
                state.look_at = Some(Instant::now() + backoff);
                self.bell.0.changed.notify_all();
            }
            let Some(at) = state.look_at else {
                state = self.bell.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.look_at = Some(Instant::now() + backoff);
                return true;
            }
            state = self.bell.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes the log to compact next; without a compacted log there is no further look until the bell rings.
    fn choose(&self) -> Option<(PartitionHandle, Cleanable)> {
        // One thread looks at a time. The state is not held meanwhile: shards must not wait for what is read here.
        let _looking = self.bell.0.looking.lock().unwrap_or_else(PoisonError::into_inner);
        let mut handles = self.broker.partitions();
        handles.retain(|handle| handle.shared.reader().is_compacted());
        let handles = self.free(handles);
        let (mut candidates, now) = (Vec::new(), self.clock.now());
        for handle in handles {
            match handle.shared.reader().cleanable(now.wall) {
                Ok(Some(cleanable)) => candidates.push((handle, cleanable)),
                Ok(None) => {}
                Err(error) => self.give_up(&handle, &error.into()),
            }
        }
        self.metrics.looked(candidates.iter().map(|(_, cleanable)| cleanable), now);
        let chosen = dirtiest(candidates);
        if let Some((handle, _)) = &chosen {
            self.bell.state().in_progress.insert(handle.shared.replica());
        }
        chosen
    }

    /// Those of all compacted logs that may be compacted.
    fn free(&self, mut compacted: Vec<PartitionHandle>) -> Vec<PartitionHandle> {
        let mut state = self.bell.state();
        if compacted.is_empty() && !state.rung {
            state.look_at = None;
        }
        if !state.uncleanable.is_empty() {
            // Partitions that are gone are forgotten.
            let here: HashSet<Replica> = compacted.iter().map(|handle| handle.shared.replica()).collect();
            state.uncleanable.retain(|partition, _| here.contains(partition));
            self.metrics.set_uncleanable(state.uncleanable.values());
        }
        compacted.retain(|handle| {
            let partition = handle.shared.replica();
            let is_taken =
                state.in_progress.contains(&partition) || state.uncleanable.contains_key(&partition);
            !is_taken && !handle.shared.is_offline()
        });
        compacted
    }

    fn clean(&self, handle: &PartitionHandle, plan: &Cleanable) -> Result<(), CleanError> {
        let began = Instant::now();
        let planned = *plan;
        let job =
            visit(handle, move |log, now| Ok(log.clean_job(&planned, now)))?.ok_or(CleanError::Aborted)?;
        if plan.is_first {
            // From the first swap on a start must know that this log is compacted.
            self.write_first_dirty(handle)?;
        }
        let mut pace = self.pace();
        let mut round = job.map(self.memory(), &mut pace)?;
        self.make_segments(handle, &mut round, &mut pace)?;
        let stats = round.stats();
        let done = round.finish()?;
        visit(handle, move |log, _| Ok(log.cleaned(done)))?;
        self.write_first_dirty(handle)?;
        self.note(handle, plan, stats, began.elapsed());
        Ok(())
    }

    /// Syncs and swaps what was made beside making the next one.
    fn make_segments(
        &self,
        handle: &PartitionHandle,
        round: &mut CleanRound,
        pace: &mut impl Pace,
    ) -> Result<(), CleanError> {
        thread::scope(|scope| {
            let (give, take) = sync_channel(0);
            let swapping = thread::Builder::new().name(format!("log-cleaner-sync-{}", self.index));
            let swapping = swapping.spawn_scoped(scope, || swap_all(handle, take)).map_err(no_thread)?;
            let made = loop {
                match round.next_segment(pace) {
                    Ok(Some(segment)) => {
                        // Whoever takes no more has failed, and says so.
                        if give.send(segment).is_err() {
                            break Ok(());
                        }
                    }
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            drop(give);
            // A thread that panicked has aborted the process already.
            let swapped = swapping.join().unwrap_or(Err(CleanError::Aborted));
            // A swap that fails ends the making, too: the reason is with the swap.
            swapped.and(made)
        })
    }

    fn write_first_dirty(&self, handle: &PartitionHandle) -> Result<(), CleanError> {
        let dir = handle.shared.reader().dir();
        let parent = dir.parent().unwrap_or(Path::new(""));
        Ok(self.dirs.write_first_dirty(&self.broker, parent)?)
    }

    fn note(&self, handle: &PartitionHandle, plan: &Cleanable, stats: CleanStats, time: Duration) {
        tracing::info!(
            topic = %handle.shared.topic, partition = %handle.shared.index, from = %plan.first_dirty,
            bytes = stats.bytes_read, kept = stats.bytes_written, ms = time.as_millis() as u64, "compacted"
        );
        let round = Round { stats, time };
        self.metrics.cleaned(self.index, round);
    }

    /// A full disk may have room again later; anything else is not tried again.
    fn give_up(&self, handle: &PartitionHandle, error: &CleanError) {
        let (topic, partition) = (&handle.shared.topic, handle.shared.index);
        if is_full(error) {
            tracing::error!(%topic, %partition, %error, "not compacted for want of room");
            return;
        }
        tracing::error!(%topic, %partition, %error, "not compacted any more");
        if let CleanError::Failed(error) = error {
            handle.shared.log_dir().observe(error);
        }
        let dir = handle.shared.reader().dir();
        let parent = dir.parent().map(Path::to_owned).unwrap_or_default();
        let mut state = self.bell.state();
        state.uncleanable.insert(handle.shared.replica(), parent);
        self.metrics.set_uncleanable(state.uncleanable.values());
    }

    fn memory(&self) -> CleanMemory {
        let config = self.broker.config();
        let share = |bytes: i64| usize::try_from(bytes).unwrap_or(0) / self.count;
        CleanMemory {
            map_bytes: share(config.log_cleaner_dedupe_buffer_size),
            load_factor: config.log_cleaner_io_buffer_load_factor,
            io_bytes: share(config.log_cleaner_io_buffer_size.into()),
        }
    }

    fn pace(&self) -> impl Pace {
        let rate = self.broker.config().log_cleaner_io_max_bytes_per_second;
        Throttled { throttle: self.throttle.clone(), rate, bell: self.bell.clone() }
    }
}

fn is_full(error: &CleanError) -> bool {
    matches!(
        error,
        CleanError::Failed(storage::Error::Io { source, .. }) if source.kind() == io::ErrorKind::StorageFull
    )
}

/// Perhaps there is one when it is tried again.
fn no_thread(error: io::Error) -> CleanError {
    tracing::error!(%error, "no thread to compact with");
    CleanError::Aborted
}

fn swap_all(handle: &PartitionHandle, segments: Receiver<UnsyncedSegment>) -> Result<(), CleanError> {
    for segment in segments {
        let cleaned = segment.sync()?;
        if !visit(handle, move |log, now| log.swap(cleaned, now))? {
            return Err(CleanError::Aborted);
        }
    }
    Ok(())
}

/// Has the shard that owns the log do something with it, and waits for the answer.
fn visit<T: Send + 'static>(
    handle: &PartitionHandle,
    run: impl FnOnce(&mut Log, Now) -> Result<T, storage::Error> + Send + 'static,
) -> Result<T, CleanError> {
    let (tell, told) = channel();
    let visit = move |log: &mut Log, now: Now| {
        let answer = run(log, now)?;
        // Whoever asked is still there: it waits.
        let _ = tell.send(answer);
        Ok(())
    };
    handle.shard.submit_one(Op::Visit(handle.slot, Box::new(visit)));
    // The log is gone, or its disk failed, which the shard has told.
    told.recv().map_err(|_| CleanError::Aborted)
}
