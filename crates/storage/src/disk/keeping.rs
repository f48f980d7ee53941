//! A disk that keeps what is changed: before a file of another disk is overwritten, cut, replaced or removed, the bytes that
//! go are copied into a directory of their own.
//!
//! ```text
//! /data/t-0/000.log      cut at byte 400    ->  <kept>/t-0/000.log.from-400     its end
//! /data/t-0/000.index    overwritten        ->  <kept>/t-0/000.index            all of it
//! ```
//! Invariant: a change is made only once what it takes away is synced there. What was made by way of this disk is not kept.

use std::collections::BTreeSet;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base::time::WallTime;
use wire::piece::RangeFile;

use super::{DirEntry, Disk, File, Lock, Metadata, OpenMode, read_full};
use crate::directory::with_suffix;

/// Bytes that are copied at once.
const CHUNK: usize = 1024 * 1024;

/// The disk.
#[derive(Clone)]
pub struct KeepingDisk {
    below: Arc<dyn Disk>,
    /// Paths below are kept with what follows it.
    root: PathBuf,
    kept: PathBuf,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Files that are no one else's: made here, or kept as a whole.
    done: BTreeSet<PathBuf>,
    /// The copies, in the order of the changes.
    copies: Vec<PathBuf>,
}

impl KeepingDisk {
    /// Keeps what is changed below `root` in the directory `kept`, which is made when it is needed.
    pub fn new(below: Arc<dyn Disk>, root: &Path, kept: &Path) -> Self {
        Self { below, root: root.to_owned(), kept: kept.to_owned(), state: Arc::default() }
    }

    /// The copies made so far, in the order of the changes.
    pub fn copies(&self) -> Vec<PathBuf> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).copies.clone()
    }

    /// Moves a directory of files, with those below, to what is kept.
    ///
    /// # Errors
    /// The disk's; some of the files may be on both sides.
    pub fn set_aside(&self, dir: &Path) -> io::Result<()> {
        for entry in self.list(dir)? {
            let path = dir.join(&entry.name);
            if entry.is_dir { self.set_aside(&path)? } else { self.remove_file(&path)? }
        }
        self.below.create_dir_all(&self.place_of(dir))?;
        self.below.remove_dir(dir)
    }

    fn place_of(&self, path: &Path) -> PathBuf {
        self.kept.join(path.strip_prefix(&self.root).unwrap_or(path))
    }

    /// Copies what a file holds from `from` on, unless it is kept already or was made here.
    fn keep(&self, path: &Path, from: u64) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.done.contains(path) {
            return Ok(());
        }
        let file = match self.below.open(path, OpenMode::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                state.done.insert(path.to_owned());
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let length = file.len()?;
        let whole = self.place_of(path);
        let place = if from == 0 { whole } else { with_suffix(&whole, &format!(".from-{from}")) };
        if from == 0 {
            state.done.insert(path.to_owned());
        } else if from >= length {
            return Ok(());
        }
        let dir = place.parent().ok_or(io::ErrorKind::InvalidInput)?;
        self.below.create_dir_all(dir)?;
        let copy = self.below.open(&place, OpenMode::Truncate)?;
        let mut buffer = vec![0; CHUNK.min(usize::try_from(length - from).unwrap_or(CHUNK))];
        let mut position = from;
        while position < length {
            let filled = read_full(&*file, &mut buffer, position)?;
            if filled == 0 {
                break;
            }
            copy.write_at(&mut [IoSlice::new(&buffer[..filled])], position - from)?;
            position += filled as u64;
        }
        copy.sync_data()?;
        self.below.sync_dir(dir)?;
        state.copies.push(place);
        Ok(())
    }
}

impl Disk for KeepingDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        match mode {
            OpenMode::Truncate => self.keep(path, 0)?,
            // One that is made here has nothing to keep.
            OpenMode::Create => match self.below.metadata(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.keep(path, 0)?,
                found => drop(found?),
            },
            OpenMode::Read | OpenMode::Write => {}
        }
        let file = self.below.open(path, mode)?;
        Ok(Arc::new(KeepingFile { disk: self.clone(), path: path.to_owned(), file }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.keep(to, 0)?;
        self.keep(from, 0)?;
        self.below.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.keep(path, 0)?;
        self.below.remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.below.remove_dir(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        self.below.list(dir)
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.below.metadata(path)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.below.create_dir_all(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.below.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        self.below.lock(path)
    }
}

struct KeepingFile {
    disk: KeepingDisk,
    path: PathBuf,
    file: Arc<dyn File>,
}

impl RangeFile for KeepingFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(buffer, position)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.file.descriptor()
    }
}

impl File for KeepingFile {
    fn write_at(&self, buffers: &mut [IoSlice<'_>], position: u64) -> io::Result<()> {
        if position < self.file.len()? {
            self.disk.keep(&self.path, 0)?;
        }
        self.file.write_at(buffers, position)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        if length < self.file.len()? {
            self.disk.keep(&self.path, length)?;
        }
        self.file.set_len(length)
    }

    fn set_modified(&self, modified: WallTime) -> io::Result<()> {
        self.file.set_modified(modified)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
}
