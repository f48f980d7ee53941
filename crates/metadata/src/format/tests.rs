//! Formatting: lines as Kafka's tool prints them, and directories that are never touched.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base::ids::{DirectoryId, NodeId};
use base::time::WallTime;
use quorum::{ReplicaKey, Snapshot, Voter, VoterSet};
use storage::disk::memory::{Crash, Fault, MemoryDisk};
use storage::disk::{Disk, read_file};
use storage::log_dir::LogDir;
use storage::meta_properties::MetaProperties;

use super::{EmptyFormat, Format, InitialVoters, format_empty};
use crate::testing::{CLUSTER_ID, Counting, endpoints};

const NOW: WallTime = WallTime(1_700_000_000_000);

/// What the tool prints first when everything has its default.
const BOOTSTRAP: &str = "Bootstrap metadata: BootstrapMetadata(records=[ApiMessageAndVersion(FeatureLevelRecord(\
                         name='metadata.version', featureLevel=30) at version 0), ApiMessageAndVersion(\
                         FeatureLevelRecord(name='eligible.leader.replicas.version', featureLevel=1) at version 0)], \
                         metadataVersionLevel=30, source=format command)";

fn format(directories: &[&str], voters: InitialVoters) -> Format {
    Format {
        cluster_id: CLUSTER_ID.to_owned(),
        node_id: NodeId(1),
        directories: directories.iter().map(PathBuf::from).collect(),
        metadata_dir: PathBuf::from(directories[0]),
        features: BTreeMap::new(),
        release_version: None,
        voters,
        ignore_formatted: false,
    }
}

fn voters(ids: &[i32], directory: DirectoryId) -> InitialVoters {
    let voter = |id: &i32| Voter {
        key: ReplicaKey::new(NodeId(*id), directory),
        endpoints: endpoints(),
        kraft_versions: (0, 1),
    };
    InitialVoters::These(ids.iter().map(voter).collect())
}

fn run(disk: &MemoryDisk, format: &Format) -> Result<Vec<String>, String> {
    let mut lines = Vec::new();
    // A second run draws other ids than the first.
    let mut random = Counting(if format.ignore_formatted { 1000 } else { 0 });
    let ran = format.run(disk, NOW, &mut random, &mut |line| lines.push(line));
    ran.map(|()| lines).map_err(|error| error.to_string())
}

fn voters_on_disk(disk: &MemoryDisk, dir: &str) -> Option<VoterSet> {
    let path = Path::new(dir).join("__cluster_metadata-0/00000000000000000000-0000000000.checkpoint");
    let bytes = read_file(disk, &path).expect("readable")?;
    Snapshot::read(bytes.into()).expect("whole").voters
}

#[test]
fn directories_are_formatted_in_kafkas_words() {
    let check = |voters: InitialVoters, kind: &str| {
        let disk = MemoryDisk::new();
        let lines = run(&disk, &format(&["/a", "/b"], voters)).expect("empty directories");
        let expect = [
            BOOTSTRAP.to_owned(),
            format!("Formatting {kind} /a with metadata.version 4.3-IV0."),
            "Formatting data directory /b with metadata.version 4.3-IV0.".to_owned(),
        ];
        assert_eq!(lines, expect);
        for dir in ["/a", "/b"] {
            let meta = MetaProperties::read(&disk, Path::new(dir)).expect("readable").expect("written");
            assert_eq!((meta.cluster_id.as_deref(), meta.node_id), (Some(CLUSTER_ID), Some(NodeId(1))));
            assert!(
                read_file(&disk, &Path::new(dir).join("bootstrap.checkpoint")).expect("readable").is_some()
            );
        }
        assert_eq!(voters_on_disk(&disk, "/b"), None);
        disk
    };
    let unknown = DirectoryId::MIGRATING;
    let disk = check(voters(&[1], unknown), "dynamic metadata voter directory");
    let drawn =
        MetaProperties::read(&disk, Path::new("/a")).expect("readable").and_then(|meta| meta.directory_id);
    let set = voters_on_disk(&disk, "/a").expect("written");
    assert_eq!(set.get(NodeId(1)).map(|voter| voter.key.directory), drawn);

    let given = DirectoryId(base::uuid::Uuid::from_u128(0xabc));
    let disk = check(voters(&[1, 2], given), "dynamic metadata voter directory");
    let meta = MetaProperties::read(&disk, Path::new("/a")).expect("readable").expect("written");
    assert_eq!(meta.directory_id, Some(given), "an initial controller's directory has the id that was given");

    let disk = check(voters(&[2], given), "dynamic metadata directory");
    assert_eq!(voters_on_disk(&disk, "/a").map(|set| set.len()), Some(1));
    for others in [InitialVoters::Configured, InitialVoters::Unknown] {
        let disk = check(others, "metadata directory");
        assert_eq!(voters_on_disk(&disk, "/a"), None);
    }
}

