//! Opening after a clean stop and after a crash.

use super::*;
use crate::config::CleanupPolicy;
use crate::directory::FileKind;
use crate::disk::memory::Crash;
use crate::disk::read_file;

fn log(disk: &MemoryDisk, batches: i32) -> Log {
    let mut log = Log::create(spec(disk.shared(), small_config()), now(0)).unwrap();
    for n in 0..batches {
        let bytes = idempotent(1, 0, 2 * n, &[(n.into(), "0123456789"), (n.into(), "0123456789")]);
        append(&mut log, now(0), bytes).unwrap();
    }
    log
}

fn path(kind: FileKind, base: i64) -> PathBuf {
    kind.path(&Path::new(DATA).join("t-0"), Offset(base))
}

fn bases(log: &Log) -> Vec<i64> {
    log.segments().iter().map(|segment| segment.base().0).collect()
}

#[test]
fn a_clean_stop_needs_no_scan_and_forgets_nothing() {
    let disk = disk();
    let log = log(&disk, 60);
    let (segments, producers) = (bases(&log), log.producers().clone());
    let checkpoint = log.close(now(0)).unwrap();
    assert_eq!((checkpoint.recovery_point, checkpoint.high_watermark), (Offset(120), Offset(120)));
    disk.crash(Crash::LoseUnsynced);
    let recovery = Recovery { recovery_point: Offset(120), high_watermark: Offset(120), ..Recovery::NEW };
    let mut log = open(&disk, small_config(), recovery, now(0));
    assert_eq!(bases(&log), segments);
    assert_eq!(log.ends().durable_end, Offset(120));
    assert_eq!(log.ends().high_watermark, Offset(120));
    // Of the window only the newest batch survives a restart, as with Kafka.
    assert_eq!(
        log.producers().entries().next().unwrap().1.last_batch(),
        producers.entries().next().unwrap().1.last_batch()
    );
    assert!(
        append(&mut log, now(0), idempotent(1, 0, 118, &[(59, "0123456789"), (59, "0123456789")]))
            .unwrap()
            .duplicate
    );
    append(&mut log, now(0), idempotent(1, 0, 120, &[(0, "x")])).unwrap();
    assert_eq!(read_all(&log.reader(), 700).len(), 121);
}

#[test]
fn a_clean_stop_leaves_a_whole_snapshot() {
    let disk = disk();
    let log = log(&disk, 3);
    let expect = log.producers().to_snapshot();
    log.close(now(0)).unwrap();
    disk.crash(Crash::LoseUnsynced);
    let content = read_file(&disk, &path(FileKind::ProducerSnapshot, 6)).unwrap();
    assert_eq!(content.as_deref(), Some(&expect[..]));
    let log = open(&disk, small_config(), Recovery { recovery_point: Offset(6), ..Recovery::NEW }, now(0));
    assert_eq!(log.producers().len(), 1);
}

#[test]
fn a_torn_tail_is_cut_at_every_byte() {
    let disk = disk();
    let log = log(&disk, 4);
    let whole = read_file(&disk, &path(FileKind::Log, 0)).unwrap().unwrap();
    drop(log);
    let size = whole.len() / 4;
    for length in 0..=whole.len() {
        let garbage = [&b""[..], &[0; 80], &[0xff; 80]].into_iter();
        for (garbage, recovery) in garbage.flat_map(|garbage| [(garbage, CRASHED), (garbage, KILLED)]) {
            let torn = disk.copy();
            torn.crash(Crash::KeepAll);
            let content = [&whole[..length], garbage].concat();
            torn.set_content(&path(FileKind::Log, 0), &content);
            let log = open(&torn, small_config(), recovery, now(0));
            // Zeros may be what was missing: a record without headers ends with one.
            let is_whole =
                |n: &usize| content.get(n * size..(n + 1) * size) == Some(&whole[n * size..(n + 1) * size]);
            let expect = (0..4).take_while(is_whole).count();
            assert_eq!(log.ends().log_end.0 as usize, 2 * expect, "{length}");
            let left = read_file(&torn, &path(FileKind::Log, 0)).unwrap().unwrap();
            assert_eq!(left.len(), expect * size);
            let last = log
                .producers()
                .entries()
                .next()
                .map(|(_, entry)| entry.last_batch().unwrap().last_sequence.0);
            assert_eq!(last, (expect > 0).then(|| 2 * expect as i32 - 1));
        }
    }
}

