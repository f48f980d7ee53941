use super::*;
use crate::config::{BROKER, CLIENT_METRICS, GROUP, TOPIC};

/// Recorded by `testdata/configs/Record.java`: resource | name | type | default | ro or rw | sensitive or open | doc.
const RECORDED: &str = include_str!("../../../testdata/configs/definitions.txt");

const TABLES: [&Table; 4] = [&BROKER, &CLIENT_METRICS, &GROUP, &TOPIC];

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Boolean => "boolean",
        Kind::String => "string",
        Kind::Int => "int",
        Kind::Short => "short",
        Kind::Long => "long",
        Kind::Double => "double",
        Kind::List => "list",
        Kind::Class => "class",
        Kind::Password => "password",
    }
}

fn line(table: &Table, definition: &Definition) -> String {
    let default = match definition.default {
        Default::Required => "-",
        Default::Null => "null",
        Default::Text(text) => text,
    };
    let read_only = table.name == "broker" && definition.mode == Mode::Static;
    let parts = [
        table.name,
        definition.name,
        kind(definition.kind),
        default,
        if read_only { "ro" } else { "rw" },
        if definition.sensitive() { "sensitive" } else { "open" },
        "doc",
    ];
    parts.join(" | ")
}

/// A config without default shows none where the recorded node had it set.
const SET_ON_THE_RECORDED_NODE: [&str; 2] = ["advertised.listeners", "log.dirs"];

#[test]
fn the_tables_are_kafkas_name_by_name() {
    for table in TABLES {
        let mut ours: Vec<String> = table
            .definitions
            .iter()
            .filter(|definition| !definition.internal)
            .map(|definition| {
                let line = line(table, definition);
                let unknown = SET_ON_THE_RECORDED_NODE.contains(&definition.name);
                if unknown { line.replace("| null |", "| - |") } else { line }
            })
            .collect();
        ours.sort();
        let recorded: Vec<&str> =
            RECORDED.lines().filter(|line| line.split(" | ").next() == Some(table.name)).collect();
        assert_eq!(ours, recorded, "{}", table.name);
    }
}

#[test]
fn every_default_passes_its_own_check() {
    for table in TABLES {
        for definition in table.definitions {
            if let Default::Text(text) = definition.default {
                let value = definition.parse(text).unwrap_or_else(|error| panic!("{error}"));
                assert_eq!(value.to_string(), text, "{}", definition.name);
            }
        }
    }
}

#[test]
fn names_are_found() {
    for table in TABLES {
        for (index, definition) in table.definitions.iter().enumerate() {
            assert_eq!(table.index(definition.name), Some(index));
        }
        assert_eq!(table.index("no.such.config"), None);
    }
}

#[test]
fn a_family_of_configs_has_one_chain() {
    let check = |name: &str, chain: &[&str]| assert_eq!(BROKER.get(name).unwrap().chain, chain, "{name}");
    check("num.partitions", &["num.partitions"]);
    for name in ["log.retention.ms", "log.retention.minutes", "log.retention.hours"] {
        check(name, &["log.retention.ms", "log.retention.minutes", "log.retention.hours"]);
    }
    check("log.flush.scheduler.interval.ms", &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"]);
}

/// How many configs are accepted and have no effect yet. May only shrink.
#[test]
fn the_list_of_configs_without_effect_only_shrinks() {
    let check = |table: &Table, most: usize| {
        let count = table.without_effect().count();
        assert!(count <= most, "{} configs of a {} have no effect, {most} were known", count, table.name);
        assert_eq!(count, most, "fewer than were known: lower the number in this test");
    };
    check(&BROKER, 280);
    check(&TOPIC, 9);
    check(&GROUP, 17);
    check(&CLIENT_METRICS, 3);
}
