//! Kafka's command-line tools: their flags, their output, their exit codes.
//!
//! [`run`] takes a tool's name and arguments; `ottla kafka-topics …` and, through a symlink that [`install_aliases`]
//! made, `kafka-topics.sh …` are the same call. One file per tool, each with the table of its flags.
//!
//! Invariants: standard output carries data alone, everything else goes to standard error; 0 is success, 1 is any failure;
//! what a script reads from Apache Kafka's tool stands here in the same words and columns.

mod aliases;
mod configuration;
mod console;
pub mod demo;
mod failure;
mod flags;
mod progress;
mod statistics;
mod time;
mod tools;

pub use aliases::install_aliases;
pub use console::Console;

use failure::Failure;
use tools::Tool;

/// The version that `--version` prints: scripts look for Kafka's.
const VERSION: &str = concat!("4.3.0 (Ottla ", env!("CARGO_PKG_VERSION"), ")");

/// Runs the tool with this name (`kafka-topics`, with or without `.sh`), or one of ours: `install-aliases DIR` and `tools`.
/// Gives the process's exit code.
pub fn run(name: &str, arguments: &[String]) -> u8 {
    run_on(name, arguments, &mut Console::standard())
}

/// The same on other streams than the process's own.
pub fn run_on(name: &str, arguments: &[String], console: &mut Console) -> u8 {
    let code = match name {
        "install-aliases" => aliases::run(arguments, console),
        "tools" => {
            for tool in tools::ALL {
                console.line(format_args!("{:<28}{}", tool.name, tool.about));
            }
            0
        }
        name => match tools::find(name.strip_suffix(".sh").unwrap_or(name)) {
            Some(tool) => run_tool(tool, arguments, console),
            None => {
                console.error(format_args!("There is no tool {name}. There are:"));
                for tool in tools::ALL {
                    console.error(format_args!("  {}", tool.name));
                }
                1
            }
        },
    };
    console.flush();
    code
}

fn run_tool(tool: &Tool, arguments: &[String], console: &mut Console) -> u8 {
    let outcome = tool.flags.parse(tool.name, arguments).and_then(|parsed| {
        if let Some(help) = tool.flags.command_help(tool.name, &parsed, tool.about) {
            console.data(help.as_bytes());
            return Ok(());
        }
        if arguments.is_empty() && tool.flags.needs_arguments || parsed.has("help") {
            return Err(Failure::Usage(tool.about.to_owned()));
        }
        if parsed.has("version") {
            console.line(format_args!("{VERSION}"));
            return Ok(());
        }
        for name in parsed.deprecated() {
            console.error(format_args!("Warning: --{} is deprecated. Use --{} instead.", name.0, name.1));
        }
        tool.flags.check_required(&parsed)?;
        (tool.run)(&parsed, console)
    });
    match outcome {
        Ok(()) => 0,
        Err(Failure::Usage(text)) => {
            console.flush();
            console.error(format_args!("{text}"));
            console.error(format_args!("{}", tool.flags.help().trim_end()));
            1
        }
        Err(Failure::Said) => 1,
        Err(Failure::Error(text)) => {
            console.flush();
            console.error(format_args!("{text}"));
            1
        }
    }
}
