//! A sorted list of fixed-size entries: its older part in a file, its newest in memory.
//!
//! ```text
//! 00000000000000000000.index   | e0 | e1 | e2 | … | e511 |     memory  e512 … e530
//!                              <---- in_file entries ---->             <-- tail -->
//! ```
//! The newest entries are the ones asked for most, and an index is trusted only after a clean stop or once its closed
//! segment was synced; so entries reach the file in blocks. Invariant: keys strictly increase through file and tail.
//! A lookup takes the lock only to look at the tail; it searches the file without it.

use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::ids::Offset;

use crate::directory::FileKind;
use crate::disk::{File, OpenMode, read_full};
use crate::home::{Home, LazyFile};

pub(crate) use self::offset::OffsetEntry;
pub(crate) use self::time::TimeEntry;
pub use self::transaction::AbortedTransaction;
pub(crate) use self::transaction::ENTRY_SIZE as ABORTED_SIZE;

mod offset;
mod time;
mod transaction;

/// Entries that gather in memory before they are written to the file together.
const TAIL_ENTRIES_MAX: usize = 512;

/// Entries that a search reads together in the end.
const BLOCK_ENTRIES: usize = 128;
/// Bytes of the largest kind of entry.
const ENTRY_SIZE_MAX: usize = 12;

/// How an entry stands in its file.
pub(crate) trait Entry: Copy {
    const KIND: FileKind;
    const SIZE: usize;
    type Key: Ord + Copy;

    fn key(&self) -> Self::Key;
    fn encode(&self, base: Offset, out: &mut Vec<u8>);
    fn decode(base: Offset, bytes: &[u8]) -> Self;
}

pub(crate) type OffsetIndex = Index<OffsetEntry>;
pub(crate) type TimeIndex = Index<TimeEntry>;

/// One index of one segment.
pub(crate) struct Index<E> {
    file: LazyFile,
    state: Mutex<State<E>>,
}

struct State<E> {
    /// Whole entries in the file; `None` until somebody asked.
    in_file: Option<usize>,
    /// The file is there.
    exists: bool,
    /// The file goes on after its entries, with Kafka's preallocated zeros.
    padded: bool,
    /// Nobody has looked at the file, because there can be nothing of use in it: it is emptied before the first entry.
    unseen: bool,
    tail: Vec<E>,
    /// The newest entry, if it is known.
    last: Option<E>,
}

impl<E> State<E> {
    fn new(in_file: Option<usize>) -> Self {
        Self {
            in_file,
            exists: in_file.is_none(),
            padded: false,
            unseen: false,
            tail: Vec::new(),
            last: None,
        }
    }
}

impl<E: Entry> Index<E> {
    /// The index of a new segment. The file need not be there until entries are written.
    pub(crate) fn empty() -> Self {
        Self { file: LazyFile::default(), state: Mutex::new(State::new(Some(0))) }
    }

    /// The index of a new segment whose file is there and empty, under whatever name.
    pub(crate) fn new_in(file: Arc<dyn File>) -> Self {
        let state = State { exists: true, ..State::new(Some(0)) };
        Self { file: LazyFile::of(file), state: Mutex::new(state) }
    }

    /// The index of a segment without batches. Whatever the file holds, if it `exists`, is none of its entries.
    pub(crate) fn of_empty_segment(exists: bool) -> Self {
        let state = State { exists, unseen: exists, ..State::new(Some(0)) };
        Self { file: LazyFile::default(), state: Mutex::new(state) }
    }

    /// The index whose entries are all in its file.
    pub(crate) fn in_file() -> Self {
        Self { file: LazyFile::default(), state: Mutex::new(State::new(None)) }
    }

    /// Appends an entry whose key is greater than all before it.
    pub(crate) fn append(&self, home: &Home, base: Offset, entry: E) -> io::Result<()> {
        let mut state = self.counted(home, base)?;
        debug_assert!(state.last.is_none_or(|last| last.key() < entry.key()));
        state.tail.push(entry);
        state.last = Some(entry);
        if state.tail.len() >= TAIL_ENTRIES_MAX {
            self.write_tail(&mut state, home, base)?;
        }
        Ok(())
    }

    /// Whether the next entry takes those in memory along to the file.
    pub(crate) fn writes_with_next(&self) -> bool {
        self.lock().tail.len() + 1 >= TAIL_ENTRIES_MAX
    }