#[test]
fn a_damaged_segment_ends_the_log() {
    let original = disk();
    let bases_before = {
        let log = log(&original, 60);
        bases(&log)
    };
    let middle = bases_before[2];
    let size = read_file(&original, &path(FileKind::Log, middle)).unwrap().unwrap().len();
    let batch_size = size / ((bases_before[3] - middle) as usize / 2);
    for at in (0..size).step_by(7) {
        let disk = original.copy();
        disk.crash(Crash::KeepAll);
        let mut bytes = read_file(&disk, &path(FileKind::Log, middle)).unwrap().unwrap();
        bytes[at] ^= 0x10;
        disk.set_content(&path(FileKind::Log, middle), &bytes);
        let mut log = open(&disk, small_config(), CRASHED, now(0));
        let end = log.ends().log_end.0;
        // Base offset and epoch stand outside of the checksum; they may still be legal.
        let in_crc = at % batch_size >= 16;
        assert!(end < 120 || !in_crc, "damage at {at} went unnoticed");
        if end < 120 {
            assert!((middle..bases_before[3]).contains(&end));
            assert_eq!(bases(&log), bases_before[..3]);
        }
        let read = read_all(&log.reader(), 700);
        assert!(read.windows(2).all(|pair| pair[0].0 < pair[1].0));
        append(&mut log, now(0), batch(&[(0, "x")])).unwrap();
    }
}

#[test]
fn indexes_and_snapshots_are_made_anew() {
    let disk = disk();
    let dropped = log(&disk, 60);
    let segments = bases(&dropped);
    drop(dropped);
    disk.crash(Crash::KeepAll);
    let pristine = disk.copy();
    /// `None` removes the file.
    const DAMAGE: [Option<&[u8]>; 4] = [None, Some(b""), Some(&[7; 100]), Some(&[0xff; 96])];
    let kinds = [FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::ProducerSnapshot];
    for (kind, damage) in kinds.iter().flat_map(|kind| DAMAGE.iter().map(move |damage| (*kind, damage))) {
        let disk = pristine.copy();
        disk.crash(Crash::KeepAll);
        for base in &segments {
            match damage {
                Some(content) => disk.set_content(&path(kind, *base), content),
                None => disk.remove_file(&path(kind, *base)).unwrap_or_default(),
            }
        }
        let mut log = open(&disk, small_config(), CRASHED, now(0));
        assert_eq!((bases(&log), log.ends().log_end), (segments.clone(), Offset(120)));
        assert_eq!(read_all(&log.reader(), 300).len(), 120);
        assert_eq!(log.reader().offset_for_timestamp(31).unwrap().unwrap().offset, Offset(62));
        append(&mut log, now(0), idempotent(1, 0, 120, &[(0, "x")])).unwrap();
        assert!(append(&mut log, now(0), idempotent(1, 0, 122, &[(0, "x")])).is_err());
    }
}

#[test]
fn a_hole_between_segments_ends_the_log() {
    let disk = disk();
    let segments = bases(&log(&disk, 60));
    disk.crash(Crash::KeepAll);
    // The disk kept the names of all segments, and lost the last batch of one.
    let bytes = read_file(&disk, &path(FileKind::Log, segments[2])).unwrap().unwrap();
    let batch_size = bytes.len() / ((segments[3] - segments[2]) as usize / 2);
    disk.set_content(&path(FileKind::Log, segments[2]), &bytes[..bytes.len() - batch_size]);
    let compacted = disk.copy();
    let log = open(&disk, small_config(), CRASHED, now(0));
    assert_eq!((bases(&log).as_slice(), log.ends().log_end.0), (&segments[..3], segments[3] - 2));
    // Compaction makes such holes.
    let config = LogConfig { cleanup_policy: CleanupPolicy::COMPACT, ..small_config() };
    assert_eq!(open(&compacted, config, CRASHED, now(0)).ends().log_end.0, 120);
}

