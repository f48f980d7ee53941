//! Whole nodes from seeds: nothing that a node promises may be broken by any of them.

use sim::plan::{Mode, Options};
use sim::run::run;

/// Seeds that found something once, with what that was.
const FOUND: &str = include_str!("found.txt");
/// So many that the suite stays fast; `cargo run --release -p sim -- --seeds 0..2000` is the long run.
const SEEDS: u64 = 100;
const STEPS: u64 = 500;

fn check(options: Options) {
    let outcome = run(&options);
    if let Some(violation) = outcome.violation {
        for (number, line) in &outcome.tail {
            println!("{number:6} {line}");
        }
        let Options { seed, mode, steps, .. } = options;
        panic!("seed {seed} (mode {mode:?}, {steps} steps): {violation}");
    }
}

fn options(seed: u64) -> Options {
    Options { seed, mode: None, steps: STEPS, trace: false }
}

#[test]
fn nothing_is_found_by_even_seeds() {
    (0..SEEDS).step_by(2).map(options).for_each(check);
}

#[test]
fn nothing_is_found_by_odd_seeds() {
    (1..SEEDS).step_by(2).map(options).for_each(check);
}

#[test]
fn what_was_found_once_stays_mended() {
    for line in FOUND.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let words: Vec<&str> = line.split_ascii_whitespace().take(3).collect();
        let [seed, mode, steps] = words[..] else { panic!("'{line}' is not: seed mode steps what") };
        let mode = match mode {
            "durable" => Some(Mode::Durable),
            "default" => Some(Mode::Default),
            "any" => None,
            other => panic!("'{other}' is no mode"),
        };
        let (seed, steps) = (seed.parse().unwrap(), steps.parse().unwrap());
        check(Options { seed, mode, steps, trace: false });
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..5 {
        let (first, second) = (run(&options(seed)), run(&options(seed)));
        assert_eq!(first.hash, second.hash, "seed {seed}");
        assert_eq!(first.counts.steps, second.counts.steps, "seed {seed}");
    }
    assert_ne!(run(&options(0)).hash, run(&options(1)).hash);
}

#[test]
fn runs_do_what_they_are_for() {
    let mut acked = [0; 2];
    let (mut fetched, mut endings, mut faults) = (0, 0, 0);
    for seed in 0..16 {
        let mode = if seed % 2 == 0 { Mode::Durable } else { Mode::Default };
        let counts = run(&Options { mode: Some(mode), ..options(seed) }).counts;
        acked[(seed % 2) as usize] += counts.acked;
        fetched += counts.fetched;
        endings += counts.endings;
        faults += counts.faults;
    }
    assert!(acked[0] > 200 && acked[1] > 200, "{acked:?} records acked");
    assert!(
        fetched > 200 && endings > 30 && faults > 2,
        "{fetched} fetched, {endings} endings, {faults} faults"
    );
}
