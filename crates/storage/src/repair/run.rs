//! Carrying out a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::ids::Offset;
use base::time::Now;

use super::{Plan, Remedy, bases, partition_of};
use crate::checkpoint::{self, FIRST_DIRTY, HIGH_WATERMARKS, LOG_STARTS, Offsets, RECOVERY_POINTS};
use crate::clean_shutdown;
use crate::directory::{FileKind, TopicPartition};
use crate::disk::keeping::KeepingDisk;
use crate::disk::{Disk, OpenMode, read_file, remove_if_there, replace_file, sync_parent};
use crate::error::{Error, IoContext};
use crate::log::{Checkpoint, Log, LogSpec, Recovery};
use crate::partition_metadata;
use crate::verify::Fault;

/// What a repair did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Where what was changed is kept, in the order of the changes.
    pub copies: Vec<PathBuf>,
    /// What is not in the logs any more, one sentence each.
    pub lost: Vec<String>,
}

/// Carries out `plan` in the directory `dir`, which the caller has locked; copies go into the directory `kept`.
///
/// # Errors
/// The disk failed: the directory is left without its clean mark, and may be repaired again.
pub fn repair(
    disk: Arc<dyn Disk>,
    dir: &Path,
    plan: &Plan,
    kept: &Path,
    now: Now,
) -> Result<Repaired, Error> {
    if plan.to_repair() == 0 {
        return Ok(Repaired::default());
    }
    let keeping = KeepingDisk::new(disk, dir, kept);
    let mut repair = Repair { disk: keeping.clone(), dir, now, gone: BTreeSet::new(), lost: Vec::new() };
    let mark = dir.join(clean_shutdown::FILE_NAME);
    let marked = read_file(&keeping, &mark).context("read", &mark)?;
    clean_shutdown::remove(&keeping, dir)?;
    let mut logs: BTreeMap<PathBuf, Vec<&Remedy>> = BTreeMap::new();
    for (finding, remedy) in &plan.steps {
        match repair.step(&finding.path, remedy)? {
            Done::Whole => {}
            Done::LogOf(path) => logs.entry(path.to_owned()).or_default().push(remedy),
        }
        // A log may have been taken to begin where the checkpoint said.
        if let Fault::CheckpointEntry(partition) = &finding.fault
            && keeping.metadata(&dir.join(partition.dir_name())).is_ok()
        {
            logs.entry(dir.join(partition.dir_name())).or_default();
        }
    }
    for name in checkpoint::ALL {
        repair.checkpoint(name, &plan.faults_of(&dir.join(name)), &[])?;
    }
    let mut closed = Vec::new();
    for (path, remedies) in logs {
        closed.extend(repair.log(&path, &remedies)?);
    }
    for name in checkpoint::ALL {
        repair.checkpoint(name, &[], &closed)?;
    }
    // Every log is as it was left by the clean stop, or was closed just now.
    if let Some(marked) = marked {
        replace_file(&keeping, &mark, &marked).context("write", &mark)?;
    }
    Ok(Repaired { copies: keeping.copies(), lost: repair.lost })
}

struct Repair<'a> {
    disk: KeepingDisk,
    dir: &'a Path,
    now: Now,
    /// Partitions that were set aside.
    gone: BTreeSet<TopicPartition>,
    lost: Vec<String>,
}

enum Done<'a> {
    Whole,
    /// The log in this directory is to be opened.
    LogOf(&'a Path),
}

