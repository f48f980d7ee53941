//! Emits a table's `static` and its struct.
//!
//! The emitted text uses the debug names of the enums here: `base::config` has enums with the same variants.

use std::fmt::Write;

use super::{Check, Config, Default, Fields, Kind, Table};

/// Appends `pub static NAME: Table` and, where the table names one, the struct.
pub(super) fn table(out: &mut String, name: &str, table: &Table) {
    let mut by_name: Vec<usize> = (0..table.configs.len()).collect();
    by_name.sort_by_key(|&index| &table.configs[index].name);
    let upper = name.to_uppercase();
    let _ = writeln!(
        out,
        "/// The configs of `defs/configs/{name}.def`.\n\
         pub static {upper}: Table = Table {{ name: {name:?}, definitions: &[",
    );
    for config in &table.configs {
        definition(out, config, table);
    }
    let _ = writeln!(out, "], by_name: &{by_name:?} }};\n");
    if let Some((name, fields)) = &table.record {
        record(out, name, *fields, &upper, table);
    }
}

fn definition(out: &mut String, config: &Config, table: &Table) {
    let Config { name, section, doc, listener, internal, built, at_start, .. } = config;
    let default = match &config.default {
        Default::Required => "Required".to_owned(),
        Default::Null => "Null".to_owned(),
        Default::Text(text) => format!("Text({text:?})"),
    };
    let stand_ins = chain(config, table);
    let inherits: Vec<String> = config
        .inherits
        .iter()
        .map(|(name, factor)| format!("Inherited {{ name: {name:?}, factor: {factor} }}"))
        .collect();
    let _ = writeln!(
        out,
        "    Definition {{ name: {name:?}, section: {section:?}, kind: Kind::{:?}, default: Default::{default}, \
         check: {}, mode: Mode::{:?}, listener: {listener}, importance: Importance::{:?}, internal: {internal}, \
         built: {built}, at_start: {at_start}, chain: &{stand_ins:?}, inherits: &[{}], doc: {doc:?} }},",
        config.kind,
        check(&config.check),
        config.mode,
        config.importance,
        inherits.join(", "),
    );
}

/// The configs that give one value between them, first one first: every member of such a family has the same list.
fn chain<'a>(config: &'a Config, table: &'a Table) -> Vec<&'a str> {
    let head = table.configs.iter().find(|head| {
        head.name == config.name && !head.stand_ins.is_empty() || head.stand_ins.contains(&config.name)
    });
    match head {
        Some(head) => std::iter::once(&head.name).chain(&head.stand_ins).map(String::as_str).collect(),
        None => vec![&config.name],
    }
}

fn check(check: &Check) -> String {
    match check {
        Check::Any => "Check::Any".into(),
        Check::Integer { least, most, or } => {
            format!("Check::Integer {{ least: {least}, most: {most:?}, or: {or:?} }}")
        }
        Check::Double { least, most } => format!("Check::Double {{ least: {least:?}, most: {most:?} }}"),
        Check::OneOf { values, any_case } => {
            format!("Check::OneOf {{ values: &{values:?}, any_case: {any_case} }}")
        }
        Check::NotEmpty => "Check::NotEmpty".into(),
        Check::List { values, empty } => format!("Check::List {{ values: &{values:?}, empty: {empty} }}"),
        Check::Voters => "Check::Voters".into(),
        Check::BootstrapServers => "Check::BootstrapServers".into(),
        Check::ThrottledReplicas => "Check::ThrottledReplicas".into(),
        Check::OffsetReset => "Check::OffsetReset".into(),
    }
}

fn record(out: &mut String, name: &str, fields: Fields, table_name: &str, table: &Table) {
    let chosen: Vec<(usize, &Config)> = table
        .configs
        .iter()
        .enumerate()
        .filter(|(_, config)| fields == Fields::All || config.built)
        .collect();
    let _ = writeln!(
        out,
        "/// The fields of [`{table_name}`]{}, as checked values.",
        match fields {
            Fields::All => "",
            Fields::Built => " that have an effect",
        }
    );
    let _ = writeln!(out, "#[derive(Clone, Debug, PartialEq)]\npub struct {name} {{");
    for (_, config) in &chosen {
        let _ = writeln!(
            out,
            "    /// `{}`: {}\n    pub {}: {},",
            config.name,
            config.doc,
            field(&config.name),
            rust_type(config)
        );
    }
    let _ = writeln!(out, "}}\n\nimpl {name} {{");
    let _ = writeln!(
        out,
        "    /// The fields, out of checked values of [`{table_name}`].\n    pub fn of(values: &Values) -> Self {{\n        \
         assert_eq!(values.table(), {table_name}.name, \"values of another table\");\n        Self {{"
    );
    for (index, config) in &chosen {
        let _ = writeln!(out, "            {}: Field::of(values.at({index})),", field(&config.name));
    }
    let _ = writeln!(out, "        }}\n    }}\n}}\n");
}

fn field(name: &str) -> String {
    name.replace('.', "_")
}

fn rust_type(config: &Config) -> String {
    let plain = match (&config.field, config.kind) {
        (Some(name), _) => name,
        (None, Kind::Boolean) => "bool",
        (None, Kind::Int) => "i32",
        (None, Kind::Short) => "i16",
        (None, Kind::Long) => "i64",
        (None, Kind::Double) => "f64",
        (None, Kind::List) => "Vec<String>",
        (None, Kind::Password) => "Password",
        (None, Kind::String | Kind::Class) => "String",
    };
    match config.default {
        Default::Null => format!("Option<{plain}>"),
        _ => plain.to_owned(),
    }
}
