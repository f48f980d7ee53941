//! A partition's files against each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use base::ids::{LeaderEpoch, Offset, TopicId};
use wire::compress::Decompressors;

use super::segment::{self, Bounds};
use super::{Fault, Report, Severity};
use crate::directory::{FileKind, suffix};
use crate::disk::{Disk, read_file};
use crate::epochs::{self, EpochStart};
use crate::error::{Error, IoContext};
use crate::partition_metadata;
use crate::producers::Producers;
use crate::scan::BatchAt;

/// What the directory's mark and checkpoint say may be taken as it stands.
#[derive(Clone, Copy)]
pub(super) struct Trust {
    /// The process that held the directory stopped cleanly.
    pub(super) clean: bool,
    /// Up to here everything was synced.
    pub(super) recovery_point: Option<Offset>,
    /// What lies before is only waiting to be removed.
    pub(super) log_start: Option<Offset>,
}

/// What a partition holds.
pub(super) struct Found {
    /// Where its log ends, when all of it can be read.
    pub(super) end: Option<Offset>,
    pub(super) topic_id: Option<TopicId>,
}

/// The partition's files by what they are.
#[derive(Default)]
struct Files {
    segments: BTreeSet<Offset>,
    snapshots: BTreeSet<Offset>,
    indexes: BTreeMap<FileKind, BTreeSet<Offset>>,
    /// Segments in the middle of a removal or of a compaction's last step.
    in_between: BTreeSet<Offset>,
}

pub(super) fn verify(
    disk: &dyn Disk,
    dir: &Path,
    trust: Trust,
    decompressors: &mut Decompressors,
    report: &mut Report,
) -> Result<Found, Error> {
    report.partitions += 1;
    let files = files(disk, dir, decompressors, report)?;
    let epochs = Epochs::read(disk, dir, report)?;
    if files.segments.is_empty() {
        // The directory is made first: a kill right after it leaves nothing else.
        let had_any = trust.clean || trust.recovery_point.is_some() || !epochs.starts.is_empty();
        report.add(Fault::NoSegment, Severity::wrong_if(had_any), dir, None, "has no segment");
    }
    let end = segments(disk, dir, &files, trust, &epochs, decompressors, report)?;
    for (kind, bases) in &files.indexes {
        for base in bases.difference(&files.segments) {
            // A segment is renamed before its indexes: a kill comes in between.
            let severity = Severity::wrong_if(trust.clean || !files.in_between.contains(base));
            report.add(Fault::Derived, severity, &kind.path(dir, *base), None, "has no segment");
        }
    }
    for at in &files.snapshots {
        snapshot(disk, dir, *at, trust, end, report)?;
    }
    if let (Some(last), Some(end)) = (epochs.starts.last(), end)
        && last.start > end
    {
        let what = format!("epoch {} begins at offset {}, and the log ends at {end}", last.epoch, last.start);
        report.add(Fault::Derived, Severity::Wrong, &dir.join(epochs::FILE_NAME), None, what);
    }
    let has_records = end.is_some_and(|end| files.segments.first().is_some_and(|first| end > *first));
    let topic_id = topic_id(disk, dir, has_records, report)?;
    Ok(Found { end, topic_id })
}

fn files(
    disk: &dyn Disk,
    dir: &Path,
    decompressors: &mut Decompressors,
    report: &mut Report,
) -> Result<Files, Error> {
    const KNOWN: [&str; 3] = [epochs::FILE_NAME, partition_metadata::FILE_NAME, "quorum-state"];
    let mut files = Files::default();
    for entry in disk.list(dir).context("list", dir)? {
        let (path, name) = (dir.join(&entry.name), entry.name.as_str());
        let waits = [suffix::DELETED, suffix::CLEANED, suffix::SWAP];
        match FileKind::parse(name) {
            Some((base, FileKind::Log)) => drop(files.segments.insert(base)),
            Some((base, FileKind::ProducerSnapshot)) => drop(files.snapshots.insert(base)),
            Some((base, kind)) => drop(files.indexes.entry(kind).or_default().insert(base)),
            None if name.ends_with(".checkpoint") => segment::snapshot(disk, &path, decompressors, report)?,
            None if KNOWN.contains(&name) => {}
            None if let Some(whole) = waits.iter().find_map(|suffix| name.strip_suffix(suffix)) => {
                if let Some((base, FileKind::Log)) = FileKind::parse(whole) {
                    files.in_between.insert(base);
                }
                report.add(
                    Fault::Leftover,
                    Severity::Left,
                    &path,
                    None,
                    "is left of a removal or a compaction",
                );
            }
            None => report.add(Fault::ForeignFile, Severity::Left, &path, None, "is no file of a partition"),
        }
    }
    Ok(files)
}

