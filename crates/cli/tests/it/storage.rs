//! `kafka-storage` on directories of a test.

use std::path::Path;

use crate::console::{run, run_with};

/// `testdata/record-features.sh` asked Apache Kafka's tool the same.
#[test]
fn features_and_mistakes_are_told_as_kafka_tells_them() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/storage-features.txt");
    let text = std::fs::read_to_string(file).unwrap();
    let mut cases = 0;
    for case in text.split("$ ").skip(1) {
        let (line, expect) = case.split_once('\n').unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let ran = run_with("kafka-storage", &words, "");
        let mut got = format!("= {}\n", ran.code);
        got.extend(ran.output.lines().map(|line| format!("| {line}\n")));
        got.extend(ran.errors.lines().map(|line| format!("! {line}\n")));
        assert_eq!(got, expect, "{line}");
        cases += 1;
    }
    assert!(cases > 80, "{cases}");
}

#[test]
fn directories_are_formatted_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let file = folder.path().join("server.properties");
    let properties = format!(
        "process.roles=broker,controller\nnode.id=7\ncontroller.quorum.voters=7@127.0.0.1:9993\n\
         listeners=PLAINTEXT://127.0.0.1:9992,CONTROLLER://127.0.0.1:9993\ncontroller.listener.names=CONTROLLER\n\
         log.dirs={data}\n"
    );
    std::fs::write(&file, properties).unwrap();
    let file = file.display();
    let check = |line: &str, code: u8, output: &str, errors: &str| {
        let ran = run(&format!("kafka-storage {line} -c {file}"));
        assert_eq!((ran.code, ran.output.as_str(), ran.errors.as_str()), (code, output, errors), "{line}");
    };
    let id = "b3R0bGEtb3JhY2xlLTAwMQ";
    check("info", 1, &format!("Found problem:\n  {data} does not exist\n\n"), "");
    let formatted = run(&format!("kafka-storage format -t {id} -c {file}"));
    assert_eq!(formatted.code, 0, "{}", formatted.errors);
    let last = formatted.output.lines().last().unwrap();
    assert_eq!(last, format!("Formatting metadata directory {data} with metadata.version 4.3-IV0."));
    let again = "Log directory {} is already formatted. Use --ignore-formatted to ignore this directory and format the \
                 others.\n";
    check(&format!("format -t {id}"), 1, "", &again.replace("{}", &data));
    check(&format!("format -t {id} -g"), 0, "All of the log directories are already formatted.\n", "");
    let info = run(&format!("kafka-storage info -c {file}")).output;
    assert!(info.starts_with(&format!(
        "Found log directory:\n  {data}\n\nFound metadata: {{cluster.id={id}, directory.id="
    )));
    assert!(info.ends_with(", node.id=7, version=1}\n\n"));
    let uuid = run("kafka-storage random-uuid").output;
    assert_eq!(uuid.trim_end().len(), 22);
}

