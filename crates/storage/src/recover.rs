//! Opening a log, and repairing what a crash left of it.
//!
//! ```text
//! 1  leftovers      .deleted and .cleaned go; a complete .swap replaces the segments it was made from
//! 2  segments       .log files in order; an index without its .log goes
//! 3  clean stop     indexes are believed after a look at them; the log end follows from the last few headers
//!    crash          from the segment of the recovery point on, every batch is checked and both indexes are made anew;
//!                   at the first damage the log is cut, and all later segments go
//!    killed         the machine went on, so only the end of the last segment may be torn: its headers are walked from the
//!                   last index entry on, and the last batch is checked; if anything is odd, as after a crash
//! 4  the rest       epochs and snapshots beyond the new end go; producer state from the newest snapshot and a replay
//! ```
//! Invariant: the log that comes out holds whole batches with ascending offsets, and nothing below the recovery point was
//! looked at in vain: it was synced before that point was written down.

use std::io;
use std::sync::Arc;

use base::ids::{Offset, TopicId};
use base::time::Now;

use crate::config::LogConfig;
use crate::directory::FileKind;
use crate::disk::remove_if_there;
use crate::epochs::{self, Epochs};
use crate::error::{Error, IoContext};
use crate::home::Home;
use crate::log::{Active, Log, LogSpec, Parts, Recovery};
use crate::partition_metadata;
use crate::producers::Producers;
use crate::scan::Step;
use crate::segment::Segment;
use crate::sync::Durability;
use crate::view::Ends;

mod leftovers;
mod producers;
mod segment;

use self::leftovers::FoundSegment;
pub(crate) use self::producers::load_producers;
pub(crate) use self::segment::resume;
use self::segment::{Recovered, recover_segment, take_over_tail};

impl Log {
    /// Makes a log that was not there before.
    ///
    /// # Errors
    /// The disk failed, or the directory is there already.
    pub fn create(spec: LogSpec, now: Now) -> Result<Self, Error> {
        match spec.disk.metadata(&spec.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).context("look at", &spec.dir),
            Ok(_) => {
                return Err(Error::Refused { path: spec.dir, reason: "there is a log already".into() });
            }
        }
        spec.disk.create_dir_all(&spec.dir).context("create", &spec.dir)?;
        let mut log = Self::load(spec, Vec::new(), Recovery::NEW, now)?;
        log.durability.is_new = true;
        Ok(log)
    }

    /// Opens a log, repairing what a crash left.
    ///
    /// # Errors
    /// The disk failed, or the directory is that of another topic of the same name.
    pub fn open(spec: LogSpec, recovery: Recovery, now: Now) -> Result<Self, Error> {
        let names = leftovers::list(&*spec.disk, &spec.dir)?;
        Self::load(spec, names, recovery, now)
    }

    /// Notes in `partition.metadata` whose log it is, if that was not known.
    ///
    /// # Errors
    /// The disk failed: the log is offline for good.
    pub fn assign_topic_id(&mut self, id: TopicId) -> Result<(), Error> {
        if self.topic_id.is_none() {
            let path = self.home.dir().join(partition_metadata::FILE_NAME);
            partition_metadata::write(self.home.disk(), &path, id).map_err(|error| self.fail(error))?;
            self.topic_id = Some(id);
        }
        Ok(())
    }

    /// Opens a log with these files.
    fn load(mut spec: LogSpec, names: Vec<String>, recovery: Recovery, now: Now) -> Result<Self, Error> {
        let home = Home::new(spec.disk.clone(), spec.dir.clone());
        let has_topic_id = names.iter().any(|name| name == partition_metadata::FILE_NAME);
        spec.topic_id = check_topic_id(&spec, has_topic_id)?;
        let has_epochs = names.iter().any(|name| name == epochs::FILE_NAME);
        let found = leftovers::clear(&home, names)?;
        let mut loading = Loading {
            home,
            config: spec.config.clone(),
            recovery,
            now,
            segments: Vec::new(),
            snapshots: found.snapshots,
            epochs: Epochs::default(),
            epochs_changed: false,
            producers: None,
            durability: Durability::default(),
        };
        if has_epochs {
            loading.read_epochs()?;
        }
        loading.load_segments(&found.segments)?;
        let mut log = loading.finish(spec)?;
        // The recovery point may pass what they were found in before anything is appended.
        log.write_epochs()?;
        Ok(log)
    }
}

