//! Files and directories with their synced and their present content.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::ops::Range;
use std::path::{Component, Path};

use base::time::WallTime;

use super::super::{DirEntry, Metadata, OpenMode};
use super::{Crash, SECTOR_SIZE};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct InodeId(usize);

const ROOT: InodeId = InodeId(0);

#[derive(Clone)]
pub(super) struct Tree {
    inodes: Vec<Inode>,
}

#[derive(Clone)]
enum Inode {
    File(Content),
    Dir(Names),
}

#[derive(Clone, Default)]
struct Content {
    present: Vec<u8>,
    synced: Vec<u8>,
    /// Where the two may differ.
    dirty: Range<usize>,
    modified: WallTime,
}

#[derive(Clone, Default)]
struct Names {
    present: BTreeMap<String, InodeId>,
    synced: BTreeMap<String, InodeId>,
    /// What leads from `synced` to `present`, in order; each change is atomic.
    changes: Vec<Change>,
}

#[derive(Clone)]
struct Change {
    removed: Option<String>,
    added: Option<(String, InodeId)>,
}

impl Default for Tree {
    fn default() -> Self {
        Self { inodes: vec![Inode::Dir(Names::default())] }
    }
}

impl Tree {
    pub(super) fn open(&mut self, path: &Path, mode: OpenMode, wall: WallTime) -> io::Result<InodeId> {
        let (dir, name) = self.parent(path)?;
        if let Some(&id) = self.names(dir)?.present.get(&name) {
            if mode == OpenMode::Truncate {
                self.set_len(id, 0, wall)?;
            }
            return match self.inodes[id.0] {
                Inode::File(_) => Ok(id),
                Inode::Dir(_) => Err(io::ErrorKind::IsADirectory.into()),
            };
        }
        if matches!(mode, OpenMode::Read | OpenMode::Write) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let id = self.add(Inode::File(Content { modified: wall, ..Content::default() }));
        self.names(dir)?.change(Change { removed: None, added: Some((name, id)) });
        Ok(id)
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (from_dir, from_name) = self.parent(from)?;
        let (to_dir, to_name) = self.parent(to)?;
        let id = *self.names(from_dir)?.present.get(&from_name).ok_or(io::ErrorKind::NotFound)?;
        if from_dir == to_dir {
            self.names(to_dir)?.change(Change { removed: Some(from_name), added: Some((to_name, id)) });
        } else {
            self.names(to_dir)?.change(Change { removed: None, added: Some((to_name, id)) });
            self.names(from_dir)?.change(Change { removed: Some(from_name), added: None });
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path, dir: bool) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        let id = *self.names(parent)?.present.get(&name).ok_or(io::ErrorKind::NotFound)?;
        match &self.inodes[id.0] {
            Inode::Dir(names) if dir && !names.present.is_empty() => {
                return Err(io::ErrorKind::DirectoryNotEmpty.into());
            }
            Inode::Dir(_) if !dir => return Err(io::ErrorKind::IsADirectory.into()),
            Inode::File(_) if dir => return Err(io::ErrorKind::NotADirectory.into()),
            _ => {}
        }
        self.names(parent)?.change(Change { removed: Some(name), added: None });
        Ok(())
    }

    pub(super) fn list(&mut self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let id = self.find(dir)?;
        let present = self.names(id)?.present.clone();
        let is_dir = |id: InodeId| matches!(self.inodes[id.0], Inode::Dir(_));
        Ok(present
            .into_iter()
            .map(|(name, id)| DirEntry { name, is_dir: is_dir(id), is_link: false })
            .collect())
    }

    pub(super) fn metadata(&mut self, path: &Path) -> io::Result<Metadata> {
        let id = self.find(path)?;
        Ok(match &self.inodes[id.0] {
            Inode::File(content) => {
                Metadata { length: content.present.len() as u64, modified: content.modified, is_dir: false }
            }
            Inode::Dir(_) => Metadata { length: 0, modified: WallTime(0), is_dir: true },
        })
    }

