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

fn told(outcome: Outcome) -> (ErrorCode, Option<String>) {
    match outcome {
        Ok(()) => (ErrorCode::NONE, None),
        Err(refusal) => (refusal.code, refusal.message),
    }
}
