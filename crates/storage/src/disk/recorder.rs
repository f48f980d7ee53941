//! A disk that keeps what was done to it, in order, so that every state that a crash may leave can be made again.
//!
//! It passes everything on to another disk. [`Recording::states`] replays the first n changes, for every n, on a disk in
//! memory and crashes that: without what was not synced, with all of it, torn in several ways, and with all of it and a
//! part of the write that comes next.

use std::collections::HashSet;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base::time::WallTime;
use wire::piece::RangeFile;

use super::memory::{Crash, MemoryDisk};
use super::{DirEntry, Disk, File, Lock, Metadata, OpenMode};

/// One change of a disk. Files are named by their path when they were opened and the number of that opening, because a
/// file may be renamed while it is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A file was opened; later changes name it by `handle`.
    Open {
        /// The number of this opening, from 0.
        handle: usize,
        /// Its path.
        path: PathBuf,
        /// How.
        mode: OpenMode,
    },
    /// Bytes were written.
    Write {
        /// The opening.
        handle: usize,
        /// Where.
        position: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// A file was cut or extended.
    SetLen {
        /// The opening.
        handle: usize,
        /// To how many bytes.
        length: u64,
    },
    /// A file was synced.
    Sync {
        /// The opening.
        handle: usize,
    },
    /// A name was changed.
    Rename {
        /// From.
        from: PathBuf,
        /// To.
        to: PathBuf,
    },
    /// A file was removed.
    RemoveFile(PathBuf),
    /// A directory was removed.
    RemoveDir(PathBuf),
    /// A directory was made.
    CreateDir(PathBuf),
    /// A directory was synced.
    SyncDir(PathBuf),
    /// The caller's own mark: "from here on, offset 17 is acknowledged".
    Mark(u64),
}

/// What was recorded so far; shared with the disk that records.
#[derive(Clone, Default)]
pub struct Recording(Arc<Mutex<Vec<Change>>>);

/// The disk that records.
pub struct RecorderDisk {
    below: Arc<dyn Disk>,
    recording: Recording,
}

/// One state that a crash may have left.
pub struct CrashState {
    /// The disk, crashed, ready to be opened.
    pub disk: MemoryDisk,
    /// How many changes were made before the crash.
    pub changes: usize,
    /// What became of those that were not synced.
    pub crash: Crash,
    /// The last mark before the crash; 0 if there was none.
    pub mark: u64,
}

impl RecorderDisk {
    /// Records what is done to `below`.
    pub fn new(below: Arc<dyn Disk>) -> (Self, Recording) {
        let recording = Recording::default();
        (Self { below, recording: recording.clone() }, recording)
    }
}

impl Recording {
    /// The changes so far.
    pub fn changes(&self) -> Vec<Change> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a mark between the changes.
    pub fn mark(&self, mark: u64) {
        self.push(Change::Mark(mark));
    }

    /// Calls `visit` with every crash state: for each number of changes, nothing unsynced kept, all kept, `torn` seeded
    /// mixtures, and all kept with a part of the write that comes next. One that is as another before it, and after the
    /// same mark, is left out. How many states there were.
    pub fn states(&self, torn: u64, mut visit: impl FnMut(CrashState)) -> usize {
        let disk = MemoryDisk::new();
        let mut handles = Vec::new();
        let mut mark = 0;
        let mut visited = HashSet::new();
        let changes = self.changes();
        for number in 0..=changes.len() {
            let seeds = (0..torn).map(|seed| Crash::Torn(number as u64 * torn + seed));
            for crash in [Crash::LoseUnsynced, Crash::KeepAll].into_iter().chain(seeds) {
                let copy = disk.copy();
                copy.crash(crash);
                if visited.insert((copy.fingerprint(), mark)) {
                    visit(CrashState { disk: copy, changes: number, crash, mark });
                }
            }
            if let Some(Change::Write { handle, position, bytes }) = changes.get(number) {
                let mut parts = vec![1, bytes.len() / 2, bytes.len().saturating_sub(1)];
                parts.retain(|part| (1..bytes.len()).contains(part));
                parts.dedup();
                for part in parts {
                    // The whole write, which follows, covers it.
                    let file: &Arc<dyn File> = &handles[*handle];
                    file.write_at(&mut [IoSlice::new(&bytes[..part])], *position).expect("worked before");
                    let copy = disk.copy();
                    copy.crash(Crash::KeepAll);
                    if visited.insert((copy.fingerprint(), mark)) {
                        visit(CrashState { disk: copy, changes: number, crash: Crash::KeepAll, mark });
                    }
                }
            }
            match changes.get(number) {
                Some(Change::Mark(next)) => mark = *next,
                Some(change) => replay(&disk, &mut handles, change),
                None => {}
            }
        }
        visited.len()
    }

