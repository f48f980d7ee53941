//! The report: the table of goals, and the conditions under which it was measured.

use std::fmt;
use std::time::Duration;

use super::goals::{Bound, Verdict};
use super::pass::Pass;

/// What everything but broker and generator may use, in cores: the kernel's write-back and a broker at rest stay below.
const OTHERS_MAX: f64 = 0.5;

/// Values of one figure over the counted passes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series(pub Vec<f64>);

/// One line of the table.
pub struct Line {
    /// What was measured.
    pub title: String,
    /// In which unit.
    pub unit: &'static str,
    /// The judged broker.
    pub a: Series,
    /// The broker compared with, where it was measured.
    pub b: Series,
    /// The machine's limit, where it was measured.
    pub limit: Series,
    /// What must be reached.
    pub least: Bound,
    /// What should be reached.
    pub aim: Option<Bound>,
}

/// How one broker fared in one load, beside the goals.
pub struct Condition {
    /// The load.
    pub workload: &'static str,
    /// The broker.
    pub broker: String,
    /// Its counted passes.
    pub passes: Vec<Pass>,
}

/// Everything that was found.
pub struct Report {
    /// Name of the judged broker.
    pub a: String,
    /// Name of the broker compared with.
    pub b: String,
    /// The table.
    pub lines: Vec<Line>,
    /// The conditions.
    pub conditions: Vec<Condition>,
}

impl Series {
    /// The middle value; the mean of the two in the middle of an even number.
    pub fn median(&self) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let upper = *sorted.get(sorted.len() / 2)?;
        Some(if sorted.len() % 2 == 1 { upper } else { (upper + sorted[sorted.len() / 2 - 1]) / 2.0 })
    }

    /// Largest less smallest, as a part of the median.
    pub fn spread(&self) -> Option<f64> {
        let median = self.median()?;
        let largest = self.0.iter().copied().fold(f64::MIN, f64::max);
        let smallest = self.0.iter().copied().fold(f64::MAX, f64::min);
        Some(if median == 0.0 { 0.0 } else { (largest - smallest) / median })
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(median), Some(spread)) = (self.median(), self.spread()) else { return f.write_str("–") };
        f.write_str(&number(median))?;
        if self.0.len() > 1 { write!(f, " ({:.0} %)", 100.0 * spread) } else { Ok(()) }
    }
}

impl Line {
    /// What the line comes to: the aim counts only where the least is kept.
    pub fn verdict(&self) -> &'static str {
        let (b, limit) = (self.b.median(), self.limit.median());
        let Some(a) = self.a.median() else { return "–" };
        match (self.least.judge(a, b, limit), self.aim.map(|aim| aim.judge(a, b, limit))) {
            (Verdict::Missed, _) => "MISS",
            (Verdict::Kept, Some(Verdict::Kept)) => "PASS, aim",
            (Verdict::Kept, _) => "PASS",
            (Verdict::Unknown, _) => "–",
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (a, b) = (&self.a, &self.b);
        writeln!(f, "Medians of the counted passes, spread (largest less smallest) in parentheses.\n")?;
        writeln!(f, "| measured | unit | {a} | {b} | limit | {a} : {b} | {a} : limit | at least | aim | |")?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|---|")?;
        for line in &self.lines {
            let median = line.a.median();
            let ratio = |other: &Series| match (median, other.median().filter(|other| *other > 0.0)) {
                (Some(a), Some(other)) => number(a / other),
                _ => "–".to_owned(),
            };
            writeln!(
                f,
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                line.title,
                line.unit,
                line.a,
                line.b,
                line.limit,
                ratio(&line.b),
                ratio(&line.limit),
                line.least.text(b),
                line.aim.map_or("–".to_owned(), |aim| aim.text(b)),
                line.verdict()
            )?;
        }
        if self.conditions.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nThe conditions, medians: latencies in ms; generator and others in cores.\n")?;
        writeln!(
            f,
            "| load | broker | MB/s | req/s | p50 | p99 | p99.9 | generator | machine idle | others |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|---|")?;
        self.conditions.iter().try_for_each(|condition| write!(f, "{condition}"))?;
        let others =
            self.conditions.iter().flat_map(|condition| &condition.passes).filter_map(|pass| pass.others);
        let others = others.fold(0.0, f64::max);
        if others > OTHERS_MAX {
            writeln!(
                f,
                "\nNOT VALID: in some pass others used {others:.2} cores. Measure again on a machine at rest."
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let median = |figure: &dyn Fn(&Pass) -> f64| {
            number(Series(self.passes.iter().map(figure).collect()).median().unwrap_or(f64::NAN))
        };
        let ms = |latency: Duration| latency.as_secs_f64() * 1e3;
        writeln!(
            f,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} % | {} |",
            self.workload,
            self.broker,
            median(&|pass| pass.mb_per_second),
            median(&|pass| pass.requests_per_second),
            median(&|pass| ms(pass.p50)),
            median(&|pass| ms(pass.p99)),
            median(&|pass| ms(pass.p999)),
            median(&|pass| pass.generator),
            median(&|pass| 100.0 * pass.idle),
            median(&|pass| pass.others.unwrap_or(f64::NAN)),
        )
    }
}

/// Three digits that count.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_its_median_and_spread() {
        let check = |values: &[f64], expect: &str| assert_eq!(Series(values.to_vec()).to_string(), expect);
        check(&[], "–");
        check(&[7.0], "7.00");
        check(&[100.0, 300.0, 200.0], "200 (100 %)");
        check(&[1.0, 2.0], "1.50 (67 %)");
        check(&[0.0, 0.0], "0.000 (0 %)");
    }

    #[test]
    fn an_aim_counts_only_where_the_least_is_kept() {
        let check = |a: f64, b: &[f64], limit: &[f64], expect: &str| {
            let line = Line {
                title: String::new(),
                unit: "MB/s",
                a: Series(vec![a]),
                b: Series(b.to_vec()),
                limit: Series(limit.to_vec()),
                least: Bound::AtLeastB(2.0),
                aim: Some(Bound::AtLeastLimit(0.9)),
            };
            assert_eq!(line.verdict(), expect, "{a} {b:?} {limit:?}");
        };
        check(95.0, &[40.0], &[100.0], "PASS, aim");
        check(85.0, &[40.0], &[100.0], "PASS");
        check(85.0, &[40.0], &[], "PASS");
        check(95.0, &[50.0], &[100.0], "MISS");
        check(95.0, &[], &[100.0], "–");
    }
}
