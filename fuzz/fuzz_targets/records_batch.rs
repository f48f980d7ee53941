//! Batches as a log or a fetch answer holds them: the walk over batches, their headers, and their records read in every
//! way. The three ways must agree where they are meant to.
#![no_main]

use std::cell::RefCell;

use base::ids::{LeaderEpoch, Offset};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wire::batch::{Batch, Batches, TimestampType};
use wire::compress::Decompressors;
use wire::record::{Reading, RecordCursor, RecordViews, Records};

const LIMIT: usize = 1 << 20;

thread_local! {
    static DECOMPRESSORS: RefCell<Decompressors> = RefCell::new(fuzz::warm_decompressors());
}

fn check(bytes: &Bytes, batch: &Batch<'_>, decompressors: &mut Decompressors) {
    let cursor = |reading, decompressors: &mut Decompressors| {
        let records = RecordCursor::new(batch, reading, decompressors)?;
        let mut count = 0;
        for record in records {
            record?;
            count += 1;
        }
        Ok::<i32, wire::record::RecordsError>(count)
    };
    let strict = fuzz::bounded(bytes.len(), || cursor(Reading::Strict, decompressors));
    let lenient = fuzz::bounded(bytes.len(), || cursor(Reading::Lenient, decompressors));
    if let Ok(count) = strict {
        assert_eq!(count, batch.record_count());
        assert_eq!(lenient, Ok(count), "what promises and keeps can be read without the promise");
        let Ok(records) = Records::new(bytes, decompressors, LIMIT) else { return };
        assert_eq!(records.map(|record| record.expect("the walk found no fault")).count() as i32, count);
    }
    check_views(bytes, batch, decompressors);
    let valid = batch.is_crc_valid();
    let mut header = batch.header();
    header.stamp(Offset(77), LeaderEpoch(5));
    header.set_max_timestamp(TimestampType::LogAppendTime, 123);
    let restamped = [&header.as_bytes()[..], batch.payload()].concat();
    let restamped = Batch::parse(&restamped).expect("stamping keeps a batch a batch");
    assert_eq!(restamped.is_crc_valid(), valid);
    assert_eq!((restamped.base_offset(), restamped.max_timestamp()), (Offset(77), 123));
}

/// Views over a payload that is no codec's are views over its records, the same as the copies of them.
fn check_views(bytes: &Bytes, batch: &Batch<'_>, decompressors: &mut Decompressors) {
    let Ok(views) = RecordViews::new(batch, batch.payload()) else { return };
    if batch.attributes().is_compressed() {
        views.for_each(drop);
        return;
    }
    let Ok(records) = Records::new(bytes, decompressors, LIMIT) else { return };
    for (view, record) in views.zip(records) {
        match (view, record) {
            (Ok(view), Ok(record)) => {
                assert_eq!((view.offset, view.timestamp), (record.offset, record.timestamp));
                assert_eq!((view.key, view.has_value), (record.key.as_deref(), record.value.is_some()));
            }
            (view, record) => assert_eq!(view.err(), record.err()),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    DECOMPRESSORS.with_borrow_mut(|decompressors| {
        let bytes = Bytes::copy_from_slice(data);
        let mut walk = Batches::new(&bytes);
        let mut from = 0;
        while let Some(Ok(batch)) = walk.next() {
            check(&bytes.slice(from..walk.position()), &batch, decompressors);
            from = walk.position();
        }
    });
});
