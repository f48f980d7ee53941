use std::path::{Path, PathBuf};

use super::*;
use crate::disk::memory::MemoryDisk;

const BASE: Offset = Offset(1000);

fn home() -> (MemoryDisk, Arc<Home>) {
    let disk = MemoryDisk::new();
    crate::disk::Disk::create_dir_all(&disk, Path::new("/d")).unwrap();
    let home = Home::new(disk.shared(), PathBuf::from("/d"));
    (disk, home)
}

fn entry(n: i64) -> OffsetEntry {
    OffsetEntry { offset: Offset(BASE.0 + 10 * n), position: 100 * n as u32 }
}

/// `count` entries with offsets 1010, 1020 …; the first `count / 512 * 512` of them in the file.
fn filled(home: &Home, count: i64) -> OffsetIndex {
    let index = OffsetIndex::empty();
    (1..=count).for_each(|n| index.append(home, BASE, entry(n)).unwrap());
    index
}

#[test]
fn the_floor_is_found_in_memory_and_in_the_file() {
    let (_, home) = home();
    for count in [0, 1, 5, 511, 512, 513, 1300] {
        let index = filled(&home, count);
        let reopened = OffsetIndex::in_file();
        index.flush(&home, BASE).unwrap();
        for index in [index, reopened] {
            for offset in [0, 999, 1000, 1009, 1010, 1011, 1019, 1020, 6110, 6119, 6120, 6129, 6130, 99_999] {
                let expect = ((offset - BASE.0) / 10).min(count);
                let expect = (offset >= 1010 && expect > 0).then(|| entry(expect));
                assert_eq!(index.floor(&home, BASE, Offset(offset)).unwrap(), expect, "{count} {offset}");
            }
            assert_eq!(index.last(&home, BASE).unwrap(), (count > 0).then(|| entry(count)));
            assert_eq!(index.size_bytes(&home, BASE).unwrap(), 8 * count as usize);
        }
        home.disk().remove_file(&home.path(FileKind::OffsetIndex, BASE)).unwrap();
    }
}

#[test]
fn a_cut_index_goes_on() {
    let (_, home) = home();
    for (count, kept) in [(1300, 1200), (1300, 1024), (1300, 3), (1300, 0), (4, 2), (4, 4)] {
        let index = filled(&home, count);
        index.truncate(&home, BASE, |e| e.offset <= entry(kept).offset).unwrap();
        assert_eq!(index.last(&home, BASE).unwrap(), (kept > 0).then(|| entry(kept)));
        index.append(&home, BASE, entry(5000)).unwrap();
        index.flush(&home, BASE).unwrap();
        let index = OffsetIndex::in_file();
        assert_eq!(index.size_bytes(&home, BASE).unwrap(), 8 * (kept as usize + 1));
        assert_eq!(index.last(&home, BASE).unwrap(), Some(entry(5000)));
        assert!(index.is_sane(&home, BASE, false).unwrap());
        home.disk().remove_file(&home.path(FileKind::OffsetIndex, BASE)).unwrap();
    }
}

#[test]
fn padding_of_zeros_is_not_entries() {
    let (disk, home) = home();
    for (entries, padding) in [(0, 0), (0, 3), (1, 7), (5, 1000), (5, 0)] {
        let mut bytes = Vec::new();
        (1..=entries).for_each(|n| entry(n).encode(BASE, &mut bytes));
        bytes.resize(bytes.len() + 8 * padding, 0);
        disk.set_content(&home.path(FileKind::OffsetIndex, BASE), &bytes);
        let index = OffsetIndex::in_file();
        assert_eq!(index.size_bytes(&home, BASE).unwrap(), 8 * entries as usize, "{entries} {padding}");
        assert_eq!(index.last(&home, BASE).unwrap(), (entries > 0).then(|| entry(entries)));
        index.append(&home, BASE, entry(9)).unwrap();
        assert_eq!(index.floor(&home, BASE, Offset(99_999)).unwrap(), Some(entry(9)));
    }
}

#[test]
fn damage_is_seen() {
    let (disk, home) = home();
    let check = |bytes: &[u8], expect: bool| {
        disk.set_content(&home.path(FileKind::TimeIndex, BASE), bytes);
        assert_eq!(TimeIndex::in_file().is_sane(&home, BASE, false).unwrap(), expect, "{bytes:?}");
    };
    let at = |timestamps: &[i64]| {
        let mut bytes = Vec::new();
        for timestamp in timestamps {
            TimeEntry { timestamp: *timestamp, offset: BASE }.encode(BASE, &mut bytes);
        }
        bytes
    };
    check(&[], true);
    check(&at(&[5]), true);
    check(&at(&[5, 6]), true);
    check(&at(&[5, 4]), false);
    check(&at(&[5, 6])[..20], false);
    home.disk().remove_file(&home.path(FileKind::TimeIndex, BASE)).unwrap();
    assert!(!TimeIndex::in_file().is_sane(&home, BASE, false).unwrap());
}
