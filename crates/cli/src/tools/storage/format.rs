//! `ottla storage format`: what the flags and the node's configuration say about the new directories.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base::config::NodeConfig;
use base::ids::{DirectoryId, NodeId};
use base::time::WallTime;
use metadata::format::{Format, InitialVoters};
use quorum::{Endpoint, ReplicaKey, Voter, VoterSet};
use storage::disk::os::OsDisk;

use super::{SystemRandom, directories};
use crate::console::Console;
use crate::failure::{Failure, Result, failed};
use crate::flags::Arguments;
use crate::time;

/// Formats the directories of a node.
pub(super) fn run(arguments: &Arguments, config: &NodeConfig, console: &mut Console) -> Result<()> {
    if arguments.has("add-scram") {
        return failed("SCRAM credentials are not built yet: leave --add-scram out.");
    }
    let format = Format {
        cluster_id: arguments.get("cluster-id").unwrap_or_default().to_owned(),
        node_id: config.node_id,
        directories: directories(config),
        metadata_dir: PathBuf::from(&config.metadata_log_dir),
        features: features(arguments)?,
        release_version: arguments.get("release-version").map(str::to_owned),
        voters: voters(arguments, config)?,
        ignore_formatted: arguments.has("ignore-formatted"),
    };
    let mut tell = |line| console.line(format_args!("{line}"));
    let ran = format.run(&OsDisk, WallTime(time::now_ms()), &mut SystemRandom, &mut tell);
    ran.map_err(|error| Failure::Error(error.to_string()))
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
    let (standalone, given) = (arguments.has("standalone"), arguments.get("initial-controllers"));
    if !config.voters.is_empty() {
        return if standalone || given.is_some() {
            failed(
                "You cannot specify controller.quorum.voters and format the node with --initial-controllers or \
                 --standalone. If you want to use dynamic quorum, please remove controller.quorum.voters and specify \
                 controller.quorum.bootstrap.servers instead.",
            )
        } else {
            Ok(InitialVoters::Configured)
        };
    }
    if standalone {
        if !config.roles.controller {
            return failed("You can only use --standalone on a controller.");
        }
        return Ok(InitialVoters::These([local_voter(config)].into_iter().collect()));
    }
    if let Some(text) = given {
        return initial_voters(text).map(InitialVoters::These);
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

/// This node as a voter.
fn local_voter(config: &NodeConfig) -> Voter {
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

/// `1@host:9093:directory-id,2@…`.
fn initial_voters(text: &str) -> Result<VoterSet> {
    let mut voters: Vec<Voter> = Vec::new();
    for text in text.split(',').map(str::trim).filter(|text| !text.is_empty()) {
        let voter = initial_voter(text).map_err(Failure::Error)?;
        if voters.iter().any(|other| other.key.id == voter.key.id) {
            return failed(format!("Node id {} was specified more than once.", voter.key.id));
        }
        voters.push(voter);
    }
    if voters.is_empty() { failed("No voters given.") } else { Ok(voters.into_iter().collect()) }
}

/// `1@host:9093:directory-id`; an IPv6 address stands in brackets.
fn initial_voter(text: &str) -> std::result::Result<Voter, String> {
    let unread = |what: &str| format!("Failed to parse {what} in dynamic voter string.");
    let (id, rest) = text.split_once('@').ok_or("No @ found in dynamic voter string.")?;
    let id: i32 = id.parse().map_err(|_| unread("node id"))?;
    if id < 0 {
        return Err(format!("Invalid negative node id {id} in dynamic voter string."));
    }
    let (host, rest) = match rest.strip_prefix('[') {
        Some(bracketed) => {
            let closed = bracketed.split_once(']');
            let closed = closed.ok_or("Hostname began with left bracket, but no right bracket was found.")?;
            (closed.0, closed.1.strip_prefix(':'))
        }
        None => rest.split_once(':').map_or((rest, None), |(host, rest)| (host, Some(rest))),
    };
    let rest = rest.ok_or("No colon following hostname could be found.")?;
    let (port, directory) = rest.split_once(':').ok_or("No colon following port could be found.")?;
    let port: i32 = port.parse().map_err(|_| unread("port"))?;
    let port = u16::try_from(port).map_err(|_| format!("Invalid port {port} in dynamic voter string."))?;
    let directory = DirectoryId(directory.parse().map_err(|_| unread("directory ID"))?);
    let endpoints = vec![Endpoint { name: "CONTROLLER".to_owned(), host: host.to_owned(), port }];
    Ok(Voter { key: ReplicaKey::new(NodeId(id), directory), endpoints, kraft_versions: KRAFT_VERSIONS })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initial_controllers_name_their_directories() {
        let check = |text: &str, expect: std::result::Result<&[(i32, &str, u16)], &str>| {
            let got = match initial_voters(text) {
                Ok(voters) => Ok(voters
                    .iter()
                    .map(|voter| (voter.key.id.0, voter.endpoints[0].host.clone(), voter.endpoints[0].port))
                    .collect::<Vec<_>>()),
                Err(Failure::Error(text)) => Err(text),
                Err(other) => panic!("{other:?}"),
            };
            let expect = expect.map(|voters| {
                voters.iter().map(|(id, host, port)| (*id, (*host).to_owned(), *port)).collect::<Vec<_>>()
            });
            assert_eq!(got, expect.map_err(str::to_owned), "{text}");
        };
        let id = "AAAAAAAAAAAAAAAAAAAAAQ";
        check(&format!("1@h:9093:{id}"), Ok(&[(1, "h", 9093)]));
        check(&format!("1@[::1]:9093:{id}, 2@h:1:{id},"), Ok(&[(1, "::1", 9093), (2, "h", 1)]));
        check("", Err("No voters given."));
        check(&format!("1@h:1:{id},1@g:1:{id}"), Err("Node id 1 was specified more than once."));
        check("1@h:9093", Err("No colon following port could be found."));
        check("1@h", Err("No colon following hostname could be found."));
        check("1@[::1:9093", Err("Hostname began with left bracket, but no right bracket was found."));
        check(&format!("h:9093:{id}"), Err("No @ found in dynamic voter string."));
        check(&format!("x@h:9093:{id}"), Err("Failed to parse node id in dynamic voter string."));
        check(&format!("-1@h:9093:{id}"), Err("Invalid negative node id -1 in dynamic voter string."));
        check(&format!("1@h:x:{id}"), Err("Failed to parse port in dynamic voter string."));
        check(&format!("1@h:99999:{id}"), Err("Invalid port 99999 in dynamic voter string."));
        check("1@h:9093:bogus", Err("Failed to parse directory ID in dynamic voter string."));
    }
}
