//! The producer against a broker that refuses, drops connections before and after an append, and forgets producers: what is
//! reported as delivered stands in the log once, in the order of `send`.

#[path = "faults/broker.rs"]
mod broker;

use std::collections::HashSet;
use std::time::Duration;

use broker::{Broker, Fault};
use client::{Acks, Error, Producer, ProducerOptions, Record};

/// Options that do not make a test wait.
fn options(broker: &Broker) -> ProducerOptions {
    let mut options = Producer::builder(&broker.address()).batch_size(300).linger(Duration::ZERO);
    let short = Duration::from_millis(1);
    (options.client.retry_backoff, options.client.reconnect_backoff) = (short, short);
    (options.client.retry_backoff_max, options.client.reconnect_backoff_max) = (2 * short, 2 * short);
    options.client.request_timeout = Duration::from_secs(5);
    // What is never taken fails the test soon.
    options.delivery_timeout = Duration::from_secs(30);
    options
}

/// Sends so many records in turn to both partitions; gives what became of each.
async fn send(producer: &Producer, count: usize) -> Vec<client::error::Result<()>> {
    let mut deliveries = Vec::new();
    for n in 0..count {
        let record = Record::new("t").partition((n % 2) as i32).value(format!("{n:040}"));
        deliveries.push(producer.send(record).await.unwrap());
    }
    producer.flush().await;
    let mut results = Vec::new();
    for delivery in deliveries {
        results.push(delivery.await.map(|_| ()));
    }
    results
}

/// The records that were not delivered, and why.
fn lost(results: &[client::error::Result<()>]) -> Vec<(usize, Error)> {
    let all = results.iter().enumerate();
    all.filter_map(|(n, result)| result.clone().err().map(|error| (n, error))).collect()
}

/// What must stand in a partition when all of `results` do that are good.
fn expected(results: &[client::error::Result<()>], partition: usize) -> Vec<String> {
    let good = results.iter().enumerate().filter(|(n, result)| n % 2 == partition && result.is_ok());
    good.map(|(n, _)| format!("{n:040}")).collect()
}

/// Runs all at the same time: what takes time is the way of the answers.
async fn all<T: Send + 'static>(
    runs: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let runs: Vec<_> = runs.into_iter().map(tokio::spawn).collect();
    let mut results = Vec::new();
    for run in runs {
        results.push(run.await.unwrap());
    }
    results
}

/// Sends so many records; all must be delivered, and stand in the log once and in order.
async fn check_exactly_once(broker: &Broker, count: usize, name: &str) {
    let producer = options(broker).build().await.unwrap();
    let results = send(&producer, count).await;
    assert_eq!(lost(&results), [], "{name}");
    for partition in 0..2 {
        assert_eq!(broker.values(partition), expected(&results, partition), "{name}");
    }
    producer.close().await.unwrap();
}

#[tokio::test]
async fn every_record_stands_in_the_log_once_and_in_order() {
    all((1..=30).map(|seed| async move {
        let broker = Broker::start(seed, &[Fault::Refuse, Fault::DropBefore, Fault::DropAfter]).await;
        check_exactly_once(&broker, 1000, &format!("seed {seed}")).await;
        assert!(broker.faults() > 10, "seed {seed}: too few faults to prove anything");
    }))
    .await;
}

/// The answer to a batch is lost, it comes again and is refused, and those behind it pass; then it comes a third time, new
/// ones follow it, and the answer is lost again. The broker must still remember it when it comes once more.
#[tokio::test]
async fn a_batch_that_others_have_passed_is_still_recognised() {
    let places = (3..7).flat_map(|a| (a + 4..a + 7).map(move |b| (a, b)));
    let places = places.flat_map(|(a, b)| (b + 4..b + 9).map(move |c| [a, b, c]));
    all(places.map(|[a, b, c]| async move {
        let faults = [(a, Fault::DropAfter), (b, Fault::Refuse), (c, Fault::DropAfter)];
        let broker = Broker::scripted(&faults).await;
        check_exactly_once(&broker, 160, &format!("{faults:?}")).await;
    }))
    .await;
}