/// Walks all segments; gives the log's end when nothing of it is in doubt.
fn segments(
    disk: &dyn Disk,
    dir: &Path,
    files: &Files,
    trust: Trust,
    epochs: &Epochs,
    decompressors: &mut Decompressors,
    report: &mut Report,
) -> Result<Option<Offset>, Error> {
    let bases: Vec<Offset> = files.segments.iter().copied().collect();
    let (mut end, mut whole) = (None, true);
    let mut suspect = Suspect::default();
    for (at, base) in bases.iter().enumerate() {
        let next = bases.get(at + 1).copied();
        let synced = trust.recovery_point.zip(next).is_some_and(|(point, next)| next <= point);
        let bounds = Bounds { base: *base, next, trusted: trust.clean || synced };
        let has = |kind| files.indexes.get(&kind).is_some_and(|bases| bases.contains(base));
        let path = FileKind::Log.path(dir, *base);
        let mut on_batch = |batch: &BatchAt, report: &mut Report| {
            let start = trust.log_start.unwrap_or(batch.base_offset).max(batch.base_offset);
            if start <= batch.last_offset {
                suspect.on_batch(batch, epochs.at(start), &path, report);
            }
        };
        let walked = segment::verify(disk, dir, bounds, &has, decompressors, &mut on_batch, report)?;
        whole &= walked.is_some();
        end = walked;
    }
    suspect.tell(&dir.join(epochs::FILE_NAME), report);
    Ok(end.filter(|_| whole))
}

fn snapshot(
    disk: &dyn Disk,
    dir: &Path,
    at: Offset,
    trust: Trust,
    log_end: Option<Offset>,
    report: &mut Report,
) -> Result<(), Error> {
    let path = FileKind::ProducerSnapshot.path(dir, at);
    let Some(bytes) = read_file(disk, &path).context("read", &path)? else { return Ok(()) };
    let severity = Severity::wrong_if(trust.clean);
    match Producers::from_snapshot(bytes.into(), at, 0, i64::MAX) {
        Err(reason) => report.add(Fault::Derived, severity, &path, None, reason.to_string()),
        Ok(producers) => {
            let last = |(id, entry): (_, &crate::producers::ProducerEntry)| {
                entry.last_batch().map(|batch| (id, batch.last_offset))
            };
            if let Some((id, offset)) = producers.entries().filter_map(last).find(|(_, last)| *last >= at) {
                let what = format!("producer {id} has written at offset {offset}, after the snapshot");
                report.add(Fault::Derived, Severity::Wrong, &path, None, what);
            }
            if log_end.is_some_and(|end| at > end) {
                report.add(Fault::Derived, severity, &path, None, "is of an offset after the log's end");
            }
        }
    }
    Ok(())
}

