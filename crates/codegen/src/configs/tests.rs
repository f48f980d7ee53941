use std::path::Path;

use super::{check_references, emit, parse};

fn source(text: &str) -> Result<String, String> {
    let file = Path::new("c.def");
    let table = parse::table(file, text).map_err(|error| error.to_string())?;
    check_references(file, &table, &table).map_err(|error| error.to_string())?;
    let mut source = String::new();
    emit::table(&mut source, "c", &table);
    Ok(source)
}

#[test]
fn mistakes_name_their_line() {
    let check = |text: &str, expect: &str| assert_eq!(source(text).unwrap_err(), expect, "{text}");
    check("  text", "c.def:1: no config stands above this line");
    check("a.b int = 1", "c.def:1: expected `name: type = default`");
    check("a.b: integer = 1", "c.def:1: `integer` is not a type");
    check("a.b: int 1", "c.def:1: expected `= default` or `required`");
    check("a.b: int = one", "c.def:1: `one` is not a number");
    check("a.b: int = 2 GiB", "c.def:1: `2 GiB` does not fit the type");
    check("a.b: short = 40000", "c.def:1: `40000` does not fit the type");
    check("a.b: long = 1 week", "c.def:1: `week` is not a unit");
    check("a.b: boolean = yes", "c.def:1: `yes` is not a boolean");
    check("a.b: int = 1; at most 5", "c.def:1: expected `at least`");
    check("a.b: string = x; at least 5", "c.def:1: a number stands where the type has none");
    check("a.b: int = 1; each of a", "c.def:1: `each of` is for lists");
    check("a.b: int = 1; sometimes", "c.def:1: `sometimes` is not a clause");
    check("a.b: int = 1", "c.def:1: `a.b` has no text");
    check("# c\na: int = 1\n    x\na: int = 1\n    x", "c.def:4: `a` stands here twice");
    check("a: int = 1\n    or b\n    x", "c.def:1: `b` is not a config");
    check(
        "a: int = 1\n    from b\n    x\nb: string = q\n    x",
        "c.def:1: `b` has a type that does not fit `a`",
    );
    check("struct A of some", "c.def:1: expected `struct NAME of built` or `struct NAME of all`");
}

#[test]
fn a_config_becomes_a_definition() {
    let check = |text: &str, expect: &str| {
        let source = source(text).unwrap();
        assert!(source.contains(expect), "{expect}\nis not in\n{source}");
    };
    check("a: int = 1 MiB\n    x", "default: Default::Text(\"1048576\")");
    check("a: long = 7 d\n    x", "default: Default::Text(\"604800000\")");
    check("a: long = max\n    x", "default: Default::Text(\"9223372036854775807\")");
    check("a: double = max\n    x", "default: Default::Text(\"1.7976931348623157E308\")");
    check("a: double = 0.5\n    x", "default: Default::Text(\"0.5\")");
    check("a: list = b, c\n    x", "default: Default::Text(\"b,c\")");
    check("a: list = \"\"\n    x", "check: Check::List { values: &[], empty: true }");
    check(
        "a: list = b; each of b, c; not empty\n    x",
        "Check::List { values: &[\"b\", \"c\"], empty: false }",
    );
    check(
        "a: int = 1; between 1 and 9 or -1\n    x",
        "Check::Integer { least: 1, most: Some(9), or: Some(-1) }",
    );
    check("a: double = 0; at least 0\n    x", "Check::Double { least: 0.0, most: None }");
    check("a: string = b; one of, in any case, b, c\n    x", "values: &[\"b\", \"c\"], any_case: true");
    check("a: long = null\n    or b\n    x\nb: int = 1\n    x", "at_start: false, chain: &[\"a\", \"b\"]");
    check("a: int = 1; built at start\n    x", "built: true, at_start: true");
    check("a: int = 1; built\n    x", "built: true, at_start: false");
    check("== Here\na: int = 1\n    x\n    y", "section: \"Here\"");
    check("a: int = 1\n    x\n    or y", "doc: \"x or y\"");
    check("a: long = 1\n    from b * 60\n    x\nb: int = 1\n    x", "Inherited { name: \"b\", factor: 60 }");
    check("b: int = 1\n    x\na: int = 1\n    x", "by_name: &[1, 0]");
}

#[test]
fn a_struct_has_the_fields_asked_for() {
    let text = "struct C of built\na.b: long = null; built\n    x\nc: int = 1\n    x\nd: list = x; as D; built\n    y";
    let built = source(text).unwrap();
    assert!(built.contains("pub a_b: Option<i64>,") && built.contains("pub d: D,"), "{built}");
    assert!(!built.contains("pub c: i32"), "{built}");
    let all = source(&text.replace("of built", "of all")).unwrap();
    assert!(all.contains("pub c: i32,") && all.contains("c: Field::of(values.at(1)),"), "{all}");
}
