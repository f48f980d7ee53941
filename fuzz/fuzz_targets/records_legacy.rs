//! Message sets of magic 0 and 1, as old logs hold them, wrappers included.
#![no_main]

use std::cell::RefCell;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wire::compress::Decompressors;
use wire::legacy::LegacyEntry;

thread_local! {
    static DECOMPRESSORS: RefCell<Decompressors> = RefCell::new(fuzz::warm_decompressors());
}

fuzz_target!(|data: &[u8]| {
    DECOMPRESSORS.with_borrow_mut(|decompressors| {
        let mut log = Bytes::copy_from_slice(data);
        while let Ok(entry) = LegacyEntry::parse(&log) {
            let _ = entry.is_crc_valid();
            let limit = 4 * entry.size() + 16 * 1024;
            fuzz::bounded(entry.size(), || {
                let Ok(messages) = entry.messages(decompressors, limit) else { return };
                for message in messages {
                    let Ok(message) = message else { return };
                    assert!(entry.magic() == 1 || message.timestamp == -1);
                }
            });
            log = log.slice(entry.size()..);
        }
    });
});
