//! What a connection asks of the layer above, without sockets or tasks.
//!
//! ```text
//! bytes ─► frame ─► Session::on_frame ─► … shards, controller, waiting … ─► Session::next_output ─► bytes
//!                        ▲ accepts()                       └─ Waker: "look again"
//! ```
//! Invariant: outputs come in the order of the frames that asked for them.

use base::time::{MonoTime, Now};
use bytes::Bytes;
use wire::output::Output;

use crate::permits::Permit;

/// One request as it came from the wire, without its four bytes of size.
#[derive(Debug)]
pub struct Frame {
    /// Header and body.
    pub bytes: Bytes,
    /// The memory it is allowed to hold; dropped with the frame's last user.
    pub permit: Option<Permit>,
}

/// The session ends and the connection is to be closed; the text says why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close(pub String);

/// The state of one connection above the framing.
pub trait Session: Send {
    /// Whether the next frame may be handed over. While false, no further bytes are read.
    fn accepts(&self) -> bool;

    /// Takes one frame.
    ///
    /// # Errors
    /// The bytes are not a request that can be answered: the connection closes.
    fn on_frame(&mut self, frame: Frame, now: Now) -> Result<(), Close>;

    /// All frames that were there have been handed over: what was gathered is to be passed on in one go.
    fn end_of_input(&mut self, now: Now);

    /// Called after a wake-up or a timeout: parked requests look again.
    ///
    /// # Errors
    /// An earlier request asks for the connection to close.
    fn advance(&mut self, now: Now) -> Result<(), Close>;

    /// The next reply, if the oldest unanswered request has one.
    ///
    /// # Errors
    /// The request asks for the connection to close.
    fn next_output(&mut self) -> Option<Result<Output, Close>>;

    /// When [`Session::advance`] must be called at the latest.
    fn next_timeout(&self) -> Option<MonoTime>;
}
