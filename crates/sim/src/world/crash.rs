//! What goes wrong in a run: ends of the node, failing disks, jumps of the wall clock, and the starts after them.

use std::io;
use std::path::Path;

use storage::disk::memory::{Crash, Fault, Operation};

use super::{EVERYWHERE, NO_FAULT, World};
use crate::check::Violation;
use crate::event::{Ending, Event};
use crate::node::Node;

impl World {
    /// Now and then something goes wrong; a node that is down comes back some time later.
    pub(super) fn disturb(&mut self) -> Result<(), Violation> {
        if self.node.is_none() {
            let down_ms = self.random.range(1, 3000) as u64;
            self.clock.pass_ns(down_ms * 1_000_000);
            return self.start_node();
        }
        if self.random.chance(1, self.plan.jump_every) {
            let by_ms = self.random.range(-300_000, 300_000);
            self.transcript.line(format_args!("the wall clock jumps by {by_ms} ms"));
            self.clock.jump_ms(by_ms);
        }
        if self.plan.fault_every.is_some_and(|every| self.random.chance(1, every)) {
            self.fail_disk()?;
        }
        // A disk that fails does not do so for ever.
        let every = if self.fault.is_some() { self.plan.crash_every.min(100) } else { self.plan.crash_every };
        if self.random.chance(1, every) {
            let endings = [Ending::Clean, Ending::Killed, Ending::PowerLost, Ending::PowerLost];
            let ending = *self.random.pick(&endings);
            return self.crash(ending);
        }
        Ok(())
    }

    fn fail_disk(&mut self) -> Result<(), Violation> {
        let at = self.disk.operations() + self.random.below(20);
        let full = io::ErrorKind::StorageFull;
        let fault = match self.random.below(6) {
            0 => Fault::Once { at, error: io::ErrorKind::Other },
            1 => Fault::From { at, error: io::ErrorKind::Other },
            2 => Fault::Every { operation: Operation::Sync, error: io::ErrorKind::Other },
            3 => Fault::Every { operation: Operation::Write, error: full },
            4 => Fault::Every { operation: Operation::Read, error: io::ErrorKind::Other },
            _ => Fault::Full { left: self.random.below(2000) as usize },
        };
        // The directory without the metadata log may fail alone: then the node goes on.
        let below = if self.plan.dirs == 2 && self.random.chance(1, 2) { "/data/1" } else { EVERYWHERE };
        self.transcript.line(format_args!("{fault:?} below {below}/"));
        self.disk.plan_below(fault, Path::new(below));
        self.fault = Some((fault, below));
        self.counts.faults += 1;
        self.note(Event::DiskFails)
    }

    /// The node ends. What the disk keeps of it depends on how.
    pub(super) fn crash(&mut self, ending: Ending) -> Result<(), Violation> {
        let Some(node) = self.node.take() else { return Ok(()) };
        self.counts.endings += 1;
        let now = self.clock.now();
        let (noted, disk_failed) = (std::mem::take(&mut self.noted), self.fault.take().is_some());
        let ending = match ending {
            Ending::Clean if !noted => Ending::Killed,
            other => other,
        };
        let stopped = match ending {
            Ending::Clean => Ok(node.stop(now)),
            Ending::Killed | Ending::PowerLost => Err(node),
        };
        // What is there is looked at without the fault: a reader that fails says nothing of what is on the disk.
        self.disk.plan(NO_FAULT);
        let (ending, logs) = match stopped {
            Ok(stopped) => {
                let logs = stopped.logs();
                match stopped.result {
                    Ok(()) => (ending, logs),
                    Err(error) => {
                        self.note(Event::Halted { error, disk_failed })?;
                        (Ending::Killed, logs)
                    }
                }
            }
            Err(node) => (ending, node.logs()),
        };
        self.network.close_all_by_server();
        self.network.life += 1;
        self.end_disk(ending);
        let event = if noted { Event::Ended { ending, logs } } else { Event::EndedEarly(ending) };
        self.note(event)
    }

    /// What the disk keeps when the node ends.
    fn end_disk(&mut self, ending: Ending) {
        let crash = match ending {
            Ending::Killed => Crash::KeepAll,
            _ if self.random.chance(1, 3) => Crash::LoseUnsynced,
            // Who stopped cleanly has nothing that a loss of power could take.
            _ => Crash::Torn(self.random.draw()),
        };
        self.disk.crash(crash);
    }

    /// Starts a node on what the disk kept. One that fails because the disk does is started again without that.
    pub(super) fn start_node(&mut self) -> Result<(), Violation> {
        self.transcript.line(format_args!("starting"));
        if !self.ending && self.plan.fault_every.is_some() && self.random.chance(1, 10) {
            self.fail_disk()?;
        }
        let disk_failed = self.fault.is_some();
        match Node::start(self.disk.shared(), &self.plan, self.clock.now(), self.random.fork()) {
            Ok(node) => self.node = Some(node),
            Err(error) => {
                self.note(Event::StartFailed { error, disk_failed })?;
                // A disk on which nothing works any more is what a process sees that dies in the middle.
                self.fault = None;
                let ending = *self.random.pick(&[Ending::Killed, Ending::PowerLost]);
                self.end_disk(ending);
                self.network.life += 1;
                self.note(Event::EndedEarly(ending))?;
            }
        }
        Ok(())
    }

    /// The node gave up by itself, if it did.
    pub(super) fn on_halt(&mut self, result: Result<(), String>) -> Result<(), Violation> {
        let Err(error) = result else { return Ok(()) };
        self.note(Event::Halted { error, disk_failed: self.fault.is_some() })?;
        let ending = *self.random.pick(&[Ending::Killed, Ending::PowerLost]);
        self.crash(ending)
    }
}
