//! Seeded random messages in their JSON form.

use base::uuid::Uuid;
use serde_json::{Map, Value};

use crate::json;
use crate::schema::{Field, Kind, Schema};

/// A small generator of numbers (splitmix64): same seed, same numbers.
pub(crate) struct Random(u64);

impl Random {
    /// The generator for a seed and what it is used for.
    pub(crate) fn new(seed: u64, name: &str, version: i16) -> Self {
        let start = name.bytes().fold(seed, |state, byte| state.wrapping_mul(31).wrapping_add(byte.into()));
        Self(start.wrapping_mul(1_000_003).wrapping_add(version as u64))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// A number of `bits` bits, often a small or extreme one.
    fn integer(&mut self, bits: u32) -> i64 {
        let value = match self.below(6) {
            0 => 0,
            1 => -1,
            2 => i64::MAX >> (64 - bits),
            3 => i64::MIN >> (64 - bits),
            4 => self.next() as i64 & 0x7f,
            _ => self.next() as i64,
        };
        value << (64 - bits) >> (64 - bits)
    }
}

/// A message of `version` with random values in every field. Tagged fields that are the default are left out.
pub(crate) fn message(random: &mut Random, schema: &Schema, version: i16) -> Value {
    fields(random, schema.fields, version)
}

fn fields(random: &mut Random, fields: &[Field], version: i16) -> Value {
    let mut object = Map::new();
    for field in fields.iter().filter(|field| field.is_in(version)) {
        let value = value(random, field, version);
        if field.tag.is_none() || !json::is_default(field, &value) {
            object.insert(json::name(field), value);
        }
    }
    Value::Object(object)
}

fn value(random: &mut Random, field: &Field, version: i16) -> Value {
    if field.is_nullable_in(version) && random.below(4) == 0 {
        return Value::Null;
    }
    if !field.array {
        return one(random, field, version);
    }
    // Mostly few elements; now and then more than one byte of a compact count can hold.
    let count = match (random.below(60), field.kind) {
        (0, Kind::Struct(_)) => 5,
        (0, _) => 130,
        _ => random.below(4),
    };
    (0..count).map(|_| one(random, field, version)).collect()
}

fn one(random: &mut Random, field: &Field, version: i16) -> Value {
    match field.kind {
        Kind::Bool => (random.below(2) == 0).into(),
        Kind::I8 => random.integer(8).into(),
        Kind::I16 | Kind::Error => random.integer(16).into(),
        Kind::I32 => random.integer(32).into(),
        Kind::I64 => random.integer(64).into(),
        Kind::U16 => (random.integer(16) as u16).into(),
        Kind::U32 => (random.integer(32) as u32).into(),
        Kind::F64 => (random.integer(32) as f64 / 8.0).into(),
        Kind::Uuid => {
            let (high, low) = (random.next(), random.next());
            let id = if random.below(5) == 0 { 0 } else { u128::from(high) << 64 | u128::from(low) };
            Uuid::from_u128(id).to_string().into()
        }
        Kind::String => text(random).into(),
        Kind::Bytes | Kind::Records => {
            let text = text(random);
            json::base64::encode(text.as_bytes()).into()
        }
        Kind::Struct(below) => fields(random, below, version),
    }
}

fn text(random: &mut Random) -> String {
    const PARTS: [&str; 6] =
        ["a", "topic-1", "ä", "\u{1F4A1}", "\"", "0123456789012345678901234567890123456789"];
    let count = random.below(5);
    (0..count).map(|_| PARTS[random.below(PARTS.len())]).collect()
}