#[test]
fn what_a_recovery_removed_never_comes_back() {
    let disk = disk();
    let segments = bases(&log(&disk, 60));
    disk.crash(Crash::KeepAll);
    let (hole, dropped) = (segments[2], segments[3]);
    let bytes = read_file(&disk, &path(FileKind::Log, hole)).unwrap().unwrap();
    let batch_size = bytes.len() / ((dropped - hole) as usize / 2);
    disk.set_content(&path(FileKind::Log, hole), &bytes[..bytes.len() - batch_size]);
    let mut log = open(&disk, small_config(), CRASHED, now(0));
    // Just what was missing: without more care the old next segment would fit again.
    append(&mut log, now(0), batch(&[(0, "new"), (0, "new")])).unwrap();
    assert_eq!(log.ends().log_end.0, dropped);
    for seed in 0..100 {
        let torn = disk.copy();
        torn.crash(Crash::Torn(seed));
        let reader = open(&torn, small_config(), CRASHED, now(0)).reader();
        assert!(reader.ends().log_end.0 <= dropped, "{seed}");
    }
}

#[test]
fn the_recovery_point_stays_inside_a_segment_until_its_indexes_are_synced() {
    let disk = disk();
    let mut log = log(&disk, 4);
    let sync = |log: &mut Log| {
        let job = log.sync_job().unwrap();
        log.synced(job.run(), now(0)).unwrap();
    };
    sync(&mut log);
    assert_eq!((log.ends().durable_end, log.recovery_point()), (Offset(8), Offset(7)));
    log.roll(now(0)).unwrap();
    assert_eq!(log.recovery_point(), Offset(0));
    append(&mut log, now(0), batch(&[(0, "x")])).unwrap();
    let job = log.background_sync_job().unwrap();
    assert_eq!(job.up_to(), Offset(8));
    assert!(log.sync_job().is_none(), "one job at a time");
    log.synced(job.run(), now(0)).unwrap();
    assert_eq!((log.ends().durable_end, log.recovery_point()), (Offset(8), Offset(8)));
    assert_eq!(log.close(now(0)).unwrap().recovery_point, Offset(9));
}

#[test]
fn a_snapshot_from_before_the_first_segment_is_not_believed() {
    let disk = disk();
    let mut log = log(&disk, 60);
    let old = (log.segments()[1].base().0, log.segments().len());
    let content = read_file(&disk, &path(FileKind::ProducerSnapshot, old.0)).unwrap().unwrap();
    log.update_config(Arc::new(LogConfig { retention_bytes: 0, ..small_config() }));
    assert_eq!(log.delete_old_segments(now(0)).unwrap(), old.1);
    drop(log);
    disk.crash(Crash::KeepAll);
    // The crash kept the removed name and tore the new snapshot.
    disk.set_content(&path(FileKind::ProducerSnapshot, old.0), &content);
    disk.set_content(&path(FileKind::ProducerSnapshot, 120), b"torn");
    let mut log = open(&disk, small_config(), CRASHED, now(0));
    assert!(log.producers().is_empty());
    append(&mut log, now(0), idempotent(1, 0, 120, &[(0, "x")])).unwrap();
}

