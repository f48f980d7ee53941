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
