//! Whatever `verify` finds, a repair leaves nothing of, and loses only what stands behind a damage.

use base::ids::{DirectoryId, NodeId};
use base::uuid::Uuid;

use super::*;
use crate::disk::memory::{Crash, Fault as DiskFault, MemoryDisk};
use crate::disk::read_file;
use crate::log_dir::LogDir;
use crate::tests::{DATA, now};
use crate::verify::tests::{corruptions, files, healthy, plant, report};

const KEPT: &str = "/kept";

fn known() -> Known {
    let topic = |name: &str, id| (name.to_owned(), TopicId(Uuid::from_u128(id)));
    Known {
        cluster_id: Some("c".into()),
        node_id: Some(NodeId(1)),
        directory_id: None,
        unused_directory_id: Some(DirectoryId(Uuid::from_u128(77))),
        topic_ids: [topic("plain", 1), topic("txn", 2)].into(),
    }
}

fn planned(disk: &MemoryDisk, known: &Known) -> Plan {
    Plan::of(disk, Path::new(DATA), &report(disk), known).unwrap()
}

fn repaired(disk: &MemoryDisk, plan: &Plan) -> Repaired {
    repair(disk.shared(), Path::new(DATA), plan, Path::new(KEPT), now(100)).unwrap()
}

/// All bytes of a log.
fn content(disk: &MemoryDisk, partition: &str) -> Vec<u8> {
    let all = files(disk, partition, ".log").into_iter().map(|path| read_file(disk, &path).unwrap().unwrap());
    all.collect::<Vec<_>>().concat()
}

