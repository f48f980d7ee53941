//! Compressed bytes of any codec: the first byte chooses it. Read in steps and at once, the outcome is the same; what is
//! read can be compressed and read again.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use wire::compress::{Compression, CompressionType, Compressors, Decompressors};

thread_local! {
    static DECOMPRESSORS: RefCell<Decompressors> = RefCell::new(fuzz::warm_decompressors());
}

fuzz_target!(|data: &[u8]| {
    let [choice, input @ ..] = data else { return };
    let compression = CompressionType::ALL[usize::from(choice % 5)];
    let step = 1 + usize::from(choice / 5) * 97;
    DECOMPRESSORS.with_borrow_mut(|decompressors| {
        let limit = 4 * input.len() + 16 * 1024;
        let whole = fuzz::bounded(input.len(), || decompressors.decompress(compression, input, limit));
        let mut buffer = vec![0; step];
        let mut steps = Vec::new();
        let outcome = fuzz::bounded(16 * input.len(), || {
            let mut stream = decompressors.start(compression, input);
            while steps.len() <= limit {
                match stream.read(&mut buffer)? {
                    0 => break,
                    count => steps.extend_from_slice(&buffer[..count]),
                }
            }
            Ok::<(), wire::compress::DecompressError>(())
        });
        if let Ok(whole) = whole {
            assert!(outcome.is_ok() && steps == whole, "in steps and at once");
            let mut again = Vec::new();
            Compressors::new().compress(Compression::with_default_level(compression), &whole, &mut again);
            assert!(decompressors.decompress(compression, &again, limit).expect("our own") == whole);
        }
    });
});
