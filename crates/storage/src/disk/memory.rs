//! A disk in memory that is the same on every run, fails on demand and crashes as hardware does.
//!
//! Each file and each directory has two contents: what a reader sees now, and what was last synced. A crash keeps the
//! synced content and, as [`Crash`] says, nothing, everything or any part of what came after. Handles from before a crash
//! are dead, as their process is.

use std::collections::BTreeSet;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::time::WallTime;
use wire::piece::RangeFile;

use self::faults::Faults;
pub use self::faults::{Fault, Operation};
use self::tree::{InodeId, Tree};
use super::{DirEntry, Disk, File, Lock, Metadata, OpenMode};

mod faults;
mod tree;

/// Bytes that reach the disk together or not at all.
pub const SECTOR_SIZE: usize = 512;

/// What a crash leaves of that which was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// Nothing: power lost before the cache was written back.
    LoseUnsynced,
    /// Everything: only the process died.
    KeepAll,
    /// Any part, drawn from the seed: any sectors of any file, any length between, the first names of any directory.
    Torn(u64),
}

/// The disk. Clones share it; [`MemoryDisk::copy`] does not.
#[derive(Clone, Default)]
pub struct MemoryDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Default)]
struct State {
    tree: Tree,
    faults: Faults,
    /// Counts crashes: handles of an older incarnation are dead.
    incarnation: u64,
    /// Counts crashes in which the machine went down, not just the process.
    boots: u64,
    locks: BTreeSet<PathBuf>,
    wall: WallTime,
}

impl MemoryDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// The disk, ready to be given to a log.
    pub fn shared(&self) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }

    /// Another disk with the same content, both synced and not. Locks and planned faults do not come along.
    pub fn copy(&self) -> Self {
        let mut state = self.state().clone();
        state.faults = Faults::default();
        state.locks.clear();
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Ends every open handle and lock, and forgets what was not synced as `crash` says. Planned faults end too.
    pub fn crash(&self, crash: Crash) {
        let mut state = self.state();
        state.tree.crash(crash);
        state.faults = Faults::default();
        state.incarnation += 1;
        state.boots += u64::from(crash != Crash::KeepAll);
        state.locks.clear();
    }

    /// Plans a fault; replaces one planned before.
    pub fn plan(&self, fault: Fault) {
        self.plan_below(fault, Path::new(""));
    }

    /// Plans a fault that hits only what lies below `dir`, as if that were a disk of its own; replaces one planned before.
    pub fn plan_below(&self, fault: Fault, dir: &Path) {
        self.state().faults.plan(fault, dir);
    }

    /// How many operations were asked for since the disk was made or last crashed.
    pub fn operations(&self) -> u64 {
        self.state().faults.count()
    }

    /// Sets the time that files get when they are written.
    pub fn set_wall(&self, now: WallTime) {
        self.state().wall = now;
    }

    /// Replaces a file's content, synced, as if somebody had damaged it while the node was down.
    pub fn set_content(&self, path: &Path, content: &[u8]) {
        let mut state = self.state();
        let wall = state.wall;
        state.tree.set_content(path, content, wall);
    }

    /// Equal for two disks that show the same names and contents, whatever of them is synced.
    pub fn fingerprint(&self) -> u64 {
        let state = self.state();
        // Whether the machine went down counts: what is left then is less to be trusted.
        state.tree.fingerprint().wrapping_add(state.boots)
    }

    /// The files below `dir`, with their paths.
    pub fn files(&self, dir: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut dirs = vec![dir.to_owned()];
        while let Some(dir) = dirs.pop() {
            for entry in self.list(&dir).unwrap_or_default() {
                let path = dir.join(&entry.name);
                if entry.is_dir { dirs.push(path) } else { found.push(path) }
            }
        }
        found.sort();
        found
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, operation: Operation, path: &Path) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        state.faults.begin(operation, path)?;
        Ok(state)
    }
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut state = self.begin(Operation::Open, path)?;
        let wall = state.wall;
        let inode = state.tree.open(path, mode, wall)?;
        Ok(Arc::new(MemoryFile {
            disk: self.clone(),
            path: path.to_owned(),
            inode,
            incarnation: state.incarnation,
            writable: mode != OpenMode::Read,
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.begin(Operation::Rename, from)?.tree.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.begin(Operation::Remove, path)?.tree.remove(path, false)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.begin(Operation::Remove, path)?.tree.remove(path, true)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        self.begin(Operation::List, dir)?.tree.list(dir)
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.begin(Operation::Metadata, path)?.tree.metadata(path)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.begin(Operation::CreateDir, dir)?.tree.create_dir_all(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.begin(Operation::SyncDir, dir)?.tree.sync_dir(dir)
    }

    fn incarnation(&self, _dir: &Path) -> io::Result<Option<String>> {
        Ok(Some(self.state().boots.to_string()))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        drop(self.open(path, OpenMode::Create)?);
        let mut state = self.state();
        if !state.locks.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(MemoryLock { disk: self.clone(), path: path.to_owned(), incarnation: state.incarnation }))
    }
}

struct MemoryLock {
    disk: MemoryDisk,
    path: PathBuf,
    incarnation: u64,
}

impl Lock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.incarnation == self.incarnation {
            state.locks.remove(&self.path);
        }
    }
}

struct MemoryFile {
    disk: MemoryDisk,
    /// Its name when it was opened.
    path: PathBuf,
    inode: InodeId,
    incarnation: u64,
    writable: bool,
}

impl MemoryFile {
    fn begin(&self, operation: Operation) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.begin(operation, &self.path)?;
        if state.incarnation != self.incarnation {
            return Err(io::Error::other("the handle is from before the crash"));
        }
        if !self.writable && matches!(operation, Operation::Write | Operation::SetLen) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(state)
    }
}

impl RangeFile for MemoryFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        Ok(self.begin(Operation::Read)?.tree.read(self.inode, buffer, position))
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

impl File for MemoryFile {
    fn write_at(&self, buffers: &mut [IoSlice<'_>], position: u64) -> io::Result<()> {
        let bytes: Vec<u8> = buffers.iter().flat_map(|buffer| buffer.iter().copied()).collect();
        let mut state = match self.begin(Operation::Write) {
            Ok(state) => state,
            Err(error) => {
                // A write that fails may have written a part of what it was given.
                let mut state = self.disk.state();
                let part = state.faults.part_of_failed_write(bytes.len());
                let wall = state.wall;
                if state.incarnation == self.incarnation && self.writable {
                    state.tree.write(self.inode, &bytes[..part], position, wall);
                }
                return Err(error);
            }
        };
        let wall = state.wall;
        let growth = state.tree.bytes_beyond(self.inode, position, bytes.len());
        let room = state.faults.room(growth, &self.path);
        let kept = bytes.len() - room.missing;
        state.tree.write(self.inode, &bytes[..kept], position, wall);
        if room.missing > 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.begin(Operation::Sync)?.tree.sync(self.inode);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.begin(Operation::SetLen)?;
        let wall = state.wall;
        state.tree.set_len(self.inode, length, wall)
    }

    fn set_modified(&self, modified: WallTime) -> io::Result<()> {
        self.begin(Operation::Metadata)?.tree.set_modified(self.inode, modified);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.begin(Operation::Metadata)?.tree.len(self.inode))
    }
}

#[cfg(test)]
mod tests;
