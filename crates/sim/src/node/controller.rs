//! The controller of a node, and this node's own requests to it: what the roof's controller thread does, call by call.
//!
//! Unlike there a sync of the metadata log may take its time while further requests come in: the controller's contract
//! allows it, so it must hold.

use std::collections::HashMap;
use std::sync::Arc;

use base::ids::BrokerEpoch;
use base::time::{MonoTime, Now};
use broker::controller::{Answer, ControllerHandle, OnReply};
use broker::hosting::Hosting;
use broker::lifecycle::Lifecycle;
use broker::log_dirs::LogDirs;
use metadata::controller::ControllerRequest;
use metadata::node::{ControllerNode, NodeEffect};
use storage::sync::SyncJob;

use super::Flag;

/// The request of this broker itself, kept apart from those of clients.
const OWN: u64 = 0;

/// Both are so often that every run meets them.
const MAINTENANCE_MS: i64 = 200;
const CHECKPOINT_MS: i64 = 150;

/// The controller and what follows it.
pub(super) struct Controller {
    pub(super) node: ControllerNode,
    pub(super) hosting: Hosting,
    lifecycle: Lifecycle,
    handle: Arc<ControllerHandle>,
    woken: Flag,
    sync: Option<SyncJob>,
    waiting: HashMap<u64, OnReply>,
    next_id: u64,
    next_maintenance: MonoTime,
    next_checkpoint: MonoTime,
}

impl Controller {
    pub(super) fn new(
        node: ControllerNode,
        hosting: Hosting,
        lifecycle: Lifecycle,
        (handle, woken): (Arc<ControllerHandle>, Flag),
        now: Now,
    ) -> Self {
        woken.set();
        Self {
            node,
            hosting,
            lifecycle,
            handle,
            woken,
            sync: None,
            waiting: HashMap::new(),
            next_id: OWN + 1,
            next_maintenance: now.mono.plus_ms(MAINTENANCE_MS),
            next_checkpoint: now.mono.plus_ms(CHECKPOINT_MS),
        }
    }

    /// The broker's epoch, once it was let in.
    pub(super) fn serving(&self) -> Option<BrokerEpoch> {
        self.lifecycle.serving()
    }

    pub(super) fn is_busy(&self, now: Now) -> bool {
        self.woken.is_set() || self.next_timeout().is_some_and(|at| at <= now.mono)
    }

    pub(super) fn has_sync(&self) -> bool {
        self.sync.is_some()
    }

    pub(super) fn next_timeout(&self) -> Option<MonoTime> {
        // While the metadata log waits for its sync nothing can be decided about it.
        let timers = [self.node.next_timeout(), self.lifecycle.next_timeout(), self.hosting.next_timeout()];
        let own = self.next_maintenance.min(self.next_checkpoint);
        Some(timers.into_iter().flatten().fold(own, MonoTime::min))
    }

    /// Whether the checkpoints of the log directories are to be written now.
    pub(super) fn checkpoint_due(&mut self, now: Now) -> bool {
        let due = self.next_checkpoint <= now.mono;
        if due {
            self.next_checkpoint = now.mono.plus_ms(CHECKPOINT_MS);
        }
        due && !self.hosting.has_unclaimed()
    }

    pub(super) fn run(&mut self, now: Now, dirs: &LogDirs) -> Result<(), String> {
        self.woken.take();
        self.on_timers(now)?;
        for submission in self.handle.drain() {
            self.waiting.insert(self.next_id, submission.on_reply);
            self.node.submit(submission.request, self.next_id);
            self.next_id += 1;
        }
        let mut effects = Vec::new();
        self.node.run(now, &mut effects).map_err(|error| error.to_string())?;
        for effect in effects {
            match effect {
                NodeEffect::Publish { image, delta } => {
                    self.lifecycle.published(&image);
                    self.hosting.publish(image, &delta, now, |broker| dirs.write_checkpoints(broker));
                }
                NodeEffect::Reply { id, response } => self.on_reply(id, response, now),
                NodeEffect::Sync(job) => {
                    let second = self.sync.replace(job);
                    assert!(second.is_none(), "there is never a second sync under way");
                }
            }
        }
        Ok(())
    }

    pub(super) fn run_sync(&mut self, now: Now) -> Result<(), String> {
        let Some(job) = self.sync.take() else { return Ok(()) };
        self.woken.set();
        self.node.synced(job.run(), now).map_err(|error| error.to_string())
    }

    /// A sync that was asked for is done before the metadata log is closed.
    pub(super) fn finish(&mut self, now: Now) -> Result<(), String> {
        self.run_sync(now)
    }

    fn on_reply(&mut self, id: u64, answer: Answer, now: Now) {
        match id {
            OWN => self.lifecycle.on_answer(answer, now).expect("a node takes itself in"),
            id => self.waiting.remove(&id).expect("each request is answered once")(answer),
        }
    }

    fn on_timers(&mut self, now: Now) -> Result<(), String> {
        if let Some(verb) = self.lifecycle.next_request(now) {
            self.node.submit(ControllerRequest::internal(verb), OWN);
        }
        if self.next_maintenance <= now.mono {
            self.next_maintenance = now.mono.plus_ms(MAINTENANCE_MS);
            self.hosting.maintain();
        }
        self.hosting.run(now)
    }
}