    pub(super) fn create_dir_all(&mut self, dir: &Path) -> io::Result<()> {
        let mut at = ROOT;
        for name in parts(dir)? {
            at = match self.names(at)?.present.get(&name) {
                Some(&id) => id,
                None => {
                    let id = self.add(Inode::Dir(Names::default()));
                    self.names(at)?.change(Change { removed: None, added: Some((name, id)) });
                    id
                }
            };
        }
        self.names(at).map(|_| ())
    }

    pub(super) fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        let id = self.find(dir)?;
        let names = self.names(id)?;
        names.synced = names.present.clone();
        names.changes.clear();
        Ok(())
    }

    pub(super) fn set_content(&mut self, path: &Path, content: &[u8], wall: WallTime) {
        let dir = path.parent().expect("a file has a directory").to_owned();
        self.create_dir_all(&dir).expect("the path is made of directories");
        let id = self.open(path, OpenMode::Truncate, wall).expect("the directory is there");
        self.write(id, content, 0, wall);
        self.sync(id);
        self.sync_dir(&dir).expect("the directory is there");
    }

    pub(super) fn read(&self, id: InodeId, buffer: &mut [u8], position: u64) -> usize {
        let present = &self.content(id).present;
        let start = usize::try_from(position).unwrap_or(usize::MAX).min(present.len());
        let count = buffer.len().min(present.len() - start);
        buffer[..count].copy_from_slice(&present[start..start + count]);
        count
    }

    pub(super) fn write(&mut self, id: InodeId, bytes: &[u8], position: u64, wall: WallTime) {
        let content = self.content_mut(id);
        let start = usize::try_from(position).expect("a test's files are small");
        let end = start + bytes.len();
        let old = content.present.len();
        if end > old {
            content.present.resize(end, 0);
        }
        content.present[start..end].copy_from_slice(bytes);
        content.touch(start.min(old)..end, wall);
    }

    /// By how many bytes a write would make the file longer.
    pub(super) fn bytes_beyond(&self, id: InodeId, position: u64, length: usize) -> usize {
        (position as usize + length).saturating_sub(self.content(id).present.len())
    }

    pub(super) fn set_len(&mut self, id: InodeId, length: u64, wall: WallTime) -> io::Result<()> {
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let Inode::File(content) = &mut self.inodes[id.0] else {
            return Err(io::ErrorKind::IsADirectory.into());
        };
        let old = content.present.len();
        content.present.resize(length, 0);
        content.touch(old.min(length)..old.max(length), wall);
        Ok(())
    }

    pub(super) fn set_modified(&mut self, id: InodeId, modified: WallTime) {
        self.content_mut(id).modified = modified;
    }

    pub(super) fn sync(&mut self, id: InodeId) {
        let content = self.content_mut(id);
        content.synced.resize(content.present.len(), 0);
        let dirty = content.dirty.start..content.dirty.end.min(content.present.len());
        if dirty.start < dirty.end {
            content.synced[dirty.clone()].copy_from_slice(&content.present[dirty]);
        }
        content.dirty = 0..0;
    }

    pub(super) fn len(&self, id: InodeId) -> u64 {
        self.content(id).present.len() as u64
    }

    pub(super) fn crash(&mut self, crash: Crash) {
        let mut draw = Draw(match crash {
            Crash::Torn(seed) => seed,
            _ => 0,
        });
        for inode in &mut self.inodes {
            match (crash, inode) {
                (Crash::KeepAll, Inode::File(content)) => content.synced.clone_from(&content.present),
                (Crash::KeepAll, Inode::Dir(names)) => names.synced.clone_from(&names.present),
                (Crash::LoseUnsynced, _) => {}
                (Crash::Torn(_), Inode::File(content)) => content.tear(&mut draw),
                (Crash::Torn(_), Inode::Dir(names)) => names.tear(&mut draw),
            }
        }
        for inode in &mut self.inodes {
            match inode {
                Inode::File(content) => {
                    content.present.clone_from(&content.synced);
                    content.dirty = 0..0;
                }
                Inode::Dir(names) => {
                    names.present.clone_from(&names.synced);
                    names.changes.clear();
                }
            }
        }
    }

    /// Equal for two trees that show the same names and contents.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let mut dirs = vec![ROOT];
        while let Some(dir) = dirs.pop() {
            let Inode::Dir(names) = &self.inodes[dir.0] else { unreachable!("only directories are pushed") };
            names.present.len().hash(&mut hasher);
            for (name, id) in &names.present {
                name.hash(&mut hasher);
                match &self.inodes[id.0] {
                    Inode::File(content) => content.present.hash(&mut hasher),
                    Inode::Dir(_) => dirs.push(*id),
                }
            }
        }
        hasher.finish()
    }

    fn add(&mut self, inode: Inode) -> InodeId {
        self.inodes.push(inode);
        InodeId(self.inodes.len() - 1)
    }

    fn find(&mut self, path: &Path) -> io::Result<InodeId> {
        let mut at = ROOT;
        for name in parts(path)? {
            at = *self.names(at)?.present.get(&name).ok_or(io::ErrorKind::NotFound)?;
        }
        Ok(at)
    }

    fn parent(&mut self, path: &Path) -> io::Result<(InodeId, String)> {
        let mut names = parts(path)?;
        let name = names.pop().ok_or(io::ErrorKind::InvalidInput)?;
        let mut at = ROOT;
        for name in names {
            at = *self.names(at)?.present.get(&name).ok_or(io::ErrorKind::NotFound)?;
        }
        Ok((at, name))
    }

    fn names(&mut self, id: InodeId) -> io::Result<&mut Names> {
        match &mut self.inodes[id.0] {
            Inode::Dir(names) => Ok(names),
            Inode::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn content(&self, id: InodeId) -> &Content {
        match &self.inodes[id.0] {
            Inode::File(content) => content,
            Inode::Dir(_) => unreachable!("only files are opened"),
        }
    }

    fn content_mut(&mut self, id: InodeId) -> &mut Content {
        match &mut self.inodes[id.0] {
            Inode::File(content) => content,
            Inode::Dir(_) => unreachable!("only files are opened"),
        }
    }
}

impl Content {
    fn touch(&mut self, range: Range<usize>, wall: WallTime) {
        self.modified = wall;
        self.dirty = if self.dirty.is_empty() {
            range
        } else {
            self.dirty.start.min(range.start)..self.dirty.end.max(range.end)
        };
    }

    /// Moves any part of what is not synced to what is: any length between the two, and of each sector within it the
    /// new bytes or the old ones (zeros where there were none).
    fn tear(&mut self, draw: &mut Draw) {
        let (old, new) = (self.synced.len(), self.present.len());
        if self.dirty.is_empty() && old == new {
            return;
        }
        let length = match draw.below(4) {
            0 => old,
            1 | 2 => new,
            _ => old.min(new) + draw.below(old.abs_diff(new) as u64 + 1) as usize,
        };
        // One crash in two tears little, so that the interesting cases near the end are met often.
        let odds = [2, 16][draw.below(2) as usize];
        self.synced.resize(length, 0);
        let mut sector = self.dirty.start / SECTOR_SIZE * SECTOR_SIZE;
        while sector < length.min(new) {
            let end = (sector + SECTOR_SIZE).min(length).min(new);
            if draw.below(odds) != 0 {
                self.synced[sector..end].copy_from_slice(&self.present[sector..end]);
            }
            sector += SECTOR_SIZE;
        }
    }
}

impl Names {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.present);
        self.changes.push(change);
    }

    fn tear(&mut self, draw: &mut Draw) {
        let kept = draw.below(self.changes.len() as u64 + 1) as usize;
        for change in &self.changes[..kept] {
            change.apply(&mut self.synced);
        }
    }
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<String, InodeId>) {
        if let Some(name) = &self.removed {
            names.remove(name);
        }
        if let Some((name, id)) = &self.added {
            names.insert(name.clone(), *id);
        }
    }
}

/// SplitMix64: enough to spread a seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

fn parts(path: &Path) -> io::Result<Vec<String>> {
    path.components()
        .filter(|part| !matches!(part, Component::RootDir | Component::CurDir))
        .map(|part| match part {
            Component::Normal(name) => {
                Ok(name.to_str().ok_or(io::Error::from(io::ErrorKind::InvalidInput))?.to_owned())
            }
            _ => Err(io::ErrorKind::InvalidInput.into()),
        })
        .collect()
}
