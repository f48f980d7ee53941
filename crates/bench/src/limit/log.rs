//! One file of batches of one size.

use std::fs::File;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::Path;

/// What one `pwritev` takes at most (`IOV_MAX` of Linux).
const BUFFERS_MAX: usize = 1024;

/// The file, and where it ends.
pub(super) struct Log {
    file: File,
    durable: bool,
    /// Records stamped so far.
    log_end: i64,
    /// Bytes written so far.
    size: u64,
    /// Of every batch: bytes and records; nothing before the first.
    batch: Option<(u64, i64)>,
}

impl Log {
    pub(super) fn create(path: &Path, durable: bool) -> io::Result<Self> {
        let file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
        Ok(Self { file, durable, log_end: 0, size: 0, batch: None })
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn log_end(&self) -> i64 {
        self.log_end
    }

    /// Gives a batch its base offset, in place.
    pub(super) fn stamp(&mut self, batch: &mut [u8]) -> i64 {
        let base_offset = self.log_end;
        let records = i64::from(i32::from_be_bytes(batch[57..61].try_into().expect("four bytes")));
        batch[..8].copy_from_slice(&base_offset.to_be_bytes());
        self.batch.get_or_insert((batch.len() as u64, records.max(1)));
        self.log_end += records;
        base_offset
    }

    /// Writes stamped batches, and syncs them where an ack means that.
    pub(super) fn write(&mut self, batches: &[IoSlice<'_>]) -> io::Result<()> {
        for some in batches.chunks(BUFFERS_MAX) {
            let wanted: usize = some.iter().map(|batch| batch.len()).sum();
            let written = rustix::io::pwritev(&self.file, some, self.size)?;
            if written < wanted {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            self.size += written as u64;
        }
        if self.durable {
            rustix::fs::fdatasync(&self.file)?;
        }
        Ok(())
    }

    /// Where whole batches from `offset` on lie: at least one if there is one, and not above `bytes_max` if that is more.
    pub(super) fn range(&self, offset: i64, bytes_max: u64) -> Range<u64> {
        let Some((size, records)) = self.batch.filter(|_| offset >= 0) else { return 0..0 };
        let start = offset as u64 / records as u64 * size;
        let length = (self.size.saturating_sub(start)).min((bytes_max / size * size).max(size));
        start..start + length
    }

    /// Gives the file's space back.
    pub(super) fn empty(&mut self) {
        // A file that cannot be cut only keeps its space until the server ends.
        let _ = self.file.set_len(0);
        self.size = 0;
        self.batch = None;
    }
}
