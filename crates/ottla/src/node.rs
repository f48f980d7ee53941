//! A node: its configuration, its threads, its start and its stop.
//!
//! ```text
//!  configuration ─► sockets bound ─► directories locked, formatted, logs opened ─► shards, controller
//!                ─► registered and unfenced ─► serving ─► SIGTERM ─► sockets closed ─► logs closed ─► marked as clean
//! ```
//! Invariant: a node that could not start changes nothing but what it formatted, the clean mark and what a crash left; a
//! node that stopped on request leaves every directory marked as cleanly stopped.

mod cleaner;
mod controller;
mod http;
mod listeners;
mod log_dirs;
mod logging;
mod movers;
mod random;
mod shards;
mod start;
mod threads;

use std::path::Path;
use std::process::ExitCode;

use base::config::{NodeConfig, Properties, properties, unbuilt_security};

use crate::arguments::ServerArguments;
pub use start::Node;

/// Where a node without configuration keeps its data.
const DATA: &str = "./ottla-data";

/// How a node is to run.
pub struct Settings {
    /// What was configured.
    pub config: NodeConfig,
    /// Nothing was configured: the node formats its own empty directory.
    pub by_itself: bool,
    /// Where `/metrics` and `/healthz` are; `None` for the default address, which may be taken.
    pub http: Option<String>,
}

/// Runs a node until it is told to stop.
pub fn run(arguments: &ServerArguments) -> ExitCode {
    logging::start();
    let outcome = Settings::of(arguments).and_then(|settings| {
        let banner = settings.by_itself;
        let node = Node::start(settings)?;
        if banner {
            print!("{}", welcome(&node));
        }
        node.run_until_told();
        Ok(())
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("ottla: {sentence}");
            ExitCode::FAILURE
        }
    }
}

impl Settings {
    /// Reads what the command line names.
    ///
    /// # Errors
    /// One sentence that names the setting, the value and what is wrong.
    pub fn of(arguments: &ServerArguments) -> Result<Self, String> {
        let mut given = match &arguments.file {
            None => Properties::new(),
            Some(file) => read(Path::new(file))?,
        };
        for argument in &arguments.overrides {
            let (name, value) = properties::parse_override(argument).map_err(|error| error.to_string())?;
            given.insert(name, value);
        }
        if arguments.file.is_none() {
            given = NodeConfig::without_file(DATA, given);
        }
        Self::parse(given, arguments.file.is_none())
    }

    /// Checks properties.
    ///
    /// # Errors
    /// One sentence that names the setting, the value and what is wrong.
    pub fn parse(mut given: Properties, by_itself: bool) -> Result<Self, String> {
        let http = given.remove("ottla.http.address");
        let config = NodeConfig::parse(given).map_err(|error| error.to_string())?;
        if let Some(sentence) = unbuilt_security(&config).into_iter().next() {
            return Err(sentence);
        }
        if !config.roles.broker || !config.roles.controller {
            return Err("process.roles must be broker,controller: a node of one role needs a cluster, and clusters are \
                        not built yet"
                .to_owned());
        }
        for warning in config.warnings() {
            tracing::warn!("{warning}");
        }
        let idle = config.set_without_effect();
        if !idle.is_empty() {
            tracing::warn!(configs = idle.join(", "), "these configs are accepted and have no effect yet");
        }
        Ok(Self { config, by_itself, http })
    }
}

fn read(path: &Path) -> Result<Properties, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("the configuration {} cannot be read: {error}", path.display()))?;
    properties::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn welcome(node: &Node) -> String {
    let address = node.address();
    format!(
        "Ottla {version}, Apache Kafka in one binary, on {address}; data in {data}

  ottla kafka-topics --bootstrap-server {address} --create --topic hello --partitions 3
  ottla kafka-console-producer --bootstrap-server {address} --topic hello
  ottla kafka-console-consumer --bootstrap-server {address} --topic hello --from-beginning
",
        version = env!("CARGO_PKG_VERSION"),
        data = node.data(),
    )
}