fn topic_id(
    disk: &dyn Disk,
    dir: &Path,
    has_records: bool,
    report: &mut Report,
) -> Result<Option<TopicId>, Error> {
    let path = dir.join(partition_metadata::FILE_NAME);
    match partition_metadata::read(disk, &path) {
        Ok(None) => {
            // Kafka writes it a little after it made the directory.
            report.add(Fault::TopicId, Severity::wrong_if(has_records), &path, None, "is missing");
            Ok(None)
        }
        Ok(id) => Ok(id),
        Err(error @ Error::Corrupt { .. }) => {
            report.add_damaged(Fault::TopicId, &path, &error);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The leader-epoch checkpoint as it stands, contradictions included.
struct Epochs {
    starts: Vec<EpochStart>,
    readable: bool,
}

impl Epochs {
    fn read(disk: &dyn Disk, dir: &Path, report: &mut Report) -> Result<Self, Error> {
        let path = dir.join(epochs::FILE_NAME);
        let starts = match epochs::read_entries(disk, &path) {
            Ok(starts) => starts,
            Err(error @ Error::Corrupt { .. }) => {
                report.add_damaged(Fault::Derived, &path, &error);
                return Ok(Self { starts: Vec::new(), readable: false });
            }
            Err(error) => return Err(error),
        };
        let falls = |pair: &&[EpochStart]| pair[0].epoch >= pair[1].epoch || pair[0].start >= pair[1].start;
        let fault = starts.windows(2).find(falls);
        if let Some(pair) = fault {
            let what = format!("epoch {} does not come after epoch {}", pair[1].epoch, pair[0].epoch);
            report.add(Fault::Derived, Severity::Wrong, &path, None, what);
        }
        let readable = fault.is_none();
        Ok(Self { starts, readable })
    }

    /// What the checkpoint says of a batch at `offset`; `None` if it cannot be read.
    fn at(&self, offset: Offset) -> Option<Said> {
        let said = match (epochs::epoch_of(&self.starts, offset), self.starts.first()) {
            (Some(epoch), _) => Said::Epoch(epoch),
            (None, Some(first)) => Said::Before(*first),
            (None, None) => Said::Nothing,
        };
        self.readable.then_some(said)
    }
}

/// What the checkpoint says of an offset.
enum Said {
    Epoch(LeaderEpoch),
    /// It begins later.
    Before(EpochStart),
    Nothing,
}

/// Tells a batch whose epoch was changed from a checkpoint that is wrong: the epochs of batches never fall.
#[derive(Default)]
struct Suspect {
    /// The greatest epoch so far of batches that agree with the checkpoint.
    agreed: Option<LeaderEpoch>,
    /// The batch before, if it does not agree.
    pending: Option<Contradiction>,
    /// What is the matter with the checkpoint: the first of the worst.
    checkpoint: Option<(Severity, String)>,
}

struct Contradiction {
    epoch: LeaderEpoch,
    /// What the checkpoint says.
    said: LeaderEpoch,
    path: PathBuf,
    position: u64,
    what: String,
}

impl Suspect {
    fn on_batch(&mut self, batch: &BatchAt, said: Option<Said>, path: &Path, report: &mut Report) {
        let (epoch, offset) = (batch.leader_epoch, batch.base_offset);
        let Some(said) = said.filter(|_| epoch.0 >= 0) else { return };
        match self.pending.take() {
            Some(before) if epoch < before.epoch => {
                Self::tell_batch(before.epoch, before.said, &before.path, before.position, report);
            }
            Some(before) => self.note(Severity::Wrong, before.what),
            None => {}
        }
        let of_batch = format!("the batch at offset {offset} is of epoch {epoch}");
        match said {
            Said::Epoch(said) if said == epoch => self.agreed = self.agreed.max(Some(epoch)),
            Said::Epoch(said) if self.agreed > Some(epoch) => {
                Self::tell_batch(epoch, said, path, batch.position, report);
            }
            Said::Epoch(said) => {
                let (path, position) = (path.to_owned(), batch.position);
                let what = format!("says epoch {said}; {of_batch}");
                self.pending = Some(Contradiction { epoch, said, path, position, what });
            }
            // DeleteRecords cuts the epochs at once, and its log start is written down later: a kill comes in between.
            Said::Before(first) if epoch <= first.epoch => {
                let what = format!("begins at offset {}, as if records before it were deleted", first.start);
                self.note(Severity::Left, what);
            }
            Said::Before(_) | Said::Nothing => {
                self.note(Severity::Wrong, format!("knows no epoch there; {of_batch}"));
            }
        }
    }

    fn note(&mut self, severity: Severity, what: String) {
        if self.checkpoint.as_ref().is_none_or(|(before, _)| *before < severity) {
            self.checkpoint = Some((severity, what));
        }
    }

    fn tell_batch(epoch: LeaderEpoch, must_be: LeaderEpoch, path: &Path, position: u64, report: &mut Report) {
        let what = format!("the batch says epoch {epoch} among batches of epoch {must_be}");
        report.add(Fault::BatchEpoch { epoch: must_be }, Severity::Wrong, path, Some(position), what);
    }

    fn tell(mut self, checkpoint: &Path, report: &mut Report) {
        if let Some(pending) = self.pending.take() {
            self.note(Severity::Wrong, pending.what);
        }
        if let Some((severity, what)) = self.checkpoint {
            report.add(Fault::Derived, severity, checkpoint, None, what);
        }
    }
}
