//! The allowed edges between the crates, as `layers.toml` gives them.
//!
//! Not a build step: the test of this crate compares what it reads here with what cargo says about the workspace.
//! Invariant: a table that names something twice, or that is not understood to its last line, is an error and never a
//! weaker rule.

use std::collections::{BTreeMap, BTreeSet};

/// One section of the table: crate name to the names it may depend on, or, in `guarded`, who may depend on it.
pub type Section = BTreeMap<String, BTreeSet<String>>;

/// The whole of `layers.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    /// What a crate may depend on. Every crate of the workspace is named here.
    pub edges: Section,
    /// What a crate's build script may depend on.
    pub build_edges: Section,
    /// What a crate's tests may depend on beyond its edges.
    pub dev_edges: Section,
    /// Crates from outside, and which of ours may name them, in code or in tests.
    pub guarded: Section,
}

/// Why a crate depends on another, as cargo tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `[dependencies]`
    Normal,
    /// `[build-dependencies]`
    Build,
    /// `[dev-dependencies]`
    Dev,
}

/// One line of one Cargo.toml.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dependency {
    /// The crate that depends.
    pub from: String,
    /// The crate depended on, of this workspace or from outside.
    pub to: String,
    /// In which table of the manifest it stands.
    pub kind: Kind,
}

impl Layers {
    /// Reads the table. Its form is the part of TOML that it needs: comments, `[section]`, `name = ["a", "b"]` on one line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut layers = Self::default();
        let mut section: Option<&mut Section> = None;
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or("").trim();
            let fail = |what: &str| Err(format!("layers.toml:{}: {what}", index + 1));
            if line.is_empty() {
                continue;
            }
            if line.starts_with('[') {
                section = Some(match line {
                    "[edges]" => &mut layers.edges,
                    "[build-edges]" => &mut layers.build_edges,
                    "[dev-edges]" => &mut layers.dev_edges,
                    "[guarded]" => &mut layers.guarded,
                    _ => return fail("no such section"),
                });
                continue;
            }
            let (Some(section), Some((name, list))) = (section.as_deref_mut(), parse_line(line)) else {
                return fail("expected name = [\"a\", \"b\"] in a section");
            };
            if section.insert(name, list).is_some() {
                return fail("named twice");
            }
        }
        Ok(layers)
    }

    /// What of the workspace breaks the table, one sentence each. `members` are the workspace's crates.
    pub fn broken(&self, members: &BTreeSet<String>, dependencies: &[Dependency]) -> Vec<String> {
        let mut broken = Vec::new();
        for member in members.iter().filter(|member| !self.edges.contains_key(*member)) {
            broken.push(format!("{member} is not in [edges]: say on which floor it stands"));
        }
        for dependency in dependencies {
            let Dependency { from, to, kind } = dependency;
            let allowed = if members.contains(to) {
                self.allows_edge(dependency)
            } else {
                self.allows_outside(from, to)
            };
            if !allowed {
                broken.push(format!("{from} may not depend on {to} ({kind:?})"));
            }
        }
        broken
    }

    /// Whether lower would know higher somewhere: a crate of [edges] that reaches itself, named by its way.
    pub fn cycle(&self) -> Option<Vec<String>> {
        self.edges.keys().find_map(|start| {
            let mut ways = vec![vec![start.clone()]];
            let mut seen = BTreeSet::new();
            while let Some(way) = ways.pop() {
                for next in self.edges.get(&way[way.len() - 1]).into_iter().flatten() {
                    let mut longer = way.clone();
                    longer.push(next.clone());
                    if next == start {
                        return Some(longer);
                    }
                    if seen.insert(next.clone()) {
                        ways.push(longer);
                    }
                }
            }
            None
        })
    }

    fn allows_edge(&self, Dependency { from, to, kind }: &Dependency) -> bool {
        let names = |section: &Section| {
            section.get(from).is_some_and(|list| list.contains(to) || (list.contains("all") && from != to))
        };
        match kind {
            Kind::Normal => names(&self.edges),
            Kind::Build => names(&self.build_edges),
            Kind::Dev => names(&self.edges) || names(&self.dev_edges),
        }
    }

    fn allows_outside(&self, from: &str, to: &str) -> bool {
        self.guarded.get(to).is_none_or(|list| list.contains(from))
    }
}

fn parse_line(line: &str) -> Option<(String, BTreeSet<String>)> {
    let (name, list) = line.split_once('=')?;
    let list = list.trim().strip_prefix('[')?.strip_suffix(']')?.trim();
    let mut names = BTreeSet::new();
    for item in list.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let item = item.strip_prefix('"')?.strip_suffix('"')?;
        names.insert(item.to_owned());
    }
    Some((name.trim().to_owned(), names))
}