/// A log while it is being opened.
struct Loading {
    home: Arc<Home>,
    config: Arc<LogConfig>,
    recovery: Recovery,
    now: Now,
    segments: Vec<Arc<Segment>>,
    snapshots: Vec<Offset>,
    epochs: Epochs,
    epochs_changed: bool,
    /// The state after the last recovered segment, once one was recovered.
    producers: Option<Producers>,
    durability: Durability,
}

impl Loading {
    /// A checkpoint that cannot be read is made anew from the batches.
    fn read_epochs(&mut self) -> Result<(), Error> {
        let path = self.home.dir().join(epochs::FILE_NAME);
        match Epochs::read(self.home.disk(), &path) {
            Ok(epochs) => self.epochs = epochs,
            Err(Error::Corrupt { path, reason, .. }) => {
                tracing::warn!(path = %path.display(), reason, "made anew from the log's batches");
                self.recovery.clean = false;
                self.recovery.kept = false;
                self.recovery.recovery_point = Offset::ZERO;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn load_segments(&mut self, found: &[FoundSegment]) -> Result<(), Error> {
        let suspect = match self.recovery.clean {
            true => found.len(),
            // The recovery point is in the last segment that does not begin after it.
            false => found
                .partition_point(|segment| segment.base <= self.recovery.recovery_point)
                .saturating_sub(1),
        };
        for (index, FoundSegment { base, size, kinds }) in found.iter().enumerate() {
            let (base, size) = (*base, *size);
            if size > i32::MAX as u64 {
                let path = self.home.path(FileKind::Log, base);
                return Err(Error::corrupt(&path, size, "larger than any segment can be (2147483647 bytes)"));
            }
            let segment = Arc::new(Segment::existing(self.home.clone(), base, size, kinds));
            let limit = found.get(index + 1).map(|next| next.base);
            if index < suspect && segment.indexes_are_sane(false)? {
                self.segments.push(segment);
                // What a recovered segment before this one left goes on here: it is replayed once all are there.
                self.producers = None;
                continue;
            }
            let is_kept = self.recovery.kept && self.take_over(&segment, limit.is_none())?;
            if is_kept {
                self.segments.push(segment);
                continue;
            }
            if index < suspect {
                tracing::warn!(log = %self.home.dir().display(), %base, "indexes are made anew");
            }
            let recovered = self.recover(&segment, limit)?;
            let is_last = recovered.valid_bytes < size || self.has_lost_end(&recovered, limit);
            if is_last {
                // First for good what comes later: a crash in between must not leave it behind a hole.
                self.drop_segments(found[index + 1..].iter().map(|segment| segment.base))?;
                cut(&segment, &recovered)?;
                self.segments.push(segment);
                return Ok(());
            }
            self.segments.push(segment);
        }
        Ok(())
    }

    /// Takes a segment as it is that was written before the process crashed, but for what the crash may have torn at the
    /// end of the last one. False if it is not as it should be: then it is read as a whole.
    fn take_over(&mut self, segment: &Arc<Segment>, is_last: bool) -> Result<bool, Error> {
        let is_sane = segment.indexes_are_sane(is_last)?;
        if !is_sane || (is_last && !take_over_tail(&self.config, segment, self.now)?) {
            return Ok(false);
        }
        self.producers = None;
        let unsynced = &mut self.durability;
        unsynced.closed.push(segment.clone());
        unsynced.names_changed = true;
        Ok(true)
    }

    /// Whether batches between this segment and the next are missing: the disk kept the next one's name and lost the end
    /// of this one at the border of a batch. In a compacted log such gaps are the rule and say nothing.
    fn has_lost_end(&self, recovered: &Recovered, limit: Option<Offset>) -> bool {
        !self.recovery.clean
            && !self.config.cleanup_policy.compact
            && self.recovery.first_dirty.is_none()
            && limit.is_some_and(|limit| recovered.end < limit)
    }

    fn recover(&mut self, segment: &Arc<Segment>, limit: Option<Offset>) -> Result<Recovered, Error> {
        let mut producers = match self.producers.take() {
            Some(producers) => producers,
            None => load_producers(
                &self.home,
                &self.config,
                &self.segments,
                &self.snapshots,
                self.recovery.log_start..segment.base(),
                &mut Vec::new(),
                self.now,
            )?,
        };
        let recovered =
            recover_segment(&self.config, segment, limit, &mut producers, &mut self.epochs, self.now)?;
        self.epochs_changed |= recovered.epochs_changed;
        self.producers = Some(producers);
        self.durability.closed.push(segment.clone());
        self.durability.names_changed = true;
        Ok(recovered)
    }

    /// Removes segments after a damaged one, newest first, so that a crash meanwhile leaves no hole.
    fn drop_segments(&mut self, bases: impl DoubleEndedIterator<Item = Offset>) -> Result<(), Error> {
        let mut dropped = false;
        for base in bases.rev() {
            tracing::error!(
                log = %self.home.dir().display(), %base,
                "segment removed because what comes before it is damaged"
            );
            for kind in FileKind::ALL {
                self.remove(kind, base)?;
            }
            dropped = true;
        }
        if dropped { self.sync_names() } else { Ok(()) }
    }

    fn finish(mut self, spec: LogSpec) -> Result<Log, Error> {
        let mut log_end = self.recovery.log_start;
        let mut active = None;
        if let Some(last) = self.segments.last().cloned() {
            let (resumed, end) = self.resume(&last)?;
            active = Some(resumed);
            log_end = end;
        }
        let first_base = self.segments.first().map_or(self.recovery.log_start, |first| first.base());
        let mut log_start = self.recovery.log_start.max(first_base);
        if log_start > log_end {
            tracing::warn!(
                log = %self.home.dir().display(), %log_start, %log_end,
                "the log ends before its start: it is emptied"
            );
            let bases: Vec<_> = self.segments.drain(..).map(|segment| segment.base()).collect();
            self.drop_segments(bases.into_iter())?;
            self.drop_snapshots(Offset::NONE)?;
            self.epochs_changed = true;
            self.epochs.clear();
            self.durability = Durability::default();
            self.producers = None;
            active = None;
            log_start = self.recovery.log_start;
            log_end = log_start;
        }
        let active = match active {
            Some(active) => active,
            None => {
                let segment = Arc::new(Segment::create(self.home.clone(), log_end)?);
                self.durability.names_changed = true;
                self.segments.push(segment.clone());
                Active::new(segment, self.now.wall)
            }
        };
        // The active segment is synced as such.
        self.durability.closed.retain(|segment| segment.base() != active.segment.base());
        self.epochs_changed |= self.epochs.truncate_from_end(log_end);
        self.find_first_epochs(log_start)?;
        self.epochs_changed |= self.epochs.truncate_from_start(log_start);
        self.drop_snapshots(log_end)?;
        let producers = self.producers(log_start, log_end)?;
        Ok(self.assemble(spec, active, producers, log_start, log_end))
    }

    /// The log start of a log had moved, and its epochs were forgotten up to there, when a crash brought back what lies before.
    fn find_first_epochs(&mut self, log_start: Offset) -> Result<(), Error> {
        let first = self.epochs.entries().first().map(|entry| entry.start);
        let Some(first) = first.filter(|first| !self.recovery.clean && *first > log_start) else {
            return Ok(());
        };
        let mut found = Epochs::default();
        for segment in self.segments.iter().take_while(|segment| segment.base() < first) {
            let mut scan = segment.scan(0, segment.size())?;
            while let Step::Batch(at) = scan.next_header().map_err(|error| segment.read_failed(error))? {
                if found.latest().is_none_or(|latest| at.leader_epoch > latest) {
                    self.epochs_changed |= found.assign(at.leader_epoch, at.base_offset);
                }
            }
        }
        self.epochs.prepend(found);
        Ok(())
    }

    /// The state to go on with in the last segment. A clean stop leaves none that is damaged, but somebody else may.
    fn resume(&mut self, last: &Arc<Segment>) -> Result<(Active, Offset), Error> {
        match resume(last, self.now) {
            Err(error @ Error::Corrupt { .. }) if self.producers.is_none() => {
                tracing::error!(%error, "damaged although the log was stopped cleanly");
                let segment = self.segments.pop().expect("it is the last");
                let recovered = self.recover(&segment, None)?;
                cut(&segment, &recovered)?;
                self.segments.push(segment);
                resume(last, self.now)
            }
            other => other,
        }
    }

    fn producers(&mut self, log_start: Offset, log_end: Offset) -> Result<Producers, Error> {
        if let Some(mut producers) = self.producers.take() {
            producers.advance(log_end);
            return Ok(producers);
        }
        if self.recovery.clean && self.snapshots.is_empty() {
            // Kafka stops with a snapshot: without one there were no producers.
            return Ok(Producers::starting_at(log_end));
        }
        let last = self.segments.last().expect("a log has a segment").clone();
        let mut snapshots = self.snapshots.as_slice();
        if !self.recovery.clean
            && let [older @ .., _newest] = snapshots
            && older.last().is_some_and(|older| *older > last.base())
        {
            // Producers send again what was not acknowledged when the process crashed, and the newest may not know it.
            snapshots = older;
        }
        let mut aborted = Vec::new();
        let range = log_start..log_end;
        let producers = load_producers(
            &self.home,
            &self.config,
            &self.segments,
            snapshots,
            range,
            &mut aborted,
            self.now,
        )?;
        if !self.recovery.clean {
            last.complete_aborted(&aborted)?;
        }
        Ok(producers)
    }

    /// Snapshots beyond the log end were made of what is gone.
    fn drop_snapshots(&mut self, log_end: Offset) -> Result<(), Error> {
        if self.snapshots.last().is_none_or(|newest| *newest <= log_end) {
            return Ok(());
        }
        for snapshot in self.snapshots.clone().into_iter().filter(|snapshot| *snapshot > log_end) {
            self.remove(FileKind::ProducerSnapshot, snapshot)?;
        }
        self.snapshots.retain(|snapshot| *snapshot <= log_end);
        self.sync_names()
    }

    /// If another crash brought back what was removed, it would go on after what is appended meanwhile.
    fn sync_names(&self) -> Result<(), Error> {
        let dir = self.home.dir();
        self.home.disk().sync_dir(&dir).context("sync", &dir)
    }

    fn remove(&self, kind: FileKind, base: Offset) -> Result<(), Error> {
        let path = self.home.path(kind, base);
        remove_if_there(self.home.disk(), &path).context("remove", &path)
    }

    fn assemble(
        mut self,
        spec: LogSpec,
        active: Active,
        producers: Producers,
        log_start: Offset,
        log_end: Offset,
    ) -> Log {
        // A node opens all its logs and then uses few of them.
        self.segments.iter().for_each(|segment| segment.release());
        let durable_end =
            if self.recovery.clean { log_end } else { self.recovery.recovery_point.min(log_end) };
        self.durability.waiting_since = (durable_end < log_end).then_some(self.now.mono);
        let high_watermark = self.recovery.high_watermark.clamp(log_start, log_end);
        Parts {
            spec,
            home: self.home,
            segments: self.segments,
            active,
            ends: Ends {
                log_start,
                local_log_start: log_start,
                log_end,
                durable_end: durable_end.max(log_start),
                high_watermark,
                last_stable: high_watermark,
            },
            recovery_point: durable_end,
            producers,
            epochs: self.epochs,
            epochs_changed: self.epochs_changed,
            snapshots: self.snapshots,
            durability: self.durability,
            first_dirty: self.recovery.first_dirty,
        }
        .assemble()
    }
}

/// Cuts off what is damaged.
fn cut(segment: &Segment, recovered: &Recovered) -> Result<(), Error> {
    if recovered.valid_bytes < segment.size() {
        segment.truncate(recovered.valid_bytes, recovered.end)?;
    }
    Ok(())
}

/// The id in `partition.metadata`, if the file is there; written down if it was not known.
fn check_topic_id(spec: &LogSpec, is_there: bool) -> Result<Option<TopicId>, Error> {
    let path = spec.dir.join(partition_metadata::FILE_NAME);
    let found = if is_there { partition_metadata::read(&*spec.disk, &path)? } else { None };
    match (found, spec.topic_id) {
        (Some(found), Some(expected)) if found != expected => Err(Error::Refused {
            path,
            reason: format!("belongs to topic id {found}, the cluster's topic of this name is {expected}"),
        }),
        (None, Some(id)) if id != TopicId::ZERO => {
            partition_metadata::write(&*spec.disk, &path, id)?;
            Ok(Some(id))
        }
        (found, _) => Ok(found),
    }
}
