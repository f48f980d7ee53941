//! `meta.properties`: which cluster and node a log directory belongs to.
//!
//! ```text
//! version=1
//! cluster.id=b3R0bGEtb3JhY2xlLTAwMQ
//! node.id=1
//! directory.id=Xh0WCzZ7QaqFPLh3yl_v2g
//! ```
//! A Java properties file. Version 0 is that of ZooKeeper's times: `broker.id` and perhaps `cluster.id`, no directory id.

use std::collections::BTreeMap;
use std::path::Path;

use base::ids::{DirectoryId, NodeId};

use crate::disk::{Disk, read_file, replace_file};
use crate::error::{Error, IoContext};

/// The file's name in a log directory.
pub const FILE_NAME: &str = "meta.properties";

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaProperties {
    /// 0 or 1.
    pub version: i32,
    /// The cluster; may be absent in version 0.
    pub cluster_id: Option<String>,
    /// The node; may be absent in version 0.
    pub node_id: Option<NodeId>,
    /// The directory itself (KIP-858); absent until a version that knows it has written the file.
    pub directory_id: Option<DirectoryId>,
}

impl MetaProperties {
    /// Those of a directory of this node.
    pub fn new(cluster_id: impl Into<String>, node_id: NodeId, directory_id: DirectoryId) -> Self {
        Self {
            version: 1,
            cluster_id: Some(cluster_id.into()),
            node_id: Some(node_id),
            directory_id: Some(directory_id),
        }
    }

    /// Reads the file of a log directory; `None` if there is none: the directory is not formatted.
    ///
    /// # Errors
    /// The disk failed, or the file is damaged.
    pub fn read(disk: &dyn Disk, dir: &Path) -> Result<Option<Self>, Error> {
        let path = dir.join(FILE_NAME);
        let Some(bytes) = read_file(disk, &path).context("read", &path)? else { return Ok(None) };
        let text = String::from_utf8_lossy(&bytes);
        Self::parse(&text).map(Some).map_err(|reason| Error::corrupt(&path, 0, reason))
    }

    /// Replaces the file of a log directory.
    ///
    /// # Errors
    /// The disk failed.
    pub fn write(&self, disk: &dyn Disk, dir: &Path) -> Result<(), Error> {
        let path = dir.join(FILE_NAME);
        replace_file(disk, &path, self.to_text().as_bytes()).context("write", &path)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let properties = parse_properties(text);
        let get = |key: &str| properties.get(key).filter(|value| !value.is_empty());
        let version = match get("version") {
            None => return Err("no version".into()),
            Some(version) => version
                .parse::<i32>()
                .ok()
                .filter(|version| [0, 1].contains(version))
                .ok_or_else(|| format!("Unknown meta.properties version number {version}"))?,
        };
        let node_key = if version == 0 { "broker.id" } else { "node.id" };
        let node_id = match get(node_key) {
            None => None,
            Some(id) => {
                let number =
                    id.parse().map_err(|_| format!("Unable to read {node_key} as a base-10 number."));
                Some(NodeId(number?))
            }
        };
        let directory_id = match get("directory.id") {
            None => None,
            Some(id) => {
                let id = id.parse().map_err(|_| format!("Unable to read directory.id as a Uuid: {id}"));
                Some(DirectoryId(id?))
            }
        };
        let cluster_id = get("cluster.id").cloned();
        if version == 1 && node_id.is_none() {
            return Err("Failed to find node.id".into());
        }
        if version == 1 && cluster_id.is_none() {
            return Err("cluster.id was not found.".into());
        }
        Ok(Self { version, cluster_id, node_id, directory_id })
    }

    fn to_text(&self) -> String {
        let node_key = if self.version == 0 { "broker.id" } else { "node.id" };
        let mut text = String::from("#\n");
        let mut put = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                text.push_str(&format!("{key}={}\n", escaped(&value)));
            }
        };
        put("cluster.id", self.cluster_id.clone());
        put("directory.id", self.directory_id.map(|id| id.0.to_string()));
        put(node_key, self.node_id.map(|id| id.to_string()));
        put("version", Some(self.version.to_string()));
        text
    }
}

/// The pairs of a Java properties file: `#` and `!` begin comments; `=`, `:` or blanks end the key; a backslash makes the
/// next character plain, and at the end of a line joins the next.
pub(crate) fn parse_properties(text: &str) -> BTreeMap<String, String> {
    let mut pairs = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let mut line = line.trim_start().to_owned();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        while (line.len() - line.trim_end_matches('\\').len()) % 2 == 1 {
            line.pop();
            line.push_str(lines.next().unwrap_or_default().trim_start());
        }
        let (key, value) = split_pair(&line);
        pairs.insert(key, value);
    }
    pairs
}

fn split_pair(line: &str) -> (String, String) {
    let mut key = String::new();
    let mut characters = line.chars();
    let mut rest = "";
    while let Some(character) = characters.next() {
        match character {
            '\\' => key.extend(characters.next()),
            '=' | ':' | ' ' | '\t' => {
                rest = characters.as_str();
                if character == ' ' || character == '\t' {
                    rest = rest.trim_start();
                    rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
                }
                break;
            }
            plain => key.push(plain),
        }
    }
    let mut value = String::new();
    let mut characters = rest.trim_start().chars();
    while let Some(character) = characters.next() {
        if character == '\\' { value.extend(characters.next()) } else { value.push(character) }
    }
    (key, value)
}

fn escaped(value: &str) -> String {
    value
        .chars()
        .flat_map(|c| if matches!(c, '\\' | '=' | ':' | '#' | '!') { vec!['\\', c] } else { vec![c] })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::memory::MemoryDisk;

    #[test]
    fn both_versions_are_read() {
        /// Version, cluster, node, directory.
        type Found<'a> = (i32, Option<&'a str>, Option<i32>, Option<u128>);
        let check = |text: &str, expect: Option<Found<'_>>| {
            let found = MetaProperties::parse(text).ok();
            let found = found.as_ref().map(|found| {
                let directory = found.directory_id.map(|id| id.0.as_u128());
                (found.version, found.cluster_id.as_deref(), found.node_id.map(|id| id.0), directory)
            });
            assert_eq!(found, expect, "{text:?}");
        };
        let kafka = "#\n#Sat Nov 01 10:00:00 UTC 2025\ncluster.id=abc\ndirectory.id=AAAAAAAAAAAAAAAAAAAAZQ\nnode.id=7\nversion=1\n";
        check(kafka, Some((1, Some("abc"), Some(7), Some(101))));
        check("version=1\ncluster.id=a\\=b\nnode.id = 7\n", Some((1, Some("a=b"), Some(7), None)));
        check("version:0\nbroker.id 3\n", Some((0, None, Some(3), None)));
        check("version=0\ncluster.id=x\\\n   y\n", Some((0, Some("xy"), None, None)));
        check("version=1\nnode.id=7\n", None);
        check("version=2\ncluster.id=a\nnode.id=7\n", None);
        check("version=1\ncluster.id=a\nnode.id=x\n", None);
        check("version=1\ncluster.id=a\nnode.id=1\ndirectory.id=?\n", None);
        check("", None);
    }

    #[test]
    fn what_is_written_is_read() {
        let disk = MemoryDisk::new();
        let dir = Path::new("/d");
        disk.create_dir_all(dir).unwrap();
        assert_eq!(MetaProperties::read(&disk, dir).unwrap(), None);
        let written = MetaProperties::new("my:cluster=\\1", NodeId(4), DirectoryId::LOST);
        written.write(&disk, dir).unwrap();
        assert_eq!(MetaProperties::read(&disk, dir).unwrap(), Some(written));
    }
}
