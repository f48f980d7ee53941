//! `ottla storage info`: whose the directories of a node are, and whether they belong together.

use base::config::NodeConfig;
use storage::Error;
use storage::disk::os::OsDisk;
use storage::meta_properties::{FILE_NAME, MetaProperties};

use super::directories;
use crate::console::Console;
use crate::failure::{Failure, Result};

/// Prints what the directories are. A problem is a failure.
pub(super) fn run(config: &NodeConfig, console: &mut Console) -> Result<()> {
    let mut found = Vec::new();
    let mut problems = Vec::new();
    let mut first: Option<MetaProperties> = None;
    for directory in directories(config) {
        let shown = directory.display().to_string();
        if !directory.is_dir() {
            let why = if directory.exists() { "is not a directory" } else { "does not exist" };
            problems.push(format!("{shown} {why}"));
            continue;
        }
        found.push(shown.clone());
        match MetaProperties::read(&OsDisk, &directory) {
            Ok(None) => problems.push(format!("{shown} is not formatted.")),
            Ok(Some(meta)) => {
                let first = first.get_or_insert_with(|| meta.clone());
                problems.extend(mismatch(first, &meta).map(str::to_owned));
            }
            Err(Error::Corrupt { path, reason, .. }) => {
                problems.push(format!("Error loading {}: {reason}", path.display()));
            }
            Err(error) => problems.push(format!("Error loading {shown}/{FILE_NAME}: {error}")),
        }
    }
    print_list(console, ["Found log directory:", "Found log directories:"], &found);
    if let Some(meta) = &first {
        console.line(format_args!("Found metadata: {}\n", describe(meta)));
        if meta.version == 0 {
            problems.push(
                "The kafka configuration file appears to be for a cluster in KRaft mode, but the directories are \
                 formatted for legacy mode."
                    .to_owned(),
            );
        }
    }
    print_list(console, ["Found problem:", "Found problems:"], &problems);
    if problems.is_empty() { Ok(()) } else { Err(Failure::Said) }
}

/// Why the two cannot be directories of one node.
fn mismatch(one: &MetaProperties, other: &MetaProperties) -> Option<&'static str> {
    if one.cluster_id != other.cluster_id {
        Some("Mismatched cluster IDs between storage directories.")
    } else if one.node_id != other.node_id {
        Some("Mismatched node IDs between storage directories.")
    } else {
        None
    }
}

fn print_list(console: &mut Console, heads: [&str; 2], lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    console.line(format_args!("{}", heads[usize::from(lines.len() > 1)]));
    lines.iter().for_each(|line| console.line(format_args!("  {line}")));
    console.line(format_args!(""));
}

/// As Kafka prints its properties: by name.
fn describe(meta: &MetaProperties) -> String {
    let mut pairs = Vec::new();
    pairs.extend(meta.cluster_id.as_ref().map(|id| format!("cluster.id={id}")));
    pairs.extend(meta.directory_id.map(|id| format!("directory.id={id}")));
    let node = if meta.version == 0 { "broker.id" } else { "node.id" };
    pairs.extend(meta.node_id.map(|id| format!("{node}={id}")));
    pairs.push(format!("version={}", meta.version));
    pairs.sort();
    format!("{{{}}}", pairs.join(", "))
}
