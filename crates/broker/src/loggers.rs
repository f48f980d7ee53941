//! The loggers of this process and their levels, as the broker-logger resource shows and sets them.
//!
//! There is one logger for each part of the program, and `root`, whose level every other one has that was given none.
//! Nothing is logged here: whoever does follows the levels.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The logger that the others take their level from.
pub const ROOT: &str = "root";

/// One logger for each part.
const LOGGERS: [&str; 8] = ["broker", "metadata", "net", "ottla", "quorum", "replication", ROOT, "storage"];

/// Kafka's levels; FATAL shows what ERROR shows.
const LEVELS: [&str; 6] = ["DEBUG", "ERROR", "FATAL", "INFO", "TRACE", "WARN"];

/// Told all levels whenever one changes: logger and level, `root` among them.
type OnChange = Box<dyn Fn(&BTreeMap<&'static str, &'static str>) + Send + Sync>;

/// The loggers' levels.
pub struct Loggers {
    state: Mutex<State>,
}

struct State {
    /// Those that were given one; `root` always was.
    levels: BTreeMap<&'static str, &'static str>,
    on_change: Option<OnChange>,
}

/// A change that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelChange<'a> {
    logger: &'a str,
    level: Option<&'static str>,
}

impl<'a> LevelChange<'a> {
    /// The logger gets this level; nothing when there is no such level.
    pub fn set(logger: &'a str, level: &str) -> Option<Self> {
        let level = LEVELS.into_iter().find(|known| *known == level)?;
        Some(Self { logger, level: Some(level) })
    }

    /// The logger takes its level from `root` again.
    pub fn unset(logger: &'a str) -> Self {
        Self { logger, level: None }
    }
}

impl Default for Loggers {
    fn default() -> Self {
        let state = State { levels: BTreeMap::from([(ROOT, "INFO")]), on_change: None };
        Self { state: Mutex::new(state) }
    }
}

impl Loggers {
    /// Whether there is such a logger.
    pub fn has(&self, name: &str) -> bool {
        LOGGERS.contains(&name)
    }

    /// Every logger with the level that it has, its own or that of `root`; sorted by name.
    pub fn levels(&self) -> Vec<(&'static str, &'static str)> {
        let state = self.state();
        let root = state.levels[ROOT];
        LOGGERS.into_iter().map(|name| (name, state.levels.get(name).copied().unwrap_or(root))).collect()
    }

    /// `follow` is told of every change from now on.
    pub fn on_change(&self, follow: OnChange) {
        self.state().on_change = Some(follow);
    }

    /// Makes the changes.
    pub fn apply<'a>(&self, changes: impl IntoIterator<Item = LevelChange<'a>>) {
        let mut state = self.state();
        for LevelChange { logger, level } in changes {
            let Some(logger) = LOGGERS.into_iter().find(|known| *known == logger) else { continue };
            match level {
                Some(level) => drop(state.levels.insert(logger, level)),
                None if logger == ROOT => {}
                None => drop(state.levels.remove(logger)),
            }
        }
        if let Some(follow) = &state.on_change {
            follow(&state.levels);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_logger_without_a_level_has_that_of_root() {
        let loggers = Loggers::default();
        let told = Arc::new(Mutex::new(Vec::new()));
        let teller = told.clone();
        loggers.on_change(Box::new(move |levels| teller.lock().unwrap().push(levels.clone())));
        let level = |name: &str| loggers.levels().into_iter().find(|(logger, _)| *logger == name).unwrap().1;
        loggers
            .apply([LevelChange::set("storage", "DEBUG").unwrap(), LevelChange::set(ROOT, "WARN").unwrap()]);
        assert_eq!((level("storage"), level("broker")), ("DEBUG", "WARN"));
        loggers.apply([LevelChange::unset("storage"), LevelChange::unset(ROOT)]);
        assert_eq!((level("storage"), level(ROOT)), ("WARN", "WARN"));
        let told = told.lock().unwrap();
        assert_eq!(told[0], BTreeMap::from([(ROOT, "WARN"), ("storage", "DEBUG")]));
        assert_eq!(told[1], BTreeMap::from([(ROOT, "WARN")]));
    }

    #[test]
    fn only_kafkas_levels_are_levels() {
        for level in LEVELS {
            assert!(LevelChange::set(ROOT, level).is_some(), "{level}");
        }
        assert_eq!(LevelChange::set(ROOT, "info"), None);
        assert!(LOGGERS.is_sorted());
    }
}
