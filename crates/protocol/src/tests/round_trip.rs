//! What a codec reads it writes again: at the same version byte for byte, at another as the definition says.

use bytes::Bytes;
use serde_json::{Map, Value};
use wire::output::Output;
use wire::reader::Reader;

use super::random::{self, Random};
use super::{codecs, each_version};
use crate::json;
use crate::schema::{Field, Kind, Schema};

fn bytes(schema: &Schema, version: i16, value: &Value) -> Bytes {
    let mut out = Output::new();
    json::json_to_bytes(schema, version, value, &mut out).unwrap();
    out.to_bytes().unwrap()
}

#[test]
fn the_same_version_gives_the_same_bytes() {
    each_version(|codec, version| {
        let schema = codec.schema();
        for seed in 0..16 {
            let value = random::message(&mut Random::new(seed, schema.name, version), schema, version);
            let bytes = bytes(schema, version, &value);
            let name = schema.name;
            assert_eq!(codec.recode(bytes.clone(), version, version), Ok(bytes.clone()), "{name} v{version}");
            let read = json::bytes_to_json(schema, version, &mut Reader::new(bytes)).unwrap();
            assert_eq!(read, value, "{name} v{version}");
        }
    });
}

#[test]
fn another_version_gives_what_it_can_carry_or_an_error() {
    let (mut carried, mut refused) = (0, 0);
    for codec in codecs() {
        let schema = codec.schema();
        for (from, to) in pairs(schema) {
            for seed in 0..3 {
                let value = random::message(&mut Random::new(seed, schema.name, from), schema, from);
                let result = codec.recode(bytes(schema, from, &value), from, to);
                let place = format!("{} v{from} as v{to}: {value}", schema.name);
                match project(schema.fields, &value, to) {
                    Some(projected) => {
                        carried += 1;
                        assert_eq!(result, Ok(bytes(schema, to, &projected)), "{place}");
                    }
                    None => {
                        refused += 1;
                        assert!(result.is_err(), "{place}");
                    }
                }
            }
        }
    }
    assert!(carried > 1000 && refused > 1000, "both must be met often: {carried} {refused}");
}

fn pairs(schema: &Schema) -> Vec<(i16, i16)> {
    let versions = schema.min..=schema.max;
    let pairs = versions.clone().flat_map(|from| versions.clone().map(move |to| (from, to)));
    pairs.filter(|(from, to)| from != to).collect()
}

/// What version `to` makes of an object; nothing when a value would be lost.
fn project(fields: &[Field], object: &Value, to: i16) -> Option<Value> {
    let mut projected = Map::new();
    for field in fields {
        let found = object.get(json::name(field));
        if !field.is_in(to) {
            let lost = found.is_some_and(|value| !json::is_default(field, value));
            if lost && !field.ignorable {
                return None;
            }
            continue;
        }
        let value = match (found, field.kind) {
            (None, _) => default(field, to)?,
            (Some(Value::Null), _) if !field.is_nullable_in(to) => return None,
            (Some(Value::Array(elements)), Kind::Struct(below)) => Value::Array(
                elements.iter().map(|element| project(below, element, to)).collect::<Option<_>>()?,
            ),
            (Some(Value::Object(_)), Kind::Struct(below)) => project(below, found?, to)?,
            (Some(value), _) => value.clone(),
        };
        projected.insert(json::name(field), value);
    }
    Some(Value::Object(projected))
}

/// The default of a field that `to` has; nothing when it is null and `to` has no null.
fn default(field: &Field, to: i16) -> Option<Value> {
    if field.default == "null" {
        return field.is_nullable_in(to).then_some(Value::Null);
    }
    if field.array {
        return Some(Value::Array(Vec::new()));
    }
    Some(match field.kind {
        Kind::Bool => (field.default == "true").into(),
        Kind::F64 => 0.0.into(),
        Kind::Uuid => base::uuid::Uuid::ZERO.to_string().into(),
        Kind::String | Kind::Bytes | Kind::Records => "".into(),
        Kind::Struct(below) => return project(below, &Value::Object(Map::new()), to),
        _ => field.default.parse::<i64>().unwrap_or(0).into(),
    })
}
