//! Every codec against itself, against other implementations of its format, and against bytes that are wrong.

use std::io::{Read, Write};

use proptest::prelude::*;

use super::*;

const LIMIT: usize = 1 << 24;
const CODECS: [CompressionType; 4] =
    [CompressionType::Gzip, CompressionType::Snappy, CompressionType::Lz4, CompressionType::Zstd];

fn compress(compression: CompressionType, input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Compressors::new().compress(Compression::with_default_level(compression), input, &mut out);
    out
}

fn decompress(compression: CompressionType, input: &[u8]) -> Result<Vec<u8>, DecompressError> {
    Decompressors::new().decompress(compression, input, LIMIT)
}

/// Bytes that compress to different degrees: runs, repeats from near and far, and noise.
fn mixed() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        (any::<u8>(), 1..5000usize).prop_map(|(byte, length)| vec![byte; length]),
        (prop::collection::vec(any::<u8>(), 1..40), 1..400usize).prop_map(|(word, times)| word.repeat(times)),
        prop::collection::vec(any::<u8>(), 0..3000),
        (any::<u32>(), 0..70_000usize).prop_map(|(seed, length)| noise(seed, length)),
    ];
    prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

/// Incompressible, but made from one number.
fn noise(seed: u32, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_goes_in_comes_out(input in mixed(), step in 1..20_000usize) {
        let mut compressors = Compressors::new();
        let mut decompressors = Decompressors::new();
        for compression in CompressionType::ALL {
            let level = Compression::with_default_level(compression);
            for step in [step, input.len().max(1)] {
                let mut out = Vec::new();
                let mut compressor = compressors.start(level, None, &mut out);
                input.chunks(step).for_each(|chunk| compressor.write(chunk, &mut out));
                compressor.finish(&mut out);
                let mut stream = decompressors.start(compression, &out);
                let (mut buffer, mut back) = (vec![0; step], Vec::new());
                loop {
                    let count = stream.read(&mut buffer).unwrap();
                    if count == 0 {
                        break;
                    }
                    back.extend_from_slice(&buffer[..count]);
                }
                prop_assert!(back == input, "{compression}, {step} at a time");
            }
        }
    }

    #[test]
    fn others_read_what_is_written(input in mixed()) {
        let mut gzip = Vec::new();
        flate2::read::GzDecoder::new(&compress(CompressionType::Gzip, &input)[..]).read_to_end(&mut gzip).unwrap();
        prop_assert!(gzip == input);
        let mut lz4 = Vec::new();
        let frame = compress(CompressionType::Lz4, &input);
        lz4_flex::frame::FrameDecoder::new(&frame[..]).read_to_end(&mut lz4).unwrap();
        prop_assert!(lz4 == input);
        prop_assert!(::zstd::decode_all(&compress(CompressionType::Zstd, &input)[..]).unwrap() == input);
        let (framed, mut snappy) = (compress(CompressionType::Snappy, &input), Vec::new());
        let mut rest = &framed[16..];
        while let Some((length, after)) = rest.split_first_chunk() {
            let (chunk, after) = after.split_at(i32::from_be_bytes(*length) as usize);
            snappy.extend(snap::raw::Decoder::new().decompress_vec(chunk).unwrap());
            rest = after;
        }
        prop_assert!(snappy == input);
    }

    #[test]
    fn what_others_write_is_read(input in mixed(), size in 0..4usize) {
        use lz4_flex::frame::{BlockSize, FrameEncoder, FrameInfo};
        let size = [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max1MB, BlockSize::Max4MB][size];
        for sums in [false, true] {
            let info = FrameInfo::new().block_size(size).block_checksums(sums).content_checksum(sums);
            let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
            encoder.write_all(&input).unwrap();
            prop_assert!(decompress(CompressionType::Lz4, &encoder.finish().unwrap()).unwrap() == input);
        }
        let raw = snap::raw::Encoder::new().compress_vec(&input).unwrap();
        prop_assert!(decompress(CompressionType::Snappy, &raw).unwrap() == input);
        let zstd = ::zstd::encode_all(&input[..], 9).unwrap();
        prop_assert!(decompress(CompressionType::Zstd, &zstd).unwrap() == input);
    }

    #[test]
    fn noise_never_panics(input in prop::collection::vec(any::<u8>(), 0..300), at in any::<prop::sample::Index>()) {
        let mut decompressors = Decompressors::new();
        for compression in CODECS {
            let _ = decompressors.decompress(compression, &input, LIMIT);
            let mut frame = compress(compression, &input);
            let at = at.index(frame.len());
            frame[at] ^= 0x21;
            let _ = decompressors.decompress(compression, &frame, LIMIT);
            let _ = decompressors.decompress(compression, &frame[..at], LIMIT);
            // What came before does no harm to what comes after.
            let good = compress(compression, &input);
            prop_assert!(decompressors.decompress(compression, &good, LIMIT).unwrap() == input);
        }
    }
}

/// Reads as a caller does that looks once more, and once more.
fn ask_after_the_end(compression: CompressionType, input: &[u8]) -> Result<usize, DecompressError> {
    let mut decompressors = Decompressors::new();
    let mut stream = decompressors.start(compression, input);
    let mut buffer = [0; 1000];
    let end = loop {
        match stream.read(&mut buffer) {
            Ok(1..) => {}
            end => break end,
        }
    };
    assert_eq!([stream.read(&mut buffer), stream.read(&mut buffer)], [end, end]);
    end
}