#[test]
fn only_what_is_after_the_recovery_point_is_read() {
    let disk = disk();
    let segments = bases(&log(&disk, 60));
    disk.crash(Crash::KeepAll);
    // Damage before the recovery point is not looked for.
    let mut bytes = read_file(&disk, &path(FileKind::Log, 0)).unwrap().unwrap();
    bytes[70] ^= 1;
    disk.set_content(&path(FileKind::Log, 0), &bytes);
    let recovery = Recovery { recovery_point: Offset(segments[3] + 1), ..CRASHED };
    let log = open(&disk, small_config(), recovery, now(0));
    assert_eq!(log.ends().log_end, Offset(120));
    assert_eq!(log.ends().durable_end, recovery.recovery_point);
    assert_eq!(log.recovery_point(), Offset(segments[3]), "recovering makes nothing durable");
}

#[test]
fn a_log_that_ends_before_its_start_is_emptied() {
    let disk = disk();
    drop(log(&disk, 10));
    disk.crash(Crash::KeepAll);
    let recovery = Recovery { log_start: Offset(1000), ..CRASHED };
    let mut log = open(&disk, small_config(), recovery, now(0));
    assert_eq!((log.ends().log_start, log.ends().log_end), (Offset(1000), Offset(1000)));
    append(&mut log, now(0), batch(&[(0, "x")])).unwrap();
    assert_eq!(read_all(&log.reader(), 300), [(1000, "x".to_owned())]);
}

#[test]
fn leftovers_of_deletion_and_compaction() {
    let original = disk();
    let segments = bases(&log(&original, 60));
    original.crash(Crash::KeepAll);
    let first = read_file(&original, &path(FileKind::Log, 0)).unwrap().unwrap();
    let dir = Path::new(DATA).join("t-0");
    let compacted = LogConfig { cleanup_policy: CleanupPolicy::COMPACT, ..small_config() };
    let check = |files: &[(&str, &[u8])], expect: &[i64], records: usize| {
        let disk = original.copy();
        disk.crash(Crash::KeepAll);
        files.iter().for_each(|(name, content)| disk.set_content(&dir.join(name), content));
        let log = open(&disk, compacted.clone(), CRASHED, now(0));
        assert_eq!(
            (bases(&log).as_slice(), read_all(&log.reader(), 700).len()),
            (expect, records),
            "{files:?}"
        );
        let left = disk.files(&dir);
        assert!(
            left.iter().all(|path| FileKind::parse(path.file_name().unwrap().to_str().unwrap()).is_some()
                || path.ends_with(crate::epochs::FILE_NAME)),
            "{left:?}"
        );
    };
    let all = segments.as_slice();
    check(
        &[("00000000000000000777.log.deleted", b"x"), ("00000000000000000777.index.deleted", b"x")],
        all,
        120,
    );
    check(&[("00000000000000000000.log.cleaned", &first[..10])], all, 120);
    check(&[("00000000000000000777.index", b"")], all, 120);
    // A complete result replaces what it was made from, here by the first batch of the first segment …
    let batch = first.len() / (segments[1] as usize / 2);
    check(&[("00000000000000000000.log.swap", &first[..batch])], all, 120 - segments[1] as usize + 2);
    // … unless another result that belongs to it is not complete.
    check(
        &[("00000000000000000000.log.swap", &first[..batch]), ("00000000000000000000.log.cleaned", b"")],
        all,
        120,
    );
}

#[test]
fn a_log_of_another_topic_is_refused() {
    let disk = disk();
    let topic = |n: u128| Some(base::ids::TopicId(base::uuid::Uuid::from_u128(n)));
    let with = |id| LogSpec { topic_id: id, ..spec(disk.shared(), small_config()) };
    let log = Log::create(with(topic(1000)), now(0)).unwrap();
    log.close(now(0)).unwrap();
    assert!(Log::open(with(topic(1001)), Recovery::NEW, now(0)).is_err());
    let log = Log::open(with(None), Recovery::NEW, now(0)).unwrap();
    assert_eq!(log.topic_id(), topic(1000));
    assert!(Log::create(with(topic(1000)), now(0)).is_err(), "it is there already");
}

