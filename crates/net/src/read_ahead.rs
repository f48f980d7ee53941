//! Ranges of files on their way from the disk to a socket: read ahead on other threads, so that nobody but their reader
//! waits for the disk.
//!
//! ```text
//!  chunk to be sent ── in memory ──────────────────────────────────────────► sendfile
//!         └ not: a thread for blocking work reads it ─► wake ─► look again ──┘
//!
//!  file   … | sent | chunk | asked for in advance, up to WINDOW_MAX |        of readers that go on where they were
//!                                                                   ^ until
//! ```
//! Invariant: a thread that drives sockets sends from memory, but for pages that the kernel drops between look and send.
//! Data that was just written is in memory: for it this costs one look, and no state.

use std::io::IoSliceMut;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use rustix::fs::Advice;
use rustix::io::{Errno, ReadWriteFlags};
use wire::piece::{FileRange, RangeFile};

/// Asked for in advance at first, doubled as long as a reader goes on where it was.
const WINDOW_MIN: u64 = 256 * 1024;
/// Asked for in advance at most.
const WINDOW_MAX: u64 = 8 * 1024 * 1024;
/// The disk is waited for in steps of this size.
const BLOCK: u64 = 128 * 1024;

/// What one connection reads ahead.
#[derive(Default)]
pub struct ReadAhead {
    window: Option<Window>,
    /// The load that the next chunk waits for; true when it is done.
    load: Option<Arc<AtomicBool>>,
    /// What of the range at the front is known to be in memory, up to this position of its file.
    ready: Option<u64>,
}

/// A reader that found its data on the disk.
struct Window {
    file: Arc<dyn RangeFile>,
    /// Where its last chunk began.
    from: u64,
    /// Everything before was asked for.
    until: u64,
    step: u64,
}

impl ReadAhead {
    /// Whether the first `length` bytes of `range` can be sent from memory. If not, they are being read, and `waker` is
    /// called when they are there.
    pub fn is_ready(&mut self, range: &FileRange, length: usize, waker: &Waker) -> bool {
        if self.ready.is_some_and(|until| range.position < until) {
            return true;
        }
        if let Some(done) = &self.load
            && !done.load(Ordering::Acquire)
        {
            return false;
        }
        let chunk = FileRange { length: length.min(range.length), ..range.clone() };
        let end = chunk.position + chunk.length as u64;
        // What was just read is not looked at again, lest a small cache keep a reader from ever going on.
        if self.load.take().is_none() {
            self.follow(&chunk, end);
            if !is_in_memory(&chunk) {
                self.load(chunk, end, waker);
                return false;
            }
        }
        self.ready = Some(end);
        true
    }

    /// The range at the front was sent.
    pub fn sent(&mut self) {
        self.ready = None;
    }

    /// Keeps the window of a reader that goes on ahead of it.
    fn follow(&mut self, chunk: &FileRange, end: u64) {
        let Some(window) = &mut self.window else { return };
        let goes_on = (window.from..=window.until).contains(&chunk.position);
        if !goes_on || !Arc::ptr_eq(&window.file, &chunk.file) {
            self.window = None;
            return;
        }
        window.from = chunk.position;
        if end + window.step / 2 >= window.until {
            window.step = (window.step * 2).min(WINDOW_MAX);
            let (file, from, length) = (window.file.clone(), window.until.max(end), window.step);
            window.until = from + length;
            tokio::task::spawn_blocking(move || ask_for(&*file, from, length));
        }
    }

    fn load(&mut self, chunk: FileRange, end: u64, waker: &Waker) {
        if self.window.is_none() {
            let (file, from) = (chunk.file.clone(), chunk.position);
            self.window = Some(Window { file, from, until: end, step: WINDOW_MIN });
        }
        let done = Arc::new(AtomicBool::new(false));
        self.load = Some(done.clone());
        let waker = waker.clone();
        tokio::task::spawn_blocking(move || {
            read_in(&chunk);
            done.store(true, Ordering::Release);
            waker.wake();
        });
    }
}

/// Whether the range can be read without waiting for the disk. Its ends stand for all of it: what is written and read in
/// order is also dropped in order. A file system that cannot tell is taken to be in memory.
pub fn is_in_memory(range: &FileRange) -> bool {
    let Some(descriptor) = range.file.descriptor() else { return true };
    let last = range.position + (range.length as u64).saturating_sub(1);
    has_page(descriptor, last) && has_page(descriptor, range.position)
}

fn has_page(descriptor: BorrowedFd<'_>, position: u64) -> bool {
    let mut byte = [0];
    let found =
        rustix::io::preadv2(descriptor, &mut [IoSliceMut::new(&mut byte)], position, ReadWriteFlags::NOWAIT);
    found != Err(Errno::AGAIN)
}

