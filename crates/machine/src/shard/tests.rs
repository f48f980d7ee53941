//! A counter that remembers its total is enough to see what the runtime does with any machine.

use base::ids::{LeaderEpoch, Offset};
use base::time::{MonoTime, Now};

use super::{Output, Shard};
use crate::contract::{Decision, Hard, Soft, Stamp, TimerChange, View};

#[derive(Clone, Debug, Default, PartialEq)]
struct Total {
    sum: i64,
    last: Option<Offset>,
}

impl Hard for Total {
    type Record = i64;
    type Error = String;

    fn replay(&mut self, stamp: Stamp, record: &i64) -> Result<(), String> {
        self.sum = self.sum.checked_add(*record).ok_or("overflow")?;
        self.last = Some(stamp.offset);
        Ok(())
    }
}

#[derive(Default)]
struct Counter {
    decided: usize,
    restored: usize,
}

enum Verb {
    Add(Vec<i64>),
    Get,
    Park,
    RemindIn(i64),
    Forget,
}

impl Soft for Counter {
    type Hard = Total;
    type Verb = Verb;
    type Reply = i64;
    type Effect = &'static str;
    type Timer = &'static str;

    fn decide(&mut self, view: View<'_, Total>, now: Now, verb: Verb) -> Decision<Self> {
        self.decided += 1;
        match verb {
            Verb::Add(numbers) => {
                let sum = view.hard.sum + numbers.iter().sum::<i64>();
                Decision { effects: vec!["added"], ..Decision::write(numbers, sum) }
            }
            Verb::Get => Decision::reply(view.committed.sum),
            Verb::Park => Decision::nothing(),
            Verb::RemindIn(ms) => Decision {
                timers: vec![TimerChange::Arm("remind", now.mono.plus_ms(ms))],
                ..Decision::reply(0)
            },
            Verb::Forget => Decision { timers: vec![TimerChange::Cancel("remind")], ..Decision::reply(0) },
        }
    }

    fn elected(&mut self, _: View<'_, Total>, _: Now) -> Decision<Self> {
        Decision { records: vec![1000], ..Decision::nothing() }
    }

    fn resigned(&mut self) {
        self.decided = 0;
    }

    fn restored(&mut self, _: View<'_, Total>) {
        self.restored += 1;
    }

    fn timer(&mut self, _: View<'_, Total>, _: Now, _: &'static str) -> Decision<Self> {
        Decision { records: vec![7], ..Decision::nothing() }
    }
}

const EPOCH: LeaderEpoch = LeaderEpoch(3);

/// A play: steps in, one line per output.
struct Play {
    shard: Shard<Counter>,
    now: Now,
}

impl Play {
    /// Elected in epoch 3, its first record written and committed.
    fn elected() -> Self {
        let mut play = Self { shard: Shard::new(Total::default(), Counter::default()), now: Now::default() };
        assert_eq!(play.step(|shard, now, out| shard.elected(EPOCH, Offset(0), now, out)), "append 0 [1000]");
        assert_eq!(play.commit(1), "");
        play
    }

    fn step(&mut self, act: impl FnOnce(&mut Shard<Counter>, Now, &mut Vec<Output<Counter>>)) -> String {
        let mut out = Vec::new();
        act(&mut self.shard, self.now, &mut out);
        let lines = out.into_iter().map(|output| match output {
            Output::Append { epoch, base, records } => {
                assert_eq!(epoch, EPOCH);
                format!("append {base} {records:?}")
            }
            Output::Effect(effect) => effect.to_owned(),
            Output::Reply(ticket, Ok(reply)) => format!("reply {ticket}: {reply}"),
            Output::Reply(ticket, Err(failure)) => format!("reply {ticket}: {failure:?}"),
        });
        lines.collect::<Vec<_>>().join(", ")
    }

    fn submit(&mut self, ticket: u64, verb: Verb) -> String {
        self.step(|shard, now, out| shard.submit(ticket, verb, now, out))
    }

    fn commit(&mut self, offset: i64) -> String {
        self.step(|shard, _, out| shard.committed_to(EPOCH, Offset(offset), out))
    }

    fn fail(&mut self, base: i64) -> String {
        self.step(|shard, _, out| shard.append_failed(EPOCH, Offset(base), out))
    }

    fn tick(&mut self, mono_ms: u64) -> String {
        self.now.mono = MonoTime(mono_ms * 1_000_000);
        self.step(|shard, now, out| shard.tick(now, out))
    }
}

