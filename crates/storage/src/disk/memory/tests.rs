use super::*;
use crate::disk::{read_file, replace_file};

const DIR: &str = "/data";

fn disk_with_file(synced: &[u8]) -> (MemoryDisk, Arc<dyn File>, PathBuf) {
    let disk = MemoryDisk::new();
    let path = Path::new(DIR).join("file");
    disk.create_dir_all(Path::new(DIR)).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    let file = disk.open(&path, OpenMode::Create).unwrap();
    file.write_at(&mut [IoSlice::new(synced)], 0).unwrap();
    file.sync_data().unwrap();
    disk.sync_dir(Path::new(DIR)).unwrap();
    (disk, file, path)
}

#[test]
fn a_crash_keeps_what_was_synced() {
    let (disk, file, path) = disk_with_file(b"kept");
    file.write_at(&mut [IoSlice::new(b" lost")], 4).unwrap();
    let other = Path::new(DIR).join("other");
    disk.open(&other, OpenMode::Create).unwrap();
    let same = disk.copy();

    disk.crash(Crash::LoseUnsynced);
    assert_eq!(read_file(&disk, &path).unwrap().unwrap(), b"kept");
    assert_eq!(read_file(&disk, &other).unwrap(), None);
    assert!(file.len().is_err(), "the handle died with its process");

    same.crash(Crash::KeepAll);
    assert_eq!(read_file(&same, &path).unwrap().unwrap(), b"kept lost");
    assert_eq!(read_file(&same, &other).unwrap().unwrap(), b"");
}

#[test]
fn a_torn_write_keeps_any_sectors() {
    let (disk, file, path) = disk_with_file(&[1; 600]);
    file.write_at(&mut [IoSlice::new(&[2; 3000])], 600).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let torn = disk.copy();
        torn.crash(Crash::Torn(seed));
        let content = read_file(&torn, &path).unwrap().unwrap();
        assert!((600..=3600).contains(&content.len()));
        assert_eq!(content[..600], [1; 600], "synced bytes are never touched");
        assert!(content[600..].iter().all(|byte| [0, 2].contains(byte)));
        seen.insert(content);
        // The same seed gives the same crash.
        let again = disk.copy();
        again.crash(Crash::Torn(seed));
        assert_eq!(read_file(&torn, &path).unwrap(), read_file(&again, &path).unwrap());
    }
    assert!(seen.len() > 50, "only {} different crashes", seen.len());
}

#[test]
fn a_replaced_file_is_old_or_new() {
    for seed in 0..200 {
        let (disk, _, path) = disk_with_file(b"old");
        let operations = disk.operations();
        let stop = operations + seed % 8;
        disk.plan(Fault::From { at: stop, error: io::ErrorKind::Other });
        let done = replace_file(&disk, &path, b"new").is_ok();
        disk.crash(Crash::Torn(seed));
        let content = read_file(&disk, &path).unwrap().unwrap();
        assert!(content == b"new" || (content == b"old" && !done), "{content:?} {done}");
    }
}

#[test]
fn faults_come_when_planned() {
    let (disk, file, _) = disk_with_file(b"");
    let check = |fault: Fault, expect: [bool; 3]| {
        disk.plan(fault);
        let results: Vec<bool> =
            (0..3).map(|_| file.write_at(&mut [IoSlice::new(b"1234")], file_len(&disk)).is_ok()).collect();
        assert_eq!(results, expect, "{fault:?}");
    };
    fn file_len(disk: &MemoryDisk) -> u64 {
        disk.state().tree.metadata(&Path::new(DIR).join("file")).unwrap().length
    }
    let error = io::ErrorKind::Other;
    check(Fault::Once { at: disk.operations() + 1, error }, [true, false, true]);
    check(Fault::From { at: disk.operations() + 1, error }, [true, false, false]);
    check(Fault::Every { operation: Operation::Write, error }, [false; 3]);
    check(Fault::Every { operation: Operation::Sync, error }, [true; 3]);
    check(Fault::Full { left: 6 }, [true, false, false]);
}

#[test]
fn locks_end_with_their_holder_or_a_crash() {
    let (disk, _, _) = disk_with_file(b"");
    let path = Path::new(DIR).join(".lock");
    let held = disk.lock(&path).unwrap();
    assert!(disk.lock(&path).is_err());
    disk.crash(Crash::KeepAll);
    let after = disk.lock(&path).unwrap();
    drop(held);
    assert!(disk.lock(&path).is_err(), "a dead process gives nothing back");
    drop(after);
    disk.lock(&path).unwrap();
}