/// Has the kernel read what is not there; does not wait for it.
fn ask_for(file: &dyn RangeFile, position: u64, length: u64) {
    if let Some(descriptor) = file.descriptor() {
        // Advice alone: who reads without it waits a little longer.
        let _ =
            rustix::fs::fadvise(descriptor, position, std::num::NonZeroU64::new(length), Advice::WillNeed);
    }
}

/// Reads the range into the kernel's memory. A failing disk is met, and told, by whoever sends the range.
fn read_in(range: &FileRange) {
    let end = range.position + range.length as u64;
    ask_for(&*range.file, range.position, range.length as u64);
    let mut block_end = range.position;
    while block_end < end {
        block_end = (block_end + BLOCK).min(end);
        // The pages of a block come together: one byte of the last stands for them.
        let _ = range.file.read_at(&mut [0], block_end - 1);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsFd;
    use std::os::unix::fs::FileExt;
    use std::task::Poll;

    use super::*;

    const CHUNK: usize = 1024 * 1024;

    struct OnDisk(File);

    impl RangeFile for OnDisk {
        fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
            self.0.read_at(buffer, position)
        }

        fn descriptor(&self) -> Option<BorrowedFd<'_>> {
            Some(self.0.as_fd())
        }
    }

    /// A file that nothing of is in memory; `None` where the file system keeps it all there.
    fn cold_file(chunks: usize) -> Option<Arc<dyn RangeFile>> {
        let file = tempfile::tempfile().expect("a file");
        file.write_all_at(&vec![7; chunks * CHUNK], 0).expect("room for it");
        file.sync_all().expect("synced");
        rustix::fs::fadvise(&file, 0, None, Advice::DontNeed).expect("advice is taken");
        let file: Arc<dyn RangeFile> = Arc::new(OnDisk(file));
        let is_cold = !is_in_memory(&range(&file, 0, chunks * CHUNK));
        if !is_cold {
            println!("SKIPPED: this file system keeps files in memory");
        }
        is_cold.then_some(file)
    }

    fn range(file: &Arc<dyn RangeFile>, position: usize, length: usize) -> FileRange {
        FileRange { file: file.clone(), position: position as u64, length }
    }

    /// Waits for a chunk; true if it had to.
    async fn wait(ahead: &mut ReadAhead, range: &FileRange) -> bool {
        let mut looks = 0;
        std::future::poll_fn(|cx| {
            looks += 1;
            if ahead.is_ready(range, CHUNK, cx.waker()) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        ahead.sent();
        looks > 1
    }

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(test);
    }

    #[test]
    fn what_is_not_in_memory_is_there_when_it_is_ready() {
        let Some(file) = cold_file(4) else { return };
        run(async {
            let mut ahead = ReadAhead::default();
            for chunk in [3, 0] {
                let range = range(&file, chunk * CHUNK, CHUNK);
                assert!(!is_in_memory(&range), "chunk {chunk}");
                assert!(wait(&mut ahead, &range).await, "chunk {chunk}");
                assert!(is_in_memory(&range), "chunk {chunk}");
                assert!(!wait(&mut ahead, &range).await, "chunk {chunk} again");
            }
        });
    }

    #[test]
    fn what_was_just_written_is_sent_at_once() {
        let Some(file) = cold_file(1) else { return };
        run(async {
            let mut ahead = ReadAhead::default();
            file.read_at(&mut vec![0; CHUNK], 0).expect("read");
            assert!(!wait(&mut ahead, &range(&file, 0, CHUNK)).await);
            assert!(ahead.window.is_none(), "no state for hot data");
        });
    }

    #[test]
    fn the_window_grows_with_a_reader_that_goes_on_and_ends_with_a_jump() {
        let Some(file) = cold_file(16) else { return };
        run(async {
            let mut ahead = ReadAhead::default();
            let mut steps = Vec::new();
            for chunk in 0..8 {
                wait(&mut ahead, &range(&file, chunk * CHUNK, CHUNK)).await;
                let window = ahead.window.as_ref().expect("the data is cold");
                assert!(window.until >= ((chunk + 1) * CHUNK) as u64);
                steps.push(window.step / WINDOW_MIN);
            }
            assert!(steps.is_sorted() && steps[..3] == [1, 2, 4], "{steps:?}");
            assert_eq!(steps.last(), Some(&(WINDOW_MAX / WINDOW_MIN)), "{steps:?}");
            rustix::fs::fadvise(file.descriptor().expect("a file"), 0, None, Advice::DontNeed)
                .expect("advice");
            wait(&mut ahead, &range(&file, 0, CHUNK)).await;
            assert_eq!(ahead.window.expect("cold again").step, WINDOW_MIN);
        });
    }
}
