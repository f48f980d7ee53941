//! The reference page of configs: `docs/reference/configs.md`, written from the tables.

use std::fmt::Write;

use super::definition::{Check, Default, Definition, Kind, Mode, Table};
use super::{BROKER, CLIENT_METRICS, GROUP, TOPIC};

const HEAD: &str = "# Configs

Every config of Apache Kafka 4.3, with its names, types, defaults and limits. Written from the tables in `defs/configs` by
`cargo run -p base --example config_reference`; a test compares this page with them.

**While running** says whether a broker takes a new value without a restart: for the whole *cluster* (or one broker), or for
one *broker* at a time. *Listener* says that the config may stand behind `listener.name.NAME.` for one listener. In
brackets: a new value is kept and shown, and only the one given at the start has its effect yet. A config that is marked
\u{25cb} is accepted and checked, and has no effect yet; the last section lists them.
";

/// The page.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for (title, table) in TABLES {
        let _ = write!(page, "\n## {title}\n");
        let mut section = "";
        for definition in table.definitions.iter().filter(|definition| !definition.internal) {
            if section != definition.section {
                section = definition.section;
                let running = if table.name == "broker" { " While running |" } else { "" };
                let line = if running.is_empty() { "" } else { "---|" };
                let _ = write!(
                    page,
                    "\n### {section}\n\n| Config | Type | Default | Values |{running} Meaning |\n\
                     |---|---|---|---|{line}---|\n"
                );
            }
            row(&mut page, table, definition);
        }
    }
    page.push_str("\n## Accepted, no effect yet\n\nThis list may only shrink.\n");
    for (title, table) in TABLES {
        let names: Vec<String> =
            table.without_effect().map(|definition| format!("`{}`", definition.name)).collect();
        if !names.is_empty() {
            let _ = write!(page, "\n**{title}** ({}): {}\n", names.len(), names.join(", "));
        }
    }
    page
}

const TABLES: [(&str, &Table); 4] = [
    ("Broker and controller", &BROKER),
    ("Topic", &TOPIC),
    ("Group", &GROUP),
    ("Client metrics subscription", &CLIENT_METRICS),
];

fn row(page: &mut String, table: &Table, definition: &Definition) {
    let mark = if definition.built { "" } else { " \u{25cb}" };
    let default = match definition.default {
        Default::Required => "*required*".to_owned(),
        Default::Null => "null".to_owned(),
        Default::Text("") => "\"\"".to_owned(),
        Default::Text(text) => format!("`{text}`"),
    };
    let running = match (table.name, definition.mode) {
        ("broker", mode) => format!(" {} |", running(mode, definition)),
        _ => String::new(),
    };
    let _ = writeln!(
        page,
        "| `{}`{mark} | {} | {default} | {} |{running} {}{} |",
        definition.name,
        kind(definition.kind),
        values(definition.check),
        definition.doc,
        sources(definition),
    );
}

fn running(mode: Mode, definition: &Definition) -> String {
    let mode = match mode {
        Mode::Static => "",
        Mode::Cluster => "cluster",
        Mode::PerBroker => "broker",
    };
    let listener = if definition.listener { "listener" } else { "" };
    let words: Vec<_> = [mode, listener].into_iter().filter(|word| !word.is_empty()).collect();
    if definition.at_start { format!("({})", words.join(", ")) } else { words.join(", ") }
}

/// Which configs stand in for this one.
fn sources(definition: &Definition) -> String {
    if let [first, rest @ ..] = definition.inherits {
        let mut text = format!(" Not set: the broker's `{}`", first.name);
        for inherited in rest {
            let _ = write!(text, ", `{}`", inherited.name);
        }
        return text + ".";
    }
    match definition.chain {
        [first, rest @ ..] if *first == definition.name && !rest.is_empty() => {
            format!(" Not set: `{}`.", rest.join("`, `"))
        }
        _ => String::new(),
    }
}

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

fn values(check: Check) -> String {
    match check {
        Check::Any | Check::List { values: [], empty: true } => String::new(),
        Check::Integer { least, most: None, .. } => format!("at least {least}"),
        Check::Integer { least, most: Some(most), or: None } => format!("{least} to {most}"),
        Check::Integer { least, most: Some(most), or: Some(or) } => format!("{least} to {most}, or {or}"),
        Check::Double { least, most: None } => format!("at least {least}"),
        Check::Double { least, most: Some(most) } => format!("{least} to {most}"),
        Check::OneOf { values, .. } => values.join(", "),
        Check::NotEmpty | Check::List { values: [], empty: false } => "not empty".to_owned(),
        Check::List { values, empty: true } => format!("any of {}", values.join(", ")),
        Check::List { values, empty: false } => format!("one or more of {}", values.join(", ")),
        Check::Voters => "ID@HOST:PORT".to_owned(),
        Check::BootstrapServers => "HOST:PORT".to_owned(),
        Check::ThrottledReplicas => "*, or PARTITION:BROKER".to_owned(),
        Check::OffsetReset => "latest, earliest, by_duration:PT…".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_fresh() {
        let written = include_str!("../../../../docs/reference/configs.md");
        let first = written.lines().zip(page().lines().map(str::to_owned)).find(|(old, new)| old != new);
        assert!(
            written == page(),
            "write it again: cargo run -p base --example config_reference > docs/reference/configs.md\n{first:?}"
        );
    }

    #[test]
    fn a_config_has_one_row() {
        let page = page();
        let check = |row: &str| assert!(page.lines().any(|line| line == row), "{row}");
        check(
            "| `num.partitions` | int | `1` | at least 1 |  | Partitions of a topic whose creator did not say. |",
        );
        check(
            "| `log.preallocate` \u{25cb} | boolean | `false` |  | cluster | A new segment's file gets its full size at once. |",
        );
        check(
            "| `log.retention.ms` | long | null |  | cluster | Age at which a segment is deleted; -1 never. Not set: \
             `log.retention.minutes`, `log.retention.hours`. |",
        );
        check(
            "| `segment.bytes` | int | `1073741824` | at least 1048576 | A segment that would grow beyond this is closed \
             and a new one begun. Not set: the broker's `log.segment.bytes`. |",
        );
    }
}