impl Repair<'_> {
    /// Does what concerns one file alone.
    fn step<'a>(&mut self, path: &'a Path, remedy: &Remedy) -> Result<Done<'a>, Error> {
        let parent = path.parent().unwrap_or(path);
        match remedy {
            Remedy::Wait | Remedy::Ask(_) | Remedy::Checkpoint => return Ok(Done::Whole),
            Remedy::Recover => return Ok(Done::LogOf(path)),
            Remedy::Cut { .. } => return Ok(Done::LogOf(parent)),
            Remedy::Identify(meta) => meta.write(&self.disk, self.dir)?,
            Remedy::WriteTopicId(id) => partition_metadata::write(&self.disk, path, *id)?,
            Remedy::SetAside => self.set_aside(path)?,
            Remedy::SetEpoch { position, epoch } => {
                const EPOCH_AT: u64 = 12;
                let file = self.disk.open(path, OpenMode::Write).context("open", path)?;
                let bytes = epoch.0.to_be_bytes();
                file.write_at(&mut [IoSlice::new(&bytes)], position + EPOCH_AT).context("write", path)?;
                file.sync_data().context("sync", path)?;
                return Ok(Done::LogOf(parent));
            }
            Remedy::MakeAnew => {
                remove_if_there(&self.disk, path).context("remove", path)?;
                return Ok(Done::LogOf(parent));
            }
        }
        Ok(Done::Whole)
    }

    fn set_aside(&mut self, path: &Path) -> Result<(), Error> {
        if self.disk.metadata(path).context("look at", path)?.is_dir {
            self.disk.set_aside(path).context("set aside", path)?;
            self.gone.extend(partition_of(path));
            self.lost.push(format!("{} is set aside", path.display()));
        } else {
            self.disk.remove_file(path).context("set aside", path)?;
        }
        sync_parent(&self.disk, path)
    }

    /// Cuts a log if it must be, opens it as after a crash and closes it. `None` if it cannot be opened before the operator
    /// has done something.
    fn log(&mut self, path: &Path, remedies: &[&Remedy]) -> Result<Option<Checkpoint>, Error> {
        let Some(partition) = partition_of(path) else { return Ok(None) };
        if self.gone.contains(&partition) {
            return Ok(None);
        }
        match partition_metadata::read(&self.disk, &path.join(partition_metadata::FILE_NAME)) {
            Ok(_) => {}
            Err(Error::Corrupt { .. }) => return Ok(None),
            Err(error) => return Err(error),
        }
        let cuts = remedies.iter().filter_map(|remedy| match remedy {
            Remedy::Cut { base, position, end } => Some((*base, *position, *end)),
            _ => None,
        });
        if let Some((base, position, end)) = cuts.min() {
            self.cut(path, base, position, end)?;
        }
        let of = |name| self.offsets(name).map(|offsets| offsets.get(&partition).copied());
        let recovery = Recovery {
            clean: false,
            log_start: of(LOG_STARTS)?.unwrap_or_default().max(Offset::ZERO),
            high_watermark: of(HIGH_WATERMARKS)?.unwrap_or_default().max(Offset::ZERO),
            // Gaps between segments are no damage of which `verify` knows.
            first_dirty: Some(of(FIRST_DIRTY)?.unwrap_or_default().max(Offset::ZERO)),
            ..Recovery::NEW
        };
        let spec = LogSpec {
            disk: Arc::new(self.disk.clone()),
            dir: path.to_owned(),
            topic_partition: partition,
            topic_id: None,
            config: Arc::default(),
        };
        Log::open(spec, recovery, self.now)?.close(self.now).map(Some)
    }

    /// Later segments go first, newest before oldest, and for good, so that a crash meanwhile leaves no hole.
    fn cut(&mut self, path: &Path, base: Offset, position: u64, end: Offset) -> Result<(), Error> {
        let all = bases(&self.disk, path).context("list", path)?;
        let later: Vec<Offset> = all.into_iter().filter(|it| *it > base).collect();
        for later in later.iter().rev() {
            for kind in FileKind::ALL {
                let file = kind.path(path, *later);
                remove_if_there(&self.disk, &file).context("remove", &file)?;
            }
        }
        self.disk.sync_dir(path).context("sync", path)?;
        let file = FileKind::Log.path(path, base);
        let open = self.disk.open(&file, OpenMode::Write).context("open", &file)?;
        open.set_len(position).context("cut", &file)?;
        open.sync_data().context("sync", &file)?;
        self.lost.push(format!(
            "{}: everything from offset {end} on, cut at byte {position} of {}; {} later segments",
            path.display(),
            FileKind::Log.name(base),
            later.len()
        ));
        Ok(())
    }

    fn offsets(&self, name: &str) -> Result<Offsets, Error> {
        checkpoint::salvage_offsets(&self.disk, &self.dir.join(name))
    }

    /// Writes a checkpoint anew if something in it was wrong, or the log that it speaks of was repaired.
    fn checkpoint(&self, name: &str, faults: &[&Fault], closed: &[Checkpoint]) -> Result<(), Error> {
        let path = self.dir.join(name);
        let before = self.offsets(name)?;
        let mut offsets = before.clone();
        offsets.retain(|partition, offset| {
            offset.0 >= 0
                && !self.gone.contains(partition)
                && !faults.contains(&&Fault::CheckpointEntry(partition.clone()))
        });
        for log in closed {
            let offset = match name {
                RECOVERY_POINTS => Some(log.recovery_point),
                HIGH_WATERMARKS => Some(log.high_watermark),
                LOG_STARTS => log.log_start,
                _ => {
                    before.get(&log.topic_partition).map(|first_dirty| (*first_dirty).min(log.recovery_point))
                }
            };
            match offset {
                Some(offset) => _ = offsets.insert(log.topic_partition.clone(), offset),
                None => _ = offsets.remove(&log.topic_partition),
            }
        }
        if faults.is_empty() && offsets == before {
            return Ok(());
        }
        checkpoint::write_offsets(&self.disk, &path, &offsets)
    }
}
