//! The operating system's disk.
//!
//! The one place of floors 1 to 3 that calls the operating system. One `pwritev` per append; `fdatasync` for files,
//! `fsync` for directories.

#![expect(clippy::disallowed_methods, reason = "this is the place the others are pointed to")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use base::time::WallTime;
use rustix::fs::{FileType, FlockOperation, Mode, OFlags};
use wire::piece::RangeFile;

mod incarnation;

use super::{DirEntry, Disk, File, Lock, Metadata, OpenMode};

/// The most buffers that one `pwritev` takes (`IOV_MAX` of Linux).
const BUFFERS_PER_WRITE: usize = 1024;

/// The file system of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsDisk;

impl OsDisk {
    /// The disk, ready to be shared.
    pub fn shared() -> Arc<dyn Disk> {
        Arc::new(Self)
    }
}

struct OsFile(fs::File);

impl RangeFile for OsFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        loop {
            match self.0.read_at(buffer, position) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_fd())
    }
}

impl File for OsFile {
    fn write_at(&self, mut buffers: &mut [IoSlice<'_>], mut position: u64) -> io::Result<()> {
        while !buffers.is_empty() {
            let now = &buffers[..buffers.len().min(BUFFERS_PER_WRITE)];
            match rustix::io::pwritev(&self.0, now, position) {
                // Nothing written although something was asked for: the disk takes no more.
                Ok(0) if now.iter().any(|buffer| !buffer.is_empty()) => {
                    return Err(io::ErrorKind::WriteZero.into());
                }
                Ok(written) => {
                    position += written as u64;
                    IoSlice::advance_slices(&mut buffers, written);
                    if written == 0 {
                        return Ok(());
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn set_modified(&self, modified: WallTime) -> io::Result<()> {
        let since = Duration::from_millis(u64::try_from(modified.0).unwrap_or(0));
        self.0.set_modified(UNIX_EPOCH + since)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

impl Disk for OsDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut options = fs::OpenOptions::new();
        options.read(true);
        match mode {
            OpenMode::Read => {}
            OpenMode::Write => _ = options.write(true),
            OpenMode::Create => _ = options.write(true).create(true).truncate(false),
            OpenMode::Truncate => _ = options.write(true).create(true).truncate(true),
        }
        Ok(Arc::new(OsFile(options.open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        // Not with std's iterator: a start lists thousands of small directories, and this asks the system half as often.
        for entry in rustix::fs::Dir::new(rustix::fs::open(dir, DIRECTORY, Mode::empty())?)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if name == "." || name == ".." {
                continue;
            }
            let (is_link, is_dir) = match entry.file_type() {
                FileType::Symlink | FileType::Unknown => look_at(&dir.join(name))?,
                kind => (false, kind == FileType::Directory),
            };
            entries.push(DirEntry { name: name.to_owned(), is_dir, is_link });
        }
        entries.sort_unstable();
        Ok(entries)
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let found = fs::metadata(path)?;
        let modified = match found.modified()?.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
        };
        Ok(Metadata { length: found.len(), modified: WallTime(modified), is_dir: found.is_dir() })
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir)?.sync_all()
    }

    fn incarnation(&self, dir: &Path) -> io::Result<Option<String>> {
        incarnation::of(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        // Record locks belong to the process: a second one of our own would be granted, and closing its descriptor
        // would release the first. So the file is not even opened.
        if fs::metadata(path).is_ok_and(|found| held.contains(&(found.dev(), found.ino()))) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let found = file.metadata()?;
        let identity = (found.dev(), found.ino());
        match rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                held.insert(identity);
                Ok(Box::new(OsLock { _file: file, identity }))
            }
            Err(rustix::io::Errno::ACCESS | rustix::io::Errno::AGAIN) => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// How a directory is opened to be listed.
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Whether the path is a link, and whether it is or leads to a directory. Operators link partitions to other disks; a link
/// to nowhere is a file that cannot be opened.
fn look_at(path: &Path) -> io::Result<(bool, bool)> {
    let is_link = fs::symlink_metadata(path)?.is_symlink();
    match fs::metadata(path) {
        Ok(target) => Ok((is_link, target.is_dir())),
        Err(error) if is_link && error.kind() == io::ErrorKind::NotFound => Ok((true, false)),
        Err(error) => Err(error),
    }
}

/// The files (device, inode) that this process holds locked.
static HELD: Mutex<BTreeSet<(u64, u64)>> = Mutex::new(BTreeSet::new());

struct OsLock {
    _file: fs::File,
    identity: (u64, u64),
}

impl Lock for OsLock {}

impl Drop for OsLock {
    fn drop(&mut self) {
        HELD.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.identity);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::read_file;

    #[test]
    fn many_buffers_are_written_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let file = OsDisk.open(&path, OpenMode::Create).unwrap();
        let parts: Vec<Vec<u8>> =
            (0..3000u32).map(|n| n.to_be_bytes()[..(n % 5) as usize % 5].to_vec()).collect();
        let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        file.write_at(&mut slices, 3).unwrap();
        let mut expect = vec![0; 3];
        expect.extend(parts.concat());
        assert_eq!(read_file(&OsDisk, &path).unwrap().unwrap(), expect);
    }

    #[test]
    fn a_lock_is_held_once_and_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let first = OsDisk.lock(&path).unwrap();
        assert_eq!(OsDisk.lock(&path).err().unwrap().kind(), io::ErrorKind::WouldBlock);
        drop(first);
        OsDisk.lock(&path).unwrap();
    }
}
