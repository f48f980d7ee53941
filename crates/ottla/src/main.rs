//! The one binary: a node, and Kafka's command-line tools.
//!
//! ```text
//! ottla                          a node on 127.0.0.1:9092, data in ./ottla-data, no configuration
//! ottla server [FILE] [--override NAME=VALUE]…
//! ottla demo meters              the first use case, checking itself
//! ottla kafka-topics …           each of Kafka's tools; also under its own name: kafka-topics.sh …
//! ottla install-aliases DIR      makes those names
//! ```

#![expect(unreachable_pub, reason = "a binary has no callers: pub says what a file shows to the others")]

mod arguments;
mod demo;
mod node;

use std::process::ExitCode;

use arguments::Command;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    match Command::parse(&arguments) {
        Ok(command) => run(command),
        Err(usage) => {
            eprintln!("{usage}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> ExitCode {
    match command {
        Command::Help => {
            println!("{}", arguments::USAGE);
            ExitCode::SUCCESS
        }
        Command::Version => {
            println!("ottla {} (Apache Kafka 4.3.0)", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Command::Server(server) => node::run(&server),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Tool { name, arguments } => ExitCode::from(cli::run(&name, &arguments)),
    }
}
