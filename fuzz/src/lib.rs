//! What fuzz targets share: an allocator that counts, and the bound that every decoder keeps.
//!
//! The bound: while `length` bytes of input are decoded, at most `16 × length + 64 KiB` are allocated at the same time.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

mod records;

pub use records::{warm_decompressors, warm_scratch};

/// The system's allocator with a count of live bytes and of their highest number.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged; the counters are atomics.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(live, Ordering::Relaxed);
        // SAFETY: the caller's promise is the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs `decode` over an input of `length` bytes and checks the bound.
///
/// # Panics
/// When more was allocated.
pub fn bounded<T>(length: usize, decode: impl FnOnce() -> T) -> T {
    let before = LIVE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let result = decode();
    let taken = PEAK.load(Ordering::Relaxed).saturating_sub(before);
    let limit = 16 * length + 64 * 1024;
    assert!(
        taken <= limit,
        "{taken} bytes were allocated for an input of {length}, at most {limit} are allowed"
    );
    result
}
