//! Where a log's files are: shared by the log, its segments and its readers.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base::ids::Offset;

use crate::directory::FileKind;
use crate::disk::{Disk, File, OpenMode, sync_parent};
use crate::error::{Error, IoContext};

/// The disk and the partition's directory, which is renamed when the partition is deleted.
pub(crate) struct Home {
    disk: Arc<dyn Disk>,
    dir: Mutex<Arc<Path>>,
}

impl Home {
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: PathBuf) -> Arc<Self> {
        Arc::new(Self { disk, dir: Mutex::new(dir.into()) })
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    pub(crate) fn dir(&self) -> Arc<Path> {
        self.dir.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives the directory another name. Whoever asks for a path meanwhile waits for the new one.
    pub(crate) fn rename(&self, to: &Path) -> Result<(), Error> {
        let mut dir = self.dir.lock().unwrap_or_else(PoisonError::into_inner);
        self.disk.rename(&dir, to).context("rename", &dir)?;
        *dir = to.into();
        sync_parent(&*self.disk, to)
    }

    pub(crate) fn path(&self, kind: FileKind, base: Offset) -> PathBuf {
        kind.path(&self.dir(), base)
    }
}

/// A file that is opened when it is first used, and closed when nobody used it for a while.
#[derive(Default)]
pub(crate) struct LazyFile(Mutex<Slot>);

#[derive(Default)]
struct Slot {
    file: Option<Arc<dyn File>>,
    used: bool,
}

impl LazyFile {
    pub(crate) fn of(file: Arc<dyn File>) -> Self {
        Self(Mutex::new(Slot { file: Some(file), used: true }))
    }

    /// The file, opened if it is not. Opened for writing even to read, because the same handle serves the writer.
    pub(crate) fn get(
        &self,
        home: &Home,
        kind: FileKind,
        base: Offset,
        mode: OpenMode,
    ) -> io::Result<Arc<dyn File>> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.used = true;
        if let Some(file) = &slot.file {
            return Ok(file.clone());
        }
        let file = home.disk().open(&home.path(kind, base), mode)?;
        slot.file = Some(file.clone());
        Ok(file)
    }

    /// Closes the file. Those who still hold it keep it open.
    pub(crate) fn release(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Slot::default();
    }

    /// Closes the file if nobody asked for it since the last call. Those who still hold it keep it open.
    pub(crate) fn release_idle(&self) {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::take(&mut slot.used) {
            slot.file = None;
        }
    }
}
