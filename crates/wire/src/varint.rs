//! Zigzag numbers of seven bits a byte over plain slices: what records are made of.
//!
//! [`crate::reader`] and [`crate::output`] read and write the same numbers for messages.

/// Appends a zigzag-coded number of 32 bits.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, value: i32) {
    put_raw(out, u64::from(((value << 1) ^ (value >> 31)) as u32));
}

/// Appends a zigzag-coded number of 64 bits.
#[inline]
pub fn put_varlong(out: &mut Vec<u8>, value: i64) {
    put_raw(out, ((value << 1) ^ (value >> 63)) as u64);
}

#[inline]
fn put_raw(out: &mut Vec<u8>, mut raw: u64) {
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

/// Bytes that the number takes.
#[inline]
pub fn varint_size(value: i32) -> usize {
    varlong_size(i64::from(value))
}

/// Bytes that the number takes.
#[inline]
pub fn varlong_size(value: i64) -> usize {
    let raw = ((value << 1) ^ (value >> 63)) as u64;
    (64 - (raw | 1).leading_zeros() as usize).div_ceil(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_bytes() {
        let edges = [0, 1, -1, 63, 64, -64, -65, 8191, 8192, -8193, 1 << 33, i64::MAX, i64::MIN];
        for value in edges {
            let mut bytes = Vec::new();
            put_varlong(&mut bytes, value);
            assert_eq!(varlong_size(value), bytes.len(), "{value}");
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value as i32);
            assert_eq!(varint_size(value as i32), bytes.len(), "{value}");
        }
    }
}