fn open_all(disk: &MemoryDisk, what: &str) {
    let mut dir = LogDir::open(disk.shared(), DATA).unwrap();
    dir.begin().unwrap();
    for found in dir.partitions().unwrap() {
        let log = dir.open_log(&found, None, Default::default(), now(200));
        log.unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}

#[test]
fn every_planted_corruption_is_repaired() {
    let whole = healthy();
    let before = ["plain-0", "txn-0"].map(|name| (name, content(&whole, name)));
    let mut named = 0;
    for (number, (at, action)) in corruptions().iter().enumerate() {
        let disk = healthy();
        if number % 2 == 1 {
            disk.remove_file(&Path::new(DATA).join(crate::clean_shutdown::FILE_NAME)).unwrap();
        }
        let planted = plant(&disk, at, action);
        let is_gone = disk.metadata(&planted).is_err();
        let with_hole = is_gone.then(|| content(&disk, "plain-0"));
        let damaged = read_file(&disk, &planted).unwrap();
        let what = format!("{at:?} {action:?}");
        let plan = planned(&disk, &known());
        let wrong = report(&disk).wrong().count();
        assert_eq!((plan.to_ask(), plan.to_repair()), (0, wrong), "{what}: {plan:?}");
        if wrong == 0 {
            // After a crash it is what a crash may leave.
            continue;
        }
        let done = repaired(&disk, &plan);
        let left: Vec<String> = report(&disk).wrong().map(ToString::to_string).collect();
        assert_eq!(left, Vec::<String>::new(), "{what}: {plan:?}");
        for (name, before) in &before {
            let after = content(&disk, name);
            let is_cut = done.lost.iter().any(|lost| lost.contains(name));
            let before = with_hole.as_ref().filter(|_| *name == "plain-0").unwrap_or(before);
            assert!(before.starts_with(&after), "{what}: {name} is another log");
            assert!(is_cut || after.len() == before.len(), "{what}: {:?}", done.lost);
            named += usize::from(is_cut);
        }
        // What was planted is among the copies if the repair changed it.
        if let Some(damaged) = damaged.filter(|it| Some(it) != read_file(&disk, &planted).unwrap().as_ref()) {
            let ends: Vec<_> =
                done.copies.iter().map(|path| read_file(&disk, path).unwrap().unwrap()).collect();
            assert!(ends.iter().any(|copy| damaged.ends_with(copy)), "{what}: {:?}", done.copies);
        }
        open_all(&disk, &what);
    }
    assert!(named > 20, "{named} losses");
}

#[test]
fn a_changed_epoch_of_a_batch_is_put_back() {
    let (whole, disk) = (healthy(), healthy());
    let path = files(&disk, "txn-0", ".log")[1].clone();
    let mut bytes = read_file(&disk, &path).unwrap().unwrap();
    bytes[12] ^= 0x10;
    disk.set_content(&path, &bytes);
    let done = repaired(&disk, &planned(&disk, &known()));
    assert_eq!((done.lost.len(), content(&disk, "txn-0")), (0, content(&whole, "txn-0")));
}

#[test]
fn what_nobody_knows_is_asked_for() {
    let check = |file: &str, text: Option<&str>, expect: &str| {
        let disk = healthy();
        let path = Path::new(DATA).join(file);
        match text {
            Some(text) => disk.set_content(&path, text.as_bytes()),
            None => disk.remove_file(&path).unwrap(),
        }
        let plan = planned(&disk, &Known::default());
        let asked = plan.steps.iter().find_map(|(_, remedy)| match remedy {
            Remedy::Ask(what) => Some(what.clone()),
            _ => None,
        });
        assert!(asked.as_deref().is_some_and(|it| it.ends_with(expect)), "{file}: {asked:?}");
        assert_eq!(repaired(&disk, &plan), Repaired::default(), "{file}");
    };
    check("meta.properties", None, "--node-id");
    check("meta.properties", Some("version=1\nnode.id=4\n"), "--cluster-id");
    check("meta.properties", Some("version=1\nnode.id=4\ncluster.id=c\ndirectory.id=?\n"), "--directory-id");
    check("txn-0/partition.metadata", None, "--topic-id");
}

#[test]
fn foreign_directories_and_those_of_another_topic_are_set_aside() {
    let disk = healthy();
    disk.set_content(&Path::new(DATA).join("photos/2019/sea.jpg"), b"blue");
    disk.set_content(
        &Path::new(DATA).join("plain-1/partition.metadata"),
        b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAZQ",
    );
    disk.set_content(&Path::new(DATA).join("plain-1/00000000000000000000.log"), b"");
    let done = repaired(&disk, &planned(&disk, &known()));
    assert_eq!(report(&disk).wrong().count(), 0, "{:?}", report(&disk).findings);
    assert_eq!(done.lost.len(), 2, "{:?}", done.lost);
    assert_eq!(read_file(&disk, &Path::new(KEPT).join("photos/2019/sea.jpg")).unwrap().unwrap(), b"blue");
    assert!(disk.metadata(&Path::new(KEPT).join("plain-1/partition.metadata")).is_ok());
}

#[test]
fn a_repair_that_fails_half_way_is_gone_on_with() {
    let damaged = healthy();
    for (partition, suffix) in [("plain-0", ".log"), ("txn-0", ".index"), ("txn-0", ".snapshot")] {
        let path = &files(&damaged, partition, suffix)[1];
        let mut bytes = read_file(&damaged, path).unwrap().unwrap();
        let at = 30.min(bytes.len() - 1);
        bytes[at] ^= 1;
        damaged.set_content(path, &bytes);
    }
    let plan = planned(&damaged, &known());
    let operations = {
        let disk = damaged.copy();
        let before = disk.operations();
        repaired(&disk, &plan);
        disk.operations() - before
    };
    for at in (0..operations).step_by(3) {
        let disk = damaged.copy();
        disk.plan(DiskFault::From { at, error: std::io::ErrorKind::StorageFull });
        let ended = repair(disk.shared(), Path::new(DATA), &plan, Path::new(KEPT), now(100));
        disk.crash([Crash::LoseUnsynced, Crash::KeepAll, Crash::Torn(at)][at as usize / 3 % 3]);
        assert!(ended.is_err(), "operation {at} of {operations}: {ended:?}");
        repaired(&disk, &planned(&disk, &known()));
        let left: Vec<String> = report(&disk).wrong().map(ToString::to_string).collect();
        assert_eq!(left, Vec::<String>::new(), "operation {at}");
        assert!(content(&damaged, "plain-0").starts_with(&content(&disk, "plain-0")), "operation {at}");
        assert_eq!(content(&damaged, "txn-0"), content(&disk, "txn-0"), "operation {at}");
        open_all(&disk, &format!("operation {at}"));
    }
}
