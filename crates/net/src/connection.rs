//! One socket and its session, as one task: read frames, hand them over, write replies.
//!
//! Invariant: nothing is read while the session does not accept, a permit is missing or replies pile up, so that a
//! client that sends without reading is held back by TCP and costs bounded memory.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use base::time::{MonoTime, Now};
use bytes::BufMut;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::Sleep;

use crate::clock::SystemClock;
use crate::framing::{FrameError, Framing, Next};
use crate::permits::{FREE, Permit, Permits};
use crate::send::{Sending, Sent};
use crate::session::{Close, Frame, Session};

/// Replies waiting to be sent beyond which no further request is taken, in bytes.
const SENDING_LIMIT: usize = 256 * 1024;
/// Turns of reading and writing before other connections get theirs.
const TURNS: usize = 32;

/// What a listener sets for its connections.
#[derive(Clone, Debug)]
pub struct Limits {
    /// `socket.request.max.bytes`.
    pub request_max_bytes: usize,
    /// `connections.max.idle.ms`.
    pub max_idle_ms: i64,
    /// The memory that large frames share with other connections.
    pub permits: Permits,
}

/// Why a connection ended.
#[derive(Debug, Error)]
pub enum Closed {
    /// The client closed it, or reset it.
    #[error("closed by the client")]
    ByClient,
    /// No byte came or went for the allowed time.
    #[error("idle for too long")]
    Idle,
    /// A frame that cannot be.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The session cannot answer.
    #[error("{0}")]
    Session(String),
    /// The socket or a segment's file failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<Close> for Closed {
    fn from(close: Close) -> Self {
        Self::Session(close.0)
    }
}

/// Serves one connection to its end. `session` is made with the waker that makes it look again.
pub async fn serve<S: Session>(
    stream: TcpStream,
    limits: Limits,
    clock: SystemClock,
    session: impl FnOnce(Waker) -> S,
) -> Closed {
    // The task's own waker stays the same for its life, so sessions may keep it.
    let waker = std::future::poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
    let mut connection = Connection {
        stream,
        session: session(waker),
        framing: Framing::new(limits.request_max_bytes),
        permit: None,
        sending: Sending::default(),
        timer: None,
        last_activity: clock.now().mono,
        limits,
        clock,
    };
    std::future::poll_fn(|cx| connection.poll(cx)).await
}

struct Connection<S> {
    stream: TcpStream,
    session: S,
    framing: Framing,
    /// The permit of the large frame that is being read.
    permit: Option<Permit>,
    sending: Sending,
    timer: Option<(MonoTime, Pin<Box<Sleep>>)>,
    last_activity: MonoTime,
    limits: Limits,
    clock: SystemClock,
}

impl<S: Session> Connection<S> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Closed> {
        match self.take_turns(cx) {
            Ok(Some(now)) => self.poll_timer(cx, now),
            Ok(None) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Err(closed) => Poll::Ready(closed),
        }
    }

    /// Works until there is nothing to do, and says when that was; `None` when it is the others' turn before that.
    fn take_turns(&mut self, cx: &mut Context<'_>) -> Result<Option<Now>, Closed> {
        let mut now = self.clock.now();
        // Whatever woke the task: the first turn looks at everything.
        let mut again = true;
        for turn in 0..TURNS {
            let read = self.read(cx, now)?;
            if !read && !again {
                // A read that finds nothing has registered for the socket.
                return Ok(Some(now));
            }
            if turn > 0 {
                now = self.clock.now();
            }
            again = self.turn(cx, now)?;
        }
        Ok(None)
    }

    /// Hands over what was read and sends what is answered; true when another turn may find more to do.
    fn turn(&mut self, cx: &mut Context<'_>, now: Now) -> Result<bool, Closed> {
        self.session.advance(now)?;
        self.hand_over(now)?;
        self.session.end_of_input(now);
        while let Some(output) = self.session.next_output() {
            self.sending.push(output?)?;
        }
        self.write(cx, now)
    }

    fn ready_for_input(&self) -> bool {
        self.session.accepts() && self.sending.len() < SENDING_LIMIT
    }

    fn hand_over(&mut self, now: Now) -> Result<(), Closed> {
        while self.ready_for_input() {
            let Next::Complete { size } = self.framing.next()? else { return Ok(()) };
            let frame = Frame { bytes: self.framing.take(size), permit: self.permit.take() };
            self.session.on_frame(frame, now)?;
        }
        Ok(())
    }

    /// True when the queue made progress and may have let the session go on.
    fn write(&mut self, cx: &mut Context<'_>, now: Now) -> Result<bool, Closed> {
        if self.sending.is_empty() {
            return Ok(false);
        }
        let held_back = self.sending.len() >= SENDING_LIMIT;
        self.last_activity = now.mono;
        match self.sending.send(&self.stream, cx.waker())? {
            Sent::All => Ok(held_back),
            Sent::Some => Ok(true),
            Sent::Loading => Ok(false),
            // Registers for the socket; ready at once only if it drained in between.
            Sent::Blocked => Ok(matches!(self.stream.poll_write_ready(cx), Poll::Ready(Ok(())))),
        }
    }

    /// True when bytes were read.
    fn read(&mut self, cx: &mut Context<'_>, now: Now) -> Result<bool, Closed> {
        if !self.ready_for_input() {
            return Ok(false);
        }
        let next = self.framing.next()?;
        match next {
            Next::Complete { .. } => return Ok(true),
            Next::Begun { size } if size > FREE && self.permit.is_none() => {
                self.permit = self.limits.permits.take(size, cx.waker());
                if self.permit.is_none() {
                    return Ok(false);
                }
            }
            _ => {}
        }
        let read = self.framing.read(next, |buffer, wanted| {
            // A read that comes back short tells tokio that the socket is empty: no second call to learn that.
            tokio_util::io::poll_read_buf(Pin::new(&mut self.stream), cx, &mut buffer.limit(wanted))
        });
        match read {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(0)) => Err(Closed::ByClient),
            Poll::Ready(Ok(_)) => {
                self.last_activity = now.mono;
                Ok(true)
            }
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => {
                Err(Closed::ByClient)
            }
            Poll::Ready(Err(error)) => Err(error.into()),
        }
    }

    /// Arms the timer for the earliest of the session's timeout and the idle limit. An armed earlier moment is left as
    /// it is: firing early costs one look, re-arming at each request would cost more.
    fn poll_timer(&mut self, cx: &mut Context<'_>, now: Now) -> Poll<Closed> {
        let idle = self.last_activity.plus_ms(self.limits.max_idle_ms);
        let wanted = self.session.next_timeout().map_or(idle, |at| at.min(idle));
        match &self.timer {
            // It was polled when it was armed, and wakes the task at its time.
            Some((armed, _)) if *armed <= wanted && now.mono < *armed => return Poll::Pending,
            Some((armed, _)) if *armed <= wanted => {}
            _ => {
                let at = self.clock.instant(wanted).into();
                self.timer = Some((wanted, Box::pin(tokio::time::sleep_until(at))));
            }
        }
        let (_, sleep) = self.timer.as_mut().expect("armed above");
        ready!(sleep.as_mut().poll(cx));
        self.timer = None;
        let now = self.clock.now();
        if now.mono >= idle && self.session.next_timeout().is_none() {
            return Poll::Ready(Closed::Idle);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
