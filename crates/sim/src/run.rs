//! One seed or many.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::check::Violation;
use crate::plan::Options;
use crate::world::{Counts, World};

/// What became of a seed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was asked for.
    pub options: Options,
    /// The promise that was broken, if one was.
    pub violation: Option<Violation>,
    /// Stands for the whole transcript.
    pub hash: u64,
    /// How often things happened.
    pub counts: Counts,
    /// The last lines of the transcript with their numbers, when a promise was broken.
    pub tail: Vec<(u64, String)>,
}

/// How many lines are shown of a seed that found something.
const SHOWN: usize = 60;

/// Runs a seed. A panic counts as a broken promise.
pub fn run(options: &Options) -> Outcome {
    let mut world = World::new(options);
    let result = catch_unwind(AssertUnwindSafe(|| world.run()));
    let violation = match result {
        Ok(result) => result.err(),
        Err(panic) => Some(Violation { check: "no panic", what: message(&*panic) }),
    };
    let tail = match violation {
        Some(_) => world.transcript.last(SHOWN).map(|(number, line)| (number, line.to_owned())).collect(),
        None => Vec::new(),
    };
    Outcome { options: *options, violation, hash: world.transcript.hash(), counts: world.counts, tail }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".to_owned())
}
