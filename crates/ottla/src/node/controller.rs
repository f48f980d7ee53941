//! The thread that drives the controller and makes its decisions real.
//!
//! ```text
//!  ControllerHandle ─► submit ─► run ─► Publish ─► Hosting ─► the broker's image
//!                                 │  └► Reply ─► the request's connection
//!                                 └──► Sync: done here, since nothing else may happen before it
//! ```
//! A failure of the metadata log ends the process: nobody could say what the cluster looks like.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use base::ids::BrokerEpoch;
use base::time::{MonoTime, Now};
use broker::broker::Broker;
use broker::controller::{Answer, ControllerHandle, OnReply};
use broker::hosting::Hosting;
use broker::lifecycle::Lifecycle;
use broker::log_dirs::LogDirs;
use metadata::controller::ControllerRequest;
use metadata::node::{ControllerNode, NodeEffect};
use net::clock::SystemClock;
use tokio::sync::oneshot;

use super::threads::Parking;

/// The request of this broker itself, kept apart from those of clients.
const OWN: u64 = 0;

/// What the thread needs.
pub struct ControllerThread {
    /// The controller.
    pub node: ControllerNode,
    /// Where requests come from.
    pub handle: Arc<ControllerHandle>,
    /// Where the thread parks.
    pub parking: Parking,
    /// The logs that follow the metadata.
    pub hosting: Hosting,
    /// The broker of this node.
    pub broker: Arc<Broker>,
    /// How the broker comes into the cluster.
    pub lifecycle: Lifecycle,
    /// `log.retention.check.interval.ms`, and the first check after `log.initial.task.delay.ms`.
    pub retention_check_ms: (i64, i64),
    /// The directories whose checkpoints are written now and then.
    pub dirs: Arc<LogDirs>,
    /// `log.flush.offset.checkpoint.interval.ms`.
    pub checkpoint_ms: i64,
    /// The clocks.
    pub clock: SystemClock,
}

/// The running thread.
pub struct RunningController {
    stop: Arc<AtomicBool>,
    parking: Parking,
    thread: JoinHandle<Hosting>,
}

impl RunningController {
    /// Ends the thread and closes the metadata log; the logs of the broker are still to be closed.
    pub fn stop(self) -> Hosting {
        self.stop.store(true, Ordering::Release);
        self.parking.waker().wake();
        self.thread.join().unwrap_or_else(|_| std::process::abort())
    }
}

impl ControllerThread {
    /// Starts the thread. `serving` is told when the broker is registered and not fenced.
    ///
    /// # Errors
    /// The operating system gives no more threads.
    pub fn start(self, serving: oneshot::Sender<BrokerEpoch>) -> io::Result<RunningController> {
        let stop = Arc::new(AtomicBool::new(false));
        let parking = self.parking.clone();
        let stopping = stop.clone();
        let run = move || Driver::new(self, serving).run(&stopping);
        let thread = std::thread::Builder::new().name("controller".to_owned()).spawn(run)?;
        Ok(RunningController { stop, parking, thread })
    }
}

struct Driver {
    parts: ControllerThread,
    waiting: HashMap<u64, OnReply>,
    next_id: u64,
    serving: Option<oneshot::Sender<BrokerEpoch>>,
    next_maintenance: MonoTime,
    next_checkpoint: MonoTime,
}

impl Driver {
    fn new(parts: ControllerThread, serving: oneshot::Sender<BrokerEpoch>) -> Self {
        let next_maintenance = parts.clock.now().mono.plus_ms(parts.retention_check_ms.1);
        let next_checkpoint = parts.clock.now().mono.plus_ms(parts.checkpoint_ms);
        Self {
            parts,
            waiting: HashMap::new(),
            next_id: OWN + 1,
            serving: Some(serving),
            next_maintenance,
            next_checkpoint,
        }
    }

    fn run(mut self, stop: &AtomicBool) -> Hosting {
        self.parts.parking.take_place();
        while !stop.load(Ordering::Acquire) {
            let now = self.parts.clock.now();
            self.on_timers(now);
            for submission in self.parts.handle.drain() {
                self.waiting.insert(self.next_id, submission.on_reply);
                self.parts.node.submit(submission.request, self.next_id);
                self.next_id += 1;
            }
            if !self.run_node(now) {
                let until = self.next_timeout().since(self.parts.clock.now().mono);
                self.parts.parking.park(Some(until));
            }
        }
        let now = self.parts.clock.now();
        halt_on_error(self.parts.node.close(now));
        self.parts.hosting
    }

    /// Lets the controller run; true when a sync made it worth to run again.
    fn run_node(&mut self, now: Now) -> bool {
        let mut effects = Vec::new();
        halt_on_error(self.parts.node.run(now, &mut effects));
        let mut go_on = false;
        for effect in effects {
            match effect {
                NodeEffect::Publish { image, delta } => {
                    self.parts.lifecycle.published(&image);
                    let dirs = &self.parts.dirs;
                    self.parts.hosting.publish(image, &delta, now, |broker| dirs.write_checkpoints(broker));
                }
                NodeEffect::Reply { id, response } => self.on_reply(id, response, now),
                NodeEffect::Sync(job) => {
                    let result = job.run();
                    halt_on_error(self.parts.node.synced(result, self.parts.clock.now()));
                    go_on = true;
                }
            }
        }
        go_on
    }

    fn on_reply(&mut self, id: u64, answer: Answer, now: Now) {
        if id != OWN {
            let on_reply = self.waiting.remove(&id).expect("each request is answered once");
            return on_reply(answer);
        }
        exit_on_error(self.parts.lifecycle.on_answer(answer, now));
        if let Some(epoch) = self.parts.lifecycle.serving()
            && let Some(serving) = self.serving.take()
        {
            // Nobody listens when the node is stopping already.
            let _ = serving.send(epoch);
        }
    }

    fn on_timers(&mut self, now: Now) {
        if let Some(verb) = self.parts.lifecycle.next_request(now) {
            self.parts.node.submit(ControllerRequest::internal(verb), OWN);
        }
        if self.next_maintenance <= now.mono {
            self.next_maintenance = now.mono.plus_ms(self.parts.retention_check_ms.0);
            self.parts.hosting.maintain();
        }
        if self.next_checkpoint <= now.mono {
            self.next_checkpoint = now.mono.plus_ms(self.parts.checkpoint_ms);
            if !self.parts.hosting.has_unclaimed() {
                self.parts.dirs.write_checkpoints(&self.parts.broker);
            }
        }
        exit_on_error(self.parts.hosting.run(now));
    }

    fn next_timeout(&self) -> MonoTime {
        let ControllerThread { node, lifecycle, hosting, .. } = &self.parts;
        let timers = [node.next_timeout(), lifecycle.next_timeout(), hosting.next_timeout()];
        let soonest = self.next_maintenance.min(self.next_checkpoint);
        timers.into_iter().flatten().fold(soonest, MonoTime::min)
    }
}

fn halt_on_error<T>(result: Result<T, metadata::error::Error>) -> T {
    exit_on_error(result.map_err(|error| format!("the metadata log failed; the node halts: {error}")))
}

/// The node cannot go on.
fn exit_on_error<T>(result: Result<T, String>) -> T {
    result.unwrap_or_else(|sentence| {
        tracing::error!("{sentence}");
        std::process::exit(1)
    })
}
