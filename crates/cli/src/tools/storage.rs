//! `kafka-storage`: directories made a cluster's, or looked at.

mod features;
mod format;
mod info;
mod repair;
mod verify;

use std::path::PathBuf;

use base::config::NodeConfig;
use base::ids::NodeId;
use base::uuid::Uuid;
use metadata::controller::Random;
use metadata::format::draw_id;

use super::Tool;
use crate::console::Console;
use crate::failure::{Failure, Result, failed};
use crate::flags::commands::Command;
use crate::flags::{Arguments, Flag, Flags, letter, required, switch, value};

const CONFIG: Flag = letter('c', value("config", "CONFIG", "The node's server.properties."));
const CLUSTER_ID: Flag =
    letter('t', value("cluster-id", "CLUSTER_ID", "The id of the cluster; random-uuid makes one."));
const DIRECTORY: Flag =
    value("directory", "DIR", "This log directory, instead of those of --config; may be repeated.");

pub(crate) const TOOL: Tool = Tool {
    name: "kafka-storage",
    about: "Formats the directories of a node, or shows what they are.",
    flags: Flags::by_command(&[
        Command {
            name: "info",
            about: "Shows what the directories of a node are.",
            flags: &[required(CONFIG)],
            exclusive: &[],
        },
        FORMAT,
        Command {
            name: "version-mapping",
            about: "Shows the level that each feature has in a new cluster of a release.",
            flags: &[letter(
                'r',
                value(
                    "release-version",
                    "RELEASE_VERSION",
                    "The release; without it the newest that is stable.",
                ),
            )],
            exclusive: &[],
        },
        Command {
            name: "feature-dependencies",
            about: "Shows what levels of features need of other features.",
            flags: &[letter(
                'f',
                required(value("feature", "FEATURE", "A feature's level, as NAME=LEVEL; may be repeated.")),
            )],
            exclusive: &[],
        },
        Command { name: "random-uuid", about: "Prints a random id.", flags: &[], exclusive: &[] },
        Command {
            name: "verify",
            about: "Checks every batch, index and checkpoint of the directories; changes nothing.",
            flags: &[CONFIG, DIRECTORY],
            exclusive: &[],
        },
        REPAIR,
    ]),
    run,
};

const FORMAT: Command = Command {
    name: "format",
    about: "Makes the directories those of a node of a cluster.",
    flags: &[
        required(CONFIG),
        required(CLUSTER_ID),
        letter('S', value("add-scram", "ADD_SCRAM", "Not built yet.")),
        letter('g', switch("ignore-formatted", "Directories that are formatted already are no failure.")),
        letter('r', value("release-version", "RELEASE_VERSION", "The level of metadata.version, by name.")),
        letter('f', value("feature", "FEATURE", "A feature's level, as NAME=LEVEL; may be repeated.")),
        letter('s', switch("standalone", "This node is the first and only voter.")),
        letter('N', switch("no-initial-controllers", "The voters are known elsewhere.")),
        letter(
            'I',
            value(
                "initial-controllers",
                "INITIAL_CONTROLLERS",
                "The first voters, as ID@HOST:PORT:DIRECTORY, separated by commas.",
            ),
        ),
    ],
    exclusive: &["standalone", "no-initial-controllers", "initial-controllers"],
};

const REPAIR: Command = Command {
    name: "repair",
    about: "Says what would put right what verify finds, or does it.",
    flags: &[
        CONFIG,
        DIRECTORY,
        switch("execute", "Do it, and keep a copy of everything that is changed."),
        value("keep", "DIR", "Where the copies go; by default a new directory beside the log directory."),
        CLUSTER_ID,
        value("node-id", "ID", "The node, where meta.properties does not say it."),
        value("directory-id", "ID", "The directory's id, where meta.properties does not say it."),
        value("topic-id", "NAME=ID", "The id of a topic; may be repeated."),
    ],
    exclusive: &[],
};

/// Bits of the system's own generator.
struct SystemRandom;

impl Random for SystemRandom {
    fn bits(&mut self) -> u128 {
        let mut bytes = [0; 16];
        let mut filled = 0;
        while filled < bytes.len() {
            let flags = rustix::rand::GetRandomFlags::empty();
            filled += rustix::rand::getrandom(&mut bytes[filled..], flags).unwrap_or(0);
        }
        u128::from_ne_bytes(bytes)
    }
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<()> {
    match arguments.command.as_deref() {
        Some("info") => info::run(&config(arguments)?, console),
        Some("format") => format::run(arguments, &config(arguments)?, console),
        Some("version-mapping") => features::version_mapping(arguments.get("release-version"), console),
        Some("feature-dependencies") => features::dependencies(arguments.each("feature"), console),
        Some("verify") => verify::run(&to_verify(arguments)?.0, console),
        Some("repair") => {
            let (directories, node_id) = to_verify(arguments)?;
            repair::run(&directories, node_id, arguments, console)
        }
        _ => {
            let id: Uuid = draw_id(&mut SystemRandom);
            console.line(format_args!("{id}"));
            Ok(())
        }
    }
}

fn config(arguments: &Arguments) -> Result<NodeConfig> {
    let Some(file) = arguments.get("config") else {
        return failed("One of --config and --directory must say which directories are meant.");
    };
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::Error(format!("{file} cannot be read: {error}")))?;
    let parsed = base::config::properties::parse(&text).and_then(NodeConfig::parse);
    parsed.map_err(|error| Failure::Error(format!("{file}: {error}")))
}

/// The directories of a node, each once.
fn directories(config: &NodeConfig) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = config.log_dirs.iter().map(PathBuf::from).collect();
    all.push(PathBuf::from(&config.metadata_log_dir));
    all.sort();
    all.dedup();
    all
}

/// The directories that are meant, and whose they are if a configuration was named.
fn to_verify(arguments: &Arguments) -> Result<(Vec<PathBuf>, Option<NodeId>)> {
    let given: Vec<PathBuf> = arguments.each("directory").map(PathBuf::from).collect();
    if !given.is_empty() && !arguments.has("config") {
        return Ok((given, None));
    }
    let config = config(arguments)?;
    Ok((if given.is_empty() { directories(&config) } else { given }, Some(config.node_id)))
}