#[test]
fn the_directories_of_a_node_belong_together() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    let file = folder.path().join("server.properties");
    let properties = format!(
        "process.roles=broker,controller\nnode.id=7\ncontroller.quorum.bootstrap.servers=127.0.0.1:9993\n\
         listeners=PLAINTEXT://127.0.0.1:9992,CONTROLLER://127.0.0.1:9993\ncontroller.listener.names=CONTROLLER\n\
         log.dirs={},{}\n",
        one.display(),
        two.display()
    );
    std::fs::write(&file, properties).unwrap();
    let (one, two, file) = (one.display(), two.display(), file.display());
    // What stands in the first and in the second directory (`-`: no directory, nothing: no file), and the problems.
    let check = |first: &str, second: &str, metadata: &str, problems: &[&str]| {
        let mut found = Vec::new();
        for (dir, content) in [(one.to_string(), first), (two.to_string(), second)] {
            let _ = std::fs::remove_dir_all(&dir);
            if content != "-" {
                std::fs::create_dir(&dir).unwrap();
                found.push(dir.clone());
            }
            if !["-", ""].contains(&content) {
                std::fs::write(format!("{dir}/meta.properties"), content).unwrap();
            }
        }
        let list = |one: &str, more: &str, lines: &[String]| match lines {
            [] => String::new(),
            _ => format!("Found {}:\n  {}\n\n", if lines.len() > 1 { more } else { one }, lines.join("\n  ")),
        };
        let problems: Vec<_> = problems.iter().map(|text| text.replace("/two", &two.to_string())).collect();
        let mut expect = list("log directory", "log directories", &found);
        if !metadata.is_empty() {
            expect.push_str(&format!("Found metadata: {{{metadata}}}\n\n"));
        }
        expect.push_str(&list("problem", "problems", &problems).replace("/one", &one.to_string()));
        let ran = run(&format!("kafka-storage info -c {file}"));
        assert_eq!(ran.output, expect, "{first:?} {second:?}");
        assert_eq!(
            (ran.code, ran.errors.as_str()),
            (u8::from(!problems.is_empty()), ""),
            "{first:?} {second:?}"
        );
    };
    let meta = |cluster: &str, node: &str| format!("version=1\ncluster.id={cluster}\nnode.id={node}\n");
    let (mine, shown) = (meta("abc", "7"), "cluster.id=abc, node.id=7, version=1");
    check("-", "-", "", &["/one does not exist", "/two does not exist"]);
    check(&mine, "-", shown, &["/two does not exist"]);
    check(&mine, "", shown, &["/two is not formatted."]);
    check(&mine, &mine, shown, &[]);
    check(&mine, "version=0\nbroker.id=7\ncluster.id=abc\n", shown, &[]);
    check(&mine, &meta("xyz", "7"), shown, &["Mismatched cluster IDs between storage directories."]);
    check(&mine, &meta("abc", "8"), shown, &["Mismatched node IDs between storage directories."]);
    let load = |why: &str| format!("Error loading /two/meta.properties: {why}");
    check(&mine, "version=2\n", shown, &[&load("Unknown meta.properties version number 2")]);
    check(&mine, &meta("abc", "x"), shown, &[&load("Unable to read node.id as a base-10 number.")]);
    check(&mine, "version=1\nnode.id=7\n", shown, &[&load("cluster.id was not found.")]);
    check(&mine, "version=1\ncluster.id=abc\n", shown, &[&load("Failed to find node.id")]);
    check(
        "version=0\nbroker.id=7\ncluster.id=abc\n",
        &mine,
        "broker.id=7, cluster.id=abc, version=0",
        &[
            "The kafka configuration file appears to be for a cluster in KRaft mode, but the directories are formatted \
           for legacy mode.",
        ],
    );
}

