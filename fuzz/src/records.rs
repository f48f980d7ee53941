//! Codec states as a long-lived thread has them: made once, so that they do not count as an input's allocation.

use wire::compress::{Compression, CompressionType, Compressors, Decompressors};
use wire::validate::Scratch;

/// Decompressors that have read every codec once.
pub fn warm_decompressors() -> Decompressors {
    warm_scratch().decompressors
}

/// Decompressors and compressors that have seen every codec once.
pub fn warm_scratch() -> Scratch {
    let mut scratch = Scratch { decompressors: Decompressors::new(), compressors: Compressors::new() };
    let input: Vec<u8> = (0..200_000u32).map(|n| (n.wrapping_mul(n) >> 3) as u8).collect();
    for compression in CompressionType::ALL {
        let mut out = Vec::new();
        scratch.compressors.compress(Compression::with_default_level(compression), &input, &mut out);
        scratch.decompressors.decompress(compression, &out, input.len()).expect("our own");
    }
    scratch
}
