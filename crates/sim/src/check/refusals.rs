//! Clients that do nothing wrong are refused only for reasons that they understand.

use base::error_code::ErrorCode;

use super::Check;
use crate::event::{Ending, Event};
use crate::ledger::Ledger;

/// What may happen to anybody at any time.
const ALWAYS: [ErrorCode; 10] = [
    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode::UNKNOWN_TOPIC_ID,
    ErrorCode::NOT_LEADER_OR_FOLLOWER,
    ErrorCode::LEADER_NOT_AVAILABLE,
    ErrorCode::REQUEST_TIMED_OUT,
    ErrorCode::TOPIC_ALREADY_EXISTS,
    ErrorCode::FETCH_SESSION_ID_NOT_FOUND,
    ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR,
    ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode::NOT_CONTROLLER,
];

/// What means that a log is shorter than clients were told.
const AFTER_LOSS: [ErrorCode; 3] =
    [ErrorCode::OFFSET_OUT_OF_RANGE, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, ErrorCode::UNKNOWN_PRODUCER_ID];

pub(super) struct Refusals {
    durable: bool,
    /// Something was forgotten that clients may have been told.
    lost: bool,
    /// The disk failed.
    disk_failed: bool,
}

impl Refusals {
    pub(super) fn new(durable: bool) -> Self {
        Self { durable, lost: false, disk_failed: false }
    }
}

impl Check for Refusals {
    fn name(&self) -> &'static str {
        "refusals have a reason"
    }

    fn on(&mut self, event: &Event, _ledger: &Ledger) -> Result<(), String> {
        match event {
            Event::Refused { client, api, code } => {
                let reason = ALWAYS.contains(code)
                    || (self.lost && AFTER_LOSS.contains(code))
                    || (self.disk_failed && *code == ErrorCode::KAFKA_STORAGE_ERROR);
                if !reason {
                    return Err(format!("{client} asked for {api} and was told {code}"));
                }
            }
            Event::Ended { ending: Ending::PowerLost, .. } | Event::EndedEarly(Ending::PowerLost) => {
                self.lost |= !self.durable;
            }
            Event::DiskFails => self.disk_failed = true,
            _ => {}
        }
        Ok(())
    }
}
