//! Making a log durable off the thread that owns it.
//!
//! The owner asks for a [`SyncJob`], some other thread runs it, and its end comes back by [`Log::synced`]. One job is under
//! way at a time; what is appended meanwhile waits for the next, so that a busy log shares each sync among many batches
//! and an idle one never waits. Invariant: `durable_end` only covers bytes whose sync was asked for after they were
//! written, and names that their directory has.

use std::path::PathBuf;
use std::sync::Arc;

use base::ids::Offset;
use base::time::{MonoTime, Now};

use crate::directory::FileKind;
use crate::disk::{File, OpenMode};
use crate::error::{Error, IoContext};
use crate::home::Home;
use crate::log::Log;
use crate::segment::Segment;

/// What must be synced so that everything below `up_to` survives a loss of power. May run on any thread.
#[must_use = "what is not run is not durable, and no other job is given out"]
pub struct SyncJob {
    home: Arc<Home>,
    files: Vec<ToSync>,
    dirs: Vec<PathBuf>,
    up_to: Offset,
    /// Closed segments that start below are covered.
    closed_below: Offset,
}

/// A file with what it is.
pub(crate) struct ToSync(pub(crate) Arc<dyn File>, pub(crate) FileKind, pub(crate) Offset);

/// How a [`SyncJob`] ended; goes back to its log by [`Log::synced`].
#[must_use = "the log must hear of it"]
pub struct Synced {
    home: Arc<Home>,
    up_to: Offset,
    closed_below: Offset,
    names: bool,
    result: Result<(), Error>,
}

/// What is not durable yet.
#[derive(Default)]
pub(crate) struct Durability {
    in_flight: bool,
    /// The log was cut here since the job under way was given out.
    cut_at: Option<Offset>,
    /// Closed segments that were not synced, oldest first.
    pub(crate) closed: Vec<Arc<Segment>>,
    /// Producer snapshots that were not synced, by offset.
    pub(crate) snapshots: Vec<Offset>,
    /// The directory has names that were not synced.
    pub(crate) names_changed: bool,
    /// The directory's own name was not synced.
    pub(crate) is_new: bool,
    /// Everything is, indexes included, and nothing is written any more.
    pub(crate) is_closed: bool,
    /// When the oldest record that is not durable was written.
    pub(crate) waiting_since: Option<MonoTime>,
}

impl SyncJob {
    /// What will be durable, exclusive.
    pub fn up_to(&self) -> Offset {
        self.up_to
    }

    /// Does it. The log must hear of the answer.
    pub fn run(self) -> Synced {
        let result = self.sync();
        let names = !self.dirs.is_empty();
        let home = self.home.clone();
        Synced { home, up_to: self.up_to, closed_below: self.closed_below, names, result }
    }

    /// Contents first: a name must not become durable before what it stands for.
    fn sync(&self) -> Result<(), Error> {
        let home = &self.home;
        let of_file = |ToSync(file, kind, base): &ToSync| {
            file.sync_data().map_err(|source| Error::Io {
                action: "sync",
                path: home.path(*kind, *base),
                source,
            })
        };
        self.files.iter().try_for_each(of_file)?;
        self.dirs.iter().try_for_each(|dir| home.disk().sync_dir(dir).context("sync", dir))
    }
}

impl Synced {
    /// What is durable if the job succeeded, exclusive.
    pub fn up_to(&self) -> Offset {
        self.up_to
    }

    /// Whether it did.
    pub fn is_ok(&self) -> bool {
        self.result.is_ok()
    }
}

impl Durability {
    pub(crate) fn on_cut(&mut self, end: Offset) {
        self.cut_at = Some(self.cut_at.map_or(end, |before| before.min(end)));
        self.closed.retain(|segment| segment.base() < end);
        self.snapshots.retain(|snapshot| *snapshot <= end);
    }
}

impl Log {
    /// What must be synced to make the log end durable; `None` if it is, or while a job is under way.
    pub fn sync_job(&mut self) -> Option<SyncJob> {
        let nothing = self.ends.durable_end >= self.ends.log_end && self.durability.closed.is_empty();
        if self.durability.in_flight || self.offline || nothing {
            return None;
        }
        self.job(true)
    }

    /// What must be synced of closed segments, as after a roll; the active segment is left alone.
    pub fn background_sync_job(&mut self) -> Option<SyncJob> {
        if self.durability.in_flight || self.offline || self.durability.closed.is_empty() {
            return None;
        }
        self.job(false)
    }