#[test]
fn formatted_directories_are_left_alone() {
    let disk = MemoryDisk::new();
    let mut again = format(&["/a", "/b"], voters(&[1], DirectoryId::MIGRATING));
    run(&disk, &format(&["/a"], again.voters.clone())).expect("empty");
    let already = "Log directory /a is already formatted. Use --ignore-formatted to ignore this directory and format the \
                   others.";
    assert_eq!(run(&disk, &again), Err(already.to_owned()));
    again.ignore_formatted = true;
    let lines = run(&disk, &again).expect("/b is empty");
    assert_eq!(lines[1..], ["Formatting data directory /b with metadata.version 4.3-IV0."]);
    assert_eq!(run(&disk, &again), Ok(vec!["All of the log directories are already formatted.".to_owned()]));

    let other = Format { cluster_id: "AAAAAAAAAAAAAAAAAAAAAQ".to_owned(), ..again.clone() };
    let expect = format!(
        "Invalid cluster.id in: /a/meta.properties. Expected AAAAAAAAAAAAAAAAAAAAAQ, but read {CLUSTER_ID}"
    );
    assert_eq!(run(&disk, &other), Err(expect));
    let other = Format { node_id: NodeId(7), ..again };
    assert!(
        run(&disk, &other)
            .expect_err("another node")
            .starts_with("Stored node id 1 doesn't match previous node id 7")
    );
}

#[test]
fn directories_that_cannot_be_this_nodes_are_named() {
    let check = |files: &[(&str, &str)], expect: Result<&[&str], &str>| {
        let disk = MemoryDisk::new();
        for (dir, content) in files {
            disk.create_dir_all(Path::new(dir)).expect("a directory");
            disk.set_content(&Path::new(dir).join("meta.properties"), content.as_bytes());
        }
        let again = Format { ignore_formatted: true, ..format(&["/a", "/b"], InitialVoters::Unknown) };
        let expect = expect.map(|lines| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>());
        assert_eq!(run(&disk, &again), expect.map_err(str::to_owned), "{files:?}");
    };
    let meta = |id: &str| format!("version=1\ncluster.id={CLUSTER_ID}\nnode.id=1\ndirectory.id={id}\n");
    let (mine, reserved) = (meta("Xh0WCzZ7QaqFPLh3yl_v2g"), meta("AAAAAAAAAAAAAAAAAAAAAQ"));
    let ignored = |dir: &str| format!("I/O error trying to read log directory {dir}. Ignoring...");
    check(
        &[("/a", &mine), ("/b", &mine)],
        Err(
            "Duplicate directory ID Optional[Xh0WCzZ7QaqFPLh3yl_v2g] found. It was the ID of /a, but also of /b",
        ),
    );
    check(&[("/b", &reserved)], Err("Invalid reserved directory ID AAAAAAAAAAAAAAAAAAAAAQ found in /b"));
    check(
        &[("/a", &mine), ("/b", "version=2\n")],
        Ok(&[&ignored("/b"), "All of the log directories are already formatted."]),
    );
    check(&[("/a", "version=2\n"), ("/b", "version=2\n")], Err("No available log directories to format."));
}