#[test]
fn who_votes_first_is_said_by_one_flag() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let check = |quorum: &str, roles: &str, flags: &str, expect: Result<&str, &str>| {
        let _ = std::fs::remove_dir_all(&data);
        let listeners = match roles {
            "broker" => "PLAINTEXT://127.0.0.1:9992",
            "controller" => "CONTROLLER://127.0.0.1:9993",
            _ => "PLAINTEXT://127.0.0.1:9992,CONTROLLER://127.0.0.1:9993",
        };
        let file = folder.path().join("server.properties");
        let properties = format!(
            "process.roles={roles}\nnode.id=7\n{quorum}\nlisteners={listeners}\n\
             controller.listener.names=CONTROLLER\nlog.dirs={}\n",
            data.display()
        );
        std::fs::write(&file, properties).unwrap();
        let line = format!("kafka-storage format -t abc -c {} {flags}", file.display());
        let ran = run(line.trim_end());
        let kind = expect.map(|kind| format!("Formatting {kind} {} with", data.display()));
        match kind {
            Ok(start) => assert!(
                ran.code == 0 && ran.output.lines().last().unwrap().starts_with(&start),
                "{flags}: {}{}",
                ran.output,
                ran.errors
            ),
            Err(error) => assert_eq!((ran.code, ran.errors), (1, format!("{error}\n")), "{flags}"),
        }
    };
    let (fixed, dynamic) =
        ("controller.quorum.voters=7@127.0.0.1:9993", "controller.quorum.bootstrap.servers=h:1");
    let elsewhere = "controller.quorum.voters=5@127.0.0.1:9993";
    let me = "-I 7@h:9093:AAAAAAAAAAAAAAAAAAAAAQ";
    let both = "broker,controller";
    check(fixed, both, "", Ok("metadata directory"));
    check(fixed, both, "-N", Ok("metadata directory"));
    check(dynamic, both, "-s", Ok("dynamic metadata voter directory"));
    check(dynamic, "controller", "-s", Ok("dynamic metadata voter directory"));
    check(dynamic, both, "-N", Ok("metadata directory"));
    check(dynamic, both, me, Ok("dynamic metadata voter directory"));
    let another = "-I 8@h:9093:AAAAAAAAAAAAAAAAAAAAAQ";
    check(dynamic, both, another, Ok("dynamic metadata directory"));
    check(dynamic, "broker", "", Ok("metadata directory"));
    check(dynamic, "broker", another, Ok("dynamic metadata directory"));
    check(elsewhere, "broker", "", Ok("metadata directory"));
    check(dynamic, "broker", "-s", Err("You can only use --standalone on a controller."));
    check(
        dynamic,
        both,
        "",
        Err(
            "Because controller.quorum.voters is not set on this controller, you must specify one of the following: \
             --standalone, --initial-controllers, or --no-initial-controllers.",
        ),
    );
    for flag in ["-s", me] {
        check(
            fixed,
            both,
            flag,
            Err(
                "You cannot specify controller.quorum.voters and format the node with --initial-controllers or \
                 --standalone. If you want to use dynamic quorum, please remove controller.quorum.voters and specify \
                 controller.quorum.bootstrap.servers instead.",
            ),
        );
    }
    check(dynamic, both, "-s -f x", Err("Can't parse feature=level string x: equals sign not found."));
    check(dynamic, both, "-s -S x", Err("SCRAM credentials are not built yet: leave --add-scram out."));
}

#[test]
fn a_damaged_directory_is_repaired_when_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir_all(data.join("photos")).unwrap();
    std::fs::create_dir_all(data.join("t-0")).unwrap();
    std::fs::write(data.join("photos/sea.jpg"), b"blue").unwrap();
    std::fs::write(data.join("meta.properties"), "version=1\nnode.id=7\ncluster.id=c\ndirectory.id=?\n")
        .unwrap();
    std::fs::write(data.join("t-0/00000000000000000000.log"), b"this is not a batch, and it was synced")
        .unwrap();
    std::fs::write(data.join(".kafka_cleanshutdown"), b"").unwrap();
    let shown = data.display();
    let planned = run(&format!("kafka-storage repair --directory {shown}"));
    assert_eq!((planned.code, planned.errors.as_str()), (1, ""), "{}", planned.output);
    assert_eq!(
        planned.output.lines().filter(|line| line.starts_with("REPAIR")).count(),
        5,
        "{}",
        planned.output
    );
    assert!(data.join("photos").exists());
    let kept = folder.path().join("kept");
    let line = format!("kafka-storage repair --directory {shown} --execute --keep {}", kept.display());
    let done = run(&line);
    assert_eq!((done.code, done.errors.as_str()), (0, ""), "{}", done.output);
    let cut =
        format!("LOST   {shown}/t-0: everything from offset 0 on, cut at byte 0 of 00000000000000000000.log");
    assert!(done.output.contains(&cut), "{}", done.output);
    assert_eq!(std::fs::read(kept.join("photos/sea.jpg")).unwrap(), b"blue");
    assert!(std::fs::read(kept.join("t-0/00000000000000000000.log")).unwrap().starts_with(b"this is not"));
    assert_eq!(run(&format!("kafka-storage verify --directory {shown}")).code, 0);
    let again = run(&line);
    assert!(again.output.ends_with(&format!("{shown}: 0 to repair, 0 that cannot be\n")), "{}", again.output);
    assert_eq!(again.code, 0);
}
