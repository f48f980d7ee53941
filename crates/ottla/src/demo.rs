//! `ottla demo …`: use cases that check themselves. Without `--bootstrap-server` they bring their own node.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base::config::{NodeConfig, Properties};

use crate::node::{Node, Settings};

/// The flag that names another broker.
const BOOTSTRAP: &str = "--bootstrap-server";

/// Runs the demo that the first argument names.
pub fn run(arguments: &[String]) -> ExitCode {
    match arguments.split_first() {
        Some((name, rest)) if name == "meters" => meters(rest),
        Some((name, _)) => refuse(&format!("there is no demo '{name}'; there is: meters")),
        None => refuse("which demo? There is: meters"),
    }
}

fn meters(arguments: &[String]) -> ExitCode {
    let elsewhere = |argument: &String| argument == BOOTSTRAP || argument.starts_with("--bootstrap-server=");
    if arguments.iter().any(|argument| elsewhere(argument) || argument == "--help") {
        return ExitCode::from(cli::demo::meters::main(arguments));
    }
    let data = std::env::temp_dir().join(format!("ottla-demo-{}", std::process::id()));
    let code = match own_node(&data) {
        Ok(node) => {
            let mut arguments = arguments.to_vec();
            arguments.extend([BOOTSTRAP.to_owned(), node.address().to_owned()]);
            let code = ExitCode::from(cli::demo::meters::main(&arguments));
            node.stop();
            code
        }
        Err(sentence) => refuse(&sentence),
    };
    // What cannot be removed is in the directory for temporary files, where somebody else cleans up.
    let _ = std::fs::remove_dir_all(&data);
    code
}

fn own_node(data: &Path) -> Result<Node, String> {
    let path: PathBuf = data.join("data");
    std::fs::create_dir_all(data).map_err(|error| format!("{} cannot be made: {error}", data.display()))?;
    let any_port = Properties::from([("listeners".to_owned(), "PLAINTEXT://127.0.0.1:0".to_owned())]);
    let properties = NodeConfig::without_file(&path.to_string_lossy(), any_port);
    Node::start(Settings::parse(properties, true)?)
}

fn refuse(sentence: &str) -> ExitCode {
    eprintln!("ottla demo: {sentence}");
    ExitCode::FAILURE
}
