//! The workspace as cargo describes it, against `layers.toml`; and that the rule itself can fail.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use layers::{Dependency, Kind, Layers};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("crates/layers is two below").to_owned()
}

/// The members of the workspace, and every dependency that their manifests name.
fn workspace() -> (BTreeSet<String>, Vec<Dependency>) {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo runs this test, so it is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    let mut members = BTreeSet::new();
    let mut dependencies = Vec::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let from = package["name"].as_str().expect("name").to_owned();
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let kind = match dependency["kind"].as_str() {
                None => Kind::Normal,
                Some("build") => Kind::Build,
                Some("dev") => Kind::Dev,
                Some(other) => panic!("cargo knows a new kind of dependency: {other}"),
            };
            let to = dependency["name"].as_str().expect("name").to_owned();
            dependencies.push(Dependency { from: from.clone(), to, kind });
        }
        members.insert(from);
    }
    (members, dependencies)
}

fn table() -> Layers {
    let text = std::fs::read_to_string(root().join("layers.toml")).expect("layers.toml stands at the root");
    Layers::parse(&text).expect("layers.toml is understood")
}

#[test]
fn every_dependency_of_the_workspace_is_an_allowed_edge() {
    let (members, dependencies) = workspace();
    assert!(members.contains("layers") && !dependencies.is_empty());
    let broken = table().broken(&members, &dependencies);
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn lower_never_knows_higher() {
    assert_eq!(table().cycle(), None);
}

#[test]
fn every_crate_stands_in_the_folder_of_its_name() {
    for member in workspace().0 {
        let manifest = root().join("crates").join(&member).join("Cargo.toml");
        assert!(manifest.is_file(), "{} is missing", manifest.display());
    }
}

#[test]
fn a_forbidden_edge_is_found_wherever_it_stands() {
    let layers = Layers::parse(
        "[edges]\nlow = []\nmiddle = [\"low\"]\nroof = [\"all\"]\n[build-edges]\nlow = [\"tables\"]\n\
         [dev-edges]\nlow = [\"middle\"]\n[guarded]\ntokio = [\"roof\"]\n",
    )
    .expect("a table");
    let members = ["low", "middle", "roof", "tables"].map(str::to_owned).into();
    let check = |from: &str, to: &str, kind, expect: usize| {
        let dependency = Dependency { from: from.to_owned(), to: to.to_owned(), kind };
        // One sentence is always there: tables stands on no floor.
        let broken = layers.broken(&members, &[dependency]);
        assert_eq!(broken.len(), 1 + expect, "{from} → {to} {kind:?}: {broken:?}");
    };
    check("middle", "low", Kind::Normal, 0);
    check("low", "middle", Kind::Normal, 1);
    check("low", "middle", Kind::Dev, 0);
    check("low", "roof", Kind::Dev, 1);
    check("low", "tables", Kind::Build, 0);
    check("low", "tables", Kind::Normal, 1);
    check("middle", "tables", Kind::Build, 1);
    check("roof", "middle", Kind::Normal, 0);
    check("roof", "roof", Kind::Normal, 1);
    check("roof", "tokio", Kind::Normal, 0);
    check("low", "tokio", Kind::Normal, 1);
    check("low", "tokio", Kind::Dev, 1);
    check("low", "bytes", Kind::Normal, 0);
}

#[test]
fn a_table_that_is_not_understood_is_refused() {
    let check = |text: &str, expect: &str| assert_eq!(Layers::parse(text), Err(expect.to_owned()));
    check("[edge]\n", "layers.toml:1: no such section");
    check("[edges]\na = [\"b\"]\na = []\n", "layers.toml:3: named twice");
    check("a = []\n", "layers.toml:1: expected name = [\"a\", \"b\"] in a section");
    check("[edges]\na = [b]\n", "layers.toml:2: expected name = [\"a\", \"b\"] in a section");
    check("[edges]\na = \"b\"\n", "layers.toml:2: expected name = [\"a\", \"b\"] in a section");
}

#[test]
fn a_circle_of_edges_is_found() {
    let layers = Layers::parse("[edges]\na = [\"b\"]\nb = [\"c\"]\nc = [\"b\"]\n").expect("a table");
    assert_eq!(layers.cycle(), Some(vec!["b".to_owned(), "c".to_owned(), "b".to_owned()]));
}
