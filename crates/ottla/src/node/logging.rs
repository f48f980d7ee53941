//! Structured logs on standard error; `OTTLA_LOG` chooses what is shown, `info` if it is not set.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Sends what is traced to standard error, once per process.
pub fn start() {
    let filter = EnvFilter::try_from_env("OTTLA_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    // A second node of the same process logs into the first one's.
    let _ = subscriber.try_init();
}
