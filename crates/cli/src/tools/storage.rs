//! `kafka-storage`: directories made a cluster's, or looked at.

mod repair;
mod verify;

use std::collections::BTreeMap;
use std::path::PathBuf;

use base::config::NodeConfig;
use base::ids::{DirectoryId, NodeId};
use base::time::WallTime;
use base::uuid::Uuid;
use metadata::controller::Random;
use metadata::format::{Format, InitialVoters, draw_id};
use quorum::{Endpoint, ReplicaKey, Voter, VoterSet};
use storage::disk::os::OsDisk;
use storage::meta_properties::MetaProperties;

use super::Tool;
use crate::console::Console;
use crate::failure::{Failure, Result, failed, usage};
use crate::flags::{Arguments, Flags, letter, switch, value};
use crate::time;

pub(crate) const TOOL: Tool = Tool {
    name: "kafka-storage",
    about: "Formats the directories of a node, or shows what they are.",
    flags: Flags {
        flags: &[
            letter('c', value("config", "CONFIG", "The node's server.properties.")),
            letter('t', value("cluster-id", "CLUSTER_ID", "The id of the cluster; random-uuid makes one.")),
            letter('g', switch("ignore-formatted", "Directories that are formatted already are no failure.")),
            letter('r', value("release-version", "VERSION", "The level of metadata.version, by name.")),
            letter('f', value("feature", "NAME=LEVEL", "The level of a feature; may be repeated.")),
            letter('s', switch("standalone", "This node is the first and only voter.")),
            letter('N', switch("no-initial-controllers", "The voters are known elsewhere.")),
            letter(
                'I',
                value(
                    "initial-controllers",
                    "ID@HOST:PORT:DIRECTORY,…",
                    "The first voters, separated by commas.",
                ),
            ),
            letter('S', value("add-scram", "ADD_SCRAM", "Not built yet.")),
            value(
                "directory",
                "DIR",
                "verify, repair: this log directory, instead of those of --config; may be repeated.",
            ),
            switch("execute", "repair: Do it, and keep a copy of everything that is changed."),
            value(
                "keep",
                "DIR",
                "repair: where the copies go; by default a new directory beside the log directory.",
            ),
            value("node-id", "ID", "repair: the node, where meta.properties does not say it."),
            value("directory-id", "ID", "repair: the directory's id, where meta.properties does not say it."),
            value("topic-id", "NAME=ID", "repair: the id of a topic; may be repeated."),
        ],
        needs_arguments: true,
        commands: &[
            ("format", "Make the directories those of a node of a cluster."),
            ("info", "Show what the directories are."),
            ("random-uuid", "Print a random id."),
            ("verify", "Check every batch, index and checkpoint of the directories; change nothing."),
            ("repair", "Say what would put right what verify finds, or do it."),
        ],
    },
    run,
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
        Some("random-uuid") => {
            let id: Uuid = draw_id(&mut SystemRandom);
            console.line(format_args!("{id}"));
            Ok(())
        }
        Some("info") => info(&config(arguments)?, console),
        Some("format") => format(arguments, console),
        Some("verify") => verify::run(&to_verify(arguments)?.0, console),
        Some("repair") => {
            let (directories, node_id) = to_verify(arguments)?;
            repair::run(&directories, node_id, arguments, console)
        }
        Some(other) => usage(format!(
            "kafka-storage: error: invalid choice: '{other}' (choose from 'info', 'format', 'random-uuid', 'verify', 'repair')"
        )),
        None => usage("kafka-storage: error: too few arguments"),
    }
}

