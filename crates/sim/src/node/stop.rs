//! A clean stop, in the order of the roof: no more requests, the metadata log closed, every log closed, directories marked.

use base::time::Now;
use broker::partition::PartitionHandle;

use super::start::Alone;
use super::{Node, state_of};
use crate::event::LogState;

/// What is left of a node that was stopped.
pub struct Stopped {
    handles: Vec<PartitionHandle>,
    /// Whether every directory could be marked.
    pub result: Result<(), String>,
}

impl Node {
    /// Stops.
    pub fn stop(self, now: Now) -> Stopped {
        let Self { broker, mut controller, mut shards, connections, dirs, .. } = self;
        drop(connections);
        let epoch = controller.serving().unwrap_or_default();
        let mut result = controller.finish(now);
        let handles = broker.partitions();
        let released = controller.hosting.release_all();
        result = result.and(controller.node.close(now).map_err(|error| error.to_string()));
        shards.finish(now);
        let mut released: Vec<_> = released.into_iter().collect();
        released.sort_by(|a, b| a.topic_partition().cmp(b.topic_partition()));
        Stopped { handles, result: result.and(dirs.close(&Alone, released, epoch, now)) }
    }
}

impl Stopped {
    /// The logs as a reader would have seen them last.
    pub fn logs(&self) -> Vec<LogState> {
        let mut logs: Vec<LogState> = self.handles.iter().map(|handle| state_of(&handle.shared)).collect();
        logs.sort_by(|a, b| a.place.cmp(&b.place));
        logs
    }
}