    /// Writes what is only in memory to the file, which is there afterwards even if the index is empty.
    pub(crate) fn flush(&self, home: &Home, base: Offset) -> io::Result<()> {
        let mut state = self.counted(home, base)?;
        self.write_tail(&mut state, home, base)
    }

    /// The file, for a sync.
    pub(crate) fn handle(&self, home: &Home, base: Offset) -> io::Result<Arc<dyn File>> {
        self.open(home, base, OpenMode::Create)
    }

    /// The entry with the greatest key that is not above `key`.
    pub(crate) fn floor(&self, home: &Home, base: Offset, key: E::Key) -> io::Result<Option<E>> {
        let count = {
            let state = self.counted(home, base)?;
            let above = state.tail.partition_point(|entry| entry.key() <= key);
            if above > 0 {
                return Ok(Some(state.tail[above - 1]));
            }
            state.in_file.unwrap_or(0)
        };
        if count == 0 {
            return Ok(None);
        }
        let file = self.open(home, base, OpenMode::Read)?;
        // Everything below `low` is not above the key, everything from `high` on is.
        let (mut low, mut high) = (0, count);
        let mut floor = None;
        while high - low > BLOCK_ENTRIES {
            let middle = low + (high - low) / 2;
            match read_entry::<E>(&*file, base, middle)? {
                Some(entry) if entry.key() <= key => {
                    floor = Some(entry);
                    low = middle + 1;
                }
                // An entry that is gone was cut off since the count was taken.
                _ => high = middle,
            }
        }
        let mut block = [0; BLOCK_ENTRIES * ENTRY_SIZE_MAX];
        let length = read_full(&*file, &mut block[..(high - low) * E::SIZE], (low * E::SIZE) as u64)?;
        let entries = block[..length].chunks_exact(E::SIZE).map(|bytes| E::decode(base, bytes));
        Ok(entries.take_while(|entry| entry.key() <= key).last().or(floor))
    }

    /// The newest entry.
    pub(crate) fn last(&self, home: &Home, base: Offset) -> io::Result<Option<E>> {
        Ok(self.counted(home, base)?.last)
    }

    /// Bytes of all entries.
    pub(crate) fn size_bytes(&self, home: &Home, base: Offset) -> io::Result<usize> {
        let state = self.counted(home, base)?;
        Ok((state.in_file.unwrap_or(0) + state.tail.len()) * E::SIZE)
    }

    /// Keeps only entries for which `keep` holds; it must hold for a prefix.
    pub(crate) fn truncate(&self, home: &Home, base: Offset, keep: impl Fn(&E) -> bool) -> io::Result<()> {
        let mut state = self.counted(home, base)?;
        let kept = state.tail.partition_point(&keep);
        state.tail.truncate(kept);
        if state.tail.is_empty() {
            let mut count = state.in_file.unwrap_or(0);
            if count > 0 {
                let file = self.open(home, base, OpenMode::Create)?;
                let (mut low, mut high) = (0, count);
                while low < high {
                    let middle = low + (high - low) / 2;
                    match read_entry::<E>(&*file, base, middle)? {
                        Some(entry) if keep(&entry) => low = middle + 1,
                        _ => high = middle,
                    }
                }
                count = low;
                file.set_len((count * E::SIZE) as u64)?;
                state.last = match count {
                    0 => None,
                    _ => read_entry(&*file, base, count - 1)?,
                };
            } else {
                state.last = None;
            }
            state.in_file = Some(count);
        } else {
            state.last = state.tail.last().copied();
        }
        Ok(())
    }

    /// Forgets all entries, without looking at what the file holds. One that is empty is not even opened.
    pub(crate) fn reset(&self, home: &Home, base: Offset) -> io::Result<()> {
        let mut state = self.lock();
        if !home.disk().metadata(&home.path(E::KIND, base)).is_ok_and(|found| found.length == 0) {
            self.open(home, base, OpenMode::Create)?.set_len(0)?;
        }
        *state = State { exists: true, ..State::new(Some(0)) };
        Ok(())
    }

    /// Cuts off what nobody has looked at yet: Kafka preallocates the index of an empty segment too, and does not cut it when
    /// it is killed.
    pub(crate) fn empty_unseen(&self, home: &Home, base: Offset) -> io::Result<()> {
        let mut state = self.lock();
        if state.unseen && home.disk().metadata(&home.path(E::KIND, base))?.length > 0 {
            self.open(home, base, OpenMode::Create)?.set_len(0)?;
        }
        state.unseen = false;
        Ok(())
    }

