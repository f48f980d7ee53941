//! `defs/configs/*.def` → the static tables of `base::config` and the structs made from them.
//!
//! The notation is explained in `defs/configs/broker.def`. A table is read whole and checked before anything is emitted:
//! defaults fit their types, a config's stand-ins exist and have a type that fits, names occur once.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::Error;
use crate::output;

mod emit;
mod parse;
#[cfg(test)]
mod tests;

/// One `.def` file.
#[derive(Debug)]
struct Table {
    /// The struct to emit, and whether every config is a field of it or only the built ones.
    record: Option<(String, Fields)>,
    /// In the order of the file.
    configs: Vec<Config>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fields {
    Built,
    All,
}

/// One config as its table has it.
#[derive(Debug)]
struct Config {
    line: usize,
    section: String,
    name: String,
    kind: Kind,
    /// As Kafka prints it. Nothing: the config is required.
    default: Default,
    check: Check,
    mode: Mode,
    listener: bool,
    importance: Importance,
    internal: bool,
    /// The type of the field, where it is not the plain one.
    field: Option<String>,
    built: bool,
    /// What is set while running has no effect yet.
    at_start: bool,
    /// `or`: other configs of the same table that stand in for this one.
    stand_ins: Vec<String>,
    /// `from`: configs of the broker table, with the factor that turns their unit into this one's.
    inherits: Vec<(String, i64)>,
    doc: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Boolean,
    String,
    Int,
    Short,
    Long,
    Double,
    List,
    Class,
    Password,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Default {
    Required,
    Null,
    Text(String),
}

#[derive(Clone, Debug, Default, PartialEq)]
enum Check {
    #[default]
    Any,
    Integer {
        least: i64,
        most: Option<i64>,
        or: Option<i64>,
    },
    Double {
        least: f64,
        most: Option<f64>,
    },
    OneOf {
        values: Vec<String>,
        any_case: bool,
    },
    NotEmpty,
    List {
        values: Vec<String>,
        empty: bool,
    },
    Voters,
    BootstrapServers,
    ThrottledReplicas,
    OffsetReset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Static,
    Cluster,
    PerBroker,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Importance {
    High,
    Medium,
    Low,
}

/// Reads every table of `folder` and emits one static `Table` for each, named like the file, and the structs.
///
/// # Errors
/// When a table cannot be read or is wrong.
pub fn generate(folder: &Path) -> Result<String, Error> {
    let mut tables = BTreeMap::new();
    for file in output::tables(folder)? {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let table = parse::table(&file, &output::read(&file)?)?;
        tables.insert(name, (file, table));
    }
    for (file, table) in tables.values() {
        let broker = tables.get("broker").map(|(_, broker)| broker);
        check_references(file, table, broker.unwrap_or(table))?;
    }
    let mut source = String::new();
    for (name, (_, table)) in &tables {
        emit::table(&mut source, name, table);
    }
    Ok(source)
}

/// Whether the configs that stand behind `or` and `from` exist and have a type that fits.
fn check_references(file: &Path, table: &Table, broker: &Table) -> Result<(), Error> {
    for config in &table.configs {
        let stand_ins = config.stand_ins.iter().map(|name| (name, table));
        let inherited = config.inherits.iter().map(|(name, _)| (name, broker));
        for (name, home) in stand_ins.chain(inherited) {
            let fault = match home.configs.iter().find(|other| other.name == *name) {
                None => format!("`{name}` is not a config"),
                Some(other) if other.kind.is_number() != config.kind.is_number() => {
                    format!("`{name}` has a type that does not fit `{}`", config.name)
                }
                Some(_) => continue,
            };
            return Err(Error::new(file, config.line, fault));
        }
    }
    Ok(())
}

impl Kind {
    fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Short | Self::Long | Self::Double)
    }
}