    /// Takes the end of a job: moves the durable end and the recovery point.
    ///
    /// # Errors
    /// The sync failed: the log is offline for good.
    pub fn synced(&mut self, synced: Synced, now: Now) -> Result<(), Error> {
        if !Arc::ptr_eq(&synced.home, &self.home) {
            // The log has moved to another directory since, where everything was durable from the first moment.
            return Ok(());
        }
        self.durability.in_flight = false;
        if let Err(error) = synced.result {
            return Err(self.fail(error));
        }
        let cut_at = self.durability.cut_at.take();
        let up_to = synced.up_to.min(cut_at.unwrap_or(synced.up_to));
        // After a cut, what was closed below there may have been appended to and closed again.
        if cut_at.is_none() {
            self.durability.closed.retain(|segment| segment.base() >= synced.closed_below);
            self.durability.snapshots.retain(|snapshot| *snapshot > synced.closed_below);
        }
        if synced.names {
            self.durability.is_new = false;
        }
        self.recovery_point = self.recovery_point.max(up_to);
        if up_to > self.ends.durable_end {
            self.ends.durable_end = up_to;
            let waits = up_to < self.ends.log_end;
            self.durability.waiting_since = waits.then_some(now.mono);
        }
        self.publish();
        Ok(())
    }

    /// Whether `flush.messages` or `flush.ms` asks for a sync now.
    pub fn flush_due(&self, now: Now) -> bool {
        let waiting = self.ends.log_end.0 - self.ends.durable_end.0;
        waiting > 0
            && (waiting >= self.config.flush_messages
                || self.next_flush_at().is_some_and(|at| at <= now.mono))
    }

    /// When `flush.ms` asks for the next sync; `None` if it never does or everything is durable.
    pub fn next_flush_at(&self) -> Option<MonoTime> {
        if self.config.flush_ms == i64::MAX {
            return None;
        }
        self.durability.waiting_since.map(|since| since.plus_ms(self.config.flush_ms))
    }

    fn job(&mut self, with_active: bool) -> Option<SyncJob> {
        match self.make_job(with_active) {
            Ok(job) => {
                self.durability.in_flight = true;
                Some(job)
            }
            Err(error) => {
                // Without its files the log cannot be made durable: the next write says so.
                tracing::error!(log = %self.topic_partition, %error, "cannot be synced");
                self.offline = true;
                None
            }
        }
    }

    fn make_job(&mut self, with_active: bool) -> Result<SyncJob, Error> {
        let active = &self.active.segment;
        let mut files = Vec::with_capacity(3 * self.durability.closed.len() + 1);
        for segment in &self.durability.closed {
            files.push(ToSync(segment.opened()?, FileKind::Log, segment.base()));
            files.extend(segment.index_files()?);
        }
        for snapshot in self.durability.snapshots.iter().filter(|snapshot| **snapshot <= active.base()) {
            files.push(self.snapshot_file(*snapshot)?);
        }
        if with_active {
            files.push(ToSync(active.opened()?, FileKind::Log, active.base()));
        }
        let up_to = if with_active { self.ends.log_end } else { active.base() };
        let mut dirs = Vec::new();
        if std::mem::take(&mut self.durability.names_changed) {
            dirs.push(self.home.dir().to_path_buf());
        }
        Ok(self.job_of(files, dirs, up_to))
    }

    /// The job that syncs these files and directories, and the name of the log's own directory if that is new.
    fn job_of(&mut self, files: Vec<ToSync>, mut dirs: Vec<PathBuf>, up_to: Offset) -> SyncJob {
        let dir = self.home.dir();
        if self.durability.is_new
            && let Some(parent) = dir.parent()
        {
            dirs.push(parent.to_owned());
        }
        self.durability.cut_at = None;
        SyncJob { home: self.home.clone(), files, dirs, up_to, closed_below: self.active.segment.base() }
    }

    fn snapshot_file(&self, snapshot: Offset) -> Result<ToSync, Error> {
        let path = self.home.path(FileKind::ProducerSnapshot, snapshot);
        let file = self.home.disk().open(&path, OpenMode::Write).context("open", &path)?;
        Ok(ToSync(file, FileKind::ProducerSnapshot, snapshot))
    }

    /// What is left to sync of a log that closes: all of it, the active segment's indexes and its snapshot too. Of a log
    /// that nothing was ever written to, its directory's name: the files in it are made again as they were.
    pub(crate) fn closing_sync_job(&mut self) -> Result<Option<SyncJob>, Error> {
        let waiting = &self.durability;
        let is_durable = self.ends.durable_end >= self.ends.log_end
            && waiting.closed.is_empty()
            && waiting.snapshots.is_empty()
            && !waiting.names_changed
            && !waiting.is_new;
        if is_durable {
            return Ok(None);
        }
        let snapshots: Vec<Offset> = self.durability.snapshots.clone();
        if self.ends.log_end == Offset::ZERO && snapshots.is_empty() {
            let job = self.job_of(Vec::new(), Vec::new(), Offset::ZERO);
            self.durability.in_flight = true;
            return Ok(Some(job));
        }
        let mut job = self.make_job(true)?;
        job.files.extend(self.active.segment.index_files()?);
        for snapshot in snapshots.into_iter().filter(|snapshot| *snapshot > job.closed_below) {
            job.files.push(self.snapshot_file(snapshot)?);
        }
        job.closed_below = Offset(i64::MAX);
        // Index files and the snapshot may have got their names just now.
        let dir = self.home.dir();
        if job.dirs.first().is_none_or(|first| **first != *dir) {
            job.dirs.insert(0, dir.to_path_buf());
        }
        self.durability.in_flight = true;
        Ok(Some(job))
    }
}
