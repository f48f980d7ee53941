//! `kafka-storage` on directories of a test.

use crate::console::run;

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
