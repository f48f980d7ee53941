//! Batches in at a steady rate, whatever the broker makes of it: latency counts from the moment a batch was due.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use base::uuid::Uuid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::pipeline::{Pipeline, Schedule};
use super::{BATCH_RECORDS, VALUE_SIZE};
use crate::batch;
use crate::error::{Error, Result, Tried};
use crate::frames;
use crate::histogram::Histogram;

/// Requests in flight at most. What is due beyond waits here, and its latency grows.
const IN_FLIGHT: u32 = 64;
/// A broker that answers nothing for so long is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A producer of batches of [`BATCH_RECORDS`] records on one connection.
pub(super) struct Steady {
    pipeline: Pipeline,
    schedule: Schedule,
    answered: Instant,
}

impl Steady {
    /// Connects; the first batch is due now. `rate` is bytes of values a second.
    pub(super) fn start(address: SocketAddr, topic: Uuid, partition: i32, rate: f64) -> Result<Self> {
        let frame = frames::produce(topic, partition, &batch::prebuilt(BATCH_RECORDS, VALUE_SIZE));
        let mut pipeline = Pipeline::connect(address, &frame, IN_FLIGHT)?;
        let interval = interval(rate)?;
        let schedule = Schedule { begin: Instant::now(), interval };
        pipeline.open(schedule);
        Ok(Self { pipeline, schedule, answered: schedule.begin })
    }

    /// How long it has been at work.
    pub(super) fn elapsed(&self) -> Duration {
        self.schedule.begin.elapsed()
    }

    /// Sends what is due, waits for an answer or until the next batch is due, and notes the latencies of what was answered.
    pub(super) fn turn(&mut self, latency: &mut Histogram) -> Result<()> {
        self.pipeline.send()?;
        let due = self.schedule.due(self.pipeline.begun_count());
        let in_flight = self.pipeline.begun_count() - self.pipeline.acked();
        let waiting = match due.saturating_duration_since(Instant::now()) {
            // It is due and may not begin: an answer must come first, or room in the socket.
            Duration::ZERO if in_flight == u64::from(IN_FLIGHT) || self.pipeline.blocked => PATIENCE,
            // Zero: it has become due since the send.
            waiting => waiting,
        };
        self.wait(waiting, latency)
    }

    /// Sends no more, and waits for the answers; bytes of values that were acked.
    pub(super) fn finish(mut self, latency: &mut Histogram) -> Result<u64> {
        self.pipeline.close();
        while !self.pipeline.is_done() {
            self.pipeline.send()?;
            self.wait(PATIENCE, latency)?;
        }
        Ok(self.pipeline.acked() * u64::from(BATCH_RECORDS) * VALUE_SIZE as u64)
    }

    fn wait(&mut self, waiting: Duration, latency: &mut Histogram) -> Result<()> {
        let writable = if self.pipeline.blocked { PollFlags::OUT } else { PollFlags::empty() };
        let mut fds = [PollFd::new(self.pipeline.stream(), PollFlags::IN | writable)];
        let timeout = Timespec { tv_sec: waiting.as_secs() as i64, tv_nsec: waiting.subsec_nanos().into() };
        poll(&mut fds, Some(&timeout)).tried(|| "poll".to_owned())?;
        let ready = fds[0].revents();
        if ready.intersects(PollFlags::IN | PollFlags::ERR | PollFlags::HUP) {
            self.answered = Instant::now();
            return self.pipeline.receive(latency);
        }
        if self.pipeline.acked() < self.pipeline.begun_count() && self.answered.elapsed() >= PATIENCE {
            return Err(Error::Answer("no answer to a produce for a minute".to_owned()));
        }
        Ok(())
    }
}

/// Between two batches at so many bytes of values a second.
fn interval(rate: f64) -> Result<Duration> {
    let bytes = f64::from(BATCH_RECORDS) * VALUE_SIZE as f64;
    match Duration::try_from_secs_f64(bytes / rate) {
        Ok(interval) if !interval.is_zero() => Ok(interval),
        _ => Err(Error::Usage(format!("no batch can be sent at {rate} bytes a second"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_batch_every_so_often() {
        let check = |rate: f64, expect: Option<u64>| {
            assert_eq!(interval(rate).ok().map(|it| it.as_micros() as u64), expect, "{rate}");
        };
        check(131_072.0, Some(1_000_000));
        check(131_072_000.0, Some(1000));
        check(0.0, None);
        check(-1.0, None);
        check(f64::INFINITY, None);
    }

    #[test]
    fn a_request_is_due_at_its_moment() {
        let begin = Instant::now();
        let schedule = Schedule { begin, interval: Duration::from_millis(10) };
        let check = |ms: u64, expect: u64| {
            assert_eq!(schedule.due_by(begin + Duration::from_millis(ms)), expect, "{ms}");
        };
        check(0, 1);
        check(9, 1);
        check(10, 2);
        check(1000, 101);
        assert_eq!(schedule.due_by(begin - Duration::from_millis(1)), 0);
        assert_eq!(schedule.due(100), begin + Duration::from_secs(1));
    }
}