#[test]
fn damage_after_a_clean_stop_is_cut_or_passed_over() {
    let disk = disk();
    let log = log(&disk, 60);
    let segments = bases(&log);
    log.close(now(0)).unwrap();
    let clean = Recovery { recovery_point: Offset(120), high_watermark: Offset(120), ..Recovery::NEW };
    // An index that points anywhere is not believed.
    for at in 0..4 {
        let disk = disk.copy();
        disk.crash(Crash::KeepAll);
        let index = path(FileKind::OffsetIndex, segments[1]);
        let mut bytes = read_file(&disk, &index).unwrap().unwrap();
        bytes[8 * at + 7] ^= 0x15;
        disk.set_content(&index, &bytes);
        let log = open(&disk, small_config(), clean, now(0));
        assert_eq!(read_all(&log.reader(), 150).len(), 120);
    }
    // A last segment whose end is gone ends there.
    let last = path(FileKind::Log, *segments.last().unwrap());
    let bytes = read_file(&disk, &last).unwrap().unwrap();
    disk.set_content(&last, &bytes[..bytes.len() - 5]);
    let mut log = open(&disk, small_config(), clean, now(0));
    assert_eq!(log.ends().log_end, Offset(118));
    append(&mut log, now(0), idempotent(1, 0, 118, &[(0, "x")])).unwrap();
}

/// A message of format 1, as Kafka before 0.11 wrote it.
fn legacy_message(offset: i64, timestamp: i64, value: &[u8]) -> Vec<u8> {
    let mut body = vec![1, 0];
    body.extend_from_slice(&timestamp.to_be_bytes());
    body.extend_from_slice(&(-1i32).to_be_bytes());
    body.extend_from_slice(&(value.len() as i32).to_be_bytes());
    body.extend_from_slice(value);
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, &body) as u32;
    let mut message = offset.to_be_bytes().to_vec();
    message.extend_from_slice(&(body.len() as i32 + 4).to_be_bytes());
    message.extend_from_slice(&crc.to_be_bytes());
    message.extend_from_slice(&body);
    message
}

#[test]
fn messages_of_old_formats_are_kept() {
    let disk = disk();
    let messages: Vec<Vec<u8>> = (0..10).map(|n| legacy_message(n, 100 + n, b"old")).collect();
    let size = messages[0].len() as u64;
    disk.set_content(&path(FileKind::Log, 0), &messages.concat());
    let mut log = open(&disk, small_config(), CRASHED, now(0));
    assert_eq!(log.ends().log_end, Offset(10));
    append(&mut log, now(0), batch(&[(500, "new")])).unwrap();
    let found = log.reader().read(Offset(7), Offset(11), 1 << 20, true).unwrap().records.unwrap();
    assert!(matches!(&found, wire::piece::Piece::File(range) if range.position == 7 * size));
    assert_eq!(log.reader().offset_for_timestamp(103).unwrap().unwrap().offset, Offset(3));
    assert_eq!(log.reader().offset_for_timestamp(400).unwrap().unwrap().offset, Offset(10));
    // Their checksum is compared too.
    let mut bytes = messages.concat();
    bytes[4 * size as usize + 30] ^= 1;
    disk.set_content(&path(FileKind::Log, 0), &bytes);
    assert_eq!(open(&disk, small_config(), CRASHED, now(0)).ends().log_end, Offset(4));
}

#[test]
fn a_lost_index_in_the_middle_costs_no_producers() {
    let disk = disk();
    let mut log = Log::create(spec(disk.shared(), small_config()), now(0)).unwrap();
    for id in 0..30 {
        append(&mut log, now(0), idempotent(id, 0, 0, &[(0, &"x".repeat(200))])).unwrap();
    }
    let job = log.sync_job().unwrap();
    log.synced(job.run(), now(0)).unwrap();
    let (middle, end) = (bases(&log)[2], log.recovery_point());
    drop(log);
    disk.crash(Crash::KeepAll);
    disk.remove_file(&path(FileKind::OffsetIndex, middle)).unwrap();
    let log = open(&disk, small_config(), Recovery { recovery_point: end, ..CRASHED }, now(0));
    assert_eq!(log.producers().len(), 30);
}
