//! Batches that Apache Kafka 4.3.0 made, recorded by `testdata/batches/Record.java`.

use bytes::Bytes;

const BATCHES: &str = include_str!("../testdata/batches/batches.txt");

/// The bytes recorded under `name`.
pub(crate) fn golden(name: &str) -> Bytes {
    let lines = BATCHES.lines().filter_map(|line| line.split_once('\t'));
    let (_, hex) = lines.into_iter().find(|(other, _)| *other == name).expect(name);
    Bytes::from(unhex(hex))
}

/// The bytes that `hex` spells.
pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    let digit = |digit: u8| (digit as char).to_digit(16).expect("hexadecimal digits") as u8;
    hex.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}
