//! Where outgoing bytes are: in memory, or still in a file.
//!
//! A fetch answers with ranges of segment files that the kernel sends to the socket without passing through this
//! process. The length of a piece is known before its first byte is sent.

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use bytes::Bytes;

/// A file that ranges can be sent from.
pub trait RangeFile: Send + Sync {
    /// Reads at most `buffer.len()` bytes at `position`; 0 means end of file.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;

    /// The descriptor to send from, when the file is one of the operating system.
    fn descriptor(&self) -> Option<BorrowedFd<'_>>;
}

/// `length` bytes of a file from `position`.
#[derive(Clone)]
pub struct FileRange {
    /// The file; kept open as long as the range lives.
    pub file: Arc<dyn RangeFile>,
    /// Where the range starts, in bytes.
    pub position: u64,
    /// How long it is, in bytes.
    pub length: usize,
}

impl FileRange {
    /// Reads the whole range.
    ///
    /// # Errors
    /// The file's own, or `UnexpectedEof` when it has become shorter than the range.
    pub fn read(&self) -> io::Result<Bytes> {
        let mut bytes = vec![0; self.length];
        let mut filled = 0;
        while filled < bytes.len() {
            match self.file.read_at(&mut bytes[filled..], self.position + filled as u64)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => filled += count,
            }
        }
        Ok(Bytes::from(bytes))
    }
}

/// One run of outgoing bytes; also the type of a protocol field of type `records`.
#[derive(Clone)]
pub enum Piece {
    /// In memory.
    Memory(Bytes),
    /// In a file.
    File(FileRange),
}

impl Piece {
    /// Its length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Memory(bytes) => bytes.len(),
            Self::File(range) => range.length,
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its bytes; reads the file if need be.
    ///
    /// # Errors
    /// Those of [`FileRange::read`].
    pub fn to_bytes(&self) -> io::Result<Bytes> {
        match self {
            Self::Memory(bytes) => Ok(bytes.clone()),
            Self::File(range) => range.read(),
        }
    }
}

impl Default for Piece {
    fn default() -> Self {
        Self::Memory(Bytes::new())
    }
}

impl From<Bytes> for Piece {
    fn from(bytes: Bytes) -> Self {
        Self::Memory(bytes)
    }
}

/// Two file ranges are equal when they are the same range of the same open file.
impl PartialEq for Piece {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Memory(a), Self::Memory(b)) => a == b,
            (Self::File(a), Self::File(b)) => {
                Arc::ptr_eq(&a.file, &b.file) && a.position == b.position && a.length == b.length
            }
            _ => false,
        }
    }
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(bytes) => write!(f, "Memory({} bytes)", bytes.len()),
            Self::File(range) => write!(f, "File({} bytes at {})", range.length, range.position),
        }
    }
}
