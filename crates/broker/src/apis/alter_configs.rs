//! IncrementalAlterConfigs and AlterConfigs: what only this broker can judge is judged here, the rest by the controller.
//!
//! ```text
//!  resources ─► each once? keys once? values? ─► of this broker: would it follow? ─► controller ─► answers in order
//!                     └─ refused ───────────────────────────┴─ refused, or done (loggers) ─────────►┘
//! ```
//! Invariant: every resource of a request is answered once, in the request's order.

pub mod incremental;
mod preprocess;
pub mod replace;

use base::error_code::ErrorCode;
use base::refusal::Refusal;

/// What comes of a resource.
type Outcome = Result<(), Refusal>;

/// Only resources that nothing is decided of stay: the controller's.
fn keep_undecided<R>(resources: &mut Vec<R>, judged: &[Option<Outcome>]) {
    let mut undecided = judged.iter().map(Option::is_none);
    resources.retain(|_| undecided.next().unwrap_or(false));
}

/// `rows`, with the controller's answers in the places of those that it decided; `refused` says that it could not.
fn merged<R>(
    rows: Vec<R>,
    judged: &[Option<Outcome>],
    answered: Result<Vec<R>, ErrorCode>,
    refused: impl Fn(R, ErrorCode) -> R,
) -> Vec<R> {
    let mut answered = answered.map(Vec::into_iter);
    let fill = |(row, judged): (R, &Option<Outcome>)| match (&mut answered, judged) {
        (_, Some(_)) => row,
        (Ok(answers), None) => answers.next().unwrap_or(row),
        (Err(code), None) => refused(row, *code),
    };
    rows.into_iter().zip(judged).map(fill).collect()
}
