//! The disk as the log sees it: files and directories behind two small synchronous traits.
//!
//! Three forms: [`os`] is the operating system; [`memory`] is deterministic, injects faults and knows what a crash may
//! leave behind; [`recorder`] keeps the order of writes, syncs and renames so that every crash state can be enumerated.
//! A fourth, [`keeping`], stands before another one and copies what is changed.
//!
//! What a crash may leave: everything up to the last [`File::sync_data`] (a file's bytes and length) and the last
//! [`Disk::sync_dir`] (a directory's names); of what came after, any part.

pub mod keeping;
pub mod memory;
pub mod os;
pub mod recorder;

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use base::time::WallTime;
use wire::piece::RangeFile;

use crate::error::{Error, IoContext};

/// An open file. Reads and writes name their position; there is no cursor, so one handle serves many threads.
pub trait File: RangeFile {
    /// Writes all of `buffers`, one after the other, from `position`; one system call when the system takes them whole.
    fn write_at(&self, buffers: &mut [IoSlice<'_>], position: u64) -> io::Result<()>;

    /// Returns once the file's bytes and length would survive a loss of power.
    fn sync_data(&self) -> io::Result<()>;

    /// Cuts the file, or extends it with zeros.
    fn set_len(&self, length: u64) -> io::Result<()>;

    /// Sets when it was last written.
    fn set_modified(&self, modified: WallTime) -> io::Result<()>;

    /// Its length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether it has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// It must be there; reading only.
    Read,
    /// It must be there; reading and writing.
    Write,
    /// Created if it is not there; reading and writing.
    Create,
    /// Created, or emptied if it is there; reading and writing.
    Truncate,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// The last part of its path. Names that are not UTF-8 are not listed: Kafka makes none.
    pub name: String,
    /// Whether it is a directory, or a link to one.
    pub is_dir: bool,
    /// Whether it is a link, which may lead to another disk.
    pub is_link: bool,
}

/// What is known of a path without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Length in bytes; meaningless for directories.
    pub length: u64,
    /// When it was last written.
    pub modified: WallTime,
    /// Whether it is a directory.
    pub is_dir: bool,
}

/// Held as long as the value lives: nobody else can take the same lock.
pub trait Lock: Send + Sync {}

/// A file system.
pub trait Disk: Send + Sync {
    /// Opens a file.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>>;

    /// Gives a file or directory another name, replacing a file of that name in one step.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty directory.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;

    /// The names in a directory, sorted.
    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>>;

    /// What is known of a path.
    fn metadata(&self, path: &Path) -> io::Result<Metadata>;

    /// Creates a directory and those above it; no error if it is there.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// Returns once the names in `dir` would survive a loss of power.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Names the time during which nothing that was written below `dir` is lost, other than by a failure of the disk: as
    /// long as the answer is the same, the system has not stopped and `dir` was not mounted anew, so that files hold what
    /// was written to them, synced or not. `None` where that cannot be known. Links in `dir` are not spoken of.
    fn incarnation(&self, dir: &Path) -> io::Result<Option<String>> {
        let _ = dir;
        Ok(None)
    }

    /// Takes the lock that Kafka takes on its `.lock` file: a POSIX record lock over the whole file. `WouldBlock` when
    /// another process holds it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>>;
}

/// The whole content of a file; `None` if there is no such file.
pub fn read_file(disk: &dyn Disk, path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match disk.open(path, OpenMode::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = vec![0; usize::try_from(file.len()?).map_err(|_| io::ErrorKind::FileTooLarge)?];
    let filled = read_full(&*file, &mut bytes, 0)?;
    bytes.truncate(filled);
    Ok(Some(bytes))
}

/// Reads until `buffer` is full or the file ends; how many bytes were read.
pub fn read_full(file: &dyn File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], position + filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

/// Replaces a small file so that a crash leaves the old or the new content: temporary file, sync, rename, sync of the
/// directory.
pub fn replace_file(disk: &dyn Disk, path: &Path, content: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = Path::new(&temporary);
    let file = disk.open(temporary, OpenMode::Truncate)?;
    file.write_at(&mut [IoSlice::new(content)], 0)?;
    file.sync_data()?;
    drop(file);
    disk.rename(temporary, path)?;
    match path.parent() {
        Some(dir) => disk.sync_dir(dir),
        None => Ok(()),
    }
}

/// Gives a directory another name, which is there after a loss of power.
///
/// # Errors
/// The disk failed.
pub fn rename_dir(disk: &dyn Disk, from: &Path, to: &Path) -> Result<(), Error> {
    disk.rename(from, to).context("rename", from)?;
    sync_parent(disk, to)
}

/// Syncs the directory that holds `path`, so that its name, or that it has gone, survives a loss of power.
pub(crate) fn sync_parent(disk: &dyn Disk, path: &Path) -> Result<(), Error> {
    match path.parent() {
        Some(parent) => disk.sync_dir(parent).context("sync", parent),
        None => Ok(()),
    }
}

/// Removes a directory with the files in it.
///
/// # Errors
/// The disk failed.
pub fn remove_dir_with_files(disk: &dyn Disk, dir: &Path) -> Result<(), Error> {
    for entry in disk.list(dir).context("list", dir)? {
        let path = dir.join(&entry.name);
        disk.remove_file(&path).context("remove", &path)?;
    }
    disk.remove_dir(dir).context("remove", dir)
}

/// Removes a file; no error if there is none.
pub fn remove_if_there(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match disk.remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