/// A broker lets a producer that it does not know begin anywhere, so with the second batch, too.
#[tokio::test]
async fn a_first_batch_that_is_refused_still_comes_first() {
    let broker = Broker::scripted(&[(0, Fault::Refuse)]).await;
    check_exactly_once(&broker, 100, "the first is refused").await;
}

#[tokio::test]
async fn a_broker_that_forgets_its_producers_gets_a_new_epoch_if_it_wants_one() {
    for (fault, epochs) in [(Fault::Forget, 0..=0), (Fault::ForgetStrictly, 1..=i16::MAX)] {
        let highest = all((1..=10).map(|seed| async move {
            let broker = Broker::start(seed, &[fault]).await;
            check_exactly_once(&broker, 1000, &format!("{fault:?}, seed {seed}")).await;
            broker.highest_epoch()
        }));
        let highest = highest.await;
        assert!(highest.iter().all(|epoch| epochs.contains(epoch)), "{fault:?}: {highest:?}");
    }
}

#[tokio::test]
async fn what_is_lost_is_reported_and_the_rest_goes_on() {
    all((1..=10).map(|seed| async move {
        let broker = Broker::start(seed, &[Fault::RefuseForGood, Fault::Refuse]).await;
        let producer = options(&broker).build().await.unwrap();
        let results = send(&producer, 1000).await;
        let lost = lost(&results).len();
        assert!((1..1000).contains(&lost), "seed {seed}: {lost}");
        for partition in 0..2 {
            assert_eq!(broker.values(partition), expected(&results, partition), "seed {seed}");
        }
    }))
    .await;
}

#[tokio::test]
async fn what_was_given_up_may_stand_in_the_log_but_nothing_stands_there_twice() {
    let given_up = all((1..=30).map(|seed| async move {
        let broker = Broker::start(seed, &[Fault::Refuse, Fault::DropBefore, Fault::DropAfter]).await;
        let mut options = options(&broker);
        options.retries = 1;
        let producer = options.build().await.unwrap();
        let results = send(&producer, 1000).await;
        for partition in 0..2 {
            let (mut stored, expected) = (broker.values(partition), expected(&results, partition));
            let once: HashSet<_> = stored.iter().cloned().collect();
            assert_eq!(once.len(), stored.len(), "seed {seed}");
            stored.retain(|value| expected.binary_search(value).is_ok());
            assert_eq!(stored, expected, "seed {seed}");
        }
        lost(&results).len()
    }));
    let given_up: usize = given_up.await.into_iter().sum();
    assert!(given_up > 100, "{given_up} records are too few to prove anything");
}

#[tokio::test]
async fn without_idempotence_nothing_is_lost_either() {
    let broker = Broker::start(5, &[Fault::Refuse, Fault::DropBefore, Fault::DropAfter]).await;
    let producer = options(&broker).acks(Acks::Leader).build().await.unwrap();
    let results = send(&producer, 500).await;
    assert_eq!(lost(&results), []);
    for partition in 0..2 {
        let stored = broker.values(partition);
        assert!(expected(&results, partition).iter().all(|value| stored.contains(value)));
    }
}

#[tokio::test]
async fn a_broker_that_never_answers_costs_the_delivery_timeout() {
    let broker = Broker::start(5, &[Fault::Silence]).await;
    let mut options = options(&broker);
    options.delivery_timeout = Duration::from_millis(300);
    options.request_timeout = Duration::from_millis(100);
    options.client.request_timeout = options.request_timeout;
    let producer = options.build().await.unwrap();
    let results = send(&producer, 4).await;
    assert!(results.iter().all(|result| matches!(result, Err(Error::TimedOut(_)))), "{results:?}");
}