    fn push(&self, change: Change) -> usize {
        let mut changes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        changes.push(change);
        changes.len()
    }

    fn opened(&self, path: &Path, mode: OpenMode) -> usize {
        let mut changes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let handle = changes.iter().filter(|change| matches!(change, Change::Open { .. })).count();
        changes.push(Change::Open { handle, path: path.to_owned(), mode });
        handle
    }
}

fn replay(disk: &MemoryDisk, handles: &mut Vec<Arc<dyn File>>, change: &Change) {
    let done = match change {
        Change::Open { path, mode, .. } => disk.open(path, *mode).map(|file| handles.push(file)),
        Change::Write { handle, position, bytes } => {
            handles[*handle].write_at(&mut [IoSlice::new(bytes)], *position)
        }
        Change::SetLen { handle, length } => handles[*handle].set_len(*length),
        Change::Sync { handle } => handles[*handle].sync_data(),
        Change::Rename { from, to } => disk.rename(from, to),
        Change::RemoveFile(path) => disk.remove_file(path),
        Change::RemoveDir(path) => disk.remove_dir(path),
        Change::CreateDir(path) => disk.create_dir_all(path),
        Change::SyncDir(path) => disk.sync_dir(path),
        Change::Mark(_) => Ok(()),
    };
    done.expect("what worked once works again");
}

impl Disk for RecorderDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let file = self.below.open(path, mode)?;
        let handle = self.recording.opened(path, mode);
        Ok(Arc::new(RecorderFile { below: file, recording: self.recording.clone(), handle }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.below.rename(from, to)?;
        self.recording.push(Change::Rename { from: from.to_owned(), to: to.to_owned() });
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.below.remove_file(path)?;
        self.recording.push(Change::RemoveFile(path.to_owned()));
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.below.remove_dir(path)?;
        self.recording.push(Change::RemoveDir(path.to_owned()));
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        self.below.list(dir)
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.below.metadata(path)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.below.create_dir_all(dir)?;
        self.recording.push(Change::CreateDir(dir.to_owned()));
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.below.sync_dir(dir)?;
        self.recording.push(Change::SyncDir(dir.to_owned()));
        Ok(())
    }

    fn incarnation(&self, dir: &Path) -> io::Result<Option<String>> {
        self.below.incarnation(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        self.below.lock(path)
    }
}

struct RecorderFile {
    below: Arc<dyn File>,
    recording: Recording,
    handle: usize,
}

impl RangeFile for RecorderFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.below.read_at(buffer, position)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.below.descriptor()
    }
}

impl File for RecorderFile {
    fn write_at(&self, buffers: &mut [IoSlice<'_>], position: u64) -> io::Result<()> {
        let bytes = buffers.iter().flat_map(|buffer| buffer.iter().copied()).collect();
        self.below.write_at(buffers, position)?;
        self.recording.push(Change::Write { handle: self.handle, position, bytes });
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.below.sync_data()?;
        self.recording.push(Change::Sync { handle: self.handle });
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.below.set_len(length)?;
        self.recording.push(Change::SetLen { handle: self.handle, length });
        Ok(())
    }

    fn set_modified(&self, modified: WallTime) -> io::Result<()> {
        // What depends on it survives a crash that loses it.
        self.below.set_modified(modified)
    }

    fn len(&self) -> io::Result<u64> {
        self.below.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{read_file, replace_file};

    #[test]
    fn a_replaced_file_is_old_or_new_in_every_state() {
        let (disk, recording) = RecorderDisk::new(MemoryDisk::new().shared());
        let path = Path::new("/data/checkpoint");
        disk.create_dir_all(Path::new("/data")).unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        for version in 1..=3u8 {
            replace_file(&disk, path, &[version; 700]).unwrap();
            recording.mark(version.into());
        }
        let count = recording.states(10, |state| {
            let content = read_file(&state.disk, path).unwrap();
            let version = match &content {
                None => 0,
                Some(content) => {
                    assert_eq!(content, &vec![content[0]; 700], "{} {:?}", state.changes, state.crash);
                    content[0].into()
                }
            };
            assert!((state.mark..=state.mark + 1).contains(&version));
        });
        assert!(count > 20, "{count}");
    }
}