#[test]
fn eligible_leader_replicas_come_with_their_release() {
    let check = |features: &[(&str, i16)], release: &str, expect: i16| {
        let features = features.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect();
        let levels = crate::format::effective_levels(&features, Some(release), &InitialVoters::Unknown)
            .expect("levels");
        assert_eq!(levels.others["eligible.leader.replicas.version"], expect, "{release}");
    };
    check(&[], "4.3", 1);
    check(&[], "4.1-IV0", 1);
    check(&[], "4.0", 0);
    check(&[("eligible.leader.replicas.version", 1)], "4.0", 1);
    check(&[("eligible.leader.replicas.version", 0)], "4.3", 0);
}

#[test]
fn levels_are_checked_in_kafkas_words() {
    let check = |features: &[(&str, i16)],
                 release: Option<&str>,
                 voters: InitialVoters,
                 expect: Result<i16, &str>| {
        let features = features.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect();
        let release_version = release.map(str::to_owned);
        let format = Format { features, release_version, ..format(&["/a"], voters) };
        match (run(&MemoryDisk::new(), &format), expect) {
            (Ok(lines), Ok(level)) => {
                assert!(lines[0].ends_with(&format!("metadataVersionLevel={level}, source=format command)")));
            }
            (Err(error), Err(expect)) => assert!(error.contains(expect), "{error}"),
            (happened, expect) => panic!("{happened:?} instead of {expect:?}"),
        }
    };
    let standalone = || voters(&[1], DirectoryId::MIGRATING);
    check(&[], None, standalone(), Ok(30));
    check(&[], Some("4.1"), standalone(), Ok(27));
    check(&[("metadata.version", 25)], None, standalone(), Ok(25));
    check(&[("share.version", 0), ("kraft.version", 1)], None, standalone(), Ok(30));
    check(&[("kraft.version", 0)], None, InitialVoters::Configured, Ok(30));
    check(
        &[("metadata.version", 31)],
        None,
        standalone(),
        Err("metadata.version 4.4-IV0 is not yet stable."),
    );
    check(&[("metadata.version", 32)], None, standalone(), Err("Valid feature levels are from 7 to 31."));
    check(&[("kraft.version", 2)], None, standalone(), Err("No feature:kraft.version with feature level 2"));
    check(
        &[],
        Some("9.9"),
        standalone(),
        Err("Unknown metadata.version '9.9'. Supported metadata.version are: 3.3-IV3, "),
    );
    check(
        &[("metadata.version", 25)],
        Some("4.1"),
        standalone(),
        Err("Use --release-version instead of --feature"),
    );
    check(
        &[("foo", 1)],
        None,
        standalone(),
        Err("Unsupported feature: foo. Supported features are: eligible.leader"),
    );
    check(&[("share.version", 7)], None, standalone(), Err("No feature:share.version with feature level 7"));
    check(&[("share.version", 1)], None, standalone(), Err("Feature share.version is not built yet"));
    check(&[("eligible.leader.replicas.version", 1), ("metadata.version", 23)], None, standalone(), Ok(23));
    check(
        &[("eligible.leader.replicas.version", 1), ("metadata.version", 22)],
        None,
        standalone(),
        Err("could not be set to 1 because it depends on metadata.version level 23"),
    );
    check(
        &[("kraft.version", 0)],
        None,
        standalone(),
        Err("Cannot set kraft.version to 0 if controller.quorum.voters"),
    );
    check(
        &[("kraft.version", 1)],
        None,
        InitialVoters::Configured,
        Err("Cannot set kraft.version to 1 unless"),
    );
}

fn open(disk: &MemoryDisk, dirs: &[&str]) -> Vec<LogDir> {
    dirs.iter().map(|dir| LogDir::open(disk.shared(), *dir).expect("a directory")).collect()
}

