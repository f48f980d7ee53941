use super::*;
use crate::goldens::golden;

const NOW: i64 = 1_700_000_000_000;

fn message(
    offset: i64,
    timestamp: i64,
    key: Option<&'static str>,
    value: Option<&'static str>,
) -> LegacyMessage {
    let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
    LegacyMessage { offset: Offset(offset), timestamp, key: key.map(bytes), value: value.map(bytes) }
}

/// All messages of a log, as Apache wrote it.
fn read(mut log: Bytes) -> Result<Vec<LegacyMessage>, RecordsError> {
    let mut messages = Vec::new();
    let mut decompressors = Decompressors::new();
    while !log.is_empty() {
        let entry = LegacyEntry::parse(&log)?;
        for message in entry.messages(&mut decompressors, 10_000)? {
            messages.push(message?);
        }
        log = log.slice(entry.size()..);
    }
    Ok(messages)
}

#[test]
fn logs_that_apache_wrote_are_read() {
    let check = |name: &str, times: [i64; 3]| {
        let log = golden(name);
        assert!(LegacyEntry::parse(&log).unwrap().is_crc_valid(), "{name}");
        let expect = [
            message(50, times[0], Some("key"), Some("value")),
            message(51, times[1], None, Some("")),
            message(52, times[2], Some(""), None),
        ];
        assert_eq!(read(log).as_deref(), Ok(&expect[..]), "{name}");
    };
    for codec in ["none", "gzip", "snappy", "lz4"] {
        check(&format!("magic 0 {codec}"), [-1; 3]);
        check(&format!("magic 1 {codec}"), [NOW, NOW + 5, NOW - 3]);
    }
    check("magic 1 gzip appended", [NOW + 99; 3]);
}

#[test]
fn broken_logs_are_errors() {
    for name in ["magic 0 none", "magic 0 lz4", "magic 1 gzip", "magic 1 snappy"] {
        let log = golden(name);
        for end in 1..log.len() {
            let cut = read(log.slice(..end));
            assert!(cut.is_err() || name.ends_with("none"), "{name} cut at {end}");
        }
        for position in 8..log.len() {
            let mut broken = log.to_vec();
            broken[position] ^= 0x41;
            let broken = Bytes::from(broken);
            // Whatever it is, it is found out by the checksum if not before.
            let valid = LegacyEntry::parse(&broken).is_ok_and(|entry| entry.is_crc_valid());
            let first = LegacyEntry::parse(&log).unwrap().size();
            assert!(!valid || position >= first, "{name} at {position}");
            let _ = read(broken);
        }
    }
}

#[test]
fn a_bomb_stops_at_the_limit() {
    let entry = LegacyEntry::parse(&golden("magic 1 gzip")).unwrap();
    let result = entry.messages(&mut Decompressors::new(), 50).err();
    assert_eq!(result, Some(crate::compress::DecompressError::TooLarge(50).into()));
}
