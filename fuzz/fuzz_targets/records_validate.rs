//! A client's batch before the leader: the first two bytes choose the topic's rules, the rest is the batch, whose
//! checksum is made right so that the records are reached. What is accepted must be a valid batch that is accepted again.
#![no_main]

use std::cell::RefCell;

use base::ids::PartitionIndex;
use base::time::WallTime;
use libfuzzer_sys::fuzz_target;
use wire::batch::{Batch, TimestampType};
use wire::compress::{Compression, CompressionType};
use wire::validate::{AppendRules, Scratch, only_batch, validate};

const NOW: WallTime = WallTime(1_700_000_000_000);

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(fuzz::warm_scratch());
}

fn rules(choice: u8) -> AppendRules<'static> {
    let compression = CompressionType::ALL.get(usize::from(choice % 8)).copied();
    AppendRules {
        topic: "topic",
        partition: PartitionIndex(0),
        max_message_bytes: 64 * 1024,
        segment_bytes: 1 << 20,
        timestamp_type: if choice & 8 == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        },
        timestamp_before_max_ms: if choice & 16 == 0 { i64::MAX } else { 1000 },
        timestamp_after_max_ms: 3_600_000,
        compression: compression.map(Compression::with_default_level),
        compacted: choice & 32 != 0,
        trust_headers: choice & 64 != 0,
    }
}

fuzz_target!(|data: &[u8]| {
    let [choice, version, batch @ ..] = data else { return };
    let mut bytes = batch.to_vec();
    if let Ok(batch) = Batch::parse(&bytes) {
        let crc = wire::crc::crc32c(&bytes[21..batch.size()]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    }
    let rules = rules(*choice);
    SCRATCH.with_borrow_mut(|scratch| {
        let Ok(batch) = only_batch(&bytes, i16::from(*version % 14)) else { return };
        // Beside what any decoder may take, a rewritten batch may take what the topic allows and one block of its codec,
        // and as much again while it grows.
        let length = bytes.len() + 2 * (rules.max_message_bytes + 128 * 1024) / 16;
        let Ok(accepted) = fuzz::bounded(length, || validate(&batch, &rules, NOW, scratch)) else { return };
        let payload = accepted.rewritten.as_deref().unwrap_or(batch.payload());
        let stored = [&accepted.header.as_bytes()[..], payload].concat();
        let stored = Batch::parse(&stored).expect("what is accepted is a batch");
        assert!(stored.is_crc_valid() && stored.size() <= rules.max_message_bytes);
        assert_eq!(stored.record_count(), accepted.record_count);
        // A batch that claims the time of an append within range is stored as one with times of its own (as Kafka does),
        // and those were not looked at.
        let own_times = batch.attributes().timestamp_type() == TimestampType::CreateTime;
        if own_times && rules.timestamp_type == TimestampType::CreateTime && !rules.trust_headers {
            let again = validate(&stored, &rules, NOW, scratch).expect("what was accepted is accepted again");
            assert_eq!(again.rewritten, None);
            assert_eq!(again.header, accepted.header);
            assert_eq!(again.max_timestamp, accepted.max_timestamp);
        }
    });
});
