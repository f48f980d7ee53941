//! `.ottla_incarnation`: the time (see [`Disk::incarnation`]) in which all logs of the directory were opened last.
//!
//! If it still is that time, a crash was one of the process alone: everything that was written is there, in the order in
//! which it was written, and only the last write of each file may be a part of what it should have been. If it is another
//! time, or there is no such file, nothing is known and what was not synced is suspect. The file is Ottla's own; Apache
//! Kafka leaves files that it does not know alone. It need not be synced: a loss of power ends the time that it names.

use std::io::IoSlice;
use std::path::Path;

use crate::disk::{Disk, OpenMode, read_file};
use crate::error::{Error, IoContext};

/// The file's name in a log directory.
pub(crate) const FILE_NAME: &str = ".ottla_incarnation";

/// Whether the time that the file names goes on.
///
/// # Errors
/// The disk failed.
pub(crate) fn goes_on(disk: &dyn Disk, dir: &Path) -> Result<bool, Error> {
    let path = dir.join(FILE_NAME);
    let Some(found) = read_file(disk, &path).context("read", &path)? else { return Ok(false) };
    let now = disk.incarnation(dir).context("look at", dir)?;
    Ok(now.is_some_and(|now| now.as_bytes() == found))
}

/// Writes down what time it is, unless it is the time that the file names. Only when nothing in the directory is suspect.
///
/// # Errors
/// The disk failed.
pub(crate) fn write(disk: &dyn Disk, dir: &Path) -> Result<(), Error> {
    let Some(now) = disk.incarnation(dir).context("look at", dir)? else { return Ok(()) };
    if goes_on(disk, dir)? {
        return Ok(());
    }
    let path = dir.join(FILE_NAME);
    let file = disk.open(&path, OpenMode::Truncate).context("create", &path)?;
    file.write_at(&mut [IoSlice::new(now.as_bytes())], 0).context("write", &path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::memory::{Crash, MemoryDisk};

    #[test]
    fn it_ends_with_the_machine_and_not_with_the_process() {
        let check = |crash: Option<Crash>, damage: Option<&str>, expect: bool| {
            let (disk, dir) = (MemoryDisk::new(), Path::new("/d"));
            disk.create_dir_all(dir).unwrap();
            disk.sync_dir(Path::new("/")).unwrap();
            assert!(!goes_on(&disk, dir).unwrap(), "nobody was here before");
            write(&disk, dir).unwrap();
            crash.into_iter().for_each(|crash| disk.crash(crash));
            damage.into_iter().for_each(|text| disk.set_content(&dir.join(FILE_NAME), text.as_bytes()));
            assert_eq!(goes_on(&disk, dir).unwrap(), expect, "{crash:?} {damage:?}");
            write(&disk, dir).unwrap();
            assert!(goes_on(&disk, dir).unwrap());
        };
        check(None, None, true);
        check(Some(Crash::KeepAll), None, true);
        check(Some(Crash::LoseUnsynced), None, false);
        (0..20).for_each(|seed| check(Some(Crash::Torn(seed)), None, false));
        check(None, Some(""), false);
        check(None, Some("7"), false);
    }
}