fn config(arguments: &Arguments) -> Result<NodeConfig> {
    let Some(file) = arguments.get("config") else {
        return usage("kafka-storage: error: argument --config/-c is required");
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

fn format(arguments: &Arguments, console: &mut Console) -> Result<()> {
    let config = config(arguments)?;
    let Some(cluster_id) = arguments.get("cluster-id") else {
        return usage("kafka-storage: error: argument --cluster-id/-t is required");
    };
    if arguments.has("add-scram") {
        return failed("SCRAM credentials are not built yet: leave --add-scram out.");
    }
    let format = Format {
        cluster_id: cluster_id.to_owned(),
        node_id: config.node_id,
        directories: directories(&config),
        metadata_dir: PathBuf::from(&config.metadata_log_dir),
        features: features(arguments)?,
        release_version: arguments.get("release-version").map(str::to_owned),
        voters: voters(arguments, &config)?,
        ignore_formatted: arguments.has("ignore-formatted"),
    };
    let lines = format.run(&OsDisk, WallTime(time::now_ms()), &mut SystemRandom);
    for line in lines.map_err(|error| Failure::Error(error.to_string()))? {
        console.line(format_args!("{line}"));
    }
    Ok(())
}

fn features(arguments: &Arguments) -> Result<BTreeMap<String, i16>> {
    let feature = |text: &str| match text.split_once('=') {
        Some((name, level)) => match level.trim().parse() {
            Ok(level) => Ok((name.trim().to_owned(), level)),
            Err(_) => failed(format!(
                "Can't parse feature=level string {text}: unable to parse {level} as a short."
            )),
        },
        None => failed(format!("Can't parse feature=level string {text}: equals sign not found.")),
    };
    arguments.each("feature").map(feature).collect()
}

/// Who votes first: one of three flags, or what `controller.quorum.voters` says.
fn voters(arguments: &Arguments, config: &NodeConfig) -> Result<InitialVoters> {
    let flags = ["standalone", "initial-controllers", "no-initial-controllers"];
    if flags.iter().filter(|flag| arguments.has(flag)).count() > 1 {
        return usage(
            "Only one of --standalone, --initial-controllers and --no-initial-controllers may be there.",
        );
    }
    let given = flags.iter().any(|flag| arguments.has(flag));
    if !config.voters.is_empty() {
        return if given {
            failed(
                "You cannot specify --standalone, --initial-controllers or --no-initial-controllers together with \
                 controller.quorum.voters.",
            )
        } else {
            Ok(InitialVoters::Configured)
        };
    }
    if arguments.has("standalone") {
        if !config.roles.controller {
            return failed("You can only use --standalone on a controller.");
        }
        return Ok(InitialVoters::These([standalone(config)].into_iter().collect()));
    }
    if let Some(text) = arguments.get("initial-controllers") {
        let voters: Result<VoterSet> = text.split(',').map(initial_voter).collect();
        return Ok(InitialVoters::These(voters?));
    }
    if arguments.has("no-initial-controllers") || !config.roles.controller {
        return Ok(InitialVoters::Unknown);
    }
    failed(
        "Because controller.quorum.voters is not set on this controller, you must specify one of the following: \
         --standalone, --initial-controllers, or --no-initial-controllers.",
    )
}

/// The levels of `kraft.version` that there are.
const KRAFT_VERSIONS: (i16, i16) = (0, 1);

fn standalone(config: &NodeConfig) -> Voter {
    let endpoint = |listener: &base::config::Listener| Endpoint {
        name: listener.name.clone(),
        host: listener.host.clone().filter(|host| !host.is_empty()).unwrap_or_else(|| "localhost".to_owned()),
        port: listener.port,
    };
    Voter {
        // The directory gets its id when it is formatted.
        key: ReplicaKey::new(config.node_id, DirectoryId::MIGRATING),
        endpoints: config.controller_listeners().map(endpoint).collect(),
        kraft_versions: KRAFT_VERSIONS,
    }
}

/// `1@host:9093:directory-id`.
fn initial_voter(text: &str) -> Result<Voter> {
    let wrong =
        || Failure::Error(format!("Failed to parse controller {text}: expected id@host:port:directory-id"));
    let (id, rest) = text.trim().split_once('@').ok_or_else(wrong)?;
    let (address, directory) = rest.rsplit_once(':').ok_or_else(wrong)?;
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    let id = NodeId(id.parse().map_err(|_| wrong())?);
    let directory = DirectoryId(directory.parse().map_err(|_| wrong())?);
    let host = host.trim_matches(['[', ']']).to_owned();
    let port = port.parse().map_err(|_| wrong())?;
    let endpoints = vec![Endpoint { name: "CONTROLLER".to_owned(), host, port }];
    Ok(Voter { key: ReplicaKey::new(id, directory), endpoints, kraft_versions: KRAFT_VERSIONS })
}

fn info(config: &NodeConfig, console: &mut Console) -> Result<()> {
    let mut found = Vec::new();
    let mut problems = Vec::new();
    let mut metadata: Option<(PathBuf, MetaProperties)> = None;
    for directory in directories(config) {
        let shown = directory.display().to_string();
        if !directory.exists() {
            problems.push(format!("{shown} does not exist"));
            continue;
        }
        if !directory.is_dir() {
            problems.push(format!("{shown} is not a directory"));
            continue;
        }
        found.push(shown.clone());
        match MetaProperties::read(&OsDisk, &directory) {
            Ok(None) => problems.push(format!("{shown} is not formatted.")),
            Ok(Some(meta)) => problems.extend(conflict(config, &shown, &meta, &mut metadata, directory)),
            Err(error) => problems.push(format!("Error loading {shown}: {error}")),
        }
    }
    print_list(console, ["Found log directory:", "Found log directories:"], &found);
    if let Some((_, meta)) = &metadata {
        console.line(format_args!("Found metadata: {}\n", describe(meta)));
    }
    print_list(console, ["Found problem:", "Found problems:"], &problems);
    if problems.is_empty() { Ok(()) } else { Err(Failure::Said) }
}

/// Whether the directory is that of another node or cluster; remembers the first.
fn conflict(
    config: &NodeConfig,
    shown: &str,
    meta: &MetaProperties,
    first: &mut Option<(PathBuf, MetaProperties)>,
    directory: PathBuf,
) -> Option<String> {
    let (other, known) = first.get_or_insert_with(|| (directory, meta.clone()));
    if known.cluster_id != meta.cluster_id || known.node_id != meta.node_id {
        return Some(format!("Metadata of {shown} and {} do not belong together.", other.display()));
    }
    let stored = meta.node_id.filter(|id| *id != config.node_id)?;
    Some(format!("Stored node id {stored} doesn't match previous node id {}", config.node_id))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initial_controllers_name_their_directories() {
        let check = |text: &str, expect: Option<(i32, &str, u16)>| {
            let voter = initial_voter(text).ok();
            let got =
                voter.map(|voter| (voter.key.id.0, voter.endpoints[0].host.clone(), voter.endpoints[0].port));
            assert_eq!(got, expect.map(|(id, host, port)| (id, host.to_owned(), port)), "{text}");
        };
        check("1@h:9093:AAAAAAAAAAAAAAAAAAAAAQ", Some((1, "h", 9093)));
        check("1@[::1]:9093:AAAAAAAAAAAAAAAAAAAAAQ", Some((1, "::1", 9093)));
        check("1@h:9093", None);
        check("h:9093:AAAAAAAAAAAAAAAAAAAAAQ", None);
    }
}