    /// Whether the file can be what it should be: of whole entries, the last not below the first. One that is not there
    /// can only be that of a segment whose first entries were not written yet, if `may_be_missing`.
    pub(crate) fn is_sane(&self, home: &Home, base: Offset, may_be_missing: bool) -> io::Result<bool> {
        let path = home.path(E::KIND, base);
        let length = match home.disk().metadata(&path) {
            Ok(found) => found.length,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if may_be_missing {
                    *self.lock() = State::new(Some(0));
                }
                return Ok(may_be_missing);
            }
            Err(error) => return Err(error),
        };
        if !length.is_multiple_of(E::SIZE as u64) {
            return Ok(false);
        }
        if length == 0 {
            // Most partitions of a large node are idle: their indexes are not even opened.
            *self.lock() = State { exists: true, ..State::new(Some(0)) };
            return Ok(true);
        }
        let state = self.counted(home, base)?;
        let (Some(last), Some(count)) = (state.last, state.in_file) else { return Ok(true) };
        if count == 1 {
            return Ok(true);
        }
        let file = self.open(home, base, OpenMode::Read)?;
        let first: Option<E> = read_entry(&*file, base, 0)?;
        Ok(first.is_some_and(|first| first.key() < last.key()))
    }

    pub(crate) fn release_idle(&self) {
        self.file.release_idle();
    }

    pub(crate) fn release(&self) {
        self.file.release();
    }

    fn lock(&self) -> MutexGuard<'_, State<E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, with the entries of the file counted and the newest known.
    fn counted(&self, home: &Home, base: Offset) -> io::Result<MutexGuard<'_, State<E>>> {
        let mut state = self.lock();
        if state.in_file.is_none() {
            let file = self.open(home, base, OpenMode::Read)?;
            let (count, padded) = count_entries(&*file, E::SIZE)?;
            state.last = if count == 0 { None } else { read_entry(&*file, base, count - 1)? };
            state.in_file = Some(count);
            state.padded = padded;
        }
        Ok(state)
    }

    fn open(&self, home: &Home, base: Offset, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        // One handle serves reading and writing, whichever comes first.
        let mode = if mode == OpenMode::Read { OpenMode::Write } else { mode };
        self.file.get(home, E::KIND, base, mode)
    }

    fn write_tail(&self, state: &mut State<E>, home: &Home, base: Offset) -> io::Result<()> {
        if state.exists && !state.padded && state.tail.is_empty() {
            return Ok(());
        }
        let in_file = state.in_file.unwrap_or(0);
        let file = self.open(home, base, OpenMode::Create)?;
        state.exists = true;
        if std::mem::take(&mut state.padded) | std::mem::take(&mut state.unseen) {
            file.set_len((in_file * E::SIZE) as u64)?;
        }
        if !state.tail.is_empty() {
            let mut bytes = Vec::with_capacity(state.tail.len() * E::SIZE);
            state.tail.iter().for_each(|entry| entry.encode(base, &mut bytes));
            file.write_at(&mut [IoSlice::new(&bytes)], (in_file * E::SIZE) as u64)?;
            state.in_file = Some(in_file + state.tail.len());
            state.tail = Vec::new();
        }
        Ok(())
    }
}

/// How many entries a file has, and whether more follows them. Kafka preallocates the index of the active segment and
/// cuts it when it is closed; after a crash of Kafka the rest is zeros, which no real entry but the first can be.
fn count_entries(file: &dyn File, size: usize) -> io::Result<(usize, bool)> {
    let whole = usize::try_from(file.len()?).unwrap_or(usize::MAX) / size;
    let is_padding = |at: usize| -> io::Result<bool> {
        let mut bytes = [0; 16];
        let filled = read_full(file, &mut bytes[..size], (at * size) as u64)?;
        Ok(filled < size || bytes.iter().all(|byte| *byte == 0))
    };
    if whole == 0 || !is_padding(whole - 1)? {
        return Ok((whole, false));
    }
    let (mut low, mut high) = (0, whole - 1);
    while low < high {
        let middle = low + (high - low) / 2;
        if is_padding(middle)? { high = middle } else { low = middle + 1 }
    }
    Ok((low, true))
}

fn read_entry<E: Entry>(file: &dyn File, base: Offset, at: usize) -> io::Result<Option<E>> {
    let mut bytes = [0; 16];
    let bytes = &mut bytes[..E::SIZE];
    let filled = read_full(file, bytes, (at * E::SIZE) as u64)?;
    Ok((filled == E::SIZE).then(|| E::decode(base, bytes)))
}

#[cfg(test)]
mod tests;
