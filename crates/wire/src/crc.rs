//! CRC-32C (Castagnoli), the checksum of record batches, producer snapshots and the quorum's own files.

use crc_fast::CrcAlgorithm;

const ALGORITHM: CrcAlgorithm = CrcAlgorithm::Crc32Iscsi;

/// The checksum of `bytes`.
#[inline]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// The checksum of `head` followed by `tail`.
pub fn crc32c_of_two(head: &[u8], tail: &[u8]) -> u32 {
    let mut digest = crc_fast::Digest::new(ALGORITHM);
    digest.update(head);
    digest.update(tail);
    digest.finalize() as u32
}

/// The checksum after some bytes at the front were replaced by as many others, without reading what follows them.
///
/// `crc` covers the old front and `unchanged` further bytes; `old_front` and `new_front` are the checksums of the
/// fronts alone. Works because CRCs are linear: the difference of two inputs of one length is a CRC of its own, and
/// shifting it behind `unchanged` zero bytes is a multiplication by a power of x instead of a pass over the bytes.
pub fn crc32c_with_front_replaced(crc: u32, old_front: u32, new_front: u32, unchanged: u64) -> u32 {
    let mut difference = old_front ^ new_front;
    let mut bytes = unchanged;
    for power in &POWERS {
        if bytes == 0 {
            break;
        }
        if bytes & 1 == 1 {
            difference = multiply(difference, *power);
        }
        bytes >>= 1;
    }
    crc ^ difference
}

/// The polynomial, lowest power of x in the highest bit, without x³².
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// `x^(8·2^k)` for each k: a shift by 1, 2, 4 … bytes. Enough for lengths of 40 bits.
const POWERS: [u32; 40] = {
    // x⁸, from x in its own bit order.
    let mut power = 1 << (31 - 8);
    let mut powers = [0; 40];
    let mut k = 0;
    while k < powers.len() {
        powers[k] = power;
        power = multiply(power, power);
        k += 1;
    }
    powers
};

/// The product of two polynomials over bits, modulo the checksum's.
const fn multiply(a: u32, mut b: u32) -> u32 {
    let mut product = 0;
    let mut bit = 32;
    while bit > 0 {
        bit -= 1;
        // All ones or zero instead of a branch that nothing could predict.
        product ^= b & 0u32.wrapping_sub(a >> bit & 1);
        b = b >> 1 ^ POLYNOMIAL & 0u32.wrapping_sub(b & 1);
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        let check = |bytes: &[u8], expect: u32| assert_eq!(crc32c(bytes), expect);
        check(b"", 0);
        check(b"123456789", 0xe306_9283);
        check(&[0; 32], 0x8a91_36aa);
        check(&[0xff; 32], 0x62a8_ab43);
    }

    #[test]
    fn in_two_parts_it_is_the_same() {
        let bytes: Vec<u8> = (0..1000u32).map(|n| (n * 7) as u8).collect();
        for cut in [0, 1, 40, 999, 1000] {
            assert_eq!(crc32c_of_two(&bytes[..cut], &bytes[cut..]), crc32c(&bytes));
        }
    }

    #[test]
    fn a_replaced_front_needs_no_pass_over_the_rest() {
        for length in [40usize, 41, 100, 1000, 70_000, 1 << 20] {
            let old: Vec<u8> = (0..length).map(|n| (n * 31 % 251) as u8).collect();
            let mut new = old.clone();
            new[..40].iter_mut().for_each(|byte| *byte ^= 0x5c);
            let replaced = crc32c_with_front_replaced(
                crc32c(&old),
                crc32c(&old[..40]),
                crc32c(&new[..40]),
                length as u64 - 40,
            );
            assert_eq!(replaced, crc32c(&new), "{length}");
        }
    }
}
