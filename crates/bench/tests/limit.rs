//! The bare loop answers every load of the generator, so that a figure of a broker always has one of the machine beside it.

use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use bench::limit::Server;
use bench::load::{ColdBeside, EndToEnd, Extent, Fetch, Load, Outcome, Produce, Retention, VALUE_SIZE};

/// Runs a load against a bare loop that lives for it.
fn run(load: &Load) -> Outcome {
    let dir = tempfile::tempdir().unwrap();
    let (keep, stop) = UnixStream::pair().unwrap();
    let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), dir.path()).unwrap();
    let address = server.address().unwrap();
    let serving = thread::spawn(move || server.run(stop));
    let topic = load.prepare(address, "topic").unwrap();
    let outcome = load.run(address, &topic).unwrap();
    load.clean(address, &topic).unwrap();
    drop(keep);
    serving.join().unwrap().unwrap();
    outcome
}

fn produce(records: u32, connections: u32, durable: bool, requests: u64) -> Load {
    Load::Produce(Produce {
        records,
        connections,
        in_flight: 5,
        partitions: 1,
        durable,
        duration: Duration::from_secs(60),
        bytes_max: requests * u64::from(records) * VALUE_SIZE as u64,
    })
}

#[test]
fn every_produce_is_answered() {
    let check = |records, connections, durable, requests: u64| {
        let outcome = run(&produce(records, connections, durable, requests));
        // Acks that come in one turn, and then what is still in flight.
        let beyond = u64::from(connections) * 2 * 5;
        assert!((requests..=requests + beyond).contains(&outcome.requests), "{}", outcome.requests);
        assert_eq!(outcome.bytes, outcome.requests * u64::from(records) * VALUE_SIZE as u64);
        assert_eq!(outcome.latency.count(), outcome.requests);
    };
    check(1, 1, false, 2_000);
    check(16, 1, false, 500);
    check(128, 1, false, 100);
    check(1, 32, true, 500);
    check(1000, 2, false, 20);
}

#[test]
fn a_log_is_fetched_again_and_again() {
    let extent = Extent::Again(Duration::from_millis(50));
    let load = Fetch { log_bytes: 3 << 20, records: 16, extent };
    let outcome = run(&Load::Fetch(load));
    assert!(outcome.requests >= 1 && outcome.bytes >= 16 * VALUE_SIZE as u64);
}

#[test]
fn every_record_arrives() {
    let outcome = run(&Load::EndToEnd(EndToEnd { rate: 2000, duration: Duration::from_millis(100) }));
    assert_eq!((outcome.requests, outcome.latency.count()), (200, 200));
}

#[test]
fn a_log_is_fetched_once() {
    let load = Fetch { log_bytes: 3 << 20, records: 16, extent: Extent::Once };
    let outcome = run(&Load::Fetch(load));
    assert!((3 << 20..=4 << 20).contains(&outcome.bytes), "{}", outcome.bytes);
}

/// A batch of 128 KiB every 10 ms.
const RATE: u64 = 13_107_200;

#[test]
fn a_producer_goes_on_beside_a_reader() {
    let load = ColdBeside { log_bytes: 16 << 20, rate: RATE, alone: Duration::from_millis(100) };
    let outcome = run(&Load::ColdBeside(load));
    let parts = outcome.parts.expect("two parts");
    let counts = parts.each_ref().map(|part| part.latency.count());
    assert!((1..=11).contains(&counts[0]), "{counts:?}");
    assert_eq!(counts[0] + counts[1], outcome.requests);
    assert_eq!(outcome.bytes, outcome.requests * 128 * VALUE_SIZE as u64);
}

#[test]
fn the_first_fifth_and_the_last_are_told_apart() {
    let outcome = run(&Load::Retention(Retention { duration: Duration::from_millis(100) }));
    let parts = outcome.parts.expect("two parts");
    assert!(parts.iter().all(|part| part.latency.count() > 0 && part.resident.is_none()));
    assert!(outcome.requests > parts.iter().map(|part| part.latency.count()).sum());
}
