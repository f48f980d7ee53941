//! Structured logs on standard error; `OTTLA_LOG` chooses what is shown, `info` if it is not set. The levels of the
//! broker's loggers, once one is set while it runs, take its place.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;

/// Puts another filter into force.
type Reload = Box<dyn Fn(EnvFilter) + Send + Sync>;

static RELOAD: OnceLock<Reload> = OnceLock::new();

/// Sends what is traced to standard error, once per process.
pub fn start() {
    let filter = EnvFilter::try_from_env("OTTLA_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .with_filter_reloading();
    let handle = subscriber.reload_handle();
    // A second node of the same process logs into the first one's.
    if subscriber.try_init().is_ok() {
        // The only failure is that nothing is logged any more.
        let _ = RELOAD.set(Box::new(move |filter| drop(handle.reload(filter))));
    }
}

/// Shows what the levels of the loggers say: `root` for all that have none.
pub fn follow(levels: &BTreeMap<&'static str, &'static str>) {
    if let Some(reload) = RELOAD.get() {
        reload(EnvFilter::new(directives(levels)));
    }
}

fn directives(levels: &BTreeMap<&'static str, &'static str>) -> String {
    let level = |level: &str| if level == "FATAL" { "error".to_owned() } else { level.to_lowercase() };
    let directive = |(logger, own): (&&str, &&str)| match *logger {
        broker::loggers::ROOT => level(own),
        logger => format!("{logger}={}", level(own)),
    };
    levels.iter().map(directive).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_become_directives() {
        let levels = BTreeMap::from([("root", "WARN"), ("storage", "DEBUG"), ("net", "FATAL")]);
        assert_eq!(directives(&levels), "net=error,warn,storage=debug");
    }
}
