//! What is in the way of a start is said in one sentence that names it.

use std::net::TcpListener;

use crate::node::{Node, command, free_port, refusal};

#[track_caller]
fn check(said: &str, expect: &[&str]) {
    let last = said.lines().last().unwrap_or_default();
    for part in expect {
        assert!(last.contains(part), "'{part}' is missing in: {said}");
    }
}

#[test]
fn a_port_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    check(&refusal(command(dir.path(), port, &[])), &[&port.to_string(), "another process listens there"]);
}

#[test]
fn a_directory_that_is_not_ours() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("photo.jpg"), "not a log").unwrap();
    let path = dir.path().display().to_string();
    check(&refusal(command(dir.path(), free_port(), &[])), &[&path, "never formatted"]);
    assert!(!dir.path().join("meta.properties").exists(), "it was left as it was");
}

#[test]
fn another_process_has_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let _node = Node::start(dir.path(), free_port(), &[]);
    let path = dir.path().display().to_string();
    check(&refusal(command(dir.path(), free_port(), &[])), &[&path, "another process"]);
}

#[test]
fn settings_that_are_not_built() {
    let dir = tempfile::tempdir().unwrap();
    let ssl = "listeners=SSL://127.0.0.1:0,CONTROLLER://127.0.0.1:9093";
    check(&refusal(command(dir.path(), 0, &[ssl])), &["SSL"]);
    let authorizer = "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer";
    check(&refusal(command(dir.path(), 0, &[authorizer])), &["authorizer.class.name"]);
    check(&refusal(command(dir.path(), 0, &["num.partitions=none"])), &["num.partitions", "none"]);
}
