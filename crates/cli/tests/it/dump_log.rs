//! `kafka-dump-log` on files that Apache Kafka wrote, compared with what its own tool printed: `testdata/record.sh` records
//! both.

use std::path::Path;

use crate::console::run_with;

#[test]
fn it_prints_what_kafkas_tool_prints() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/dump-log");
    let cases = std::fs::read_to_string(folder.join("cases.txt")).unwrap();
    for (number, line) in (1..).zip(cases.lines()) {
        let expect = std::fs::read_to_string(folder.join(format!("{number}.out"))).unwrap();
        let here = format!("{}/", folder.display());
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let files = words.last_mut().unwrap();
        *files = files.split(',').map(|file| format!("{here}{file}")).collect::<Vec<_>>().join(",");
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ran = run_with("kafka-dump-log", &words, "");
        let output = ran.output.replace(&here, "");
        for (at, (ours, theirs)) in output.lines().zip(expect.lines()).enumerate() {
            assert_eq!(ours, theirs, "case {number}: {line}, line {at}");
        }
        assert_eq!(output.len(), expect.len(), "case {number}: {line}");
        assert_eq!(ran.code, 0, "case {number}: {line}: {}", ran.errors);
    }
}

#[test]
fn damage_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/dump-log/codecs-0");
    let log = folder.path().join("00000000000000000000.log");
    let index = folder.path().join("00000000000000000000.index");
    let whole = std::fs::read(source.join("00000000000000000000.log")).unwrap();
    let dump = |flags: &[&str], file: &Path| {
        let file = file.display().to_string();
        run_with("kafka-dump-log", &[flags, &["--files", &file]].concat(), "")
    };
    std::fs::write(&log, &whole[..whole.len() - 17]).unwrap();
    assert!(dump(&[], &log).output.contains(" invalid bytes at the end of 00000000000000000000.log"));

    let mut flipped = whole.clone();
    flipped[100] ^= 1;
    std::fs::write(&log, &flipped).unwrap();
    assert_eq!(dump(&[], &log).output.matches("isvalid: false").count(), 1);

    std::fs::write(&log, &whole).unwrap();
    std::fs::write(&index, [0, 0, 0, 3, 0, 0, 0, 0]).unwrap();
    let ran = dump(&["--verify-index-only"], &index);
    assert!(ran.errors.contains("Mismatches in :") && ran.errors.contains("  Index offset: 3, log offset: "));

    std::fs::write(folder.path().join("00000000000000000009.snapshot"), &whole[..50]).unwrap();
    assert_eq!(dump(&[], &folder.path().join("00000000000000000009.snapshot")).code, 1);
    assert_eq!(dump(&[], &folder.path().join("nothing.log")).code, 1);
}