#[test]
fn an_end_stays_an_end() {
    // Found by fuzzing: a second framing with no chunk after it.
    let framing = &compress(CompressionType::Snappy, b"")[..];
    assert_eq!(ask_after_the_end(CompressionType::Snappy, &[framing, framing, b"abc"].concat()), Ok(0));
    for compression in CODECS {
        let good = compress(compression, &noise(3, 5000));
        assert_eq!(ask_after_the_end(compression, &good), Ok(0), "{compression}");
        for cut in 0..good.len() {
            let _ = ask_after_the_end(compression, &good[..cut]);
        }
        for at in 0..good.len().min(200) {
            let mut broken = good.clone();
            broken[at] ^= 0xff;
            let _ = ask_after_the_end(compression, &broken);
        }
    }
}

#[test]
fn all_levels_are_taken() {
    let input = noise(1, 300).repeat(50);
    let mut compressors = Compressors::new();
    let mut check = |compression: Compression| {
        let mut out = Vec::new();
        compressors.compress(compression, &input, &mut out);
        assert!(out.len() < input.len() / 2, "{compression:?}: {}", out.len());
        assert!(decompress(compression.compression_type(), &out).unwrap() == input, "{compression:?}");
    };
    for level in [-1, 1, 6, 9] {
        check(Compression::Gzip(level));
    }
    for level in [1, 9, 17] {
        check(Compression::Lz4(level));
    }
    for level in [-7, 0, 1, 3, 19, 22] {
        check(Compression::Zstd(level));
    }
}

#[test]
fn a_bomb_costs_its_limit_and_no_more() {
    let zeros = vec![0; 1 << 19];
    for compression in CODECS {
        let bomb = compress(compression, &zeros);
        assert!(bomb.len() < zeros.len() / 15, "{compression}: {}", bomb.len());
        let check = |limit: usize, expect: Result<usize, DecompressError>| {
            let result = Decompressors::new().decompress(compression, &bomb, limit);
            assert_eq!(result.map(|bytes| bytes.len()), expect, "{compression}");
        };
        check(100_000, Err(DecompressError::TooLarge(100_000)));
        check(zeros.len() - 1, Err(DecompressError::TooLarge(zeros.len() - 1)));
        check(zeros.len(), Ok(zeros.len()));
    }
}

#[test]
fn an_lz4_block_is_not_larger_than_its_frame_says() {
    let header = &compress(CompressionType::Lz4, b"")[..7];
    let check = |length: usize, expect: bool| {
        let block = lz4_flex::block::compress(&vec![7; length]);
        let frame = [header, &(block.len() as u32).to_le_bytes(), &block, &[0; 4]].concat();
        assert_eq!(decompress(CompressionType::Lz4, &frame).is_ok(), expect, "{length}");
    };
    check(64 * 1024, true);
    check(64 * 1024 + 1, false);
    check(1024 * 1024, false);
}

/// One raw snappy block: `literals`, and its first 60 bytes again.
fn snappy_that_reaches_back(literals: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    let mut length = literals.len() + 60;
    while length >= 0x80 {
        block.push(length as u8 | 0x80);
        length >>= 7;
    }
    block.push(length as u8);
    block.push(62 << 2);
    block.extend_from_slice(&(literals.len() as u32 - 1).to_le_bytes()[..3]);
    block.extend_from_slice(literals);
    block.push(59 << 2 | 3);
    block.extend_from_slice(&(literals.len() as u32).to_le_bytes());
    block
}

#[test]
fn a_snappy_block_reaches_back_to_its_begin() {
    let mut decompressors = Decompressors::new();
    for length in [100, 1 << 20, 5 << 20] {
        let literals = noise(length, length as usize);
        let block = snappy_that_reaches_back(&literals);
        let result = decompressors.decompress(CompressionType::Snappy, &block, LIMIT).unwrap();
        assert!(result == [&literals[..], &literals[..60]].concat(), "{length}");
        assert!(decompressors.is_small(), "a large block's memory is given back");
    }
}

#[test]
fn a_large_zstd_context_is_given_back() {
    let mut frame = Vec::new();
    // A window of 128 MiB by the header's word; little in it.
    Compressors::new().compress(Compression::Zstd(3), b"little", &mut frame);
    let wide = [&[0x28, 0xb5, 0x2f, 0xfd, 0, 17 << 3, 49, 0, 0][..], b"little"].concat();
    let mut decompressors = Decompressors::new();
    for input in [&wide, &frame] {
        assert_eq!(decompressors.decompress(CompressionType::Zstd, input, 100).unwrap(), b"little");
    }
    decompressors.decompress(CompressionType::Zstd, &wide, 100).unwrap();
    assert!(decompressors.is_small());
}

#[test]
fn names_and_ids() {
    for compression in CompressionType::ALL {
        assert_eq!(CompressionType::from_id(compression.id()), Ok(compression));
        assert_eq!(compression.to_string().parse(), Ok(compression));
    }
    assert_eq!(CompressionType::from_id(5), Err(5));
    assert!("lzma".parse::<CompressionType>().is_err());
}
