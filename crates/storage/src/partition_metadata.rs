//! `partition.metadata`: the topic's id, kept beside its records so that a topic made anew under an old name is noticed.
//!
//! ```text
//! version: 0
//! topic_id: 0fDpZTIoRjWqmnDyqr5Ylw
//! ```

use std::path::Path;

use base::ids::TopicId;

use crate::disk::{Disk, read_file, replace_file};
use crate::error::{Error, IoContext};

/// The file's name in a partition's directory.
pub const FILE_NAME: &str = "partition.metadata";

/// Reads the topic's id; `None` if there is no such file.
///
/// # Errors
/// The disk failed, or the file is damaged.
pub fn read(disk: &dyn Disk, path: &Path) -> Result<Option<TopicId>, Error> {
    let Some(bytes) = read_file(disk, path).context("read", path)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines();
    let mut value = |name: &str| -> Result<String, Error> {
        let line = lines.next().unwrap_or_default();
        match line.split_once(':') {
            Some((key, value)) if key == name => Ok(value.trim().to_owned()),
            _ => Err(Error::corrupt(path, 0, format!("expected '{name}: …', found '{line}'"))),
        }
    };
    let version = value("version")?;
    if version != "0" {
        return Err(Error::corrupt(path, 0, format!("unknown version {version}")));
    }
    let id = value("topic_id")?;
    match id.parse() {
        Ok(id) if TopicId(id) != TopicId::ZERO => Ok(Some(TopicId(id))),
        _ => Err(Error::corrupt(path, 0, format!("invalid topic id '{id}'"))),
    }
}

/// Replaces the file.
///
/// # Errors
/// The disk failed.
pub fn write(disk: &dyn Disk, path: &Path, id: TopicId) -> Result<(), Error> {
    replace_file(disk, path, format!("version: 0\ntopic_id: {}", id.0).as_bytes()).context("write", path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::memory::MemoryDisk;

    #[test]
    fn only_a_whole_file_is_taken() {
        let check = |text: &str, expect: Option<u128>| {
            let disk = MemoryDisk::new();
            let path = Path::new("/d").join(FILE_NAME);
            disk.set_content(&path, text.as_bytes());
            let id = read(&disk, &path).ok().flatten().map(|id| id.0.as_u128());
            assert_eq!(id, expect, "{text:?}");
        };
        check("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ", Some(1));
        check("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ\n", Some(1));
        check("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA", None);
        check("version: 1\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ", None);
        check("version: 0\n", None);
        check("", None);
    }

    #[test]
    fn what_is_written_is_read() {
        let disk = MemoryDisk::new();
        disk.create_dir_all(Path::new("/d")).unwrap();
        let path = Path::new("/d").join(FILE_NAME);
        assert_eq!(read(&disk, &path).unwrap(), None);
        write(&disk, &path, TopicId::METADATA).unwrap();
        assert_eq!(read(&disk, &path).unwrap(), Some(TopicId::METADATA));
    }
}
