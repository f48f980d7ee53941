//! `.kafka_cleanshutdown`: the mark of a clean stop. Written last and removed first.
//!
//! Its presence alone says that indexes and producer snapshots may be trusted. Since 4.0 it also holds the broker epoch,
//! `{"version":0,"brokerEpoch":17}`, by which the controller tells a clean restart from a lost disk (KIP-966); older
//! versions left it empty.

use std::path::{Path, PathBuf};

use base::ids::BrokerEpoch;

use crate::disk::{Disk, read_file, remove_if_there, replace_file};
use crate::error::{Error, IoContext};

/// The file's name in a log directory.
pub const FILE_NAME: &str = ".kafka_cleanshutdown";

/// What the mark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanShutdown {
    /// The broker's epoch when it stopped, if the mark has it.
    pub broker_epoch: Option<BrokerEpoch>,
}

/// Reads the mark; `None` after a crash.
///
/// # Errors
/// The disk failed.
pub fn read(disk: &dyn Disk, dir: &Path) -> Result<Option<CleanShutdown>, Error> {
    let path = path(dir);
    let Some(bytes) = read_file(disk, &path).context("read", &path)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    Ok(Some(CleanShutdown { broker_epoch: broker_epoch(&text).map(BrokerEpoch) }))
}

/// Writes the mark.
///
/// # Errors
/// The disk failed.
pub fn write(disk: &dyn Disk, dir: &Path, broker_epoch: BrokerEpoch) -> Result<(), Error> {
    let path = path(dir);
    let text = format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}");
    replace_file(disk, &path, text.as_bytes()).context("write", &path)
}

/// Removes the mark and makes sure that it does not come back.
///
/// # Errors
/// The disk failed: nothing may be written to the directory's logs.
pub fn remove(disk: &dyn Disk, dir: &Path) -> Result<(), Error> {
    let path = path(dir);
    remove_if_there(disk, &path).context("remove", &path)?;
    disk.sync_dir(dir).context("sync", dir)
}

fn path(dir: &Path) -> PathBuf {
    dir.join(FILE_NAME)
}

/// The number after `"brokerEpoch":`; a mark that cannot be read still marks.
fn broker_epoch(text: &str) -> Option<i64> {
    let (_, after) = text.split_once("\"brokerEpoch\"")?;
    let value = after.trim_start().strip_prefix(':')?.trim_start();
    let end = value.find(|c: char| c != '-' && !c.is_ascii_digit()).unwrap_or(value.len());
    value[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::memory::MemoryDisk;

    #[test]
    fn presence_counts_and_the_epoch_is_read_when_it_is_there() {
        let check = |text: &str, expect: Option<i64>| {
            let disk = MemoryDisk::new();
            disk.set_content(&Path::new("/d").join(FILE_NAME), text.as_bytes());
            let mark = read(&disk, Path::new("/d")).unwrap().unwrap();
            assert_eq!(mark.broker_epoch.map(|epoch| epoch.0), expect, "{text:?}");
        };
        check("", None);
        check("{\"version\":0,\"brokerEpoch\":17}", Some(17));
        check("{ \"brokerEpoch\" : -1, \"version\" : 0 }", Some(-1));
        check("{\"version\":0}", None);
        check("{\"brokerEpoch\":x}", None);
    }

    #[test]
    fn it_is_written_and_removed() {
        let disk = MemoryDisk::new();
        let dir = Path::new("/d");
        disk.create_dir_all(dir).unwrap();
        remove(&disk, dir).unwrap();
        write(&disk, dir, BrokerEpoch(5)).unwrap();
        assert_eq!(read(&disk, dir).unwrap(), Some(CleanShutdown { broker_epoch: Some(BrokerEpoch(5)) }));
        remove(&disk, dir).unwrap();
        assert_eq!(read(&disk, dir).unwrap(), None);
    }
}
