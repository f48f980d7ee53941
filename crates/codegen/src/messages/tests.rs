//! The notation: what it means and what is said about mistakes.

use std::path::Path;

use super::model::{Kind, Message, Type, Versions};
use super::{parse, verify};

fn read(text: &str) -> Result<Vec<Message>, String> {
    let file = Path::new("m.def");
    let messages = parse::parse(file, text).map_err(|error| error.to_string())?;
    for message in &messages {
        verify::verify(file, message).map_err(|error| error.to_string())?;
    }
    Ok(messages)
}

#[test]
fn mistakes_name_their_line() {
    let check = |line: &str, expect: &str| {
        let text = format!("# About.\napi 9 Any  versions 2-6  flexible 4+  on broker\nrequest\n{line}\n");
        assert_eq!(
            read(&text).unwrap_err(),
            format!("m.def:{}: {expect}", 3 + line.lines().count()),
            "{line}"
        );
    };
    check("  Name", "a field has a name and a type");
    check("  Name  text", "`text` is not a type");
    check("  Name  string  1+", "`1+` is not a part of versions 2-6");
    check("  Name  string  2+", "`2+` is not a part of versions 2-6");
    check("  Name  string  5-4", "`5-4` holds no version");
    check("  Name  string?2+", "`2+` is not a part of versions 2-6");
    check("  Name  string  maybe", "`maybe` says nothing about a field");
    check("  Name  string  tag", "something is missing after `tag`");
    check("  Name  i32?", "Name has a type without null");
    check("  Name  string  = null", "Name is never null");
    check("  Name  i8  = 128", "`128` is no default for Name");
    check("  Name  i32  3+  tag 0", "tagged field Name in versions that are not flexible");
    check("  Name  []Other", "no struct Other in AnyRequest");
    check("  A  i32\n  A  i32", "A stands twice in AnyRequest");
    check("value", "no `value` here");
    check("nonsense", "`nonsense` begins no message, section or family");
    check("  A  i32\n    B  i32", "a field stands below one that is no struct");
}

#[test]
fn heads_are_checked() {
    let check = |line: &str, expect: &str| {
        assert_eq!(read(line).unwrap_err(), format!("m.def:1: {expect}"), "{line}");
    };
    check("api 9 Any  versions 2-6  flexible 4+", "an api needs a key and `on` with its listeners");
    check("api Any  versions 2-6  on broker", "an api needs a key and `on` with its listeners");
    check("data Any", "`versions` is missing");
    check("data Any  versions 2+", "a message has a last version");
    check(
        "data Any  versions 2  flexibel none",
        "`flexibel` is not `versions`, `unstable`, `flexible` or `on`",
    );
    check("request", "a section before any message");
    check("  Name  string", "a field before any message or section");
}

#[test]
fn a_field_takes_what_it_leaves_out_from_where_it_stands() {
    let messages = read(
        "api 9 Any  versions 2-6  unstable 6  flexible 4+  on broker controller\n\
         request\n  Topics  []Topic?3+  = null\n    Name  string  key\n    Ids  []uuid  5+  tag 0\n\
         response\n  One  Pair\n  Two  Pair?  4+\n  struct Pair\n    Left  error\n",
    )
    .unwrap();
    let [request, response] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!((request.name.as_str(), request.kind, request.stable), ("AnyRequest", Kind::Request, 5));
    let topics = &request.structs[0].fields[0];
    assert_eq!((&topics.r#type, topics.array), (&Type::Struct("Topic".to_owned()), true));
    assert_eq!((topics.versions, topics.nullable), (Versions(2, 6), Some(Versions(3, 6))));
    let ids = &request.structs[1].fields[1];
    assert_eq!((ids.versions, ids.tag), (Versions(5, 6), Some(0)));
    assert_eq!(response.structs.len(), 2);
    assert_eq!(response.structs[1].fields[0].r#type, Type::Error);
}

#[test]
fn a_record_may_have_a_key() {
    let messages = read(
        "family group\n\n# One.\nrecord 3 One  versions 0-1  flexible 0+\nkey\n  Id  string\nvalue\n  Epoch  i32\n\n\
         # Two.\nrecord 4 Two  versions 0  flexible none\n  Epoch  i32\n",
    )
    .unwrap();
    let names: Vec<_> = messages.iter().map(|message| (message.name.as_str(), message.kind)).collect();
    assert_eq!(names, [("OneKey", Kind::Key), ("OneValue", Kind::Value), ("Two", Kind::Record)]);
    assert_eq!((messages[0].versions, messages[0].flexible), (Versions(0, 0), None));
    assert!(messages.iter().all(|message| message.family == "group"));
    assert_eq!(messages[2].about, "Two.");
}
