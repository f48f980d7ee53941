//! `install-aliases`, and how a tool is found.

use crate::console::{run, run_with};

#[test]
fn every_tool_gets_its_link() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bin");
    let shown = path.display().to_string();
    for _ in 0..2 {
        let ran = run_with("install-aliases", &[&shown], "");
        assert_eq!(ran.code, 0, "{}", ran.errors);
        assert!(path.join("kafka-topics.sh").is_symlink());
        assert_eq!(
            std::fs::read_link(path.join("kafka-topics.sh")).unwrap(),
            std::env::current_exe().unwrap()
        );
    }
    let tools = run("tools").output.lines().count();
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), tools);
    std::fs::remove_file(path.join("kafka-topics.sh")).unwrap();
    std::fs::write(path.join("kafka-topics.sh"), "a script of somebody's").unwrap();
    assert_eq!(run_with("install-aliases", &[&shown], "").code, 1);
}

#[test]
fn every_tool_answers_help_and_version() {
    for line in run("tools").output.lines() {
        let tool = line.split_whitespace().next().unwrap();
        // Tools with commands have Kafka's other parser.
        let has_commands = tool == "kafka-storage";
        let help = run_with(tool, &["--help"], "");
        if has_commands {
            assert!(help.code == 0 && help.output.starts_with("usage: ") && help.errors.is_empty(), "{tool}");
        } else {
            assert_eq!((help.code, help.output.as_str()), (1, ""), "{tool}");
            assert!(help.errors.contains("Option") && help.errors.contains("--help"), "{tool}");
        }
        let version = run_with(tool, &["--version"], "");
        assert!(version.code == 0 && version.output.starts_with("4.3.0"), "{tool}");
        let unknown = run_with(tool, &["--no-such-flag"], "");
        let expect = match has_commands {
            true => "unrecognized arguments: '--no-such-flag'\n",
            false => "no-such-flag is not a recognized option\n",
        };
        assert!(unknown.code == 1 && unknown.errors.ends_with(expect), "{tool}: {}", unknown.errors);
    }
    assert_eq!(run("kafka-no-such-tool").code, 1);
    assert_eq!(run("kafka-topics.sh --version").code, 0);
}

/// Sentences as Apache Kafka 4.3.0 prints them before its help.
#[test]
fn wrong_arguments_are_refused_in_kafkas_words() {
    let check = |line: &str, expect: &str| {
        let ran = run(line);
        assert_eq!((ran.code, ran.output.as_str()), (1, ""), "{line}");
        assert_eq!(ran.errors.lines().next(), Some(expect), "{line}");
    };
    let b = "--bootstrap-server h:1";
    check("kafka-topics --list", "--bootstrap-server must be specified");
    let one = "Command must include exactly one action: --list, --describe, --create, --alter or --delete";
    check(&format!("kafka-topics {b} --list --create"), one);
    check(&format!("kafka-topics {b} --create"), "Missing required argument \"[topic]\"");
    check(&format!("kafka-console-producer {b}"), "Missing required argument \"[topic]\"");
    check("kafka-console-producer --topic a", "Error while validating the bootstrap address");
    let either = "Exactly one of the following arguments is required: [topic], [include]";
    check(&format!("kafka-console-consumer {b}"), either);
    check(&format!("kafka-console-consumer {b} --topic a --include a"), either);
    let c = format!("kafka-console-consumer {b} --topic a");
    check(&format!("{c} --offset 1"), "The partition is required when offset is specified.");
    let together = "Options from-beginning and offset cannot be specified together.";
    check(&format!("{c} --partition 0 --offset 1 --from-beginning"), together);
    check(
        &format!("{c} --partition 0 --group g"),
        "Options group and partition cannot be specified together.",
    );
    check(
        &format!("{c} --partition 0 --offset foo"),
        "The provided offset value 'foo' is incorrect. Valid values are 'earliest', 'latest', or a non-negative long.",
    );
    check(&format!("kafka-consumer-perf-test {b}"), either);
    check(
        &format!("kafka-get-offsets {b} --topic a --topic-partitions b"),
        "Error occurred: --topic-partitions cannot be used with --topic or --partitions",
    );
    check(
        &format!("kafka-get-offsets {b} --time xx"),
        "Error occurred: Malformed time argument xx. Please use -1 or latest / -2 or earliest / -3 or max-timestamp / -4 \
         or earliest-local / -5 or latest-tiered / -6 or earliest-pending-upload, or a specified long format timestamp",
    );
}