fn format_dirs(disk: &MemoryDisk, dirs: &[&str]) -> Result<Vec<String>, String> {
    let mut dirs = open(disk, dirs);
    let endpoints = endpoints();
    let format = EmptyFormat {
        node_id: NodeId(1),
        cluster_id: None,
        metadata_dir: Path::new("/a"),
        endpoints: &endpoints,
    };
    format_empty(&mut dirs, &format, NOW, &mut Counting(7)).map_err(|error| error.to_string())
}

#[test]
fn a_node_formats_only_what_is_empty() {
    let disk = MemoryDisk::new();
    assert_eq!(format_dirs(&disk, &["/a", "/b"]), Ok(vec!["/a".to_owned(), "/b".to_owned()]));
    let ids: Vec<_> = open(&disk, &["/a", "/b"])
        .iter()
        .map(|dir| dir.meta().and_then(|meta| meta.cluster_id.clone()).expect("formatted"))
        .collect();
    assert_eq!(ids[0], ids[1]);
    assert_eq!(format_dirs(&disk, &["/a", "/b"]), Ok(Vec::new()));
    // A new disk joins, but a lost metadata directory is not made anew.
    assert_eq!(format_dirs(&disk, &["/a", "/b", "/c"]), Ok(vec!["/c".to_owned()]));
    let lost = MemoryDisk::new();
    format_dirs(&lost, &["/a"]).expect("empty");
    let meta = MetaProperties::read(&lost, Path::new("/a")).expect("readable").expect("written");
    let disk = MemoryDisk::new();
    disk.create_dir_all(Path::new("/b")).expect("a directory");
    meta.write(&disk, Path::new("/b")).expect("a disk that works");
    assert!(format_dirs(&disk, &["/a", "/b"]).expect_err("lost").contains("should hold the metadata log"));
}

#[test]
fn what_is_neither_empty_nor_formatted_is_not_touched() {
    for name in ["notes.txt", "__cluster_metadata-0/quorum-state", "orders-0/00000000000000000000.log"] {
        let disk = MemoryDisk::new();
        let path = Path::new("/a").join(name);
        disk.create_dir_all(path.parent().expect("a parent")).expect("a directory");
        disk.set_content(&path, b"mine");
        assert_eq!(format_dirs(&disk, &["/a", "/b"]), Ok(Vec::new()), "{name}");
        assert_eq!(read_file(&disk, Path::new("/a/meta.properties")).expect("readable"), None);
        assert_eq!(
            read_file(&disk, Path::new("/b/meta.properties")).expect("readable"),
            None,
            "not half a node either"
        );
    }
}

#[test]
fn a_crash_while_formatting_is_no_harm() {
    let mut at = 0;
    loop {
        let disk = MemoryDisk::new();
        disk.plan(Fault::From { at, error: std::io::ErrorKind::Other });
        let mut dirs = Vec::new();
        let formatted =
            LogDir::open(disk.shared(), "/a").map_err(|error| error.to_string()).and_then(|dir| {
                dirs.push(dir);
                let endpoints = endpoints();
                let format = EmptyFormat {
                    node_id: NodeId(1),
                    cluster_id: None,
                    metadata_dir: Path::new("/a"),
                    endpoints: &endpoints,
                };
                format_empty(&mut dirs, &format, NOW, &mut Counting(7)).map_err(|error| error.to_string())
            });
        drop(dirs);
        disk.crash(Crash::Torn(at));
        format_dirs(&disk, &["/a"]).expect("formatted now, if not before");
        assert!(open(&disk, &["/a"])[0].meta().is_some(), "at {at}");
        assert!(voters_on_disk(&disk, "/a").is_some(), "at {at}");
        if formatted.is_ok() {
            break;
        }
        at += 1;
    }
    assert!(at > 10, "the fault hit every operation");
}