#[test]
fn replies_wait_for_a_lagging_high_watermark_in_the_order_of_decisions() {
    let mut play = Play::elected();
    assert_eq!(play.submit(1, Verb::Add(vec![1, 2])), "append 1 [1, 2]");
    assert_eq!(play.submit(2, Verb::Get), "", "parked behind the write, though it writes nothing");
    assert_eq!(play.submit(3, Verb::Add(vec![4])), "append 3 [4]");
    assert_eq!(play.shard.hard().sum, 1007, "replay happened at append");
    assert_eq!(play.shard.committed().sum, 1000);
    assert_eq!(play.commit(2), "", "half a batch is not committed");
    assert_eq!(play.shard.committed().sum, 1000);
    assert_eq!(play.commit(3), "added, reply 1: 1003, reply 2: 1000");
    assert_eq!(play.shard.committed().sum, 1003);
    assert_eq!(play.commit(3), "");
    assert_eq!(play.commit(4), "added, reply 3: 1007");
    assert_eq!(play.submit(4, Verb::Get), "reply 4: 1007", "nothing is written, nothing to wait for");
    assert_eq!(play.submit(5, Verb::Park), "", "the machine answers later by an effect");
}

#[test]
fn a_failed_append_restores_the_state_before_it_and_fails_what_was_built_on_it() {
    let mut play = Play::elected();
    play.submit(1, Verb::Add(vec![1]));
    play.submit(2, Verb::Add(vec![2]));
    play.submit(3, Verb::Get);
    play.submit(4, Verb::Add(vec![4, 4]));
    assert_eq!(play.fail(2), "reply 2: AppendFailed, reply 3: AppendFailed, reply 4: AppendFailed");
    assert_eq!(play.shard.hard(), &Total { sum: 1001, last: Some(Offset(1)) });
    assert_eq!(play.shard.next_offset(), Offset(2));
    assert_eq!(play.shard.soft().restored, 1);
    assert_eq!(play.submit(5, Verb::Add(vec![8])), "append 2 [8]", "the offset is free again");
    assert_eq!(play.commit(3), "added, reply 1: 1001, added, reply 5: 1009");
    assert_eq!(play.fail(2), "", "what is committed cannot fail");
    assert_eq!(play.shard.hard().sum, 1009);
}

#[test]
fn other_epochs_have_no_effect() {
    let mut play = Play::elected();
    play.submit(1, Verb::Add(vec![1]));
    for epoch in [2, 4] {
        assert_eq!(play.step(|shard, _, out| shard.committed_to(LeaderEpoch(epoch), Offset(9), out)), "");
        assert_eq!(play.step(|shard, _, out| shard.append_failed(LeaderEpoch(epoch), Offset(1), out)), "");
    }
    assert_eq!(play.shard.hard().sum, 1001);
    assert_eq!(play.shard.high_watermark(), Offset(1));
}

#[test]
fn resigning_tells_everybody_and_goes_back_to_what_is_committed() {
    let mut play = Play::elected();
    play.submit(1, Verb::Add(vec![1]));
    play.submit(2, Verb::Get);
    play.submit(3, Verb::RemindIn(5));
    assert_eq!(
        play.step(|shard, _, out| shard.resigned(out)),
        "reply 1: NotLeader, reply 2: NotLeader, reply 3: NotLeader"
    );
    assert_eq!(play.shard.hard().sum, 1000);
    assert_eq!(play.shard.next_timeout(), None);
    assert_eq!(play.submit(4, Verb::Get), "reply 4: NotLeader");
    assert_eq!(play.shard.soft().decided, 0);
    assert_eq!(play.step(|shard, _, out| shard.resigned(out)), "");
}

#[test]
fn a_loaded_state_is_committed_only_up_to_the_high_watermark() {
    let mut shard = Shard::new(Total::default(), Counter::default());
    let committed = Total { sum: 5, last: Some(Offset(4)) };
    let all = Total { sum: 6, last: Some(Offset(5)) };
    shard.load(committed.clone(), Offset(5), all.clone(), Offset(6));
    let mut play = Play { shard, now: Now::default() };
    assert_eq!((play.shard.committed(), play.shard.hard()), (&committed, &all));
    // The leader's own control batch lies between the loaded log and the machine's first record.
    assert_eq!(play.step(|shard, now, out| shard.elected(EPOCH, Offset(7), now, out)), "append 7 [1000]");
    assert_eq!(play.commit(7), "");
    assert_eq!(play.shard.committed(), &all);
}

#[test]
fn timers_fire_once_and_can_be_armed_again_and_cancelled() {
    let mut play = Play::elected();
    play.submit(1, Verb::RemindIn(5));
    play.submit(2, Verb::RemindIn(10));
    assert_eq!(play.shard.next_timeout(), Some(MonoTime(10_000_000)), "arming again replaces");
    assert_eq!(play.tick(9), "");
    assert_eq!(play.tick(10), "append 1 [7]");
    assert_eq!(play.tick(20), "");
    play.commit(2);
    play.submit(3, Verb::RemindIn(5));
    play.submit(4, Verb::Forget);
    assert_eq!(play.shard.next_timeout(), None);
    assert_eq!(play.tick(100), "");
}

#[test]
fn records_that_are_not_the_machines_move_its_offsets() {
    let mut play = Play::elected();
    play.shard.skip_to(Offset(4));
    assert_eq!(play.submit(1, Verb::Add(vec![1])), "append 4 [1]");
    assert_eq!(play.commit(5), "added, reply 1: 1001");
}
