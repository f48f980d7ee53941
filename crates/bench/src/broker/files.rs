//! The files of a broker, seen from outside. It may make and delete some at any moment: what is gone is not there.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::Advice;

/// Bytes of a raw read at once.
const RAW_READ: usize = 1 << 20;

/// Bytes of a topic's segments.
pub fn log_bytes(dir: &Path, topic: &str) -> u64 {
    segments(dir, topic).iter().map(|path| path.metadata().map_or(0, |found| found.len())).sum()
}

/// Has the kernel forget the contents of all files below `dir` that are on the disk.
///
/// # Errors
/// The kernel refuses.
pub fn drop_pages(dir: &Path) -> io::Result<()> {
    for path in files_below(dir) {
        let Ok(file) = File::open(&path) else { continue };
        rustix::fs::fadvise(&file, 0, None, Advice::DontNeed)?;
    }
    Ok(())
}

/// Reads a topic's segments from start to end.
///
/// # Errors
/// The disk fails.
pub fn read_raw(dir: &Path, topic: &str) -> io::Result<()> {
    let mut files = segments(dir, topic);
    files.sort();
    let mut buffer = vec![0; RAW_READ];
    for path in &files {
        let file = File::open(path)?;
        let mut position = 0;
        loop {
            match file.read_at(&mut buffer, position)? {
                0 => break,
                count => position += count as u64,
            }
        }
    }
    Ok(())
}

fn segments(dir: &Path, topic: &str) -> Vec<PathBuf> {
    let mut files = files_below(dir);
    files.retain(|path| is_segment_of(path, topic));
    files
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files_below(&entry.path())),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found
}

/// Whether a file is a segment in a partition's directory of the topic.
fn is_segment_of(path: &Path, topic: &str) -> bool {
    let partition = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy());
    let of_topic = partition.as_deref().and_then(|name| name.rsplit_once('-')).map(|(name, _)| name);
    of_topic == Some(topic) && path.extension().is_some_and(|extension| extension == "log")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_lies_in_a_directory_of_its_topic() {
        let check =
            |path: &str, expect: bool| assert_eq!(is_segment_of(Path::new(path), "a"), expect, "{path}");
        check("/d/a-0/00000000000000000000.log", true);
        check("/d/a-12/00000000000000000000.log", true);
        check("/d/a-0/00000000000000000000.index", false);
        check("/d/a-0/00000000000000000000.log.deleted", false);
        check("/d/a-0-0/00000000000000000000.log", false);
        check("/a/00000000000000000000.log", false);
        check("a", false);
    }

    #[test]
    fn the_bytes_of_all_partitions_count() {
        let dir = tempfile::tempdir().expect("a directory");
        for (file, size) in [("a-0/1.log", 5), ("a-0/1.index", 9), ("a-1/1.log", 7), ("b-0/1.log", 11)] {
            let path = dir.path().join("data").join(file);
            fs::create_dir_all(path.parent().expect("below a directory")).expect("made");
            fs::write(path, vec![0; size]).expect("written");
        }
        assert_eq!(log_bytes(dir.path(), "a"), 12);
        assert_eq!(log_bytes(&dir.path().join("nowhere"), "a"), 0);
        drop_pages(dir.path()).expect("advice is taken");
        read_raw(dir.path(), "a").expect("read");
    }
}
